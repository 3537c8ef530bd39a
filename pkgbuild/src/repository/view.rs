//! A repository as its owners and publishers see it: every role that they ask for, verified by the keys that speak for it.
//!
//! Read from a server, with all that a client checks, or from a copy of the metadata on a machine without network. Comes before
//! every change; what a [`View`] gives is what the change starts from.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{CoordinateError, Group};
use copkg_spec::repository::ceremony::{CeremonyError, Speakers, speakers_for};
use copkg_spec::repository::{Fingerprint, GroupContent, GroupError, Registrar, group_of_role, group_role};
use copkg_spec::tuf::{Delegated, Role, RoleName, Root, Targets, Time, TufError, Verified, Version};
use thiserror::Error;

use super::copy::{Copied, CopyError};
use super::known::KnownError;
use super::online::Online;
use super::remote::RemoteError;

/// Whether metadata that has expired counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// It does not: for who publishes, as for every client.
    Refused,
    /// It does: its owners must be able to sign it again.
    Shown,
}

/// A repository, verified as far as it was read.
#[derive(Debug)]
pub struct View<'r> {
    source: Source<'r>,
    root: Verified<Root>,
    roles: BTreeMap<Role, Verified<Targets>>,
    division: Registrar,
}

/// Where it is read from.
#[derive(Debug)]
pub(super) enum Source<'r> {
    Server(Box<Online<'r>>),
    Copy(Copied),
}

/// What a group's role says and who speaks for it.
#[derive(Debug, Clone)]
pub struct GroupView {
    /// Who speaks for it.
    pub speakers: Speakers,
    /// What it says; nothing before its first publication.
    pub content: Option<GroupContent>,
}

type Result<T> = std::result::Result<T, ViewError>;

impl<'r> View<'r> {
    pub(super) fn new(source: Source<'r>, root: Verified<Root>, targets: Verified<Targets>) -> Result<Self> {
        let division = targets.delegations.as_ref().and_then(Registrar::of).ok_or(ViewError::NoRegistrar)?;
        Ok(Self { source, root, roles: BTreeMap::from([(Role::Targets, targets)]), division })
    }

    /// Returns the newest root.
    pub fn root(&self) -> &Verified<Root> {
        &self.root
    }

    /// Returns how the registrar is divided.
    pub fn division(&self) -> Registrar {
        self.division
    }

    /// Returns the identity of the repository, where it is known: the digest of its first root.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match &self.source {
            Source::Server(online) => online.fingerprint(),
            Source::Copy(copy) => copy.fingerprint(),
        }
    }

    /// Returns when snapshot and timestamp end, where they are known.
    pub fn online_expiry(&self) -> Option<[(Role, Time); 2]> {
        match &self.source {
            Source::Server(online) => Some(online.expiry()),
            Source::Copy(_) => None,
        }
    }

    /// Returns the top-level targets.
    ///
    /// # Errors
    /// Never: they are read at the beginning.
    pub fn targets(&self) -> Result<&Verified<Targets>> {
        self.roles.get(&Role::Targets).ok_or(ViewError::NoRegistrar)
    }

    /// Returns the role of the registrar that decides about `group`.
    ///
    /// # Errors
    /// When it cannot be had or verified.
    pub fn registrar_for(&mut self, group: &Group) -> Result<&Verified<Targets>> {
        let name = self.division.role_for(group)?;
        self.registrar(&name)
    }

    /// Returns one role of the registrar.
    ///
    /// # Errors
    /// When it cannot be had or verified.
    pub fn registrar(&mut self, name: &RoleName) -> Result<&Verified<Targets>> {
        self.role(&Role::Targets, name)?.ok_or_else(|| ViewError::NoRole { role: name.clone() })
    }

    /// Returns who speaks for a group; nothing when nobody does.
    ///
    /// # Errors
    /// When the registrar cannot be read.
    pub fn speakers(&mut self, group: &Group) -> Result<Option<Speakers>> {
        Ok(speakers_for(self.registrar_for(group)?, group)?)
    }

    /// Returns what a group's role and its bins say; nothing when the group is not delegated.
    ///
    /// # Errors
    /// When something cannot be had or verified, or is not what a group's role says.
    pub fn group(&mut self, group: &Group) -> Result<Option<GroupView>> {
        let Some(speakers) = self.speakers(group)? else { return Ok(None) };
        let registrar = Role::Delegated(self.division.role_for(group)?);
        let name = group_role(group)?;
        let Some(role) = self.role(&registrar, &name)?.map(|role| Targets::clone(role)) else {
            return Ok(Some(GroupView { speakers, content: None }));
        };
        let own = Role::Delegated(name);
        let mut bins = BTreeMap::new();
        let names: Vec<RoleName> =
            GroupContent::hash_bins_of(&role).map(|bins| bins.names().collect()).unwrap_or_default();
        for name in names {
            let bin = self.role(&own, &name)?.ok_or_else(|| ViewError::NoRole { role: name.clone() })?;
            bins.insert(name, Targets::clone(bin));
        }
        let content = GroupContent::read(group.clone(), role, bins)?;
        Ok(Some(GroupView { speakers, content: Some(content) }))
    }

    /// Returns all groups that are delegated, in order.
    ///
    /// # Errors
    /// When a role of the registrar cannot be read.
    pub fn groups(&mut self) -> Result<Vec<Group>> {
        let mut groups = Vec::new();
        for name in self.division.roles()? {
            let registrar = self.registrar(&name)?;
            if let Some(Delegated::Roles(roles)) = registrar.delegations.as_ref().map(|found| &found.roles) {
                groups.extend(roles.iter().filter_map(|role| group_of_role(&role.name)));
            }
        }
        groups.sort();
        Ok(groups)
    }

    /// Returns which version of a role is current, where that is known without reading it.
    pub fn version_of(&self, role: &Role) -> Option<Version> {
        match (&self.source, role) {
            (_, Role::Root) => Some(self.root.version),
            (Source::Server(online), role) => online.version_of(role),
            (Source::Copy(copy), role) => copy.version_of(role),
        }
    }

    /// Returns every role that was read.
    pub fn roles(&self) -> impl Iterator<Item = (&Role, &Verified<Targets>)> {
        self.roles.iter()
    }

    /// Returns a role that was read.
    pub fn read(&self, role: &Role) -> Option<&Verified<Targets>> {
        self.roles.get(role)
    }

    /// Reads a role that `delegator`, which was read before, delegates to; nothing when it has no metadata yet.
    ///
    /// # Errors
    /// When it cannot be had or verified.
    pub fn role(&mut self, delegator: &Role, name: &RoleName) -> Result<Option<&Verified<Targets>>> {
        let role = Role::Delegated(name.clone());
        if !self.roles.contains_key(&role) {
            let found = match &mut self.source {
                Source::Server(online) => online.read(delegator, name)?,
                Source::Copy(copy) => match self.roles.get(delegator) {
                    Some(delegator) => copy.read(delegator, name)?,
                    None => None,
                },
            };
            let Some(found) = found else { return Ok(None) };
            self.roles.insert(role.clone(), found);
        }
        Ok(self.roles.get(&role))
    }
}

