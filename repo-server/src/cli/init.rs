//! `repo-server init`: a repository in an empty store, with keys made here or with what an offline ceremony made.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use copkg_spec::command::{Exit, Explain, Report};
use copkg_spec::coordinate::Group;
use copkg_spec::durable;
use copkg_spec::keys::PublicKey;
use copkg_spec::repository::ceremony::CeremonyError;
use copkg_spec::repository::{Fingerprint, Proposal, ProposedRole};
use serde::Serialize;
use thiserror::Error;
use tokio::runtime::Runtime;

use super::clock;
use super::founders::{self, FoundersError, Online};
use super::store::{OpenError, StoreOptions, keys_beside};
use crate::publish::{self, PublishError};
use crate::repository;
use crate::signer::Signer;
use crate::storage::{Storage, StoreUrl};

/// Make a repository in an empty store
///
/// Without --metadata it makes the keys of all roles in <directory>.keys and says which of them to move away. With --metadata
/// it takes what `pkgbuild repo init` made on a machine without network; then only the online key is here.
#[derive(Debug, Args)]
pub(super) struct Init {
    #[command(flatten)]
    store: StoreOptions,
    /// Where new keys go; without it <directory>.keys
    #[arg(long, value_name = "DIR", conflicts_with = "metadata")]
    keys: Option<Utf8PathBuf>,
    /// The metadata/ that `pkgbuild repo init` made
    #[arg(long, value_name = "DIR", requires = "signing_key")]
    metadata: Option<Utf8PathBuf>,
    /// A group to delegate to at once
    #[arg(long, value_name = "GROUP", requires = "key", conflicts_with = "metadata")]
    group: Option<Group>,
    /// A public key that speaks for the group: a file, or ed25519:…; repeat it for several
    #[arg(long, value_name = "PUB", requires = "group")]
    key: Vec<String>,
    /// How many of the group's keys must sign
    #[arg(long, value_name = "M", default_value_t = 1, requires = "group")]
    threshold: u32,
    /// Say what would be made, and make nothing
    #[arg(long)]
    dry_run: bool,
}

/// What may be in a directory in which a repository is founded: what a store has, and what a file system of its own has.
const OUR_OWN: [&str; 7] = ["metadata", "targets", "tlog", "log", "staged", "private", "lost+found"];

