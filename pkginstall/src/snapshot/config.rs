//! The configuration of a host: which paths, and into which store.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::age::Recipient;
use copkg_spec::durable::{self, Existing};
use copkg_spec::snapshot::HostName;
use serde::Deserialize;
use toml_edit::{Array, DocumentMut, Item, Value};

use super::SnapshotError;
use crate::FileError;

/// What `host.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostConfiguration {
    /// The name of the host in the store.
    pub host: HostName,
    /// The store.
    pub store: Utf8PathBuf,
    /// To whom the key of the epoch is wrapped.
    pub recipients: Vec<Recipient>,
    /// Directories, with everything below them.
    #[serde(default)]
    pub watch: Vec<Utf8PathBuf>,
    /// Single files.
    #[serde(default)]
    pub single: Vec<Utf8PathBuf>,
    /// Patterns of what is left out.
    #[serde(default)]
    pub exclude: Vec<String>,
}

/// What `host watch` adds.
#[derive(Debug, Clone, Default)]
pub struct WatchAdditions {
    /// Directories.
    pub watch: Vec<Utf8PathBuf>,
    /// Files.
    pub single: Vec<Utf8PathBuf>,
    /// Patterns.
    pub exclude: Vec<String>,
}

impl HostConfiguration {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When there is none, or it is not one.
    pub fn read(path: &Utf8Path) -> Result<Self, SnapshotError> {
        let text = read_text(path)?;
        let bad = |why: String| SnapshotError::BadConfiguration { path: path.to_owned(), why };
        let configuration: Self = toml::from_str(&text).map_err(|error| bad(error.message().to_owned()))?;
        let paths = configuration.watch.iter().chain(&configuration.single);
        if let Some(wrong) = paths.into_iter().find(|path| !is_whole(path)) {
            return Err(bad(format!("{wrong} is not a whole path from / on, without `..`")));
        }
        if configuration.recipients.is_empty() {
            return Err(bad("there are no recipients: nobody could recover the host".into()));
        }
        if !configuration.store.is_absolute() {
            return Err(bad(format!("the store {} is not a whole path from / on", configuration.store)));
        }
        Ok(configuration)
    }

    /// Writes the configuration of a new host, with comments.
    ///
    /// # Errors
    /// When there is one, or the file system refuses.
    pub fn write_new(
        path: &Utf8Path,
        host: &HostName,
        store: &Utf8Path,
        recipients: &[Recipient],
    ) -> Result<(), SnapshotError> {
        let recipients: Vec<String> = recipients.iter().map(|recipient| format!("\"{recipient}\"")).collect();
        let text = format!(
            "# This host's snapshots: `pkginstall host push` takes one, `pkginstall host rebuild` brings it back.\n\
             host = \"{host}\"\n\
             # A directory. `pkginstall store prune DIR` removes old snapshots there.\n\
             store = {}\n\
             # Who can recover the host: keep their identities (`age-keygen`) away from it.\n\
             recipients = [{}]\n\
             # Directories with everything below them; single files; patterns of names or of whole paths to leave out.\n\
             watch = []\n\
             single = []\n\
             exclude = []\n",
            Value::from(store.as_str()),
            recipients.join(", ")
        );
        match durable::write(path.as_std_path(), 0o644, Existing::Keep, text.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(SnapshotError::Configured { path: path.to_owned() })
            }
            written => Ok(written.map_err(FileError::at("write", path))?),
        }
    }

    /// Adds to the configuration, and keeps its comments. Returns whether anything is new.
    ///
    /// # Errors
    /// When there is none, or the file system refuses.
    pub fn add(path: &Utf8Path, additions: &WatchAdditions, dry_run: bool) -> Result<bool, SnapshotError> {
        let text = read_text(path)?;
        let bad = |why: String| SnapshotError::BadConfiguration { path: path.to_owned(), why };
        let mut document: DocumentMut =
            text.parse().map_err(|error: toml_edit::TomlError| bad(error.message().to_owned()))?;
        let texts = |paths: &[Utf8PathBuf]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        let lists = [
            ("watch", texts(&additions.watch)),
            ("single", texts(&additions.single)),
            ("exclude", additions.exclude.clone()),
        ];
        let mut changed = false;
        for (key, values) in lists {
            let list = document.entry(key).or_insert(Item::Value(Value::Array(Array::new())));
            let list = list.as_array_mut().ok_or_else(|| bad(format!("`{key}` is not a list")))?;
            for value in values {
                if !list.iter().any(|known| known.as_str() == Some(&value)) {
                    list.push(value);
                    changed = true;
                }
            }
        }
        if changed && !dry_run {
            durable::write(path.as_std_path(), 0o644, Existing::Replace, document.to_string().as_bytes())
                .map_err(FileError::at("write", path))?;
        }
        Ok(changed)
    }
}

/// Tells whether a path starts at the root and does not climb.
pub fn is_whole(path: &Utf8Path) -> bool {
    path.is_absolute() && !path.components().any(|component| component.as_str() == "..")
}

fn read_text(path: &Utf8Path) -> Result<String, SnapshotError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(SnapshotError::NotConfigured { path: path.to_owned() })
        }
        read => Ok(read.map_err(FileError::at("read", path))?),
    }
}
