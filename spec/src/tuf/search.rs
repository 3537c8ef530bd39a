//! The search for a target: depth first, in the order of trust, reading only the roles on the way (TUF 5.6.7).

use std::collections::BTreeSet;
use std::mem;

use super::ask::{Ask, Fetch, Machine, Step, kept, received};
use super::document::Verified;
use super::error::{Rule, TufError};
use super::file::{MetaFile, Target};
use super::name::{Role, TargetPath};
use super::targets::{DelegatedTo, Targets};
use super::trusted::{Trusted, next_targets};

/// A target that the repository vouches for. Only a search makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedTarget {
    path: TargetPath,
    target: Target,
    role: Role,
    location: Option<String>,
}

impl VerifiedTarget {
    /// Returns the path that was searched.
    pub fn path(&self) -> &TargetPath {
        &self.path
    }

    /// Returns what is said of it.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Returns the role that says so.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Returns the URL of the file relative to the repository's targets; nothing when the path leads out of them.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }
}

/// A search on its way. Ends with nothing when no role that may speak for the path knows it.
#[derive(Debug)]
pub struct Search<'t> {
    trusted: &'t mut Trusted,
    path: TargetPath,
    /// The roles to visit, the next one last.
    open: Vec<DelegatedTo>,
    visited: BTreeSet<Role>,
    state: State,
}

/// What was asked last.
#[derive(Debug)]
enum State {
    Load(DelegatedTo),
    Fetch(DelegatedTo),
    Keep(DelegatedTo, Box<Verified<Targets>>),
    /// Nothing yet.
    Begin,
}

type Result<T> = std::result::Result<T, TufError>;
type Found = Option<VerifiedTarget>;

impl<'t> Search<'t> {
    /// Begins to search what one refresh found. What is read on the way stays in `trusted` for the next search.
    ///
    /// # Errors
    /// When a role on the way is refused.
    pub fn begin(trusted: &'t mut Trusted, path: TargetPath) -> Result<Step<Self, Found>> {
        let mut search =
            Self { trusted, path, open: Vec::new(), visited: BTreeSet::new(), state: State::Begin };
        // 5.6.7: "beginning with the top-level targets role."
        let (target, delegated) = visit(&search.trusted.targets, &search.path);
        if let Some(target) = target {
            return Ok(search.found(target, Role::Targets));
        }
        search.enter(Role::Targets, delegated);
        search.next_role()
    }

    fn found(self, target: Target, role: Role) -> Step<Self, Found> {
        let location = target.location(&self.path, self.trusted.root.consistent_snapshot);
        Step::Done(Some(VerifiedTarget { path: self.path, target, role, location }))
    }

    fn ask(self, state: State, ask: Ask) -> Step<Self, Found> {
        Step::Ask(Self { state, ..self }, ask)
    }

    /// Goes on with the next role, as long as those that were read already do not have the target.
    fn next_role(mut self) -> Result<Step<Self, Found>> {
        while let Some(next) = self.open.pop() {
            let role = Role::Delegated(next.name.clone());
            // 5.6.7.1: "If this role has been visited before, then skip this role (so that cycles in the delegation graph are
            // avoided). Otherwise, if an application-specific maximum number of roles have been visited, then go to step 5.7
            // (so that attackers cannot cause the client to waste excessive bandwidth or time)."
            if self.visited.contains(&role) {
                continue;
            }
            let limit = self.trusted.limits.delegations;
            if self.visited.len() > limit {
                return Err(TufError::new(&Role::Targets, Rule::TooManyRoles { limit }));
            }
            let read = self.trusted.delegated.get(&role);
            // Whoever delegated to it before had keys of its own: this delegation's must have signed it too.
            let Some(targets) = read.filter(|read| read.check(next.authority.borrow()).is_ok()) else {
                return Ok(self.ask(State::Load(next), Ask::Load(role)));
            };
            let (target, delegated) = visit(targets, &self.path);
            if let Some(target) = target {
                return Ok(self.found(target, role));
            }
            self.enter(role, delegated);
        }
        Ok(Step::Done(None))
    }

    /// 5.6.7.2: "recursively search the list of delegations in order of appearance"; "If the current delegation is a terminating
    /// delegation, then jump to step 5.7": nothing that was still open is visited after it and what is below it.
    fn enter(&mut self, role: Role, mut delegated: Vec<DelegatedTo>) {
        self.visited.insert(role);
        if delegated.iter().any(|role| role.terminating.0) {
            self.open.clear();
        }
        delegated.reverse();
        self.open.append(&mut delegated);
    }

    fn loaded(self, next: DelegatedTo, answer: Option<Vec<u8>>) -> Result<Step<Self, Found>> {
        let role = Role::Delegated(next.name.clone());
        let named = self.named(&role)?;
        let now = self.trusted.now;
        let current = answer.and_then(|bytes| next_targets(next.authority.borrow(), named, bytes, now).ok());
        if let Some(targets) = current {
            return self.visit(role, next, targets);
        }
        let fetch = self.fetch(&role, named);
        Ok(self.ask(State::Fetch(next), Ask::Fetch(fetch)))
    }

    fn fetched(self, next: DelegatedTo, answer: Option<Vec<u8>>) -> Result<Step<Self, Found>> {
        let role = Role::Delegated(next.name.clone());
        let refused = |rule| TufError { role: role.clone(), rule };
        let named = self.named(&role)?;
        let fetch = self.fetch(&role, named);
        let bytes = received(answer, fetch.limit, &fetch.file).map_err(refused)?;
        let targets =
            next_targets(next.authority.borrow(), named, bytes, self.trusted.now).map_err(refused)?;
        let ask = kept(&role, &targets);
        Ok(self.ask(State::Keep(next, Box::new(targets)), ask))
    }

    fn visit(
        mut self,
        role: Role,
        next: DelegatedTo,
        targets: Verified<Targets>,
    ) -> Result<Step<Self, Found>> {
        self.trusted.delegated.insert(role, targets);
        self.open.push(next);
        self.next_role()
    }

    fn named(&self, role: &Role) -> Result<&MetaFile> {
        let refused = || TufError::new(role, Rule::NotInSnapshot);
        self.trusted.snapshot.file(role).ok_or_else(refused)
    }

    fn fetch(&self, role: &Role, named: &MetaFile) -> Fetch {
        let limit = self.trusted.limits.targets_bytes;
        Fetch::named(role, named, self.trusted.root.consistent_snapshot, limit)
    }
}

/// Returns what a role says of the path itself, and who else may speak for it.
fn visit(targets: &Targets, path: &TargetPath) -> (Option<Target>, Vec<DelegatedTo>) {
    let delegations = targets.delegations.as_ref();
    let delegated = delegations.map(|delegations| delegations.roles_for(path)).unwrap_or_default();
    (targets.targets.get(path).cloned(), delegated)
}

impl Machine for Search<'_> {
    type Done = Found;

    fn answer(mut self, answer: Option<Vec<u8>>) -> Result<Step<Self, Found>> {
        match mem::replace(&mut self.state, State::Begin) {
            State::Load(next) => self.loaded(next, answer),
            State::Fetch(next) => self.fetched(next, answer),
            State::Keep(next, targets) => {
                let role = Role::Delegated(next.name.clone());
                self.visit(role, next, *targets)
            }
            State::Begin => self.next_role(),
        }
    }
}
