//! The prefix: the root of one silo, and where everything lies below it.
//!
//! The only place that knows the layout on disk. Comes after the configuration has said where the prefix is;
//! all other steps ask it for paths.

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{Label, PackageCoordinate, ServiceCoordinate};
use thiserror::Error;

/// Says why a directory cannot be a prefix.
#[derive(Debug, Error)]
pub enum PrefixError {
    /// Nothing says where the prefix is, and the user is not root.
    #[error("no prefix is set, and only root installs below / by default")]
    NotSet,
    /// The path does not start at the root, or climbs.
    #[error("{path:?} cannot be a prefix: it is not an absolute path without `..`")]
    NotAbsolute {
        /// The path as it was given.
        path: Utf8PathBuf,
    },
}

impl Explain for PrefixError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotSet => "prefix_not_set",
            Self::NotAbsolute { .. } => "prefix_not_absolute",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotSet => Some(
                "give one with `--prefix ~/.local/share/copkg`, or set COPKG_PREFIX, or `prefix = \"…\"` in \
                 ~/.config/copkg/config.toml"
                    .into(),
            ),
            Self::NotAbsolute { .. } => Some("give the whole path, from / on".into()),
        }
    }
}

/// The root that everything of one silo lives under.
///
/// `/` keeps its state in `/var/lib/copkg` and its configuration in `/etc/copkg`; every other prefix keeps both in
/// its own `.copkg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    root: Utf8PathBuf,
    state: Utf8PathBuf,
    config_file: Utf8PathBuf,
    /// Whose packages these are, where a rehearsal borrows them.
    lender: Option<Box<Prefix>>,
    /// Whether root works in it although it belongs to another account.
    as_root: bool,
}

impl Prefix {
    /// Takes an absolute path without `..` as the prefix. Nothing needs to be there yet.
    ///
    /// # Errors
    /// When the path is relative or climbs.
    pub fn at(root: &Utf8Path) -> Result<Self, PrefixError> {
        let climbs = root.components().any(|c| c.as_str() == "..");
        if !root.is_absolute() || climbs {
            return Err(PrefixError::NotAbsolute { path: root.to_owned() });
        }
        let root: Utf8PathBuf = root.components().collect();
        let is_host = root == "/";
        let state = if is_host { "/var/lib/copkg".into() } else { root.join(".copkg") };
        let config_file = if is_host { "/etc/copkg/config.toml".into() } else { state.join("config.toml") };
        Ok(Self { root, state, config_file, lender: None, as_root: false })
    }

    /// Returns the scratch prefix in which a change of `service` is rehearsed: its services and runtime directories are its
    /// own, its packages are those of this prefix.
    #[must_use]
    pub fn rehearsal(&self, service: &ServiceCoordinate) -> Self {
        let root = self.runtime().join(".rehearsal").join(service.to_string());
        let state = root.join(".copkg");
        let (config_file, lender) = (state.join("config.toml"), Some(Box::new(self.clone())));
        Self { root, state, config_file, lender, as_root: self.as_root }
    }

    /// Lets root work in it although it, or a directory above it, belongs to another account.
    #[must_use]
    pub fn as_root(self) -> Self {
        Self { as_root: true, ..self }
    }

    /// Tells whether root may work in it although it belongs to another account.
    pub fn is_as_root(&self) -> bool {
        self.as_root
    }

    /// Returns the options with which `pkginstall` works in it: `--prefix ROOT`, and `--as-root` where that was said.
    pub fn options(&self) -> Vec<String> {
        let insists = self.as_root.then(|| "--as-root".to_owned());
        ["--prefix".to_owned(), self.root.to_string()].into_iter().chain(insists).collect()
    }

    /// Tells whether this is the scratch prefix of a rehearsal.
    pub fn is_rehearsal(&self) -> bool {
        self.lender.is_some()
    }

    /// Returns the prefix that the packages and the units belong to.
    pub(crate) fn owner(&self) -> &Self {
        self.lender.as_deref().unwrap_or(self)
    }

    /// Returns the prefix itself.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Returns the directory of installed packages.
    pub fn software(&self) -> Utf8PathBuf {
        self.owner().root.join("software")
    }

    /// Returns where packages are written before they are whole, on the same file system as [`Self::software`].
    pub fn staging(&self) -> Utf8PathBuf {
        self.owner().root.join("software/.staging")
    }

    /// Returns where files are kept that lay in a package which was removed, and were not the package's.
    pub fn set_aside(&self) -> Utf8PathBuf {
        self.owner().root.join("software/.set-aside")
    }

    /// Returns where `package` is installed.
    pub fn install_dir(&self, package: &PackageCoordinate) -> Utf8PathBuf {
        self.software().join(package.install_path())
    }

    /// Returns the directory of all runtime directories.
    pub fn runtime(&self) -> Utf8PathBuf {
        self.root.join("runtime")
    }

    /// Returns the runtime directory of `service`.
    pub fn runtime_dir(&self, service: &ServiceCoordinate) -> Utf8PathBuf {
        self.runtime().join(service.to_string())
    }

