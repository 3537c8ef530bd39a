//! Reading one delegated role: from what was kept, else from the repository, verified for the role that delegates to it.
//!
//! The search reads the roles on its way with it; a publisher reads his own role, a mirror and the pages read all.

use super::ask::{Ask, Fetch, Machine, Step, kept, received};
use super::authority::Authority;
use super::document::Verified;
use super::error::{Rule, TufError};
use super::file::MetaFile;
use super::name::{Role, RoleName};
use super::targets::{DelegatedTo, Targets, Terminating};
use super::trusted::{Trusted, next_targets};

/// What was asked last about a role.
#[derive(Debug)]
pub(super) enum Reading {
    Load,
    Fetch,
    Keep(Box<Verified<Targets>>),
}

/// What to ask next, or nothing when the role is among those that `trusted` has read.
type Next = Option<(Reading, Ask)>;

impl Reading {
    pub(super) fn begin(trusted: &Trusted, next: &DelegatedTo) -> Next {
        let role = next.role();
        let read = trusted.delegated.get(&role);
        // Whoever delegated to it before had keys of its own: this delegation's must have signed it too.
        let is_read = read.is_some_and(|read| read.check(next.authority.borrow()).is_ok());
        (!is_read).then_some((Self::Load, Ask::Load(role)))
    }

    pub(super) fn answer(
        self,
        trusted: &mut Trusted,
        next: &DelegatedTo,
        answer: Option<Vec<u8>>,
    ) -> Result<Next, TufError> {
        let role = next.role();
        let named = named(trusted, &role)?;
        let (authority, now) = (next.authority.borrow(), trusted.now);
        match self {
            Self::Load => {
                // What was kept is as good as what is fetched, once it passes the same checks.
                if let Some(targets) =
                    answer.and_then(|bytes| next_targets(authority, named, bytes, now).ok())
                {
                    trusted.delegated.insert(role, targets);
                    return Ok(None);
                }
                let fetch = fetch(trusted, &role, named);
                Ok(Some((Self::Fetch, Ask::Fetch(fetch))))
            }
            Self::Fetch => {
                let refused = |rule| TufError::new(&role, rule);
                let fetch = fetch(trusted, &role, named);
                let bytes = received(answer, fetch.limit, &fetch.file).map_err(refused)?;
                let targets = next_targets(authority, named, bytes, now).map_err(refused)?;
                let ask = kept(&role, &targets);
                Ok(Some((Self::Keep(Box::new(targets)), ask)))
            }
            Self::Keep(targets) => {
                trusted.delegated.insert(role, *targets);
                Ok(None)
            }
        }
    }
}

fn named<'t>(trusted: &'t Trusted, role: &Role) -> Result<&'t MetaFile, TufError> {
    trusted.snapshot.file(role).ok_or_else(|| TufError::new(role, Rule::NotInSnapshot))
}

fn fetch(trusted: &Trusted, role: &Role, named: &MetaFile) -> Fetch {
    Fetch::named(role, named, trusted.root.consistent_snapshot, trusted.limits.targets_bytes)
}

/// Reads one role. Ends with whether the role exists; then [`Trusted::role`] has it.
#[derive(Debug)]
pub struct ReadRole<'t> {
    trusted: &'t mut Trusted,
    next: DelegatedTo,
    reading: Reading,
}

/// Whether a role that was to be read is delegated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleIs {
    /// It was read.
    Read,
    /// The delegator does not delegate to a role of that name.
    NotDelegated,
}

impl<'t> ReadRole<'t> {
    /// Begins to read `name`, which `delegator` delegates to. The delegator must have been read before.
    pub fn begin(trusted: &'t mut Trusted, delegator: &Role, name: RoleName) -> Step<Self, RoleIs> {
        let delegations = trusted.role(delegator).and_then(|targets| targets.delegations.as_ref());
        let authority = delegations.and_then(|delegations| delegations.authority(&name));
        let Some(authority) = authority.map(Authority::to_owned) else {
            return Step::Done(RoleIs::NotDelegated);
        };
        let next = DelegatedTo { name, terminating: Terminating(true), authority };
        match Reading::begin(trusted, &next) {
            Some((reading, ask)) => Step::Ask(Self { trusted, next, reading }, ask),
            None => Step::Done(RoleIs::Read),
        }
    }
}

impl Machine for ReadRole<'_> {
    type Done = RoleIs;

    fn answer(self, answer: Option<Vec<u8>>) -> Result<Step<Self, RoleIs>, TufError> {
        let Self { trusted, next, reading } = self;
        Ok(match reading.answer(trusted, &next, answer)? {
            Some((reading, ask)) => Step::Ask(Self { trusted, next, reading }, ask),
            None => Step::Done(RoleIs::Read),
        })
    }
}
