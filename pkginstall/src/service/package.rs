//! The installed package that a service runs from, and whether its scripts are those that were installed.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use copkg_spec::archive::Contents;
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::index::{Entry, EntryPath};
use copkg_spec::manifest::{Kind, Service};

use super::ServiceError;
use crate::host::Prefix;
use crate::receipts::{self, ReceiptError};

/// A package that can be started.
#[derive(Debug)]
pub(crate) struct InstalledService {
    pub(crate) package: PackageCoordinate,
    pub(crate) digest: Digest,
    pub(crate) service: Service,
    pub(crate) directory: Utf8PathBuf,
}

impl InstalledService {
    /// Opens `package`, which must be installed, be a service, and have the scripts that it was installed with.
    ///
    /// Only the scripts are compared: a start must not read gigabytes. `verify` compares everything.
    pub(crate) fn open(prefix: &Prefix, package: &PackageCoordinate) -> Result<Self, ServiceError> {
        let receipt = receipts::require(prefix, package).map_err(|error| match error {
            ReceiptError::NotInstalled { package } => ServiceError::NotInstalled { package },
            other => other.into(),
        })?;
        let contents = receipts::contents(prefix, &receipt)?;
        let directory = prefix.install_dir(package);
        let Some(service) = contents.manifest().service().cloned() else {
            let kind = kind_of(contents.manifest().kind());
            return Err(ServiceError::NotAService { package: package.clone(), kind });
        };
        let opened = Self { package: package.clone(), digest: receipt.digest, service, directory };
        opened.check_script(&contents, &opened.service.start)?;
        opened.check_script(&contents, &opened.service.stop)?;
        Ok(opened)
    }

    /// Returns where a script lies.
    pub(crate) fn path(&self, script: &EntryPath) -> Utf8PathBuf {
        self.directory.join(script.as_str())
    }

    /// Checks that `script` is the one that was installed.
    pub(super) fn check_installed(&self, prefix: &Prefix, script: &EntryPath) -> Result<(), ServiceError> {
        let contents = receipts::contents(prefix, &receipts::require(prefix, &self.package)?)?;
        self.check_script(&contents, script)
    }

    /// Reads a text of the package, which must be the one that was installed.
    pub(crate) fn read_text(&self, prefix: &Prefix, path: &EntryPath) -> Result<String, ServiceError> {
        self.check_installed(prefix, path)?;
        let path = self.path(path);
        let damaged = |why| ServiceError::Damaged { package: self.package.clone(), path: path.clone(), why };
        std::fs::read_to_string(&path).map_err(|_| damaged("cannot be read"))
    }

    /// Returns the values of the declared parameters, `given` those of a start: `--name=value`.
    pub(crate) fn parameters(&self, given: &[String]) -> BTreeMap<String, String> {
        let declared = self.service.parameters.iter();
        let defaults = declared.filter_map(|known| Some((known.name.to_string(), known.default.clone()?)));
        let given = given.iter().filter_map(|option| option.strip_prefix("--")?.split_once('='));
        defaults.chain(given.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
    }

    fn check_script(&self, contents: &Contents, script: &EntryPath) -> Result<(), ServiceError> {
        let path = self.path(script);
        let damaged = |why| ServiceError::Damaged { package: self.package.clone(), path: path.clone(), why };
        let Some(Entry::File { sha256, .. }) = contents.index().get(script) else {
            // A link inside the package: what it leads to is the package's business.
            return Ok(());
        };
        let bytes = std::fs::read(&path).map_err(|_| damaged("is missing"))?;
        if Digest::of(&bytes) == *sha256 { Ok(()) } else { Err(damaged("was changed")) }
    }
}

fn kind_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Service => "software without a start script",
        Kind::Content => "content",
        Kind::Deployment => "a deployment",
        Kind::Snapshot => "a snapshot",
    }
}

/// Returns the directory that the output of a service goes to.
pub(super) fn output_directory(service: &Service) -> &'static str {
    if service.console { "console" } else { "log" }
}
