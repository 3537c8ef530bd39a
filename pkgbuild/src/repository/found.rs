//! The metadata of a repository that is being founded: unsigned at first, then signed by one founder after the other, in files
//! that hold no secret.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::durable::{self, Existing};
use copkg_spec::keys::SecretKey;
use copkg_spec::repository::ceremony::{Foundation, authority_for};
use copkg_spec::repository::{Fingerprint, MissingSignatures, Registrar};
use copkg_spec::tuf::{
    Authority, Content, Document, MalformedError, Role, Root, Signature, Targets, Version,
};
use thiserror::Error;

use super::describe::speakers_text;

/// The first version of each offline role.
#[derive(Debug, Clone)]
pub struct Founding {
    root: Document<Root>,
    targets: Document<Targets>,
    registrar: Vec<(Role, Document<Targets>)>,
}

type Result<T> = std::result::Result<T, FoundError>;

impl Founding {
    /// Writes down what the founders decided.
    ///
    /// # Errors
    /// Never for what a ceremony makes.
    pub fn new(foundation: Foundation) -> Result<Self> {
        let registrar = foundation.registrar.into_iter().map(|(name, targets)| {
            let role = Role::Delegated(name);
            let document = document(&role, targets)?;
            Ok((role, document))
        });
        Ok(Self {
            registrar: registrar.collect::<Result<_>>()?,
            root: document(&Role::Root, foundation.root)?,
            targets: document(&Role::Targets, foundation.targets)?,
        })
    }

    /// Reads what [`Self::write`] wrote.
    ///
    /// # Errors
    /// When a file is missing or is not what it should be.
    pub fn read(directory: &Path) -> Result<Self> {
        let root = read(directory, &Role::Root)?;
        let targets: Document<Targets> = read(directory, &Role::Targets)?;
        let division = targets.unverified().delegations.as_ref().and_then(Registrar::of);
        let names = division.and_then(|division| division.roles().ok());
        let names = names.ok_or_else(|| FoundError::NoRegistrar { directory: directory.to_owned() })?;
        let registrar = names.into_iter().map(|name| {
            let role = Role::Delegated(name);
            let document = read(directory, &role)?;
            Ok((role, document))
        });
        Ok(Self { registrar: registrar.collect::<Result<_>>()?, root, targets })
    }

    /// Writes a file for each role.
    ///
    /// # Errors
    /// When one cannot be written, or is there and may not be replaced.
    pub fn write(&self, directory: &Path, existing: Existing) -> Result<()> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| FoundError::Write { path, source }
        };
        durable::create_dir_all(directory).map_err(failed(directory))?;
        // The root last: without it there is no repository.
        let below = self.registrar.iter().map(|(role, document)| (role, document.bytes()));
        let all = below.chain([(&Role::Targets, self.targets.bytes()), (&Role::Root, self.root.bytes())]);
        for (role, bytes) in all {
            let path = file(directory, role);
            durable::write(&path, 0o644, existing, bytes).map_err(failed(&path))?;
        }
        Ok(())
    }

    /// Signs each file with each of `keys` that may.
    ///
    /// # Errors
    /// When a key may sign none.
    pub fn sign(&mut self, keys: &[SecretKey]) -> Result<()> {
        for key in keys {
            let mut signed = 0;
            let id = key.public().id().into();
            let may = |authority: Authority<'_>| authority.keyids().contains(&id);
            let (root, targets) = (self.root.unverified().clone(), self.targets.unverified().clone());
            if may(root.root_authority()) {
                signed += 1;
                self.root.co_sign(key).map_err(|source| malformed(&Role::Root, source))?;
            }
            if may(root.targets_authority()) {
                signed += 1;
                self.targets.co_sign(key).map_err(|source| malformed(&Role::Targets, source))?;
            }
            for (role, document) in &mut self.registrar {
                if authority_of(role, &targets).is_some_and(may) {
                    signed += 1;
                    document.co_sign(key).map_err(|source| malformed(role, source))?;
                }
            }
            if signed == 0 {
                return Err(FoundError::Stranger { key: key.public().id().short() });
            }
        }
        Ok(())
    }

    /// Returns the roles that too few keys signed.
    pub fn missing(&self) -> Vec<MissingSignatures> {
        let (root, targets) = (self.root.unverified(), self.targets.unverified());
        let mut missing = Vec::new();
        missing.extend(unmet(
            &Role::Root,
            root.root_authority(),
            self.root.payload(),
            self.root.signatures(),
        ));
        let document = &self.targets;
        missing.extend(unmet(
            &Role::Targets,
            root.targets_authority(),
            document.payload(),
            document.signatures(),
        ));
        for (role, document) in &self.registrar {
            let authority = authority_of(role, targets);
            missing.extend(
                authority
                    .and_then(|authority| unmet(role, authority, document.payload(), document.signatures())),
            );
        }
        missing
    }

    /// Returns the identity of the repository, once its root is signed by enough.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let authority = self.root.unverified().root_authority();
        let missing = unmet(&Role::Root, authority, self.root.payload(), self.root.signatures());
        missing.is_none().then(|| Fingerprint::of_first_root(self.root.bytes()))
    }

    /// Says who is to speak for which role, a line each.
    pub fn describe(&self) -> Vec<String> {
        let (root, targets) = (self.root.unverified(), self.targets.unverified());
        let line = |name: &str, authority: Authority<'_>, until: copkg_spec::tuf::Time| {
            format!("{name:<10} {}, until {until}", speakers_text(authority))
        };
        let mut lines = vec![
            line("root", root.root_authority(), root.expires),
            line("targets", root.targets_authority(), targets.expires),
        ];
        let first = self.registrar.first();
        lines.extend(first.and_then(|(role, document)| {
            Some(line("registrar", authority_of(role, targets)?, document.unverified().expires))
        }));
        lines.push(format!("{:<10} {}", "online", speakers_text(root.timestamp_authority())));
        lines
    }
}

