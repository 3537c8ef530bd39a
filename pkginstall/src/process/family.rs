//! The family of a service: every process that came out of one start, however it forked.
//!
//! A process belongs to the family when
//! - it is one of the recorded processes,
//! - it carries the mark of the start in its environment, which a child inherits,
//! - we adopted it, when we are the parent of all orphans of the start (a process that is just being executed shows no
//!   environment),
//! - it is in the control group of the start,
//! - it is a descendant of a member,
//! - or it lives in a session that the start made, in which a member lives that is proven by the points above. An
//!   empty session's number may be another's by now, so the number alone proves nothing.
//!
//! A process that carries the mark of another start belongs to that one, whoever its parent is: so a service that
//! starts services is not the death of them. We ourselves never belong.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::cgroup::processes_in;
use super::environ::Environ;
use super::stat::Stat;
use super::{ProcessError, ProcessIdentity, ProcessTable};

/// The variable that marks every process of a start.
const MARK: &str = "COPKG_START_ID";

/// How often nobody must be found to be nobody.
const LOOKS: usize = 3;

/// Names one start of one service: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StartId(String);

impl StartId {
    /// The variable that carries it.
    pub const VARIABLE: &'static str = MARK;

    /// Makes an id of random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        let mut text = String::new();
        for byte in random {
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// Draws an id that no other start has.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map(|()| Self::new(random))
    }

    /// Returns the id of the start that the process with the number `pid` came out of, if it carries one.
    pub fn of_process(pid: u32) -> Option<Self> {
        Some(Self(Environ::of(pid)?.text(MARK)?.to_owned()))
    }

    /// Reads an id; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Self(text.to_owned()))
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How the members of a family are known.
#[derive(Debug, Clone, Default)]
pub struct Family {
    /// The recorded processes.
    pub members: Vec<ProcessIdentity>,
    /// The mark of the start.
    pub mark: Option<StartId>,
    /// The numbers of the sessions that the start made.
    pub sessions: BTreeSet<u32>,
    /// Whether our own children belong to it.
    pub orphans: Orphans,
    /// The control group that the start was put into.
    pub group: Option<Utf8PathBuf>,
}

/// Whether we are the parent of the orphans of a family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Orphans {
    /// We are not.
    #[default]
    Elsewhere,
    /// We are, and have no other children: see [`super::Children`].
    Ours,
    /// We are, and had these children before: they do not belong, nor does an orphan of a session of theirs.
    OursBut(Vec<ProcessIdentity>),
}

impl Orphans {
    /// Those that come from now on. A command that starts several services has the earlier ones as children, and one of
    /// them may show nothing of where it comes from: Redis and nginx write over their environment.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn from_now_on() -> Result<Self, ProcessError> {
        Ok(Self::OursBut(ProcessTable::read()?.children_of(std::process::id())))
    }
}

/// The living members of a family, in the order of their start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// All of them.
    pub all: Vec<ProcessIdentity>,
    /// Those whose parent is no member: a daemon, not its workers.
    pub heads: Vec<ProcessIdentity>,
}

