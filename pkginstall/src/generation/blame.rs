//! What made a change fail: whether it would fail again, which whoever follows a channel must know.

use serde::{Deserialize, Serialize};

/// What made a change fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The new revision: it did not start, was not well, or could not migrate the data. It would fail again.
    Revision,
    /// This host, for now: a full disk, an old version that did not stop, a file that could not be written.
    Host,
    /// A signal, or the death of the command.
    Interruption,
}
