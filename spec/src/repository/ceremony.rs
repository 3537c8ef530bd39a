//! The steps that need an offline key: a first root, a delegation, other keys, another threshold.
//!
//! Each takes what is current and returns what comes next, to be signed by whom it concerns. Used by `pkgbuild repo` and by
//! `repo-server init`; clocks and keys come in as arguments.

use std::num::NonZeroU32;

use serde_json::Map;
use thiserror::Error;

use crate::coordinate::{CoordinateError, Group};
use crate::keys::PublicKey;
use crate::tuf::{
    Authority, Delegated, Delegations, Key, Keys, RoleKeys, RoleName, Root, Targets, Time, TopLevelRoles,
    Version, list_keys,
};

use super::delegation::{Registrar, group_role, to_group};

/// The keys that speak for a role, and how many of them must sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speakers {
    keys: Vec<PublicKey>,
    threshold: NonZeroU32,
}

/// Says why a role cannot be as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CeremonyError {
    /// The threshold is out of reach, or none.
    #[error("{threshold} of {keys} keys cannot be asked to sign")]
    Threshold {
        /// The threshold.
        threshold: u32,
        /// How many keys there are.
        keys: usize,
    },
    /// The keys do not make a role.
    #[error("these keys make no role: {0}")]
    Keys(&'static str),
    /// A name is none.
    #[error(transparent)]
    Name(#[from] CoordinateError),
    /// A key is not one that we can use.
    #[error("the key {0} is of a kind that is not used here")]
    Foreign(String),
    /// The role delegates in another way.
    #[error("this role does not delegate to roles by name")]
    Shape,
    /// There is no version after the last one that can be.
    #[error("the role has no further version")]
    LastVersion,
}

type Result<T> = std::result::Result<T, CeremonyError>;

impl Speakers {
    /// Takes keys and a threshold.
    ///
    /// # Errors
    /// When the keys cannot reach it, it is 0, or a key occurs twice.
    pub fn new(keys: Vec<PublicKey>, threshold: u32) -> Result<Self> {
        let out_of_reach = CeremonyError::Threshold { threshold, keys: keys.len() };
        let reachable = NonZeroU32::new(threshold).filter(|_| threshold as usize <= keys.len());
        let speakers = Self { keys, threshold: reachable.ok_or(out_of_reach)? };
        speakers.role_keys()?;
        Ok(speakers)
    }

    /// Reads who speaks for a role.
    ///
    /// # Errors
    /// When one of the keys is not ours to use.
    pub fn of(keys: &Keys, role: &RoleKeys) -> Result<Self> {
        let listed = role.keyids().iter().filter_map(|id| keys.get(id));
        let keys = listed.map(public_key).collect::<Result<Vec<_>>>()?;
        Self::new(keys, role.threshold().get())
    }

    /// Returns the keys.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Returns how many of them must sign.
    pub fn threshold(&self) -> NonZeroU32 {
        self.threshold
    }
}

fn public_key(key: &Key) -> Result<PublicKey> {
    let foreign = || CeremonyError::Foreign(key.keyval.public.chars().take(20).collect());
    if key.keytype != "ed25519" {
        return Err(foreign());
    }
    format!("ed25519:{}", key.keyval.public.to_ascii_lowercase()).parse().map_err(|_| foreign())
}

/// Who speaks for the roles that a repository begins with.
#[derive(Debug, Clone)]
pub struct Founders {
    /// For root: offline, two of three people, say.
    pub root: Speakers,
    /// For targets: offline.
    pub targets: Speakers,
    /// For the registrar: offline.
    pub registrar: Speakers,
    /// How the registrar is divided.
    pub division: Registrar,
    /// For snapshot and timestamp: the server's.
    pub online: Speakers,
}

/// When each of the offline roles ends.
#[derive(Debug, Clone, Copy)]
pub struct Endings {
    /// Root.
    pub root: Time,
    /// Targets.
    pub targets: Time,
    /// The registrar.
    pub registrar: Time,
}

/// The first version of each offline role, to be signed.
#[derive(Debug, Clone)]
pub struct Foundation {
    /// The root. Its bytes, once signed, are the repository's identity.
    pub root: Root,
    /// Targets, which names the registrar.
    pub targets: Targets,
    /// The registrar's roles, which name no group yet.
    pub registrar: Vec<(RoleName, Targets)>,
}

impl Founders {
    /// Founds a repository.
    ///
    /// # Errors
    /// When keys and thresholds do not make roles.
    pub fn found(&self, endings: Endings) -> Result<Foundation> {
        let mut targets = Targets::new(Version::FIRST, endings.targets);
        targets.delegations = Some(self.division.delegations(&self.registrar)?);
        let registrar = |name| {
            let mut role = Targets::new(Version::FIRST, endings.registrar);
            role.delegations = Some(Delegations::to_roles(Keys::new(), Vec::new()));
            (name, role)
        };
        let registrar = self.division.roles()?.into_iter().map(registrar).collect();
        Ok(Foundation { root: self.root(endings.root)?, targets, registrar })
    }

    fn root(&self, expires: Time) -> Result<Root> {
        let all = [&self.root, &self.targets, &self.online].into_iter().flat_map(Speakers::keys);
        let roles = TopLevelRoles {
            root: self.root.role_keys()?,
            timestamp: self.online.role_keys()?,
            snapshot: self.online.role_keys()?,
            targets: self.targets.role_keys()?,
            other: Map::new(),
        };
        Ok(Root::new(Version::FIRST, expires, list_keys(all), roles))
    }
}

/// A top-level role whose keys root names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopLevel {
    /// Root itself.
    Root,
    /// Targets.
    Targets,
    /// Snapshot.
    Snapshot,
    /// Timestamp.
    Timestamp,
}