    /// Returns the directory of everything that copkg itself remembers.
    pub fn state(&self) -> &Utf8Path {
        &self.state
    }

    /// Returns the configuration file of this prefix.
    pub fn config_file(&self) -> &Utf8Path {
        &self.config_file
    }

    /// Returns the directory of pinned keys.
    pub fn trust(&self) -> Utf8PathBuf {
        self.owner().state.join("trust")
    }

    /// Returns the directory of what is kept of repositories.
    pub fn repositories(&self) -> Utf8PathBuf {
        self.state.join("repositories")
    }

    /// Returns the directory of what is kept of the repository `name`.
    pub fn repository(&self, name: &str) -> Utf8PathBuf {
        self.repositories().join(name)
    }

    /// Returns the directory of receipts.
    pub fn receipts(&self) -> Utf8PathBuf {
        self.owner().state.join("receipts")
    }

    /// Returns the receipt of `package`, whose presence means that it is installed.
    pub fn receipt(&self, package: &PackageCoordinate) -> Utf8PathBuf {
        self.receipt_with(package, "json")
    }

    /// Returns the head of `package`: the archive's bytes up to its payload.
    pub fn head(&self, package: &PackageCoordinate) -> Utf8PathBuf {
        self.receipt_with(package, "head")
    }

    /// Returns the stamps of the files of `package`.
    pub fn stamps(&self, package: &PackageCoordinate) -> Utf8PathBuf {
        self.receipt_with(package, "stamps")
    }

    /// Returns the directory of service records and service locks.
    pub fn services(&self) -> Utf8PathBuf {
        self.state.join("services")
    }

    /// Returns the record of `service`.
    pub fn service_record(&self, service: &ServiceCoordinate) -> Utf8PathBuf {
        self.services().join(format!("{service}.json"))
    }

    /// Returns the directory of what is remembered of `service`: its generations, its history, a change that goes on.
    pub fn service_state(&self, service: &ServiceCoordinate) -> Utf8PathBuf {
        self.services().join(service.to_string())
    }

    /// Returns where the data and configuration that `service` had before a change are kept, on the same file system as its
    /// runtime directory, and out of reach of its account.
    pub fn kept(&self, service: &ServiceCoordinate) -> Utf8PathBuf {
        self.runtime().join(".kept").join(service.to_string())
    }

    /// Returns the lock of `service`: held while it is started, stopped or changed.
    pub fn service_lock(&self, service: &ServiceCoordinate) -> Utf8PathBuf {
        self.services().join(format!("{service}.lock"))
    }

    /// Returns the lock of the rehearsal of `service`: held while its copy is there.
    pub fn rehearsal_lock(&self, service: &ServiceCoordinate) -> Utf8PathBuf {
        self.services().join(format!("{service}.rehearsal.lock"))
    }

    /// Returns the directory of deployments.
    pub fn deployments(&self) -> Utf8PathBuf {
        self.state.join("deployments")
    }

    /// Returns the directory of what is remembered of the deployment `name`.
    pub fn deployment(&self, name: &Label) -> Utf8PathBuf {
        self.deployments().join(name.as_str())
    }

    /// Returns the lock of the deployment `name`: held while it is changed.
    pub fn deployment_lock(&self, name: &Label) -> Utf8PathBuf {
        self.deployments().join(format!("{name}.lock"))
    }

    /// Returns the directory of all contents: what is served of each, and what is edited.
    pub fn contents(&self) -> Utf8PathBuf {
        self.owner().root.join("content")
    }

    /// Returns the directory of the content `name`.
    pub fn content(&self, name: &Label) -> Utf8PathBuf {
        self.contents().join(name.as_str())
    }

    /// Returns the directory of what is remembered of contents.
    pub fn content_records(&self) -> Utf8PathBuf {
        self.owner().state.join("contents")
    }

    /// Returns the directory of subscriptions.
    pub fn subscriptions(&self) -> Utf8PathBuf {
        self.state.join("subscriptions")
    }

    /// Returns the directory of the frames that are kept for later.
    pub fn frames(&self) -> Utf8PathBuf {
        self.state.join("frames")
    }

    /// Returns the directory of the units of systemd.
    pub fn units(&self) -> Utf8PathBuf {
        self.state.join("units")
    }

    /// Returns the directory of intents.
    pub fn journal(&self) -> Utf8PathBuf {
        self.owner().state.join("journal")
    }

    /// Returns the list of what recovery could not put right.
    pub fn stuck(&self) -> Utf8PathBuf {
        self.owner().state.join("stuck.json")
    }

    /// Returns the lock of the catalogue: held while an intent is opened and while it is committed.
    pub fn catalogue_lock(&self) -> Utf8PathBuf {
        self.owner().state.join("lock")
    }

    fn receipt_with(&self, package: &PackageCoordinate, extension: &str) -> Utf8PathBuf {
        let (group, id, version) = (package.group(), package.id(), package.version());
        self.receipts().join(group.as_str()).join(id.as_str()).join(format!("{version}.{extension}"))
    }
}
