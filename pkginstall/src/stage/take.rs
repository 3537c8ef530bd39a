//! Taking: files of another installed version become files of this one, verified on the way.
//!
//! What is copied is hashed as it is written, so what was checked is what is there. A clone shares its blocks with the donor
//! until one of them is written to, and is hashed once it is there; so is a hard link, which shares the file itself.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use copkg_spec::digest::{Digest, Hashed};
use copkg_spec::index::{Entry, EntryPath};
use rustix::fs::{AtFlags, FileType};

use super::donors::{Donors, Part, Place};
use super::early::Early;
use super::link::{Owner, fits};
use super::writer::{Stack, parent, times_of};
use crate::tree::{Directory, TreeError};

/// How files of another installed version are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LinkMode {
    /// Cloned where the file system can, else linked where date, mode and owner are the same, else copied
    #[default]
    Auto,
    /// Cloned; fetched where the file system cannot
    Clone,
    /// Linked where date, mode and owner are the same: one read-only file in both versions; else copied
    Hardlink,
    /// Copied
    Copy,
}

impl LinkMode {
    /// Tells whether files are linked: where that is requested, or no clones are to be had.
    pub(super) fn links(self, can_clone: impl FnOnce() -> bool) -> bool {
        match self {
            Self::Hardlink => true,
            Self::Auto => !can_clone(),
            Self::Clone | Self::Copy => false,
        }
    }
}

/// What a file of another installed version has to show before it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Proof {
    /// That nothing has changed it since it was verified, as the file system records it; where that is not known, its content
    #[default]
    Recorded,
    /// Its content, which is read
    Verify,
}

/// How files are taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct How<'h> {
    pub(super) mode: LinkMode,
    /// Whether a clone has failed before: it will again.
    pub(super) no_clones: &'h AtomicBool,
    /// The date of files that have none of their own.
    pub(super) source_date: u64,
    /// Who the files must belong to.
    pub(super) owner: Owner,
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
    how: How<'d>,
    sources: Vec<Stack<'d>>,
    into: Stack<'d>,
    buffer: Vec<u8>,
}

impl<'d> Taker<'d> {
    pub(super) fn new(donors: &'d Donors, how: How<'d>, into: &'d Directory) -> Self {
        let sources = donors.roots.iter().map(Stack::new).collect();
        Self { donors, how, sources, into: Stack::new(into), buffer: vec![0; WINDOW] }
    }

    /// Takes the files of `entries`. Where one cannot be taken, those before it are there and have to be undone.
    pub(super) fn take<'e>(
        &mut self,
        entries: impl IntoIterator<Item = &'e Entry>,
    ) -> Result<Taken, TreeError> {
        for entry in entries {
            // Another name of a file is made when that one is there.
            let Entry::File { size, sha256, link: None, .. } = entry else { continue };
            let taken = match self.donors.files.get(sha256) {
                Some(place) => self.file(place, entry)?,
                None if *size == 0 && *sha256 == Digest::of(b"") => self.empty(entry)?,
                None => Taken::No,
            };
            if taken == Taken::No {
                return Ok(Taken::No);
            }
        }
        Ok(Taken::Yes)
    }

    /// Makes an empty file, for which no donor is needed.
    fn empty(&mut self, entry: &Entry) -> Result<Taken, TreeError> {
        let Entry::File { path, mode, date, .. } = entry else { return Ok(Taken::No) };
        self.into.enter(parent(path))?;
        let here = self.into.here();
        let file = here.create_file(path.name(), mode.read_only_bits())?;
        rustix::fs::futimens(&file, &times_of(date.unwrap_or(self.how.source_date)))
            .map_err(|error| TreeError::make(&here.path().join(path.name()), error))?;
        Ok(Taken::Yes)
    }

    /// Removes what was made of the files of `entries`, but those at the paths of `keep`.
    pub(super) fn undo(&mut self, entries: &[Entry], keep: &HashSet<&EntryPath>) -> Result<(), TreeError> {
        for entry in entries {
            if let Entry::File { path, link: None, .. } = entry
                && !keep.contains(path)
            {
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

    fn file(&mut self, place: &Place, entry: &Entry) -> Result<Taken, TreeError> {
        let Entry::File { path, mode, size, sha256, date, .. } = entry else { return Ok(Taken::No) };
        let expected = (*size, *sha256);
        self.into.enter(parent(path))?;
        let Some(mut source) = self.open(place) else { return Ok(Taken::No) };
        let links = self.how.mode.links(|| !self.how.no_clones.load(Ordering::Relaxed));
        if links && self.link(place, &source, entry) {
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
        } else if self.how.mode == LinkMode::Clone {
            None
        } else {
            let mut early = Early::default();
            let copy = |bytes: &[u8]| file.write_all(bytes).map(|()| early.wrote(&file, bytes.len()));
            read_all(&mut source, &mut self.buffer, copy).map_err(failed)?
        };
        let times = times_of(date.unwrap_or(self.how.source_date));
        rustix::fs::futimens(&file, &times).map_err(|error| failed(error.into()))?;
        Ok(if found == Some(expected) { Taken::Yes } else { Taken::No })
    }

    /// Makes `file` a clone, where that is wanted and the file system can.
    fn clone(&self, source: &File, file: &File) -> bool {
        let How { mode, no_clones, .. } = self.how;
        if !matches!(mode, LinkMode::Auto | LinkMode::Clone) || no_clones.load(Ordering::Relaxed) {
            return false;
        }
        let result = rustix::fs::ioctl_ficlone(file, source);
        no_clones.store(result.is_err(), Ordering::Relaxed);
        result.is_ok()
    }

    /// Links the donor's file, unless its date, mode or owner is another one (as the mode of a version from before software was
    /// read-only) or the file system refuses.
    fn link(&mut self, place: &Place, source: &File, entry: &Entry) -> bool {
        let How { source_date, owner, .. } = self.how;
        let fits = rustix::fs::fstat(source).is_ok_and(|stat| fits(entry, source_date, owner, &stat));
        let path = entry.path();
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
