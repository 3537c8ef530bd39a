//! Contents: trees of files behind a service that people edit on one host, push to all, and take back.
//!
//! A content is a package of kind `content` and a channel of it. Its revisions are installed packages, which never change; the one
//! that is served is named by a symbolic link, switched by one rename. Comes beside `follow`, which keeps a content at its channel,
//! and uses `service`, which is told to read the new files.
//!
//! ```text
//! <prefix>/content/<name>/
//!     active       → ../../software/<group as path>/<id>/<version>, or edit
//!     edit/        the working copy, while the content is edited
//!     conflicts/   what a merge left for a person to decide
//! <prefix>/content/.set-aside/<name>.<time>/   edits that were set aside
//! <state>/contents/<name>/
//!     content.json   which package and channel it is; its presence is the content
//!     hold.json      who edits it, since when and why: nothing else writes to it
//!     stay.json      the revision that was activated by hand, and what its channel led to
//!     change.json    a change that was begun
//!     reload.json    a reload that failed and is owed
//! ```
//!
//! Each record is replaced in one step. A change is written to `change.json` when everything that it needs is there; whoever finds
//! it carries it out to its end, as often as it takes ([`recover`]).

mod aside;
mod change;
mod diff;
mod error;
mod hold;
mod merge;
mod publisher;
mod record;
mod scan;
mod store;
mod version;
mod working_copy;

pub use aside::{SetAsideEdits, sweep_set_aside};
pub use change::{
    Carried, ContentChange, ContentNotRecovered, EndOfEdits, Ending, carry_out, left_behind, recover,
    recover_all,
};
pub use diff::{FileDiff, TreeAt, differences};
pub use error::ContentError;
pub use hold::{Hold, PendingPush, Serving};
pub use merge::{MergeConflict, MergeOutcome, MergeSides, merge, unsettled};
pub use publisher::{BuiltRevision, PkgbuildRunner, PushTarget, PushedState, RevisionDraft};
pub use record::{Content, OwedReload, Stay};
pub use scan::{Leaf, TreeState, check_publishable, state_of_index};
pub use store::{ContentStore, Served};
pub use version::next_version;
pub use working_copy::{remove_push_directory, snapshot, working_copy};
