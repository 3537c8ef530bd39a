//! New metadata files that become current together, on their way from a draft to a proposal that enough keys have signed.
//!
//! Comes after a command has worked out what is to be; after it the files are sent, or carried to the next who signs.

mod error;

pub use error::ChangeError;

use std::collections::{BTreeMap, BTreeSet};

use copkg_spec::keys::SecretKey;
use copkg_spec::repository::{
    MissingSignatures, Proposal, ProposalId, ProposedRole, group_of_bin, group_of_role,
};
use copkg_spec::tuf::{
    Authority, Document, KeyId, MalformedError, Role, RoleName, Root, Signature, Targets, Version,
};

use super::view::{View, ViewError};

/// A metadata file that is not current yet.
#[derive(Debug, Clone)]
pub enum Draft {
    /// A root.
    Root(Document<Root>),
    /// Targets, or a role below.
    Targets(Document<Targets>),
}

/// Files that become current together.
#[derive(Debug, Clone, Default)]
pub struct Change(BTreeMap<Role, Draft>);

type Result<T> = std::result::Result<T, ChangeError>;

impl Draft {
    /// Returns what is signed.
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Root(document) => document.payload(),
            Self::Targets(document) => document.payload(),
        }
    }

    /// Returns the signatures, unverified.
    pub fn signatures(&self) -> &[Signature] {
        match self {
            Self::Root(document) => document.signatures(),
            Self::Targets(document) => document.signatures(),
        }
    }

    /// Returns the bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Root(document) => document.bytes(),
            Self::Targets(document) => document.bytes(),
        }
    }

    fn co_sign(&mut self, key: &SecretKey) -> std::result::Result<(), MalformedError> {
        match self {
            Self::Root(document) => document.co_sign(key),
            Self::Targets(document) => document.co_sign(key),
        }
    }
}

impl Change {
    /// Adds the next root.
    ///
    /// # Errors
    /// When it cannot be written as it is signed.
    pub fn root(&mut self, root: Root) -> Result<()> {
        let document = Document::new(root).map_err(|source| malformed(&Role::Root, source))?;
        self.0.insert(Role::Root, Draft::Root(document));
        Ok(())
    }

    /// Adds the next version of targets, or of a role below.
    ///
    /// # Errors
    /// When it cannot be written as it is signed.
    pub fn targets(&mut self, role: Role, targets: Targets) -> Result<()> {
        let document = Document::new(targets).map_err(|source| malformed(&role, source))?;
        self.0.insert(role, Draft::Targets(document));
        Ok(())
    }

    /// Tells whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the files by role.
    pub fn files(&self) -> impl Iterator<Item = (&Role, &Draft)> {
        self.0.iter()
    }

    /// Returns the new root, if there is one.
    pub fn new_root(&self) -> Option<&Root> {
        match self.0.get(&Role::Root) {
            Some(Draft::Root(document)) => Some(document.unverified()),
            _ => None,
        }
    }

    /// Returns the new version of targets or of a role below, if there is one.
    pub fn new_targets(&self, role: &Role) -> Option<&Targets> {
        match self.0.get(role) {
            Some(Draft::Targets(document)) => Some(document.unverified()),
            _ => None,
        }
    }

    /// Returns the proposal that these files are.
    pub fn proposal(&self) -> Proposal {
        let roles = self.0.iter().map(|(role, draft)| ProposedRole {
            role: role.as_str().to_owned(),
            metadata: String::from_utf8_lossy(draft.bytes()).into_owned(),
        });
        Proposal { roles: roles.collect() }
    }

    /// Returns the id of the proposal, which stays the same when signatures are added.
    pub fn id(&self) -> ProposalId {
        ProposalId::of(self.0.iter().map(|(role, draft)| (role.as_str(), draft.payload())))
    }

    /// Reads a proposal.
    ///
    /// # Errors
    /// When a file is not metadata, or a role that nobody proposes.
    pub fn of(proposal: &Proposal) -> Result<Self> {
        let mut change = Self::default();
        for proposed in &proposal.roles {
            let bytes = proposed.metadata.clone().into_bytes();
            let role = role_named(&proposed.role)?;
            let draft = match role {
                Role::Root => Document::parse(bytes).map(Draft::Root),
                _ => Document::parse(bytes).map(Draft::Targets),
            };
            let draft = draft.map_err(|source| malformed(&role, source))?;
            change.0.insert(role, draft);
        }
        Ok(change)
    }