/// Says why there is no repository now.
#[derive(Debug, Error)]
pub(super) enum InitError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The directory of the store cannot be made.
    #[error("cannot make {path}")]
    Directory { path: Utf8PathBuf, source: io::Error },
    /// There is a repository already.
    #[error("there is a repository in {url} already")]
    Exists { url: StoreUrl },
    /// There are files in the store that are none of a repository.
    #[error("{url} is not empty: it has {path}")]
    NotEmpty { url: StoreUrl, path: String },
    /// The directory is one of other things.
    #[error("{url} is not empty: it has {path}")]
    Foreign { url: StoreUrl, path: String },
    /// Nobody said where keys go.
    #[error("a bucket has no directory beside it for keys")]
    NoKeys,
    /// A file of the ceremony cannot be read.
    #[error("cannot read {path}")]
    Read { path: Utf8PathBuf, source: io::Error },
    /// There is nothing of a ceremony.
    #[error("{path} holds no first metadata: there is no 1.root.json")]
    NoCeremony { path: Utf8PathBuf },
    /// The keys cannot be made.
    #[error(transparent)]
    Founders(#[from] FoundersError),
    /// The roles cannot be made.
    #[error("the first roles cannot be made")]
    Ceremony(#[from] CeremonyError),
    /// What is to be committed breaks a rule.
    #[error("the repository is refused")]
    Found(#[source] Box<PublishError>),
    /// Threads are not to be had.
    #[error("cannot start")]
    Start(#[source] io::Error),
}

/// What was made, or would be.
#[derive(Debug, Serialize)]
struct Made {
    changed: bool,
    store: String,
    fingerprint: Option<Fingerprint>,
    keys: Vec<Utf8PathBuf>,
    move_offline: Vec<Utf8PathBuf>,
    next: Vec<String>,
}

impl Init {
    pub(super) fn run(&self, report: &mut Report) -> Result<(), InitError> {
        let runtime = Runtime::new().map_err(InitError::Start)?;
        runtime.block_on(self.init(report))
    }

    async fn init(&self, report: &mut Report) -> Result<(), InitError> {
        let keys = self.metadata.is_none().then(|| self.keys_directory()).transpose()?;
        let mut made = self.made(keys.as_deref());
        if self.dry_run {
            report.data(&made, || format!("would make a repository in {}", self.store.store));
            return Ok(());
        }
        self.make_directory()?;
        let storage = self.store.open_to_write().await?;
        self.check_empty(&storage).await?;
        let (proposal, signer) = self.roles(keys.as_deref())?;
        let found = publish::found(storage, signer, proposal, clock::now()).await;
        let repository = found.map_err(|error| InitError::Found(Box::new(error)))?;
        let fingerprint = repository.head().fingerprint();
        made.changed = true;
        made.fingerprint = Some(fingerprint);
        made.next.push(format!("pkginstall repo add main http://HOST:8080 --root {fingerprint}"));
        report.data(&made, || made.text(fingerprint));
        if !made.move_offline.is_empty() {
            let files: Vec<&str> = made.move_offline.iter().map(|path| path.as_str()).collect();
            report.warn(format!(
                "whoever has {} owns this repository: move them to a machine without network, and keep two copies",
                files.join(" and ")
            ));
        }
        Ok(())
    }

    fn keys_directory(&self) -> Result<Utf8PathBuf, InitError> {
        match (&self.keys, &self.store.store) {
            (Some(keys), _) => Ok(keys.clone()),
            (None, StoreUrl::Directory(directory)) => Ok(keys_beside(directory)),
            (None, StoreUrl::Bucket { .. }) => Err(InitError::NoKeys),
        }
    }

    fn made(&self, keys: Option<&Utf8Path>) -> Made {
        let file = |name: &str| keys.map(|keys| keys.join(name));
        let serve = match (&self.store.store, self.store.signing_key.first()) {
            (url, Some(key)) => format!("repo-server serve --store {url} --signing-key {key}"),
            (url @ StoreUrl::Directory(_), None) if self.keys.is_none() => {
                format!("repo-server serve --store {url}")
            }
            (url, None) => {
                let key = file("online.key").unwrap_or_default();
                format!("repo-server serve --store {url} --signing-key {key}")
            }
        };
        Made {
            changed: false,
            store: self.store.store.to_string(),
            fingerprint: None,
            keys: ["root.key", "targets.key", "online.key"].into_iter().filter_map(file).collect(),
            move_offline: ["root.key", "targets.key"].into_iter().filter_map(file).collect(),
            next: vec![serve],
        }
    }

    fn make_directory(&self) -> Result<(), InitError> {
        let StoreUrl::Directory(directory) = &self.store.store else { return Ok(()) };
        durable::create_dir_all(directory.as_std_path())
            .map_err(|source| InitError::Directory { path: directory.clone(), source })
    }

    /// Checks that nothing is lost or mixed up: a plain directory with packages is none to found a repository in.
    async fn check_empty(&self, storage: &Storage) -> Result<(), InitError> {
        let url = || self.store.store.clone();
        if repository::is_there(storage).await.map_err(OpenError::from)? {
            return Err(InitError::Exists { url: url() });
        }
        self.check_foreign()?;
        let targets =
            storage.list_all("targets").await.map_err(|error| OpenError::Repository(error.into()))?;
        match targets.into_iter().next() {
            Some(file) => Err(InitError::NotEmpty { url: url(), path: file.path.to_string() }),
            None => Ok(()),
        }
    }

    /// Checks that a directory is not one of other things: they would be served, and nobody would know what is whose.
    fn check_foreign(&self) -> Result<(), InitError> {
        let StoreUrl::Directory(directory) = &self.store.store else { return Ok(()) };
        let failed = |source| InitError::Directory { path: directory.clone(), source };
        for entry in directory.read_dir_utf8().map_err(failed)? {
            let Ok(entry) = entry else { continue };
            if !OUR_OWN.contains(&entry.file_name()) {
                let path = entry.file_name().to_owned();
                return Err(InitError::Foreign { url: self.store.store.clone(), path });
            }
        }
        Ok(())
    }

    /// Returns the first version of each role, and the keys to go on with.
    fn roles(&self, keys: Option<&Utf8Path>) -> Result<(Proposal, Signer), InitError> {
        let given = self.store.signer()?;
        if let Some(metadata) = &self.metadata {
            return Ok((read_metadata(metadata)?, given));
        }
        let online = if self.store.signing_key.is_empty() { Online::Make } else { Online::Given(given) };
        let keys = keys.ok_or(InitError::NoKeys)?;
        let group = self.group.as_ref().map(|group| self.delegation(group)).transpose()?;
        Ok(founders::found(keys, online, group.as_ref(), clock::now())?)
    }

    fn delegation(&self, group: &Group) -> Result<founders::Delegation, InitError> {
        let keys: Vec<PublicKey> =
            self.key.iter().map(|text| founders::public_key(text)).collect::<Result<_, _>>()?;
        let speakers = copkg_spec::repository::ceremony::Speakers::new(keys, self.threshold)?;
        Ok(founders::Delegation { group: group.clone(), speakers })
    }
}

/// Reads all `1.<role>.json` of a directory.
fn read_metadata(directory: &Utf8Path) -> Result<Proposal, InitError> {
    let read = |path: &Utf8Path| {
        let path = path.to_owned();
        move |source| InitError::Read { path, source }
    };
    let mut roles = Vec::new();
    for entry in directory.read_dir_utf8().map_err(read(directory))? {
        let entry = entry.map_err(read(directory))?;
        let role = entry.file_name().strip_prefix("1.").and_then(|rest| rest.strip_suffix(".json"));
        if let Some(role) = role {
            let metadata = fs::read_to_string(entry.path()).map_err(read(entry.path()))?;
            roles.push(ProposedRole { role: role.to_owned(), metadata });
        }
    }
    if !roles.iter().any(|role| role.role == "root") {
        return Err(InitError::NoCeremony { path: directory.to_owned() });
    }
    Ok(Proposal { roles })
}

impl Made {
    fn text(&self, fingerprint: Fingerprint) -> String {
        let mut lines = vec![format!("made a repository in {}", self.store), format!("root {fingerprint}")];
        lines.extend(self.keys.iter().map(|path| format!("key  {path}")));
        lines.extend(self.next.iter().map(|command| format!("next {command}")));
        lines.join("\n")
    }
}

impl Explain for InitError {
    fn exit(&self) -> Exit {
        match self {
            Self::Open(error) => error.exit(),
            Self::Exists { .. } | Self::NotEmpty { .. } | Self::Foreign { .. } => Exit::Conflict,
            Self::NoKeys | Self::Ceremony(_) => Exit::Usage,
            Self::Read { .. } | Self::NoCeremony { .. } => Exit::NotFound,
            Self::Founders(error) => error.exit(),
            Self::Found(error) => match &**error {
                PublishError::Repository(error) => error.exit(),
                _ => Exit::Trust,
            },
            Self::Directory { .. } | Self::Start(_) => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Open(error) => error.code(),
            Self::Exists { .. } => "repository_exists",
            Self::NotEmpty { .. } | Self::Foreign { .. } => "store_not_empty",
            Self::NoKeys => "no_keys_directory",
            Self::Read { .. } | Self::NoCeremony { .. } => "ceremony_unreadable",
            Self::Founders(error) => error.code(),
            Self::Ceremony(_) => "bad_ceremony",
            Self::Found(error) => match &**error {
                PublishError::Repository(error) => error.code(),
                _ => "founding_refused",
            },
            Self::Directory { .. } => "store_not_writable",
            Self::Start(_) => "cannot_start",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Open(error) => return error.hint(),
            Self::Founders(error) => return error.hint(),
            Self::Exists { url } => format!("serve it with `repo-server serve --store {url}`"),
            Self::Foreign { .. } => "name a directory of its own; it is made when it is not there".into(),
            Self::NotEmpty { .. } => {
                "a plain directory of packages stays one; make a repository elsewhere and publish them there"
                    .into()
            }
            Self::NoKeys => "name a directory with --keys".into(),
            Self::Directory { .. } => "a store is a directory; correct --store".into(),
            Self::Found(error) if matches!(**error, PublishError::Unsigned { .. }) => {
                "let those who speak for it sign it: `pkgbuild repo sign DIR --signing-key FILE`".into()
            }
            Self::Found(error) if matches!(**error, PublishError::OnlineKeys { .. }) => {
                "name with --signing-key the key that the ceremony was given as --online-key".into()
            }
            Self::Read { .. } | Self::NoCeremony { .. } => {
                "make it with `pkgbuild repo init`, and name its metadata/".into()
            }
            _ => return None,
        })
    }
}