fn unmet(
    role: &Role,
    authority: Authority<'_>,
    payload: &[u8],
    signatures: &[Signature],
) -> Option<MissingSignatures> {
    let have: Vec<_> = authority.signers(payload, signatures).into_iter().cloned().collect();
    let need = authority.threshold().get();
    let may = authority.keyids().iter().filter(|id| !have.contains(id)).cloned().collect();
    let role = role.as_str().to_owned();
    (have.len() < need as usize).then_some(MissingSignatures { role, have, need, may })
}

fn authority_of<'t>(role: &Role, targets: &'t Targets) -> Option<Authority<'t>> {
    if let Role::Delegated(name) = role { authority_for(targets, name) } else { None }
}

fn document<T: Content>(role: &Role, content: T) -> Result<Document<T>> {
    Document::new(content).map_err(|source| malformed(role, source))
}

fn malformed(role: &Role, source: MalformedError) -> FoundError {
    FoundError::Malformed { role: role.clone(), source }
}

fn file(directory: &Path, role: &Role) -> PathBuf {
    directory.join(role.versioned_file_name(Version::FIRST))
}

fn read<T: Content>(directory: &Path, role: &Role) -> Result<Document<T>> {
    let path = file(directory, role);
    let bytes = fs::read(&path).map_err(|source| FoundError::Read { path, source })?;
    Document::parse(bytes).map_err(|source| malformed(role, source))
}

/// Says why a repository cannot be founded.
#[derive(Debug, Error)]
pub enum FoundError {
    /// A file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is no metadata.
    #[error("the metadata of {role} is not what metadata is")]
    Malformed {
        /// The role.
        role: Role,
        /// Why.
        #[source]
        source: MalformedError,
    },
    /// It names no registrar.
    #[error("{directory} holds no repository of copkg", directory = directory.display())]
    NoRegistrar {
        /// The directory.
        directory: PathBuf,
    },
    /// The key speaks for nothing.
    #[error("the key {key} speaks for none of the roles")]
    Stranger {
        /// The id, short.
        key: String,
    },
}

impl FoundError {
    fn is_there_already(&self) -> bool {
        matches!(self, Self::Write { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    }
}

impl Explain for FoundError {
    fn exit(&self) -> Exit {
        match self {
            Self::Write { .. } if self.is_there_already() => Exit::Conflict,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::Read { .. } | Self::Write { .. } => Exit::Failure,
            Self::Malformed { .. } | Self::NoRegistrar { .. } | Self::Stranger { .. } => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Write { .. } if self.is_there_already() => "repository_exists",
            Self::Read { .. } => "copy_unreadable",
            Self::Write { .. } => "output_unwritable",
            Self::Malformed { .. } => "metadata_malformed",
            Self::NoRegistrar { .. } => "foreign_repository",
            Self::Stranger { .. } => "key_without_role",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Write { .. } if self.is_there_already() => {
                Some("a repository is founded once: choose another directory".into())
            }
            Self::NoRegistrar { .. } => Some("name the directory that `pkgbuild repo init` made".into()),
            Self::Stranger { .. } => {
                Some("sign with a key that `pkgbuild repo init` was given, or made below keys/".into())
            }
            _ => None,
        }
    }
}
