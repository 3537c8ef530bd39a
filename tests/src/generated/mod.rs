//! Repositories of any size, made by the library alone: metadata, commits and packages as files of a store.
//!
//! What a server makes of commits (snapshot, timestamp, the transparency log) is left to the server that opens the store: it
//! rolls them forward. Keys come from numbers, so that two runs make the same repository but for the time.

mod group;
mod package;

use std::error::Error;
use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use copkg_spec::coordinate::{Group, PackageCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::keys::SecretKey;
use copkg_spec::repository::ceremony::{Endings, Foundation, Founders, Speakers};
use copkg_spec::repository::{
    CommitEntry, CommitNumber, CommittedRole, Fingerprint, Registrar, group_paths, group_role,
};
use copkg_spec::tuf::{
    Content, DelegatedPaths, DelegatedRole, Delegations, Document, Role, RoleKeys, Targets, Terminating,
    Time, list_keys,
};

pub use group::Shape;
pub use package::pack as packed;

/// Whatever stops the making.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How long everything counts that is signed offline, in seconds.
const YEAR: i64 = 365 * 24 * 60 * 60;
/// How many roles one commit changes at most; an entry of the log holds some more.
const COMMIT_ROLES: usize = 400;

/// How large a repository is.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// How many groups there are.
    pub groups: usize,
    /// What each of them has.
    pub shape: Shape,
    /// How the registrar is divided.
    pub registrar: Registrar,
    /// How many of the first packages of each group have bytes; the others are only named.
    pub with_bytes: usize,
}

/// A repository that was made.
#[derive(Debug)]
pub struct Generated {
    /// The store, a directory.
    pub store: PathBuf,
    /// The file of the online key.
    pub online_key: PathBuf,
    /// The identity of the repository.
    pub fingerprint: Fingerprint,
    /// How many commits there are.
    pub commits: u64,
    /// A package that has bytes, when any has.
    pub package: PackageCoordinate,
}

/// Returns the key of a number. No secret.
pub fn key(number: u32) -> SecretKey {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    SecretKey::from_seed(&seed)
}

/// Returns the name of a group by its number.
///
/// # Errors
/// Never.
pub fn group_name(number: usize) -> Result<Group> {
    Ok(format!("com.example.team{number:04}").parse()?)
}

/// Makes a repository in `store`, a directory that is not there yet.
///
/// # Errors
/// When a file cannot be written.
pub fn generate(store: &Path, scale: &Scale, now: Time) -> Result<Generated> {
    let mut writer =
        Writer { store: store.to_owned(), now, number: CommitNumber::FIRST, roles: Vec::new(), commits: 0 };
    fs::create_dir_all(store.join("metadata"))?;
    fs::create_dir_all(store.join("log"))?;
    let fingerprint = found(&mut writer, scale)?;
    for number in 0..scale.groups {
        let roles = group::roles(store, number, scale, writer.expires()?)?;
        if writer.roles.len() + roles.len() > COMMIT_ROLES {
            writer.commit()?;
        }
        for (name, targets) in roles {
            writer.write(&Role::Delegated(name), targets, &key(group_key(number)))?;
        }
    }
    writer.commit()?;
    let online_key = write_online_key(store)?;
    let package = group::coordinate(&group_name(0)?, 0, 0)?;
    Ok(Generated { store: store.to_owned(), online_key, fingerprint, commits: writer.commits, package })
}

const ROOT_KEY: u32 = 1;
const TARGETS_KEY: u32 = 2;
const ONLINE_KEY: u32 = 3;

/// Returns the number of the key of a group by the group's number.
pub fn group_key(number: usize) -> u32 {
    1000 + u32::try_from(number).unwrap_or(0)
}

fn found(writer: &mut Writer, scale: &Scale) -> Result<Fingerprint> {
    let expires = writer.expires()?;
    let speakers = |number| Speakers::new(vec![key(number).public()], 1);
    let founders = Founders {
        root: speakers(ROOT_KEY)?,
        targets: speakers(TARGETS_KEY)?,
        registrar: speakers(TARGETS_KEY)?,
        division: scale.registrar,
        online: speakers(ONLINE_KEY)?,
    };
    let endings = Endings { root: expires, targets: expires, registrar: expires };
    let Foundation { root, targets, mut registrar } = founders.found(endings)?;
    for number in 0..scale.groups {
        let group = group_name(number)?;
        let role = scale.registrar.role_for(&group)?;
        let found = registrar
            .iter_mut()
            .find(|(name, _)| *name == role)
            .and_then(|(_, role)| role.delegations.as_mut());
        delegate(found.ok_or("the registrar has no such role")?, &group, number)?;
    }
    let bytes = writer.write(&Role::Root, root, &key(ROOT_KEY))?;
    writer.write(&Role::Targets, targets, &key(TARGETS_KEY))?;
    for (name, role) in registrar {
        writer.write(&Role::Delegated(name), role, &key(TARGETS_KEY))?;
    }
    writer.commit()?;
    Ok(Fingerprint::of_first_root(&bytes))
}

/// As `ceremony::delegate`, for many groups at once.
fn delegate(delegations: &mut Delegations, group: &Group, number: usize) -> Result<()> {
    let public = key(group_key(number)).public();
    let delegated = DelegatedRole {
        name: group_role(group)?,
        terminating: Terminating(true),
        paths: DelegatedPaths::Patterns(vec![group_paths(group)?]),
        role: RoleKeys::new(vec![public.id().into()], NonZeroU32::MIN)?,
    };
    delegations.keys.extend(list_keys([&public]));
    if let copkg_spec::tuf::Delegated::Roles(roles) = &mut delegations.roles {
        roles.push(delegated);
    }
    Ok(())
}

/// Writes the files of commits, and the commits.
struct Writer {
    store: PathBuf,
    now: Time,
    number: CommitNumber,
    roles: Vec<CommittedRole>,
    commits: u64,
}

impl Writer {
    fn expires(&self) -> Result<Time> {
        Ok(Time::from_unix_seconds(self.now.unix_seconds() + YEAR).ok_or("the calendar ends")?)
    }

    fn write<T: Content>(&mut self, role: &Role, content: T, key: &SecretKey) -> Result<Vec<u8>> {
        let version = content.version();
        let bytes = Document::sign(content, [key])?.bytes().to_vec();
        fs::write(self.store.join("metadata").join(role.versioned_file_name(version)), &bytes)?;
        let (sha256, length) = (Digest::of(&bytes), bytes.len() as u64);
        self.roles.push(CommittedRole { role: role.as_str().to_owned(), version, sha256, length });
        Ok(bytes)
    }

    fn commit(&mut self) -> Result<()> {
        if self.roles.is_empty() {
            return Ok(());
        }
        let entry =
            CommitEntry { commit: self.number, roles: std::mem::take(&mut self.roles), time: self.now };
        fs::write(self.store.join(self.number.key()), entry.to_bytes()?)?;
        self.commits += 1;
        self.number = self.number.next().ok_or("there is no further commit")?;
        Ok(())
    }
}

/// Writes the online key where a server looks for it: PKCS#8, as `pkgbuild keygen` does.
fn write_online_key(store: &Path) -> Result<PathBuf> {
    let keys = PathBuf::from(format!("{}.keys", store.display()));
    fs::create_dir_all(&keys)?;
    let path = keys.join("online.key");
    fs::write(&path, package::pem(ONLINE_KEY))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(path)
}

/// One role's targets by the role's name, before they are signed.
type NamedTargets = (copkg_spec::tuf::RoleName, Targets);
