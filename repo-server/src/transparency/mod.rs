//! The transparency log of a repository: its commits as leaves of a Merkle tree, in files that any web server can serve.
//!
//! Before it: [`crate::log`] has an entry; after it: [`crate::repository`] writes the tiles with the commit's other files
//! and puts the head into the timestamp. Entry N is leaf N - 1, byte for byte. Whoever materialises an entry makes the
//! same tiles, so writing them again changes nothing.
//!
//! | File | Written | Changes |
//! | --- | --- | --- |
//! | `tlog/tile/<L>/<N>[.p/<W>]` | before the timestamp of its commit | never |
//! | `tlog/tile/entries/<N>[.p/<W>]` | before the timestamp of its commit | never |
//! | `tlog/checkpoint` | after the timestamp | with each commit, and when witnesses have cosigned |

mod checkpoint;
mod error;
mod leaves;
#[cfg(test)]
mod tests;
mod witnesses;

pub use checkpoint::{add_signatures, advance_checkpoint, log_keys, origin_of, read_checkpoint, sign_head};
pub use error::TransparencyError;
pub use leaves::{ENTRY_BYTES, Log};
pub use witnesses::{Witness, WitnessError, Witnesses};

use copkg_spec::tlog::Resource;

use crate::layout::StorePath;

/// Returns where a store has a file of the log.
pub fn path_of(resource: Resource) -> StorePath {
    StorePath::transparency(format_args!("{resource}"))
}
