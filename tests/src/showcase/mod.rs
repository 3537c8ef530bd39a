//! A repository with metadata, made by hand: its first commits and its package files, as `repo-server` would have left them
//! had it died behind the log. The server that opens it signs the rest. For tests of what readers see.

mod content;
mod hostile;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use copkg_spec::coordinate::{Group, PackageCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::keys::SecretKey;
use copkg_spec::repository::ceremony::{Endings, Founders, Speakers, delegate};
use copkg_spec::repository::{
    CommitEntry, CommitNumber, CommittedRole, GroupContent, PackageCustom, PackageTarget, Registrar,
    group_role,
};
use copkg_spec::tuf::{Content, Document, RoleName, Targets, Time, Version};

pub use content::{Sample, everyday};
pub use hostile::{SCRIPT, hostile};

/// The online key, which lies beside the store. The keys of the showcase are known to everybody.
const ONLINE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ\n\
    -----END PRIVATE KEY-----\n";
/// When the first commit is made, in seconds since 1970.
const BEGIN: i64 = 1_790_000_000;
/// The end of all roles.
const END: i64 = 4_000_000_000;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A repository that grows commit by commit.
#[derive(Debug)]
pub struct Showcase {
    store: PathBuf,
    founder: SecretKey,
    publisher: SecretKey,
    groups: BTreeMap<Group, GroupContent>,
    commit: u64,
}

impl Showcase {
    /// Founds a repository in `store`, an absent or empty directory, in which one key speaks for each of `groups`.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn found(store: &Path, groups: &[&str]) -> Result<Self> {
        let keys = PathBuf::from(format!("{}.keys", store.display()));
        fs::create_dir_all(store)?;
        fs::create_dir_all(&keys)?;
        let key = keys.join("online.key");
        fs::write(&key, ONLINE_KEY)?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        let (founder, publisher) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let (store, groups_of) = (store.to_owned(), BTreeMap::new());
        let mut showcase = Self { store, founder, publisher, groups: groups_of, commit: 0 };
        showcase.found_with(groups)?;
        Ok(showcase)
    }

    /// Returns the key that signs every package.
    pub fn publisher(&self) -> &SecretKey {
        &self.publisher
    }

    fn found_with(&mut self, groups: &[&str]) -> Result<()> {
        let founder = Speakers::new(vec![self.founder.public()], 1)?;
        let online = Speakers::new(vec![SecretKey::from_pem(ONLINE_KEY, None)?.public()], 1)?;
        let end = time(END)?;
        let founders = Founders {
            root: founder.clone(),
            targets: founder.clone(),
            registrar: founder,
            division: Registrar::One,
            online,
        };
        let foundation = founders.found(Endings { root: end, targets: end, registrar: end })?;
        let mut roles =
            vec![self.stage("root", foundation.root.version, foundation.root.clone(), &self.founder)?];
        roles.push(self.stage("targets", Version::FIRST, foundation.targets, &self.founder)?);
        let publisher = Speakers::new(vec![self.publisher.public()], 1)?;
        for (name, mut registrar) in foundation.registrar {
            for group in groups {
                registrar = delegate(&registrar, &group.parse()?, &publisher, end)?;
            }
            registrar.version = Version::FIRST;
            roles.push(self.stage(name.as_str(), Version::FIRST, registrar, &self.founder)?);
        }
        self.commit(roles)
    }

    /// Publishes package files of one group in one commit.
    ///
    /// # Errors
    /// When they do not belong together, or cannot be written.
    pub fn publish(&mut self, group: &str, samples: &[Sample]) -> Result<()> {
        let packed: Vec<(Sample, Vec<u8>, Digest)> = samples
            .iter()
            .map(|sample| {
                let (bytes, digest) = sample.pack(&self.publisher)?;
                Ok::<_, Box<dyn std::error::Error>>((sample.clone(), bytes, digest))
            })
            .collect::<Result<_>>()?;
        let store = self.store.clone();
        self.change(group, |content| {
            for (sample, bytes, digest) in &packed {
                let package =
                    PackageTarget { coordinate: sample.coordinate()?, platform: sample.platform.parse()? };
                let custom = PackageCustom {
                    digest: *digest,
                    kind: sample.kind,
                    platform: package.platform.clone(),
                    yanked: None,
                };
                let file = (bytes.len() as u64, Digest::of(bytes));
                content.add(&package, file, &custom, sample.about.description.as_deref())?;
                write_blob(&store, &package, bytes)?;
            }
            Ok(())
        })
    }