    /// Signs every file with each of `keys` that may; returns which keys signed which roles now.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn sign(&mut self, keys: &[SecretKey], view: &mut View<'_>) -> Result<Vec<(Role, KeyId)>> {
        let mut signed = Vec::new();
        let roles: Vec<Role> = self.0.keys().cloned().collect();
        for role in roles {
            let may = self.may_sign(&role, view)?;
            for (key, id) in keys.iter().map(|key| (key, id_of(key))).filter(|(_, id)| may.contains(id)) {
                let Some(draft) = self.0.get_mut(&role) else { continue };
                if !draft.signatures().iter().any(|signature| signature.keyid == id) {
                    draft.co_sign(key).map_err(|source| malformed(&role, source))?;
                    signed.push((role.clone(), id));
                }
            }
        }
        Ok(signed)
    }

    /// Checks that each of `keys` may sign something of it.
    ///
    /// # Errors
    /// Names the first key that may not.
    pub fn check_keys(&self, keys: &[SecretKey], view: &mut View<'_>) -> Result<()> {
        let mut may = BTreeSet::new();
        for role in self.0.keys() {
            may.extend(self.may_sign(role, view)?);
        }
        match keys.iter().find(|key| !may.contains(&id_of(key))) {
            Some(key) => Err(ChangeError::Stranger { key: Box::new(key.public()), roles: self.names() }),
            None => Ok(()),
        }
    }

    fn may_sign(&self, role: &Role, view: &mut View<'_>) -> Result<BTreeSet<KeyId>> {
        Ok(self.demands(role, view)?.into_iter().flat_map(|demand| demand.may).collect())
    }

    /// Checks that every file is the version after the one that is current: what is older or further was not made from what is
    /// shown.
    ///
    /// # Errors
    /// Names the first role that is not.
    pub fn check_current(&self, view: &mut View<'_>) -> Result<()> {
        for (role, draft) in &self.0 {
            let found = match draft {
                Draft::Root(document) => document.unverified().version,
                Draft::Targets(document) => document.unverified().version,
            };
            let next = match view.version_of(role) {
                Some(current) => current.next().unwrap_or(current),
                None => Version::FIRST,
            };
            if found != next {
                return Err(ChangeError::NotNext { role: role.clone(), found, next });
            }
        }
        Ok(())
    }

    /// Returns, role by role, which keys signed and which still may, where too few did.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn missing(&self, view: &mut View<'_>) -> Result<Vec<MissingSignatures>> {
        let mut missing = Vec::new();
        for role in self.0.keys() {
            let unmet = self
                .demands(role, view)?
                .into_iter()
                .filter(|demand| demand.have.len() < demand.need as usize);
            let unmet = unmet.map(|demand| MissingSignatures {
                role: role.as_str().to_owned(),
                may: demand.may.into_iter().filter(|id| !demand.have.contains(id)).collect(),
                have: demand.have,
                need: demand.need,
            });
            missing.extend(unmet);
            // A root whose own keys stay has one demand, not two.
            missing.dedup();
        }
        Ok(missing)
    }

    /// Checks that each file has the signature of one of those who speak for it, a root that of one of the old and of one of
    /// the new: a server keeps nothing that nobody signed.
    ///
    /// # Errors
    /// Names the first role that nobody signed.
    pub fn check_begun(&self, view: &mut View<'_>) -> Result<()> {
        for role in self.0.keys() {
            if self.demands(role, view)?.iter().any(|demand| demand.have.is_empty()) {
                return Err(ChangeError::Unsigned { role: role.clone() });
            }
        }
        Ok(())
    }

    /// Returns what the signatures of a file must satisfy: one authority, for a root two.
    fn demands(&self, role: &Role, view: &mut View<'_>) -> Result<Vec<Demand>> {
        let Some(draft) = self.0.get(role) else { return Ok(Vec::new()) };
        let demand = |authority: Authority<'_>| Demand::of(authority, draft);
        let root = |view: &View<'_>| self.new_root().cloned().unwrap_or_else(|| Root::clone(view.root()));
        let name = match role {
            Role::Root => {
                let (old, new) = (Root::clone(view.root()), root(view));
                return Ok(vec![demand(old.root_authority()), demand(new.root_authority())]);
            }
            Role::Delegated(name) => name,
            _ => return Ok(vec![demand(root(view).targets_authority())]),
        };
        let delegator = self.delegator(name, view)?;
        let authority = delegator.delegations.as_ref().and_then(|delegations| delegations.authority(name));
        let authority = authority.ok_or_else(|| ChangeError::NotDelegated { role: name.clone() })?;
        Ok(vec![demand(authority)])
    }

    /// Returns what the role says, in this change or else today, that delegates to `name`.
    fn delegator(&self, name: &RoleName, view: &mut View<'_>) -> Result<Targets> {
        let delegator = if let Some(group) = group_of_bin(name) {
            view.group(&group)?;
            Role::Delegated(group.as_str().parse().map_err(ViewError::from)?)
        } else if let Some(group) = group_of_role(name) {
            view.registrar_for(&group)?;
            Role::Delegated(view.division().role_for(&group).map_err(ViewError::from)?)
        } else {
            Role::Targets
        };
        let found = self.new_targets(&delegator).or_else(|| view.read(&delegator).map(|read| &**read));
        found.cloned().ok_or_else(|| ChangeError::NotDelegated { role: name.clone() })
    }

    fn names(&self) -> String {
        self.0.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// What the signatures of a file must satisfy.
struct Demand {
    have: Vec<KeyId>,
    may: Vec<KeyId>,
    need: u32,
}

impl Demand {
    fn of(authority: Authority<'_>, draft: &Draft) -> Self {
        let have = authority.signers(draft.payload(), draft.signatures());
        Self {
            have: have.into_iter().cloned().collect(),
            may: authority.keyids().to_vec(),
            need: authority.threshold().get(),
        }
    }
}

fn id_of(key: &SecretKey) -> KeyId {
    key.public().id().into()
}

fn role_named(name: &str) -> Result<Role> {
    match name {
        "root" => Ok(Role::Root),
        "targets" => Ok(Role::Targets),
        "snapshot" | "timestamp" => Err(ChangeError::Online { role: name.to_owned() }),
        name => Ok(Role::Delegated(name.parse().map_err(ViewError::from)?)),
    }
}

fn malformed(role: &Role, source: MalformedError) -> ChangeError {
    ChangeError::Malformed { role: role.clone(), source }
}
