//! Compresses frames, or takes them from an earlier version that has the same.

use std::io;

use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use super::earlier::EarlierFrames;
use super::fill::Filed;
use super::pipeline::Making;
use crate::digest::Digest;
use crate::index::Frame;

/// A frame that has been compressed, with the digests of the files that end in it.
pub(super) struct Sealed {
    pub(super) frame: Frame,
    pub(super) bytes: Vec<u8>,
    pub(super) digests: Vec<Filed>,
}

/// Compresses one frame after the other. Holds zstd's working memory, so one is made for each thread.
pub(super) struct Press<'a> {
    compressor: io::Result<Compressor<'static>>,
    earlier: Option<&'a EarlierFrames>,
}

impl<'a> Press<'a> {
    pub(super) fn new(making: Making<'a>) -> Self {
        Self { compressor: new_compressor(making.level), earlier: making.earlier }
    }

    pub(super) fn seal(&mut self, raw: &[u8], digests: Vec<Filed>) -> io::Result<Sealed> {
        if let Some((frame, bytes)) = self.earlier.and_then(|earlier| earlier.find(raw)) {
            return Ok(Sealed { frame, bytes, digests });
        }
        let compressor = match &mut self.compressor {
            Ok(compressor) => compressor,
            Err(error) => return Err(io::Error::new(error.kind(), error.to_string())),
        };
        let bytes = compressor.compress(raw)?;
        let frame = Frame { length: bytes.len() as u64, size: raw.len() as u64, sha256: Digest::of(&bytes) };
        Ok(Sealed { frame, bytes, digests })
    }
}

/// The zstd level that packages are compressed with unless somebody chooses another: built once, installed often.
pub const DEFAULT_LEVEL: i32 = 9;

/// Proves what a frame holds without the frame: whoever knows its content compresses it and compares digests.
#[allow(missing_debug_implementations, reason = "zstd's context has nothing to show")]
pub struct Probe(Compressor<'static>);

impl Probe {
    /// Sets up zstd.
    ///
    /// # Errors
    /// When memory is short.
    pub fn new() -> io::Result<Self> {
        new_compressor(DEFAULT_LEVEL).map(Self)
    }

    /// Tells whether `frame` is known to hold `raw`. It may hold that all the same where another level or another version of zstd made
    /// it: then only its bytes tell.
    pub fn proves(&mut self, frame: &Frame, raw: &[u8]) -> bool {
        raw.len() as u64 == frame.size
            && self.0.compress(raw).is_ok_and(|bytes| Digest::of(&bytes) == frame.sha256)
    }
}

/// Sets zstd up for frames as the format wants them.
pub(crate) fn new_compressor(level: i32) -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(level)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    compressor.set_parameter(CParameter::ContentSizeFlag(true))?;
    Ok(compressor)
}
