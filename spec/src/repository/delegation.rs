//! Which roles a repository has: `targets` → the registrar → one role for each group.

use std::num::NonZeroU32;

use crate::coordinate::{CoordinateError, Group};
use crate::keys::PublicKey;
use crate::tuf::{
    DelegatedPaths, DelegatedRole, Delegations, KeyId, PathPattern, RoleKeys, RoleName, Terminating,
    list_keys,
};

use super::ceremony::{CeremonyError, Speakers};

/// How the registrar, who decides which keys speak for a group, is divided.
///
/// One role serves a few hundred groups. With more, its file is what a first client fetches most of, so it is divided by the
/// first hexadecimal digits of the target path, which are those of the group's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum Registrar {
    /// One role, `registrar`.
    #[default]
    #[serde(rename = "1")]
    One,
    /// `registrar-0` to `registrar-f`.
    #[serde(rename = "16")]
    Sixteen,
    /// `registrar-00` to `registrar-ff`.
    #[serde(rename = "256")]
    TwoHundredFiftySix,
}

/// The name of the registrar, and the beginning of the names of its shards.
const REGISTRAR: &str = "registrar";

impl Registrar {
    /// Returns the number of its roles, and how many digits name one.
    fn shape(self) -> (u32, usize) {
        match self {
            Self::One => (1, 0),
            Self::Sixteen => (16, 1),
            Self::TwoHundredFiftySix => (256, 2),
        }
    }

    /// Returns the names of its roles, in order.
    ///
    /// # Errors
    /// Never; names are parsed as any other.
    pub fn roles(self) -> Result<Vec<RoleName>, CoordinateError> {
        let (count, digits) = self.shape();
        (0..count).map(|number| shard_name(&shard(number, digits))).collect()
    }

    /// Returns the name of the role that decides about `group`.
    ///
    /// # Errors
    /// Never; names are parsed as any other.
    pub fn role_for(self, group: &Group) -> Result<RoleName, CoordinateError> {
        let (_, digits) = self.shape();
        shard_name(&group.target_dir()[..digits])
    }

    /// Returns the delegations of `targets`: each role of the registrar for its part of the paths.
    ///
    /// # Errors
    /// When keys and threshold do not make a role.
    pub fn delegations(self, speakers: &Speakers) -> Result<Delegations, CeremonyError> {
        let (count, digits) = self.shape();
        let delegated = |number| {
            let shard = shard(number, digits);
            let wild = "?".repeat(2 - digits);
            let first = if digits == 0 { "*".to_owned() } else { format!("{shard}{wild}") };
            Ok(DelegatedRole {
                name: shard_name(&shard)?,
                terminating: Terminating(true),
                paths: DelegatedPaths::Patterns(vec![format!("{first}/*/*/*/*").parse()?]),
                role: speakers.role_keys()?,
            })
        };
        let roles = (0..count).map(delegated).collect::<Result<_, CeremonyError>>()?;
        Ok(Delegations::to_roles(list_keys(speakers.keys()), roles))
    }

    /// Tells how the registrar of a repository is divided, from the delegations of its `targets`.
    pub fn of(delegations: &Delegations) -> Option<Self> {
        [Self::One, Self::Sixteen, Self::TwoHundredFiftySix].into_iter().find(|registrar| {
            registrar
                .roles()
                .is_ok_and(|roles| roles.iter().all(|role| delegations.authority(role).is_some()))
        })
    }
}

fn shard(number: u32, digits: usize) -> String {
    if digits == 0 { String::new() } else { format!("{number:0digits$x}") }
}

fn shard_name(shard: &str) -> Result<RoleName, CoordinateError> {
    if shard.is_empty() { REGISTRAR.parse() } else { format!("{REGISTRAR}-{shard}").parse() }
}

/// Returns the name of the role that speaks for a group: the group's own.
///
/// # Errors
/// When the group has the name of a top-level role or one of the registrar's. Such groups have no role of their own.
pub fn group_role(group: &Group) -> Result<RoleName, CoordinateError> {
    let reserved = group.as_str() == REGISTRAR || group.as_str().starts_with("registrar-");
    if reserved {
        let why = "the registrar's roles have this name; take a group of two or more labels";
        return Err(CoordinateError::new("group of a repository", group.as_str(), why));
    }
    group.as_str().parse()
}