/// Returns the next root, in which other keys speak for some roles; without any, only the expiry is new.
///
/// The keys of both roots must sign it.
///
/// # Errors
/// When there is no further version, or keys do not make a role.
pub fn next_root(root: &Root, changes: &[(TopLevel, Speakers)], expires: Time) -> Result<Root> {
    let mut next = root.clone();
    next.version = root.version.next().ok_or(CeremonyError::LastVersion)?;
    next.expires = expires;
    for (role, speakers) in changes {
        let place = match role {
            TopLevel::Root => &mut next.roles.root,
            TopLevel::Targets => &mut next.roles.targets,
            TopLevel::Snapshot => &mut next.roles.snapshot,
            TopLevel::Timestamp => &mut next.roles.timestamp,
        };
        *place = speakers.role_keys()?;
        next.keys.extend(list_keys(speakers.keys()));
    }
    let roles = [&next.roles.root, &next.roles.targets, &next.roles.snapshot, &next.roles.timestamp];
    let used: Vec<_> = roles.into_iter().flat_map(|role| role.keyids().to_vec()).collect();
    next.keys.retain(|id, _| used.contains(id));
    Ok(next)
}

/// Returns the next version of a registrar's role, in which `speakers` speak for `group`, in place of who did before.
///
/// # Errors
/// When the group can have no role, or there is no further version.
pub fn delegate(registrar: &Targets, group: &Group, speakers: &Speakers, expires: Time) -> Result<Targets> {
    let delegated = to_group(group, speakers)?;
    edit(registrar, expires, |keys, roles| {
        roles.retain(|role| role.name != delegated.name);
        roles.push(delegated.clone());
        roles.sort_by(|a, b| a.name.cmp(&b.name));
        keys.extend(list_keys(speakers.keys()));
        Ok(())
    })
}

/// Returns the next version of `targets`, in which `speakers` speak for the whole registrar.
///
/// # Errors
/// When there is no further version, or keys do not make a role.
pub fn appoint_registrar(
    targets: &Targets,
    division: Registrar,
    speakers: &Speakers,
    expires: Time,
) -> Result<Targets> {
    let mut next = renew(targets, expires)?;
    next.delegations = Some(division.delegations(speakers)?);
    Ok(next)
}

/// Returns the next version of a targets role that says the same for longer.
///
/// # Errors
/// When there is no further version.
pub fn renew(role: &Targets, expires: Time) -> Result<Targets> {
    let version = role.version.next().ok_or(CeremonyError::LastVersion)?;
    Ok(Targets { version, expires, ..role.clone() })
}

/// Returns who speaks for a group, as a registrar's role says.
///
/// # Errors
/// When the group can have no role, or one of its keys is not ours to use.
pub fn speakers_for(registrar: &Targets, group: &Group) -> Result<Option<Speakers>> {
    let name = group_role(group)?;
    let Some(delegations) = &registrar.delegations else { return Ok(None) };
    let Delegated::Roles(roles) = &delegations.roles else { return Err(CeremonyError::Shape) };
    let found = roles.iter().find(|role| role.name == name);
    found.map(|role| Speakers::of(&delegations.keys, &role.role)).transpose()
}

/// Returns who speaks for a role by what its delegator says.
pub fn authority_for<'t>(delegator: &'t Targets, name: &RoleName) -> Option<Authority<'t>> {
    delegator.delegations.as_ref()?.authority(name)
}

fn edit(
    role: &Targets,
    expires: Time,
    change: impl FnOnce(&mut Keys, &mut Vec<crate::tuf::DelegatedRole>) -> Result<()>,
) -> Result<Targets> {
    let mut next = renew(role, expires)?;
    let mut delegations =
        next.delegations.take().unwrap_or_else(|| Delegations::to_roles(Keys::new(), Vec::new()));
    let Delegated::Roles(roles) = &mut delegations.roles else { return Err(CeremonyError::Shape) };
    change(&mut delegations.keys, roles)?;
    let used: Vec<_> = roles.iter().flat_map(|role| role.role.keyids().to_vec()).collect();
    delegations.keys.retain(|id, _| used.contains(id));
    next.delegations = Some(delegations);
    Ok(next)
}
