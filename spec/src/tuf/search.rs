//! The search for a target: depth first, in the order of trust, reading only the roles on the way (TUF 5.6.7).

use std::collections::BTreeSet;

use super::ask::{Machine, Step};
use super::error::{Rule, TufError};
use super::file::Target;
use super::name::{Role, TargetPath};
use super::read::Reading;
use super::targets::{DelegatedTo, Targets};
use super::trusted::Trusted;

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
    walk: Walk<'t>,
    /// The role that is read just now.
    next: DelegatedTo,
    reading: Reading,
}

/// Where a search is.
#[derive(Debug)]
struct Walk<'t> {
    trusted: &'t mut Trusted,
    path: TargetPath,
    /// The roles to visit, the next one last.
    open: Vec<DelegatedTo>,
    visited: BTreeSet<Role>,
}

type Result<T> = std::result::Result<T, TufError>;
type Found = Option<VerifiedTarget>;

impl<'t> Search<'t> {
    /// Begins to search what one refresh found. What is read on the way stays in `trusted` for the next search.
    ///
    /// # Errors
    /// When a role on the way is refused.
    pub fn begin(trusted: &'t mut Trusted, path: TargetPath) -> Result<Step<Self, Found>> {
        let mut walk = Walk { trusted, path, open: Vec::new(), visited: BTreeSet::new() };
        // 5.6.7: "beginning with the top-level targets role."
        match walk.visit(&Role::Targets) {
            Some(found) => Ok(Step::Done(Some(found))),
            None => walk.on(),
        }
    }
}

impl<'t> Walk<'t> {
    /// Goes on with the next role, as long as those that were read already do not have the target.
    fn on(mut self) -> Result<Step<Search<'t>, Found>> {
        while let Some(next) = self.open.pop() {
            let role = next.role();
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
            if let Some((reading, ask)) = Reading::begin(self.trusted, &next) {
                return Ok(Step::Ask(Search { walk: self, next, reading }, ask));
            }
            if let Some(found) = self.visit(&role) {
                return Ok(Step::Done(Some(found)));
            }
        }
        Ok(Step::Done(None))
    }

    /// Looks into a role that was read: it has the target, or knows who else may speak for the path.
    ///
    /// 5.6.7.2: "recursively search the list of delegations in order of appearance"; "If the current delegation is a terminating
    /// delegation, then jump to step 5.7": nothing that was still open is visited after it and what is below it.
    fn visit(&mut self, role: &Role) -> Found {
        self.visited.insert(role.clone());
        let targets: &Targets = self.trusted.role(role)?;
        if let Some(target) = targets.targets.get(&self.path).cloned() {
            let location = target.location(&self.path, self.trusted.root.consistent_snapshot);
            return Some(VerifiedTarget { path: self.path.clone(), target, role: role.clone(), location });
        }
        let delegated = targets.delegations.as_ref().map(|delegations| delegations.roles_for(&self.path));
        let mut delegated = delegated.unwrap_or_default();
        if delegated.iter().any(|role| role.terminating.0) {
            self.open.clear();
        }
        delegated.reverse();
        self.open.append(&mut delegated);
        None
    }
}

impl Machine for Search<'_> {
    type Done = Found;

    fn answer(self, answer: Option<Vec<u8>>) -> Result<Step<Self, Found>> {
        let Self { mut walk, next, reading } = self;
        if let Some((reading, ask)) = reading.answer(walk.trusted, &next, answer)? {
            return Ok(Step::Ask(Self { walk, next, reading }, ask));
        }
        match walk.visit(&next.role()) {
            Some(found) => Ok(Step::Done(Some(found))),
            None => walk.on(),
        }
    }
}
