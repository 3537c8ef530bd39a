//! Editing the prefix's configuration file: repositories come and go, everything else stays as its author wrote it.

use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::Label;
use copkg_spec::durable::{self, Existing};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, value};

use super::{ConfigError, file};
use crate::host::{Catalogue, Effect};
use crate::repository::{Auth, Place, Repository, Secret};

/// Whether an edit changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// The file is another one now.
    Changed,
    /// It said so already.
    Same,
}

/// Adds a repository, in place of one with the same name.
///
/// # Errors
/// When the file cannot be read or written, or what would be in it is no configuration.
pub fn add_repository(
    catalogue: &Catalogue<'_>,
    name: &Label,
    repository: &Repository,
    effect: Effect,
) -> Result<Edited, ConfigError> {
    edit(catalogue, effect, |document, path| {
        let repositories = document.entry("repositories").or_insert_with(|| Item::Table(implicit_table()));
        let repositories = repositories.as_table_like_mut().ok_or_else(|| ConfigError::Contradiction {
            path: path.to_owned(),
            what: "`repositories` is not a table".into(),
        })?;
        repositories.insert(name.as_str(), Item::Table(table(repository)));
        Ok(())
    })
}

/// Removes a repository from the prefix's file.
///
/// # Errors
/// When it is not in there, or the file cannot be read or written.
pub fn remove_repository(
    catalogue: &Catalogue<'_>,
    name: &Label,
    effect: Effect,
) -> Result<Edited, ConfigError> {
    edit(catalogue, effect, |document, path| {
        let repositories = document.get_mut("repositories").and_then(Item::as_table_like_mut);
        let removed = repositories.and_then(|repositories| repositories.remove(name.as_str()));
        removed
            .map(|_| ())
            .ok_or_else(|| ConfigError::NoRepository { path: path.to_owned(), name: name.to_string() })
    })
}

fn edit(
    catalogue: &Catalogue<'_>,
    effect: Effect,
    change: impl FnOnce(&mut DocumentMut, &Utf8Path) -> Result<(), ConfigError>,
) -> Result<Edited, ConfigError> {
    let path = catalogue.prefix().config_file().to_owned();
    let old = read(&path)?;
    let mut document: DocumentMut = old.parse().map_err(|source: toml_edit::TomlError| {
        ConfigError::Contradiction { path: path.clone(), what: source.to_string() }
    })?;
    change(&mut document, &path)?;
    let new = document.to_string();
    // What we write must be what we read.
    file::parse(&path, &new)?.repositories(&path)?;
    if new == old {
        return Ok(Edited::Same);
    }
    if effect == Effect::Real {
        write(&path, &new)?;
    }
    Ok(Edited::Changed)
}

fn read(path: &Utf8Path) -> Result<String, ConfigError> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|source| ConfigError::Read { path: path.to_owned(), source }),
    }
}

fn write(path: &Utf8Path, text: &str) -> Result<(), ConfigError> {
    let failed = |source| ConfigError::Write { path: path.to_owned(), source };
    let directory = path.parent().map(Utf8PathBuf::from).unwrap_or_default();
    durable::create_dir_all(directory.as_std_path()).map_err(failed)?;
    durable::write(path.as_std_path(), 0o644, Existing::Replace, text.as_bytes()).map_err(failed)
}

fn implicit_table() -> Table {
    let mut table = Table::new();
    table.set_implicit(true);
    table
}

fn table(repository: &Repository) -> Table {
    let mut table = Table::new();
    table.insert("url", value(repository.first.base.to_string()));
    if let Some(root) = &repository.root {
        table.insert("root", value(root.to_string()));
    }
    if !repository.groups.is_empty() {
        let groups: Array = repository.groups.iter().map(ToString::to_string).collect();
        table.insert("groups", value(groups));
    }
    if !repository.mirrors.is_empty() {
        let timeout = repository.first.timeout;
        let mirrors: Array = repository.mirrors.iter().map(|mirror| mirror_value(mirror, timeout)).collect();
        table.insert("mirrors", value(mirrors));
    }
    if let Some(witnesses) = &repository.witnesses {
        let keys: Array = witnesses.keys().iter().map(ToString::to_string).collect();
        table.insert("witnesses", value(keys));
        table.insert("witnesses_needed", value(i64::from(witnesses.needed())));
    }
    if let Some(timeout) = repository.first.timeout {
        table.insert("timeout_seconds", value(seconds(timeout)));
    }
    if let Some(auth) = &repository.first.auth {
        table.insert("auth", value(auth_table(auth)));
    }
    table
}

/// A mirror is its URL, unless it differs from the repository in more than that.
fn mirror_value(mirror: &Place, usual_timeout: Option<Duration>) -> toml_edit::Value {
    let url = mirror.base.to_string();
    if mirror.auth.is_none() && mirror.timeout == usual_timeout {
        return url.into();
    }
    let mut table = InlineTable::new();
    table.insert("url", url.into());
    if let Some(timeout) = mirror.timeout {
        table.insert("timeout_seconds", seconds(timeout).into());
    }
    if let Some(auth) = &mirror.auth {
        table.insert("auth", auth_table(auth).into());
    }
    table.into()
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

fn auth_table(auth: &Auth) -> InlineTable {
    let mut table = InlineTable::new();
    let mut secret = |what: &str, secret: &Secret| match secret {
        Secret::File(path) => table.insert(format!("{what}_file"), path.as_str().into()),
        Secret::Variable(name) => table.insert(format!("{what}_env"), name.as_str().into()),
    };
    match auth {
        Auth::Basic { user, password } => {
            secret("password", password);
            table.insert("user", user.as_str().into());
        }
        Auth::Bearer { token } => {
            secret("token", token);
        }
    }
    table
}