    /// Yanks a version.
    ///
    /// # Errors
    /// When it is not published.
    pub fn yank(&mut self, coordinate: &str, reason: &str) -> Result<()> {
        let coordinate: PackageCoordinate = coordinate.parse()?;
        self.change(coordinate.group().as_str(), |content| Ok(content.yank(&coordinate, Some(reason))?))
    }

    /// Lets a channel lead to a version.
    ///
    /// # Errors
    /// When it is not published.
    pub fn promote(&mut self, coordinate: &str, channel: &str) -> Result<()> {
        let (coordinate, channel): (PackageCoordinate, _) = (coordinate.parse()?, channel.parse()?);
        self.change(coordinate.group().as_str(), |content| Ok(content.promote(&coordinate, &channel)?))
    }

    /// Changes what a group says, in one commit.
    ///
    /// # Errors
    /// When the change is refused.
    pub fn change(
        &mut self,
        group: &str,
        change: impl FnOnce(&mut GroupContent) -> Result<()>,
    ) -> Result<()> {
        let group: Group = group.parse()?;
        let before = self.groups.get(&group).cloned();
        let mut content = match &before {
            Some(content) => content.clone(),
            None => GroupContent::new(group.clone(), time(END)?),
        };
        change(&mut content)?;
        let speakers = Speakers::new(vec![self.publisher.public()], 1)?;
        let next = content.next(before.as_ref(), &speakers, time(END)?)?;
        let (mut role, mut bins) = (content.role().clone(), content.bins().clone());
        let mut committed = Vec::new();
        for changed in next {
            committed.push(self.stage(
                changed.name.as_str(),
                changed.targets.version,
                changed.targets.clone(),
                &self.publisher,
            )?);
            keep(&group, changed.name, changed.targets, &mut role, &mut bins)?;
        }
        self.groups.insert(group.clone(), GroupContent::read(group, role, bins)?);
        self.commit(committed)
    }

    fn stage<T: Content>(
        &self,
        role: &str,
        version: Version,
        content: T,
        key: &SecretKey,
    ) -> Result<CommittedRole> {
        let bytes = Document::sign(content, [key])?.bytes().to_vec();
        let sha256 = Digest::of(&bytes);
        let staged = self.store.join("staged");
        fs::create_dir_all(&staged)?;
        fs::write(staged.join(sha256.to_string()), &bytes)?;
        Ok(CommittedRole { role: role.to_owned(), version, sha256, length: bytes.len() as u64 })
    }

    fn commit(&mut self, mut roles: Vec<CommittedRole>) -> Result<()> {
        self.commit += 1;
        roles.sort_by(|a, b| a.role.cmp(&b.role));
        let commit = CommitNumber::new(self.commit).ok_or("there is no commit 0")?;
        let hours = i64::try_from(self.commit)? * 5 * 3600 + i64::try_from(self.commit * 541 % 3600)?;
        let entry = CommitEntry { commit, roles, time: time(BEGIN + hours)? };
        let path = self.store.join(commit.key());
        fs::create_dir_all(path.parent().unwrap_or(&self.store))?;
        fs::write(path, entry.to_bytes()?)?;
        Ok(())
    }
}

fn keep(
    group: &Group,
    name: RoleName,
    targets: Targets,
    role: &mut Targets,
    bins: &mut BTreeMap<RoleName, Targets>,
) -> Result<()> {
    if name == group_role(group)? {
        *role = targets;
    } else {
        bins.insert(name, targets);
    }
    Ok(())
}

fn write_blob(store: &Path, package: &PackageTarget, bytes: &[u8]) -> io::Result<()> {
    let path = package.path();
    let (directory, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
    let directory = store.join("targets").join(directory);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(format!("{}.{name}", Digest::of(bytes))), bytes)
}

fn time(seconds: i64) -> Result<Time> {
    Ok(Time::from_unix_seconds(seconds).ok_or("the calendar ends before")?)
}
