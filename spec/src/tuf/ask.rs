//! What the client asks of whoever drives it. The client itself reads and writes nothing.

use super::document::{Content, Verified};
use super::error::{Rule, TufError};
use super::file::MetaFile;
use super::name::{Role, Version};

/// One thing to do, after which the answer goes to the state machine that asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Read what an earlier [`Ask::Keep`] kept of the role, if there is something.
    Load(Role),
    /// Fetch a file from the repository's metadata.
    Fetch(Fetch),
    /// Keep metadata of a role, durably, in place of what was kept before. Answer with nothing.
    Keep(Kept),
    /// Forget what was kept of a role. Answer with nothing.
    Forget(Role),
}

/// A file to fetch. Answer with nothing when the repository says that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The role.
    pub role: Role,
    /// The name of the file, percent-encoded, to be appended to the URL of the repository's metadata.
    pub file: String,
    /// The longest that it may be: read one byte more at most.
    pub limit: u64,
}

impl Fetch {
    /// Asks for a file that snapshot or timestamp name; 5.5.1 and 5.6.1: "If consistent snapshots are not used […], then the
    /// filename […] is of the fixed form FILENAME.EXT […]. Otherwise, the filename is of the form
    /// `VERSION_NUMBER.FILENAME.EXT`".
    pub(super) fn named(role: &Role, named: &MetaFile, consistent_snapshot: bool, limit: u64) -> Self {
        let file =
            if consistent_snapshot { role.versioned_file_name(named.version) } else { role.file_name() };
        // What the repository promises may be less than what we grant, never more.
        let limit = named.length.map_or(limit, |length| length.min(limit));
        Self { role: role.clone(), file, limit }
    }
}

/// Metadata to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The role.
    pub role: Role,
    /// Its version. Every version of root is worth keeping, of the others only the last.
    pub version: Version,
    /// The bytes, as they were received.
    pub bytes: Vec<u8>,
}

pub(super) fn kept<T: Content>(role: &Role, metadata: &Verified<T>) -> Ask {
    Ask::Keep(Kept { role: role.clone(), version: metadata.version(), bytes: metadata.bytes().to_vec() })
}

/// Checks that something came, and that it is not too long.
pub(super) fn received(answer: Option<Vec<u8>>, limit: u64, file: &str) -> Result<Vec<u8>, Rule> {
    let bytes = answer.ok_or_else(|| Rule::Absent { file: file.to_owned() })?;
    if bytes.len() as u64 > limit { Err(Rule::TooLong { limit }) } else { Ok(bytes) }
}

/// Either one more thing to do, or the result.
#[derive(Debug)]
pub enum Step<M, T> {
    /// Do this, and give the answer to the machine.
    Ask(M, Ask),
    /// It is done.
    Done(T),
}

/// A part of the client's work, as a state machine.
pub trait Machine: Sized {
    /// What it is for.
    type Done;

    /// Takes the answer to what was asked last: bytes, or nothing where there are none.
    ///
    /// # Errors
    /// When the repository broke a rule. What was kept so far is right, and the next refresh begins there.
    fn answer(self, answer: Option<Vec<u8>>) -> Result<Step<Self, Self::Done>, TufError>;
}

/// Does what a machine asks, for a caller that can wait.
pub trait Driver {
    /// Why it could not be done, or what was refused.
    type Error: From<TufError>;

    /// Reads what was kept of a role.
    ///
    /// # Errors
    /// When that fails; not when there is nothing.
    fn load(&mut self, role: &Role) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Fetches a file.
    ///
    /// # Errors
    /// When that fails; not when the repository says that there is none.
    fn fetch(&mut self, fetch: &Fetch) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Keeps metadata durably.
    ///
    /// # Errors
    /// When that fails.
    fn keep(&mut self, kept: &Kept) -> Result<(), Self::Error>;

    /// Forgets what was kept of a role.
    ///
    /// # Errors
    /// When that fails.
    fn forget(&mut self, role: &Role) -> Result<(), Self::Error>;

    /// Drives a machine from its first step to its end.
    ///
    /// # Errors
    /// The first that occurs.
    fn drive<M: Machine>(&mut self, mut step: Step<M, M::Done>) -> Result<M::Done, Self::Error> {
        loop {
            let (machine, ask) = match step {
                Step::Done(done) => return Ok(done),
                Step::Ask(machine, ask) => (machine, ask),
            };
            let answer = match &ask {
                Ask::Load(role) => self.load(role)?,
                Ask::Fetch(fetch) => self.fetch(fetch)?,
                Ask::Keep(kept) => self.keep(kept).map(|()| None)?,
                Ask::Forget(role) => self.forget(role).map(|()| None)?,
            };
            step = machine.answer(answer)?;
        }
    }
}
