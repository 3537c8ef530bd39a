//! The content of a file: its extents, cut by content into frames. A file that changes meanwhile is read again, and then marked.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

use copkg_spec::snapshot::{Content, Extent, FrameReference, ObjectKind, Piece, TreeObject};
use fastcdc::v2020::StreamCDC;
use rustix::fs::{Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use super::cache::Stamp;
use super::outbox::Outbox;
use crate::snapshot::SnapshotError;
use crate::snapshot::handle::Handle;

/// How long a frame is: at least, on average, at most.
const SHORTEST: usize = 128 << 10;
const AVERAGE: usize = 512 << 10;
const LONGEST: usize = 2 << 20;

/// How often a file is read before it counts as one that changes all the time.
const ATTEMPTS: usize = 3;

/// What reading a file came to.
pub(super) struct ReadFile {
    pub(super) content: Content,
    /// What the file was when it was read, where that can be said.
    pub(super) stamp: Option<Stamp>,
    pub(super) bytes: u64,
}

/// Reads `name`.
pub(super) fn read(
    directory: &Handle,
    name: &[u8],
    outbox: &mut Outbox<'_>,
) -> Result<ReadFile, SnapshotError> {
    let path = directory.path_of(name);
    let mut attempt = 1;
    loop {
        let file = open(directory, name).map_err(SnapshotError::entry("read", &path))?;
        let look = || rustix::fs::fstat(&file).map_err(SnapshotError::entry("look at", &path));
        let before = Stamp::of(&look()?);
        let size = u64::try_from(look()?.st_size).unwrap_or_default();
        let extents = extents_of(&file, size).map_err(SnapshotError::entry("read", &path))?;
        let (mut content, bytes) = frames(&file, size, extents, outbox, &path)?;
        let is_same = Stamp::of(&look()?) == before;
        if is_same || attempt == ATTEMPTS {
            content.changed_while_read = !is_same;
            return Ok(ReadFile { content, stamp: is_same.then_some(before), bytes });
        }
        attempt += 1;
    }
}

/// Opens a file without a trace in its access time, where we may; never waits for the other end of a pipe.
fn open(directory: &Handle, name: &[u8]) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat(directory, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => rustix::fs::openat(directory, name, flags, Mode::empty()),
        opened => opened,
    }
    .map(File::from)
}

/// Returns where the file has data. A file system that cannot say has no holes.
pub(in crate::snapshot) fn extents_of(file: &File, size: u64) -> rustix::io::Result<Vec<Extent>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < size {
        let begins = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL) => return Ok(vec![Extent { offset: 0, length: size }]),
            begins => begins?,
        };
        let ends = rustix::fs::seek(file, SeekFrom::Hole(begins))?.min(size);
        if ends <= begins {
            break;
        }
        found.push(Extent { offset: begins, length: ends - begins });
        at = ends;
    }
    Ok(found)
}

fn frames(
    file: &File,
    size: u64,
    extents: Vec<Extent>,
    outbox: &mut Outbox<'_>,
    path: &[u8],
) -> Result<(Content, u64), SnapshotError> {
    let failed = || SnapshotError::entry::<io::Error>("read", path);
    let total: u64 = extents.iter().map(|extent| extent.length).sum();
    let mut reader = Extents { file, of: &extents, at: 0, within: 0 };
    let mut frames = Vec::new();
    let mut add = |data: Vec<u8>| -> Result<(), SnapshotError> {
        let length = u32::try_from(data.len()).unwrap_or_default();
        frames.push(FrameReference(outbox.add(ObjectKind::Frame, data)?, length));
        Ok(())
    };
    if total <= SHORTEST as u64 {
        let mut data = Vec::new();
        reader.read_to_end(&mut data).map_err(failed())?;
        if !data.is_empty() {
            add(data)?;
        }
    } else {
        for chunk in StreamCDC::new(reader, SHORTEST, AVERAGE, LONGEST) {
            add(chunk.map_err(io::Error::from).map_err(failed())?.data)?;
        }
    }
    content(size, extents, frames, outbox).map(|content| (content, total))
}

/// Makes one piece of it, or several that lie in objects of their own.
fn content(
    size: u64,
    extents: Vec<Extent>,
    frames: Vec<FrameReference>,
    outbox: &mut Outbox<'_>,
) -> Result<Content, SnapshotError> {
    let content = |piece, pieces| Content { size, piece, pieces, changed_while_read: false };
    if extents.is_empty() {
        return Ok(content(None, Vec::new()));
    }
    if extents.len() <= Piece::LIMIT / 4 && frames.len() <= Piece::LIMIT / 4 {
        return Ok(content(Some(Piece { extents, frames }), Vec::new()));
    }
    let mut names = Vec::new();
    for piece in pieces(&extents, &frames) {
        names.push(outbox.add_tree(&TreeObject::Piece(piece))?);
    }
    Ok(content(None, names))
}

/// Cuts extents and frames where both have a border, or where extents are cut to fit.
fn pieces(extents: &[Extent], frames: &[FrameReference]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = extents.iter().copied();
    let mut open: Option<Extent> = rest.next();
    for group in frames.chunks(Piece::LIMIT) {
        let mut left: u64 = group.iter().map(|frame| u64::from(frame.1)).sum();
        let mut taken = Vec::new();
        while let Some(extent) = open.filter(|_| left > 0) {
            let length = extent.length.min(left);
            taken.push(Extent { offset: extent.offset, length });
            left -= length;
            let remains = Extent { offset: extent.offset + length, length: extent.length - length };
            open = if remains.length > 0 { Some(remains) } else { rest.next() };
        }
        pieces.push(Piece { extents: taken, frames: group.to_vec() });
    }
    pieces
}

/// Reads one extent after the other. One that became shorter meanwhile is filled with zeros: the file is marked as changed.
struct Extents<'f> {
    file: &'f File,
    of: &'f [Extent],
    at: usize,
    within: u64,
}

impl Read for Extents<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(extent) = self.of.get(self.at) else { return Ok(0) };
        let left = extent.length - self.within;
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut got = self.file.read_at(&mut buffer[..wanted], extent.offset + self.within)?;
        if got == 0 && wanted > 0 {
            buffer[..wanted].fill(0);
            got = wanted;
        }
        self.within += got as u64;
        if self.within == extent.length {
            (self.at, self.within) = (self.at + 1, 0);
        }
        Ok(got)
    }
}
