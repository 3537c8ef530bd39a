//! Reads packages that are there: to show them, to check them byte by byte, to unpack them for a test.

mod compare;
mod lint;
mod open;
mod sign;
mod unpack;

pub use compare::{Change, Comparison, compare};
pub use lint::{PackageLintError, lint};
pub use open::{FileIdentity, OpenPackage, PackageError};
pub use sign::{SignError, Signed, rehearse as rehearse_sign, sign};
pub use unpack::{SinkError, UnpackTo};
