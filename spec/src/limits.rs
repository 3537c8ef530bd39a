//! Every limit of the format, in one place. `docs/format.md`, clause 9.
//!
//! A limit stops an archive from costing more than its signed size promises; each is far above what real
//! software needs.

/// The longest path inside a package, in bytes.
pub const PATH_BYTES: usize = 4096;
/// The longest component of a path, in bytes: what Linux file systems take.
pub const COMPONENT_BYTES: usize = 255;
/// The most components of a path.
pub const PATH_LEVELS: usize = 64;
/// The largest `package.json`, in bytes.
pub const MANIFEST_BYTES: u64 = 1 << 20;
/// The largest `signatures.json`, in bytes.
pub const SIGNATURES_BYTES: u64 = 64 << 10;
/// The largest index, compressed, in bytes.
pub const INDEX_BYTES: u64 = 16 << 20;
/// The largest index before compression, in bytes. It is read in pieces.
pub const INDEX_TEXT_BYTES: u64 = 512 << 20;
/// The most that the entries and frames of an index take in memory, in bytes: with what else a reader keeps of a package 64 MiB.
pub const INDEX_WEIGHT: u64 = 32 << 20;
/// The largest attachment (SBOM, provenance), in bytes.
pub const ATTACHMENT_BYTES: u64 = 8 << 20;
/// The largest payload and the largest file, in bytes: what the size field of a POSIX tar header holds.
pub const TAR_MEMBER_BYTES: u64 = (8 << 30) - 1;
/// The largest frame before compression, in bytes.
pub const FRAME_BYTES: u64 = 4 << 20;
/// The largest zstd window that a reader grants, in bytes.
pub const WINDOW_BYTES: u64 = 8 << 20;
/// The most that one step of a patch refers to, in bytes.
pub const PATCH_FROM_BYTES: u64 = 8 << 20;
/// The most that one step of a patch holds, in bytes.
pub const PATCH_TO_BYTES: u64 = 4 << 20;
/// The largest list of steps of a patch, before compression, in bytes.
pub const PATCH_STEPS_BYTES: u64 = 16 << 20;
/// The most that the steps of a patch take in memory, in bytes.
pub const PATCH_STEPS_WEIGHT: u64 = 32 << 20;
/// The most signatures on one package.
pub const SIGNATURES: usize = 64;

/// The latest source date, in seconds since 1970: the end of the year 9999.
pub const SOURCE_DATE: u64 = 253_402_300_799;

/// The largest template, in bytes.
pub const TEMPLATE_BYTES: u64 = 1 << 20;