/// Says why a repository cannot be read.
#[derive(Debug, Error)]
pub enum ViewError {
    /// The server is in the way.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// This user's own files are in the way.
    #[error(transparent)]
    Known(#[from] KnownError),
    /// The copy is in the way.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The repository broke a rule.
    #[error(transparent)]
    Tuf(#[from] TufError),
    /// What a group's role says is not consistent.
    #[error("what the repository says of a group is not consistent")]
    Group(#[from] GroupError),
    /// Keys or names of the repository are not ours.
    #[error("the roles of this repository are not those of copkg")]
    Roles(#[from] CeremonyError),
    /// A name is none.
    #[error(transparent)]
    Name(#[from] CoordinateError),
    /// It is a TUF repository of another kind.
    #[error("the repository has no registrar: it is none of copkg")]
    NoRegistrar,
    /// A role that must have metadata has none.
    #[error("the repository has no metadata of {role}")]
    NoRole {
        /// The role.
        role: RoleName,
    },
    /// Nobody said which root to trust.
    #[error("no root is pinned for {url}")]
    NotPinned {
        /// The repository.
        url: String,
    },
    /// Another root is pinned.
    #[error("another root is pinned for {url}: {pinned}")]
    OtherRoot {
        /// Where it is kept.
        kept_in: PathBuf,
        /// The repository.
        url: String,
        /// The digest of the one that is pinned.
        pinned: String,
    },
    /// What is given as the root is none.
    #[error("{path} is not the root of a repository", path = path.display())]
    NoRoot {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: TufError,
    },
    /// What is given as the root cannot be read.
    #[error("cannot read the root {path}", path = path.display())]
    RootUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no first root.
    #[error("{url} has no first root: it is no repository, or none with metadata")]
    NoFirstRoot {
        /// The repository.
        url: String,
    },
    /// The first root of the repository is another one.
    #[error("the first root of {url} is not the one with this fingerprint: its own is {found}")]
    WrongFingerprint {
        /// The repository.
        url: String,
        /// The fingerprint that its first root has.
        found: Fingerprint,
    },
}

impl ViewError {
    fn inner(&self) -> Option<&dyn Explain> {
        match self {
            Self::Remote(error) => Some(error),
            Self::Known(error) => Some(error),
            Self::Copy(error) => Some(error),
            Self::Tuf(error) => Some(error),
            _ => None,
        }
    }
}

impl Explain for ViewError {
    fn exit(&self) -> Exit {
        match self {
            Self::RootUnreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::RootUnreadable { .. } => Exit::Failure,
            _ => self.inner().map_or(Exit::Trust, Explain::exit),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Group(_) => "group_inconsistent",
            Self::Roles(_) | Self::Name(_) | Self::NoRegistrar => "foreign_repository",
            Self::NoRole { .. } | Self::NoFirstRoot { .. } => "metadata_absent",
            Self::NotPinned { .. } => "root_not_pinned",
            Self::OtherRoot { .. } => "another_root_pinned",
            Self::WrongFingerprint { .. } => "wrong_fingerprint",
            Self::NoRoot { .. } => "not_a_root",
            Self::RootUnreadable { .. } => "root_unreadable",
            _ => self.inner().map_or("internal", Explain::code),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotPinned { .. } => Some(
                "give --root FINGERPRINT (or a file with the root) once; ask the owner of the repository for it by another way than the repository".into(),
            ),
            Self::OtherRoot { kept_in, .. } => Some(format!(
                "one address is one repository; if its owner founded it anew, remove {}",
                kept_in.display()
            )),
            Self::NoRoot { .. } | Self::RootUnreadable { .. } => Some(
                "give the fingerprint that the repository's owner publishes (64 hexadecimal digits), or the file of its root".into(),
            ),
            Self::NoRegistrar => {
                Some("another tool made it: packages go to what `repo-server init` or `pkgbuild repo init` founded".into())
            }
            Self::NoRole { .. } => Some("try again; if it repeats, tell the repository's owner".into()),
            Self::NoFirstRoot { .. } => {
                Some("check the address: it is the one that `repo-server serve` prints, without /metadata or /api".into())
            }
            Self::WrongFingerprint { .. } => {
                Some("it is another repository than you were told of: do not go on before you know why".into())
            }
            _ => self.inner().and_then(Explain::hint),
        }
    }
}
