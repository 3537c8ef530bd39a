//! What a targets role says: which files there are, and who speaks for the others.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::authority::{Authority, OwnedAuthority, RoleKeys};
use super::file::Target;
use super::key::Keys;
use super::name::{Role, RoleName, TargetPath, Version};
use super::pattern::PathPattern;
use super::time::Time;

/// The files of a role and its delegations (TUF 4.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// The version.
    pub version: Version,
    /// When it ends.
    pub expires: Time,
    /// The files.
    pub targets: BTreeMap<TargetPath, Target>,
    /// Who speaks for other files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegations: Option<Delegations>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Targets {
    /// Starts without files and delegations.
    pub fn new(version: Version, expires: Time) -> Self {
        Self { version, expires, targets: BTreeMap::new(), delegations: None, other: Map::new() }
    }
}

/// Who speaks for files that a role does not list itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawDelegations")]
pub struct Delegations {
    /// The keys of the roles.
    pub keys: Keys,
    /// The roles.
    #[serde(flatten)]
    pub roles: Delegated,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The roles of a delegation, in one of two forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delegated {
    /// Roles by name, the first one trusted the most.
    #[serde(rename = "roles")]
    Roles(Vec<DelegatedRole>),
    /// Hash bins (TAP 15).
    #[serde(rename = "succinct_roles")]
    Bins(HashBins),
}

#[derive(Deserialize)]
struct RawDelegations {
    keys: Keys,
    roles: Option<Vec<DelegatedRole>>,
    succinct_roles: Option<HashBins>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl TryFrom<RawDelegations> for Delegations {
    type Error = &'static str;

    fn try_from(raw: RawDelegations) -> Result<Self, &'static str> {
        let roles = match (raw.roles, raw.succinct_roles) {
            (Some(roles), None) => Delegated::Roles(roles),
            (None, Some(bins)) => Delegated::Bins(bins),
            _ => return Err("delegations have either roles or succinct_roles"),
        };
        if let Delegated::Roles(roles) = &roles {
            // 4.5: "The rolename MUST be unique in the delegations object".
            let names: BTreeSet<_> = roles.iter().map(|role| &role.name).collect();
            if names.len() != roles.len() {
                return Err("a role is delegated to twice");
            }
        }
        Ok(Self { keys: raw.keys, roles, other: raw.other })
    }
}

impl Delegations {
    /// Starts with roles by name.
    pub fn to_roles(keys: Keys, roles: Vec<DelegatedRole>) -> Self {
        Self { keys, roles: Delegated::Roles(roles), other: Map::new() }
    }

    /// Starts with hash bins.
    pub fn to_bins(keys: Keys, bins: HashBins) -> Self {
        Self { keys, roles: Delegated::Bins(bins), other: Map::new() }
    }

    /// Returns who speaks for a role, if it is delegated to.
    pub fn authority(&self, name: &RoleName) -> Option<Authority<'_>> {
        let role = match &self.roles {
            Delegated::Roles(roles) => roles.iter().find(|role| role.name == *name).map(|role| &role.role),
            Delegated::Bins(bins) => bins.is_bin(name).then_some(&bins.role),
        };
        role.map(|role| Authority::new(&self.keys, role))
    }

    /// Returns the role that is trusted the most for `path`, if one may speak for it.
    pub fn first_for(&self, path: &TargetPath) -> Option<RoleName> {
        self.roles_for(path).into_iter().next().map(|role| role.name)
    }

    /// Returns the roles that may speak for `path`, in the order of trust, up to the first terminating one.
    pub(super) fn roles_for(&self, path: &TargetPath) -> Vec<DelegatedTo> {
        let roles = match &self.roles {
            Delegated::Bins(bins) => {
                // TAP 15: every bin is terminating.
                let bin = bins.bin_for(path).map(|name| self.to(name, &bins.role, Terminating(true)));
                return bin.into_iter().collect();
            }
            Delegated::Roles(roles) => roles,
        };
        let mut found = Vec::new();
        for role in roles.iter().filter(|role| role.paths.match_path(path)) {
            found.push(self.to(role.name.clone(), &role.role, role.terminating));
            if role.terminating.0 {
                break;
            }
        }
        found
    }

    fn to(&self, name: RoleName, role: &RoleKeys, terminating: Terminating) -> DelegatedTo {
        DelegatedTo { name, terminating, authority: Authority::new(&self.keys, role).to_owned() }
    }
}

/// A role that may speak for a path, and with which keys.
#[derive(Debug, Clone)]
pub(super) struct DelegatedTo {
    pub(super) name: RoleName,
    pub(super) terminating: Terminating,
    pub(super) authority: OwnedAuthority,
}

impl DelegatedTo {
    pub(super) fn role(&self) -> Role {
        Role::Delegated(self.name.clone())
    }
}

/// Whether what other roles say of the same path no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Terminating(pub bool);