impl Family {
    /// Finds the members that live.
    ///
    /// A look takes a moment, in which a member may fork and end: nobody is left when several looks find nobody.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn find(&self) -> Result<Members, ProcessError> {
        let mut members = self.look()?;
        for _ in 1..LOOKS {
            if !members.all.is_empty() {
                break;
            }
            members = self.look()?;
        }
        Ok(members)
    }

    fn look(&self) -> Result<Members, ProcessError> {
        let table = ProcessTable::read()?;
        let mut found = self.proven(&table);
        // A member of a session brings children, and a child may live in another session.
        loop {
            let before = found.len();
            self.add_descendants(&table, &mut found);
            self.add_sessions(&table, &mut found);
            if found.len() == before {
                break;
            }
        }
        let is_head = |pid: u32| !table.parent(pid).is_some_and(|parent| found.contains(&parent));
        Ok(Members {
            all: in_order(found.iter().filter_map(|&pid| table.identity(pid))),
            heads: in_order(found.iter().filter(|&&pid| is_head(pid)).filter_map(|&pid| table.identity(pid))),
        })
    }

    /// Remembers members that were found. A child that shows nothing of the family itself is known only as long as its
    /// parent lives, or for as long as it is remembered.
    pub fn remember(&mut self, found: &[ProcessIdentity]) {
        for member in found {
            if !self.members.contains(member) {
                self.members.push(member.clone());
            }
        }
    }

    /// Returns those of `found` that show nothing of the family: without their parent, or whoever adopted them, nobody would know them.
    pub(crate) fn unmarked(&self, found: Vec<ProcessIdentity>) -> Vec<ProcessIdentity> {
        found.into_iter().filter(|member| self.mark_of(member.pid()) != Marked::Ours).collect()
    }

    fn proven(&self, table: &ProcessTable) -> BTreeSet<u32> {
        let recorded = self.members.iter().filter(|member| table.contains(member)).map(ProcessIdentity::pid);
        let marked = table.rows.keys().copied().filter(|&pid| self.mark_of(pid) == Marked::Ours);
        let others = self.sessions_of_others(table);
        let is_ours = |stat: &Stat| {
            self.orphans != Orphans::Elsewhere
                && stat.parent == std::process::id()
                && !others.contains(&stat.session)
        };
        let adopted = table.rows.iter().filter(|(_, stat)| is_ours(stat)).map(|(pid, _)| *pid);
        let adopted = adopted.filter(|&pid| self.may_join(pid));
        let grouped = self.group.as_deref().map(processes_in).unwrap_or_default().into_iter();
        let grouped = grouped.filter(|pid| table.rows.contains_key(pid) && self.may_join(*pid));
        recorded
            .chain(marked)
            .chain(adopted)
            .chain(grouped)
            .filter(|&pid| pid != std::process::id())
            .collect()
    }

    /// The sessions of children of ours that are no members.
    fn sessions_of_others(&self, table: &ProcessTable) -> BTreeSet<u32> {
        let Orphans::OursBut(others) = &self.orphans else { return BTreeSet::new() };
        let living = others.iter().filter(|other| table.contains(other));
        living.filter_map(|other| table.rows.get(&other.pid())).map(|stat| stat.session).collect()
    }

    fn add_descendants(&self, table: &ProcessTable, found: &mut BTreeSet<u32>) {
        loop {
            let children: Vec<u32> = table
                .rows
                .iter()
                .filter(|(pid, stat)| found.contains(&stat.parent) && !found.contains(pid))
                .map(|(pid, _)| *pid)
                .filter(|&pid| self.may_join(pid))
                .collect();
            if children.is_empty() {
                return;
            }
            found.extend(children);
        }
    }

    fn add_sessions(&self, table: &ProcessTable, found: &mut BTreeSet<u32>) {
        let proven: BTreeSet<u32> = found
            .iter()
            .filter_map(|pid| table.rows.get(pid))
            .map(|stat| stat.session)
            .filter(|session| self.sessions.contains(session))
            .collect();
        let mates = table.rows.iter().filter(|(_, stat)| proven.contains(&stat.session)).map(|(pid, _)| *pid);
        found.extend(mates.filter(|&pid| self.may_join(pid)));
    }

    fn may_join(&self, pid: u32) -> bool {
        pid != std::process::id() && self.mark_of(pid) != Marked::Another
    }

    fn mark_of(&self, pid: u32) -> Marked {
        let Some(ours) = &self.mark else { return Marked::Not };
        match StartId::of_process(pid) {
            Some(found) if found == *ours => Marked::Ours,
            Some(_) => Marked::Another,
            None => Marked::Not,
        }
    }
}

fn in_order(members: impl Iterator<Item = ProcessIdentity>) -> Vec<ProcessIdentity> {
    let mut members: Vec<_> = members.collect();
    members.sort_by_key(|identity| (identity.start_time(), identity.pid()));
    members
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marked {
    Ours,
    Another,
    Not,
}
