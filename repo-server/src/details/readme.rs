//! The README of a package: the one file whose frames are read from the payload.

use std::convert::Infallible;

use bytes::Bytes;
use copkg_spec::archive::{Contents, RunUnpacker, Sink};
use copkg_spec::index::{Entry, EntryPath, Index, LinkTarget, NewFile, Run};
use tokio::task::spawn_blocking;

use super::DetailsError;
use super::read::damaged;
use crate::storage::Object;

/// The names that are looked for, the first one preferred.
const NAMES: [&str; 4] = ["README.md", "README.markdown", "README", "README.txt"];
/// How much of it is kept, in bytes.
pub(super) const README_BYTES: usize = 256 << 10;
/// The most that is read of the payload to get at it, in bytes.
const RUN_BYTES: u64 = 8 << 20;

/// A README.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readme {
    /// Its name.
    pub name: String,
    /// Its text, with what is not UTF-8 replaced.
    pub text: String,
    /// Whether it goes on behind what is here.
    pub is_cut: bool,
}

impl Readme {
    /// Tells whether it is written in Markdown, by its name.
    pub fn is_markdown(&self) -> bool {
        matches!(self.name.as_str(), "README.md" | "README.markdown")
    }
}

/// Reads the README from the frames that hold it, each checked against the index; `None` when there is none.
pub(super) async fn read(
    object: &Object,
    payload: u64,
    contents: &Contents,
) -> Result<Option<Readme>, DetailsError> {
    let index = contents.index();
    let Some((name, place)) = NAMES.into_iter().find_map(|name| Some((name, find(index, name)?))) else {
        return Ok(None);
    };
    let Some(run) = index.runs().into_iter().find(|run| run.entries().contains(&place)) else {
        return Ok(None);
    };
    let begin = payload + index.frames()[..run.frames().start].iter().map(|frame| frame.length).sum::<u64>();
    let length = index.frames()[run.frames()].iter().map(|frame| frame.length).sum::<u64>();
    if length > RUN_BYTES {
        return Ok(None);
    }
    let bytes = object.read(begin..begin + length).await?;
    let index = index.clone();
    let wanted = index.entries()[place].path().clone();
    let taken = spawn_blocking(move || unpack(&index, &run, &bytes, wanted)).await.map_err(damaged)??;
    Ok(Some(Readme {
        name: name.to_owned(),
        text: String::from_utf8_lossy(&taken.bytes).into_owned(),
        is_cut: taken.is_cut,
    }))
}

/// Returns the place of the file that has the content.
fn find(index: &Index, name: &str) -> Option<usize> {
    let place = |name: &str| {
        index
            .entries()
            .iter()
            .position(|entry| matches!(entry, Entry::File { path, .. } if path.as_str() == name))
    };
    let found = place(name)?;
    index.entries()[found].link().map_or(Some(found), |earlier| place(earlier.as_str()))
}

fn unpack(index: &Index, run: &Run, bytes: &Bytes, wanted: EntryPath) -> Result<Taken, DetailsError> {
    let mut taken = Taken { wanted, is_open: false, bytes: Vec::new(), is_cut: false };
    let mut unpacker = RunUnpacker::new(index).map_err(damaged)?;
    unpacker.begin(run);
    let mut at = 0;
    for number in run.frames() {
        let length = usize::try_from(index.frames()[number].length).map_err(damaged)?;
        let frame = bytes.get(at..at + length).ok_or_else(|| damaged("its payload is cut short"))?;
        unpacker.push(number, frame, &mut taken).map_err(damaged)?;
        at += length;
    }
    Ok(taken)
}

/// Takes the content of one file and lets all else pass.
struct Taken {
    wanted: EntryPath,
    is_open: bool,
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Sink for Taken {
    type Error = Infallible;

    fn directory(&mut self, _: &EntryPath) -> Result<(), Infallible> {
        Ok(())
    }

    fn file(&mut self, file: NewFile<'_>) -> Result<(), Infallible> {
        self.is_open = *file.path == self.wanted;
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        if self.is_open {
            let room = README_BYTES - self.bytes.len();
            self.is_cut |= bytes.len() > room;
            self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        Ok(())
    }

    fn end_file(&mut self) -> Result<(), Infallible> {
        self.is_open = false;
        Ok(())
    }

    fn link(&mut self, _: &EntryPath, _: &EntryPath) -> Result<(), Infallible> {
        Ok(())
    }

    fn symlink(&mut self, _: &EntryPath, _: &LinkTarget) -> Result<(), Infallible> {
        Ok(())
    }
}