/// Returns the group that a role speaks for, unless it is the registrar's or a bin's.
pub fn group_of_role(role: &RoleName) -> Option<Group> {
    let group: Group = role.as_str().parse().ok()?;
    (group_role(&group).ok()? == *role).then_some(group)
}

/// Returns what the names of a group's bins begin with: `com.example.`, so that the first is `com.example.-0`. No group's role
/// has such a name, since no label begins with a hyphen.
pub fn bins_prefix(group: &Group) -> String {
    format!("{group}.")
}

/// Returns the group whose bin a role is, if it is one.
pub fn group_of_bin(role: &RoleName) -> Option<Group> {
    role.as_str().rsplit_once(".-")?.0.parse().ok()
}

/// Returns the paths that a group's role speaks for: `<xx>/<group>/*/*/*`.
///
/// # Errors
/// Never; patterns are parsed as any other.
pub fn group_paths(group: &Group) -> Result<PathPattern, CoordinateError> {
    format!("{}/*/*/*", group.target_dir()).parse()
}

/// Returns the delegation to a group's role.
///
/// # Errors
/// When the group can have no role, or keys and threshold do not make one.
pub(super) fn to_group(group: &Group, speakers: &Speakers) -> Result<DelegatedRole, CeremonyError> {
    Ok(DelegatedRole {
        name: group_role(group)?,
        terminating: Terminating(true),
        paths: DelegatedPaths::Patterns(vec![group_paths(group)?]),
        role: speakers.role_keys()?,
    })
}

impl Speakers {
    /// Returns them as a role lists them.
    ///
    /// # Errors
    /// When a key occurs twice or there are too many.
    pub(super) fn role_keys(&self) -> Result<RoleKeys, CeremonyError> {
        let ids: Vec<KeyId> = self.keys().iter().map(|key: &PublicKey| key.id().into()).collect();
        let threshold: NonZeroU32 = self.threshold();
        RoleKeys::new(ids, threshold).map_err(CeremonyError::Keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    #[test]
    fn each_group_has_one_shard_that_speaks_for_its_paths() {
        let key = SecretKey::from_seed(&[1; 32]).public();
        let speakers = Speakers::new(vec![key], 1).expect("they can speak");
        for registrar in [Registrar::One, Registrar::Sixteen, Registrar::TwoHundredFiftySix] {
            let delegations = registrar.delegations(&speakers).expect("it can be divided");
            assert_eq!(Registrar::of(&delegations), Some(registrar));
            for group in ["com.example", "org.copkg.examples", "a", "io.b.c-d"] {
                let group: Group = group.parse().expect("it is a group");
                let path = format!("{}/web/1.0/web-1.0-any.copkg", group.target_dir());
                let crate::tuf::Delegated::Roles(roles) = &delegations.roles else { panic!("roles by name") };
                let speaking = roles.iter().filter(|role| match &role.paths {
                    DelegatedPaths::Patterns(patterns) => {
                        patterns.iter().any(|pattern| pattern.matches(&path))
                    }
                    DelegatedPaths::HashPrefixes(_) => false,
                });
                let names: Vec<_> = speaking.map(|role| role.name.clone()).collect();
                assert_eq!(names, [registrar.role_for(&group).expect("it has one")]);
            }
        }
    }

    #[test]
    fn the_name_of_a_bin_is_that_of_no_group() {
        let group: Group = "com.example".parse().expect("it is a group");
        let bin: RoleName = format!("{}-0f", bins_prefix(&group)).parse().expect("it is a name");
        assert_eq!(group_of_bin(&bin), Some(group));
        assert_eq!(group_of_role(&bin), None);
        let group: Group = "com.example-0".parse().expect("it is a group");
        assert_eq!(group_of_bin(&group_role(&group).expect("it can have a role")), None);
    }

    #[test]
    fn a_group_cannot_take_the_registrars_name() {
        for group in ["registrar", "registrar-0", "targets", "root"] {
            assert!(group_role(&group.parse().expect("it is a group")).is_err(), "{group}");
        }
    }
}
