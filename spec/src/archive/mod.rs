//! The archive: a package as one file, written and read in the one way that the format allows.
//!
//! `docs/format.md` is the specification. Reading is a chain of types, each of which proves the step before it:
//!
//! [`Head`] (bytes that say who they are) → [`VerifiedPackage`] (signed by trusted keys) → [`VerifiedIndex`] (every
//! entry accepted by the archive policy) → its payload, frame by frame. What has not been verified has no index,
//! and what has no index cannot be unpacked.

mod body;
pub(crate) mod container;
mod cut;
mod dates;
mod diagnose;
mod earlier;
mod equal;
mod fill;
pub(crate) mod frame;
mod head;
mod output;
mod pack;
mod pipeline;
mod press;
mod resign;
pub(crate) mod tar_header;
mod walk;

pub use body::{Discard, RunUnpacker, Sink, UnpackError, Unpacker, end_length, read_end, read_frame};
pub use container::ContainerError;
pub use cut::FrameSize;
pub use dates::EarlierDates;
pub use earlier::{EarlierFrames, ReadAt};
pub use frame::{FrameError, FrameReader};
pub use head::{Contents, Head, HeadError, UnverifiedPackage, VerifiedIndex, VerifiedPackage, VerifyError};
pub use pack::{Attachments, PackError, PackOptions, PackPlan, Packed, Packer, TreeEntry, TreeNode, pack};
pub(crate) use press::new_compressor;
pub use press::{DEFAULT_LEVEL, Probe};
pub use resign::{ResignError, add_signatures};