/// A delegation to a role by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawDelegatedRole")]
pub struct DelegatedRole {
    /// The name.
    pub name: RoleName,
    /// Whether the search ends there.
    pub terminating: Terminating,
    /// The paths that it speaks for.
    #[serde(flatten)]
    pub paths: DelegatedPaths,
    /// Its keys.
    #[serde(flatten)]
    pub role: RoleKeys,
}

#[derive(Deserialize)]
struct RawDelegatedRole {
    name: RoleName,
    #[serde(default)]
    terminating: Terminating,
    paths: Option<Vec<PathPattern>>,
    path_hash_prefixes: Option<Vec<String>>,
    #[serde(flatten)]
    role: RoleKeys,
}

impl TryFrom<RawDelegatedRole> for DelegatedRole {
    type Error = &'static str;

    /// 4.5: "The `path_hash_prefixes` and `paths` attributes are OPTIONAL, if used, exactly one of them should be set." A
    /// role with neither speaks for nothing, and is refused as a mistake.
    fn try_from(raw: RawDelegatedRole) -> Result<Self, &'static str> {
        let paths = match (raw.paths, raw.path_hash_prefixes) {
            (Some(patterns), None) => DelegatedPaths::Patterns(patterns),
            (None, Some(prefixes)) => DelegatedPaths::HashPrefixes(prefixes),
            _ => return Err("a delegation has either paths or path_hash_prefixes"),
        };
        Ok(Self { name: raw.name, terminating: raw.terminating, paths, role: raw.role })
    }
}

/// The paths of a delegation, in one of two forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DelegatedPaths {
    /// Paths that match a pattern.
    #[serde(rename = "paths")]
    Patterns(Vec<PathPattern>),
    /// Paths whose SHA-256 in hexadecimal begins so.
    #[serde(rename = "path_hash_prefixes")]
    HashPrefixes(Vec<String>),
}

impl DelegatedPaths {
    fn match_path(&self, path: &TargetPath) -> bool {
        match self {
            Self::Patterns(patterns) => patterns.iter().any(|pattern| pattern.matches(path.as_str())),
            Self::HashPrefixes(prefixes) => {
                let digest = HEXLOWER.encode(&Sha256::digest(path.as_str()));
                prefixes.iter().any(|prefix| digest.starts_with(prefix.as_str()))
            }
        }
    }
}

/// Hash bins: `2^bit_length` roles that share keys, each for the paths whose SHA-256 begins with its number (TAP 15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawHashBins")]
pub struct HashBins {
    bit_length: u32,
    name_prefix: String,
    #[serde(flatten)]
    role: RoleKeys,
}

#[derive(Deserialize)]
struct RawHashBins {
    bit_length: u32,
    name_prefix: String,
    #[serde(flatten)]
    role: RoleKeys,
}

impl TryFrom<RawHashBins> for HashBins {
    type Error = &'static str;

    fn try_from(raw: RawHashBins) -> Result<Self, &'static str> {
        Self::new(raw.bit_length, raw.name_prefix, raw.role)
    }
}

impl HashBins {
    /// Divides the paths into `2^bit_length` bins.
    ///
    /// # Errors
    /// When there are none or more than 2^32, or the bins would have no valid names.
    pub fn new(bit_length: u32, name_prefix: String, role: RoleKeys) -> Result<Self, &'static str> {
        if !(1..=32).contains(&bit_length) {
            return Err("bit_length is from 1 to 32");
        }
        let bins = Self { bit_length, name_prefix, role };
        if bins.name(u32::MAX >> (32 - bit_length)).is_none() {
            return Err("name_prefix makes no role names");
        }
        Ok(bins)
    }

    /// Returns how many bits of a path's digest choose its bin.
    pub fn bit_length(&self) -> u32 {
        self.bit_length
    }

    /// Returns the keys that all bins share.
    pub fn role_keys(&self) -> &RoleKeys {
        &self.role
    }

    /// Returns what the names of the bins begin with.
    pub fn name_prefix(&self) -> &str {
        &self.name_prefix
    }

    /// Returns the names of all bins, the first one first.
    pub fn names(&self) -> impl Iterator<Item = RoleName> {
        (0..=u32::MAX >> (32 - self.bit_length)).filter_map(|number| self.name(number))
    }

    /// Returns the bin of a path.
    pub fn bin_for(&self, path: &TargetPath) -> Option<RoleName> {
        let digest = Sha256::digest(path.as_str());
        let first = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        self.name(first >> (32 - self.bit_length))
    }

    fn name(&self, number: u32) -> Option<RoleName> {
        let width = self.bit_length.div_ceil(4) as usize;
        format!("{}-{number:0width$x}", self.name_prefix).parse().ok()
    }

    fn is_bin(&self, name: &RoleName) -> bool {
        let suffix = name.as_str().strip_prefix(&self.name_prefix).and_then(|rest| rest.strip_prefix('-'));
        let number = suffix.and_then(|suffix| u32::from_str_radix(suffix, 16).ok());
        number.is_some_and(|number| {
            number <= u32::MAX >> (32 - self.bit_length) && self.name(number).as_ref() == Some(name)
        })
    }
}
