//! Walks over the payload's bytes and over the entries that the index announces, side by side.
//!
//! Between the frames, which are checked by then, and the sink, which writes. No tar is parsed here: each header must be,
//! byte for byte, the one that the format has for the entry at this place (see `tar_header`).

use std::io;

use super::body::{Sink, UnpackError};
use super::container::{ContainerError, names};
use super::diagnose;
use super::tar_header::{BLOCK, entry_header, padded};
use crate::digest::Hashed;
use crate::index::{Entry, NewFile};
use crate::policy::{Refused, Rule};

/// The walk over some entries and the bytes that hold them, however these are cut.
pub(super) struct Walk<'a> {
    entries: std::slice::Iter<'a, Entry>,
    /// How many zeros follow the last entry.
    tail: u64,
    place: Place<'a>,
}

/// Where in the payload the next byte stands.
enum Place<'a> {
    Header { entry: &'a Entry, expected: Vec<u8>, found: Vec<u8> },
    Content { entry: &'a Entry, left: u64, hashed: Box<Hashed<io::Sink>> },
    Zeros { left: u64, then: Then },
}

/// What follows a run of zeros.
#[derive(Clone, Copy)]
enum Then {
    NextEntry,
    Nothing,
}

impl<'a> Walk<'a> {
    pub(super) fn new(entries: &'a [Entry], tail: u64) -> Self {
        let mut walk =
            Self { entries: entries.iter(), tail, place: Place::Zeros { left: 0, then: Then::Nothing } };
        walk.place = walk.next_place();
        walk
    }

    fn next_place(&mut self) -> Place<'a> {
        match self.entries.next() {
            Some(entry) => Place::Header { entry, expected: entry_header(entry), found: Vec::new() },
            None => Place::Zeros { left: self.tail, then: Then::Nothing },
        }
    }

    /// Takes the next bytes of the payload.
    pub(super) fn push<S: Sink>(
        &mut self,
        mut bytes: &[u8],
        sink: &mut S,
    ) -> Result<(), UnpackError<S::Error>> {
        while !bytes.is_empty() {
            bytes = match &mut self.place {
                Place::Header { expected, found, .. } => {
                    let (now, later) = bytes.split_at(bytes.len().min(expected.len() - found.len()));
                    found.extend_from_slice(now);
                    later
                }
                Place::Content { left, hashed, .. } => {
                    let (now, later) = split(bytes, *left);
                    sink.data(now).map_err(UnpackError::Sink)?;
                    io::Write::write_all(hashed, now).map_err(ContainerError::Read)?;
                    *left -= now.len() as u64;
                    later
                }
                Place::Zeros { left, .. } => {
                    let (now, later) = split(bytes, *left);
                    if now.is_empty() || now.iter().any(|&byte| byte != 0) {
                        return Err(Refused::new(names::PAYLOAD, Rule::Surplus).into());
                    }
                    *left -= now.len() as u64;
                    later
                }
            };
            self.advance(sink)?;
        }
        Ok(())
    }

    /// Goes on to the next place, as long as the present one is complete.
    fn advance<S: Sink>(&mut self, sink: &mut S) -> Result<(), UnpackError<S::Error>> {
        loop {
            let next = match &mut self.place {
                Place::Header { entry, expected, found } if found.len() == expected.len() => {
                    check_header(entry, found, expected)?;
                    begin(entry, sink).map_err(UnpackError::Sink)?
                }
                Place::Content { entry, left: 0, hashed } => {
                    let hashed = std::mem::replace(hashed, Box::new(Hashed::new(io::sink())));
                    end(entry, *hashed, sink)?
                }
                Place::Zeros { left: 0, then: Then::NextEntry } => self.next_place(),
                _ => return Ok(()),
            };
            self.place = next;
        }
    }
}

fn begin<'a, S: Sink>(entry: &'a Entry, sink: &mut S) -> Result<Place<'a>, S::Error> {
    match entry {
        Entry::Directory { path } => sink.directory(path)?,
        // Made when all that they lead to is there.
        Entry::Symlink { .. } | Entry::File { link: Some(_), .. } => {}
        Entry::File { path, mode, size, date, .. } => {
            sink.file(NewFile { path, mode: *mode, size: *size, date: *date })?;
            return Ok(Place::Content { entry, left: *size, hashed: Box::new(Hashed::new(io::sink())) });
        }
    }
    Ok(Place::Zeros { left: 0, then: Then::NextEntry })
}

fn end<'a, S: Sink>(
    entry: &'a Entry,
    hashed: Hashed<io::Sink>,
    sink: &mut S,
) -> Result<Place<'a>, UnpackError<S::Error>> {
    let (_, size, found) = hashed.finish();
    if !matches!(entry, Entry::File { sha256, .. } if *sha256 == found) {
        return Err(Refused::new(entry.path().as_str(), Rule::Content).into());
    }
    sink.end_file().map_err(UnpackError::Sink)?;
    Ok(Place::Zeros { left: padded(size) - size, then: Then::NextEntry })
}

/// Compares a header with the one that must stand there, and names the rule where they differ.
fn check_header(entry: &Entry, found: &[u8], expected: &[u8]) -> Result<(), Refused> {
    let blocks = found.as_chunks::<BLOCK>().0.iter().zip(expected.as_chunks::<BLOCK>().0);
    for (found, expected) in blocks {
        if found != expected {
            let unreadable = || Refused::new(entry.path().as_str(), Rule::Disagrees("header"));
            return Err(diagnose::header(found, expected).unwrap_or_else(unreadable));
        }
    }
    Ok(())
}

fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len())))
}
