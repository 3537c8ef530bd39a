//! Frames: from compressed bytes to payload bytes, checked before zstd sees them.

use std::io::{self, BufReader, Read};

use thiserror::Error;
use zstd::bulk::Decompressor;
use zstd::stream::read::Decoder;
use zstd::zstd_safe;

use crate::command::{Exit, Explain};
use crate::digest::Digest;
use crate::index::Frame;
use crate::limits::WINDOW_BYTES;

const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// RFC 8878, 3.1.1.1.1: bit 2 of the frame header descriptor says that a checksum follows the frame.
const CHECKSUM_FLAG: u8 = 1 << 2;
/// RFC 8878, 3.1.1.1.1: bits 0 and 1 say how long the dictionary id is.
const DICTIONARY_FLAGS: u8 = 0b11;

/// Opens frames one after the other. Holds zstd's working memory, so one is made for each thread.
#[allow(missing_debug_implementations, reason = "zstd's context has nothing to show")]
pub struct FrameReader(Decompressor<'static>);

impl FrameReader {
    /// Sets up zstd.
    ///
    /// # Errors
    /// When memory is short.
    pub fn new() -> io::Result<Self> {
        Decompressor::new().map(Self)
    }

    /// Checks the compressed bytes of `frame` against its digest and its shape, and decompresses them into `out`.
    ///
    /// # Errors
    /// When the bytes are not those that the index describes; `out` is then of no use.
    pub fn open(&mut self, frame: &Frame, compressed: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        if compressed.len() as u64 != frame.length {
            return Err(FrameError::Length { found: compressed.len() as u64, expected: frame.length });
        }
        if Digest::of(compressed) != frame.sha256 {
            return Err(FrameError::Digest);
        }
        check_shape(compressed, frame.size)?;
        self.decompress(compressed, frame.size, out)
    }

    /// Decompresses one whole frame of exactly `size` bytes.
    pub(crate) fn decompress(
        &mut self,
        compressed: &[u8],
        size: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), FrameError> {
        let size = usize::try_from(size).map_err(|_| FrameError::Size)?;
        out.clear();
        out.reserve_exact(size);
        let found = self.0.decompress_to_buffer(compressed, out).map_err(FrameError::Zstd)?;
        if found == size { Ok(()) } else { Err(FrameError::Size) }
    }
}

/// Decompresses a frame whose shape is checked, in pieces. Memory: its window.
pub(crate) fn stream(compressed: &[u8]) -> Result<impl Read, FrameError> {
    let mut decoder = Decoder::with_buffer(compressed).map_err(FrameError::Zstd)?;
    decoder.window_log_max(WINDOW_BYTES.ilog2()).map_err(FrameError::Zstd)?;
    Ok(BufReader::with_capacity(256 << 10, decoder))
}

/// Checks that `bytes` are one zstd frame with a checksum, without a dictionary, that holds `size` bytes.
pub(crate) fn check_shape(bytes: &[u8], size: u64) -> Result<(), FrameError> {
    let [magic @ .., descriptor] = *bytes.first_chunk::<5>().ok_or(FrameError::NotAFrame)?;
    if magic != MAGIC {
        return Err(FrameError::NotAFrame);
    }
    if descriptor & CHECKSUM_FLAG == 0 {
        return Err(FrameError::NoChecksum);
    }
    if descriptor & DICTIONARY_FLAGS != 0 {
        return Err(FrameError::Dictionary);
    }
    if window_size(descriptor, bytes, size) > WINDOW_BYTES {
        return Err(FrameError::Window);
    }
    if zstd_safe::get_frame_content_size(bytes).ok().flatten() != Some(size) {
        return Err(FrameError::Size);
    }
    if zstd_safe::find_frame_compressed_size(bytes).ok() != Some(bytes.len()) {
        return Err(FrameError::NotOneFrame);
    }
    Ok(())
}

/// RFC 8878, 3.1.1.1.2: the memory that the frame asks for. zstd itself checks it only when it streams.
fn window_size(descriptor: u8, bytes: &[u8], size: u64) -> u64 {
    const SINGLE_SEGMENT_FLAG: u8 = 1 << 5;
    if descriptor & SINGLE_SEGMENT_FLAG != 0 {
        return size;
    }
    let window = bytes.get(5).copied().unwrap_or(0);
    let base = 1u64 << (10 + (window >> 3));
    base + base / 8 * u64::from(window & 7)
}

/// Says why compressed bytes are refused.
#[derive(Debug, Error)]
pub enum FrameError {
    /// There are more or fewer bytes than the index says.
    #[error("it has {found} bytes, the index says {expected}")]
    Length {
        /// Bytes that are there.
        found: u64,
        /// Bytes that the index says.
        expected: u64,
    },
    /// The bytes have another digest than the index says.
    #[error("its bytes are not what the index says")]
    Digest,
    /// It does not start as a zstd frame does: garbage, or a skippable frame.
    #[error("it is not a zstd frame")]
    NotAFrame,
    /// It ends before or after the bytes that are there.
    #[error("it is not exactly one zstd frame")]
    NotOneFrame,
    /// It has no checksum.
    #[error("it has no checksum")]
    NoChecksum,
    /// It needs a dictionary.
    #[error("it needs a dictionary")]
    Dictionary,
    /// It holds more or less than the index says.
    #[error("it does not hold as many bytes as the index says")]
    Size,
    /// It asks for more memory than a reader grants.
    #[error("its window is above the limit of 8 MiB")]
    Window,
    /// Zstd refuses it.
    #[error("zstd cannot decompress it")]
    Zstd(#[source] io::Error),
}

impl Explain for FrameError {
    fn exit(&self) -> Exit {
        Exit::Trust
    }

    fn code(&self) -> &'static str {
        "damaged_frame"
    }

    fn hint(&self) -> Option<String> {
        Some("fetch the package again; if it repeats, the repository is damaged".into())
    }
}
