//! One frame of a patch: compressed with what it refers to as its prefix, and opened with the same.

use std::io;

use zstd::zstd_safe::{CCtx, CParameter, DCtx, compress_bound, get_error_name};

use super::steps::Step;
use crate::archive::FrameError;

/// The window reaches over everything that a step refers to and holds: 12 MiB at most.
const WINDOW_LOG: u32 = 24;

/// Opens a step: `reference` is what it refers to, part after part.
///
/// Memory: the reference, the frame, and what comes out, each bounded by the format, and 160 KiB for zstd.
///
/// # Errors
/// When the frame is not the one that the step announces, or does not come out as announced: then the reference is not what
/// the patch was made from. What comes out is not to be believed before its digest is known.
pub fn open_step(
    step: &Step,
    reference: &[u8],
    compressed: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    step.check_frame(compressed)?;
    let size = usize::try_from(step.to_bytes()).map_err(|_| FrameError::Size)?;
    let failed = |code| FrameError::Zstd(error_of(code));
    let mut context =
        DCtx::try_create().ok_or_else(|| FrameError::Zstd(io::ErrorKind::OutOfMemory.into()))?;
    context.ref_prefix(reference).map_err(failed)?;
    out.clear();
    out.reserve_exact(size);
    let found = context.decompress(out, compressed).map_err(failed)?;
    if found == size { Ok(()) } else { Err(FrameError::Size) }
}

/// Compresses what a step holds. The same bytes on every machine for one version of zstd.
pub(super) fn press(level: i32, reference: &[u8], held: &[u8]) -> io::Result<Vec<u8>> {
    let mut context = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
    for parameter in [
        CParameter::CompressionLevel(level),
        CParameter::WindowLog(WINDOW_LOG),
        CParameter::EnableLongDistanceMatching(true),
        CParameter::ChecksumFlag(true),
        CParameter::ContentSizeFlag(true),
    ] {
        context.set_parameter(parameter).map_err(error_of)?;
    }
    context.ref_prefix(reference).map_err(error_of)?;
    let mut out = Vec::with_capacity(compress_bound(held.len()));
    context.compress2(&mut out, held).map_err(error_of)?;
    Ok(out)
}

fn error_of(code: usize) -> io::Error {
    io::Error::other(get_error_name(code))
}
