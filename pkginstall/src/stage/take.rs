//! Taking: files of another installed version become files of this one, verified on the way.
//!
//! What is copied is hashed as it is written, so what was checked is what is there. A clone shares its blocks with the donor
//! until one of them is written to, and is hashed once it is there; so is a hard link, which shares the file itself.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use copkg_spec::digest::{Digest, Hashed};
use copkg_spec::index::{Entry, EntryPath, Mode};
use rustix::fs::{AtFlags, FileType, Timestamps};

use super::donors::{Donors, Part, Place};
use super::early::Early;
use super::writer::{Stack, parent};
use crate::tree::{Directory, TreeError};

/// How files of another installed version are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LinkMode {
    /// Cloned where the file system can, else copied
    #[default]
    Auto,
    /// Cloned; fetched where the file system cannot
    Clone,
    /// Linked: one read-only file in both versions
    Hardlink,
    /// Copied
    Copy,
}

/// How much is copied at once.
const WINDOW: usize = 256 << 10;

/// Whether a file was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// The donor does not have what its index says, or cannot give it: it has to be fetched.
    No,
}

/// Takes files, on one thread.
pub(super) struct Taker<'d> {
    donors: &'d Donors,
    mode: LinkMode,
    /// Whether a clone has failed before: it will again.
    no_clones: &'d AtomicBool,
    sources: Vec<Stack<'d>>,
    into: Stack<'d>,
    times: Timestamps,
    buffer: Vec<u8>,
}

impl<'d> Taker<'d> {
    pub(super) fn new(
        donors: &'d Donors,
        mode: LinkMode,
        no_clones: &'d AtomicBool,
        into: &'d Directory,
        times: Timestamps,
    ) -> Self {
        let sources = donors.roots.iter().map(Stack::new).collect();
        Self { donors, mode, no_clones, sources, into: Stack::new(into), times, buffer: vec![0; WINDOW] }
    }

    /// Takes the files of `entries`. Where one cannot be taken, those before it are there and have to be undone.
    pub(super) fn take<'e>(
        &mut self,
        entries: impl IntoIterator<Item = &'e Entry>,
    ) -> Result<Taken, TreeError> {
        for entry in entries {
            // Another name of a file is made when that one is there.
            let Entry::File { path, mode, size, sha256, link: None } = entry else { continue };
            let taken = match self.donors.files.get(sha256) {
                Some(place) => self.file(place, path, *mode, (*size, *sha256))?,
                None if *size == 0 && *sha256 == Digest::of(b"") => self.empty(path, *mode)?,
                None => Taken::No,
            };
            if taken == Taken::No {
                return Ok(Taken::No);
            }
        }
        Ok(Taken::Yes)
    }

    /// Makes an empty file, for which no donor is needed.
    fn empty(&mut self, path: &EntryPath, mode: Mode) -> Result<Taken, TreeError> {
        self.into.enter(parent(path))?;
        let here = self.into.here();
        let file = here.create_file(path.name(), mode.read_only_bits())?;
        rustix::fs::futimens(&file, &self.times)
            .map_err(|error| TreeError::make(&here.path().join(path.name()), error))?;
        Ok(Taken::Yes)
    }

    /// Removes what was made of the files of `entries`.
    pub(super) fn undo(&mut self, entries: &[Entry]) -> Result<(), TreeError> {
        for entry in entries {
            if let Entry::File { path, link: None, .. } = entry {
                self.into.enter(parent(path))?;
                self.into.here().remove_tree(path.name())?;
            }
        }
        Ok(())
    }

    /// Reads a part of a file of a donor; `None` where it is not there.
    pub(super) fn part(&mut self, part: &Part, bytes: &mut [u8]) -> Option<()> {
        let file = self.open(&part.place)?;
        std::os::unix::fs::FileExt::read_exact_at(&file, bytes, part.offset).ok()
    }

    fn open(&mut self, place: &Place) -> Option<File> {
        open_regular(&mut self.sources[place.donor], &place.path)
    }

    fn file(
        &mut self,
        place: &Place,
        path: &EntryPath,
        mode: Mode,
        expected: (u64, Digest),
    ) -> Result<Taken, TreeError> {
        self.into.enter(parent(path))?;
        let Some(mut source) = self.open(place) else { return Ok(Taken::No) };
        if self.mode == LinkMode::Hardlink && self.link(place, &source, path, mode) {
            return Ok(self.check(&mut source, expected));
        }
        let here = self.into.here();
        let failed = |source: std::io::Error| TreeError::make(&here.path().join(path.name()), source);
        let mut file = here.create_file(path.name(), mode.read_only_bits())?;
        let is_clone = self.clone(&source, &file);
        let found = if is_clone {
            // The clone itself: the donor may be written to meanwhile.
            let mut clone = here.open_file(path.name())?;
            read_all(&mut clone, &mut self.buffer, |_| Ok(())).map_err(failed)?
        } else if self.mode == LinkMode::Clone {
            None
        } else {
            let mut early = Early::default();
            let copy = |bytes: &[u8]| file.write_all(bytes).map(|()| early.wrote(&file, bytes.len()));
            read_all(&mut source, &mut self.buffer, copy).map_err(failed)?
        };
        rustix::fs::futimens(&file, &self.times).map_err(|error| failed(error.into()))?;
        Ok(if found == Some(expected) { Taken::Yes } else { Taken::No })
    }

    /// Makes `file` a clone, where that is wanted and the file system can.
    fn clone(&self, source: &File, file: &File) -> bool {
        let is_wanted = matches!(self.mode, LinkMode::Auto | LinkMode::Clone);
        if !is_wanted || self.no_clones.load(Ordering::Relaxed) {
            return false;
        }
        let result = rustix::fs::ioctl_ficlone(file, source);
        self.no_clones.store(result.is_err(), Ordering::Relaxed);
        result.is_ok()
    }

    /// Links the donor's file, unless its mode is another one (as that of a version from before software was read-only) or the
    /// file system refuses.
    fn link(&mut self, place: &Place, source: &File, path: &EntryPath, mode: Mode) -> bool {
        let bits = mode.read_only_bits();
        let fits = rustix::fs::fstat(source).is_ok_and(|stat| stat.st_mode & 0o7777 == bits);
        let from = self.sources[place.donor].here();
        fits && rustix::fs::linkat(from, place.path.name(), self.into.here(), path.name(), AtFlags::empty())
            .is_ok()
    }

    fn check(&mut self, file: &mut File, expected: (u64, Digest)) -> Taken {
        match read_all(file, &mut self.buffer, |_| Ok(())) {
            Ok(Some(found)) if found == expected => Taken::Yes,
            _ => Taken::No,
        }
    }
}

/// Opens a file of an installed version; nothing where there is none.
pub(super) fn open_regular(source: &mut Stack<'_>, path: &EntryPath) -> Option<File> {
    source.enter(parent(path)).ok()?;
    let file = source.here().open_file(path.name()).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then_some(file)
}

/// Reads a file to its end and returns its length and digest; `None` where it cannot be read. What `pass` says is an error.
fn read_all(
    file: &mut File,
    buffer: &mut [u8],
    mut pass: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<Option<(u64, Digest)>> {
    let mut hashed = Hashed::new(file);
    loop {
        match hashed.read(buffer) {
            Ok(0) => break,
            Ok(n) => pass(&buffer[..n])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Ok(None),
        }
    }
    let (_, length, digest) = hashed.finish();
    Ok(Some((length, digest)))
}
