//! Trust: the keys that are pinned for groups, one file a pin in the prefix's `trust/`, and the roots of repositories.
//!
//! Comes before a package is verified, and only a person adds to it: nothing is trusted at first sight. The rule how
//! pins decide is in `copkg_spec::trust`; this file keeps them.

mod error;
mod root;

pub use error::TrustStoreError;
pub use root::{GivenRoot, RootError, RootPin, read_root};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::durable::{self, Existing};
use copkg_spec::keys::{KeyId, PublicKey};
use copkg_spec::trust::{GroupPattern, Keyring, Pin};

use crate::host::{Catalogue, Effect, Prefix};
use crate::tree::names_in;

/// What keys are pinned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To sign packages.
    Packages,
    /// To say that a change was rehearsed.
    Rehearsals,
}

impl Purpose {
    fn directory(self, prefix: &Prefix) -> Utf8PathBuf {
        match self {
            Self::Packages => prefix.trust(),
            Self::Rehearsals => prefix.trust().join("rehearsals"),
        }
    }
}

/// Reads every pin of the prefix for packages.
///
/// # Errors
/// As [`read_for`].
pub fn read(prefix: &Prefix) -> Result<Keyring, TrustStoreError> {
    read_for(prefix, Purpose::Packages)
}

/// Reads every pin of the prefix for a purpose.
///
/// # Errors
/// When a file cannot be read or is no pin: trust is never guessed.
pub fn read_for(prefix: &Prefix, purpose: Purpose) -> Result<Keyring, TrustStoreError> {
    let directory = purpose.directory(prefix);
    let failed = |source| TrustStoreError::Read { path: directory.clone(), source };
    let mut keyring = Keyring::new();
    for name in names_in(&directory).map_err(failed)? {
        let path = directory.join(name);
        if path.extension() == Some("json") {
            keyring.pin(read_pin(&path)?);
        }
    }
    Ok(keyring)
}

/// Pins `keys` for `groups`, beside those that are pinned already; tells whether that changed anything.
///
/// # Errors
/// When the threshold is more than there are keys, or the file system refuses.
pub fn add(
    catalogue: &Catalogue<'_>,
    purpose: Purpose,
    groups: &GroupPattern,
    keys: &[PublicKey],
    threshold: Option<u32>,
    effect: Effect,
) -> Result<Added, TrustStoreError> {
    let prefix = catalogue.prefix();
    let old = read_for(prefix, purpose)?.pins().find(|pin| pin.groups == *groups).cloned();
    let mut pin = old.clone().unwrap_or(Pin { groups: groups.clone(), threshold: 1, keys: Vec::new() });
    for key in keys {
        if !pin.keys.iter().any(|known| known.id() == key.id()) {
            pin.keys.push(key.clone());
        }
    }
    pin.keys.sort_by_key(PublicKey::id);
    pin.threshold = threshold.unwrap_or(pin.threshold);
    check_threshold(&pin)?;
    let changed = old.as_ref() != Some(&pin);
    if changed && effect == Effect::Real {
        write(&purpose.directory(prefix), &pin)?;
    }
    Ok(Added { pin, changed })
}

/// A pin as it is after an addition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The pin.
    pub pin: Pin,
    /// Whether it was another one before.
    pub changed: bool,
}

/// Takes `keys` out of the pin for `groups`, or the whole pin when `keys` is empty.
///
/// # Errors
/// When there is no such pin or key, the threshold would be more than there are keys, or the file system refuses.
pub fn remove(
    catalogue: &Catalogue<'_>,
    purpose: Purpose,
    groups: &GroupPattern,
    keys: &[KeyId],
    effect: Effect,
) -> Result<(), TrustStoreError> {
    let prefix = catalogue.prefix();
    let found = read_for(prefix, purpose)?.pins().find(|pin| pin.groups == *groups).cloned();
    let mut pin = found.ok_or_else(|| TrustStoreError::NoPin { groups: groups.clone() })?;
    for key in keys {
        let at = pin.keys.iter().position(|known| known.id() == *key);
        let at = at.ok_or_else(|| TrustStoreError::NoKey { groups: groups.clone(), key: *key })?;
        pin.keys.remove(at);
    }
    let stays = !keys.is_empty() && !pin.keys.is_empty();
    if stays {
        check_threshold(&pin)?;
    }
    if effect == Effect::DryRun {
        return Ok(());
    }
    if stays {
        return write(&purpose.directory(prefix), &pin);
    }
    let directory = purpose.directory(prefix);
    let path = path_of(&directory, groups);
    std::fs::remove_file(&path)
        .and_then(|()| durable::sync_directory(directory.as_std_path()))
        .map_err(|source| TrustStoreError::Write { path, source })
}

/// Reads keys as they are given on the command line: as text, or from a file that holds one key in either form.
///
/// # Errors
/// When it is neither.
pub fn read_key(argument: &str, working_directory: &Utf8Path) -> Result<PublicKey, TrustStoreError> {
    if argument.starts_with("ed25519:") {
        return argument.parse().map_err(TrustStoreError::Key);
    }
    let path = working_directory.join(argument);
    let text = std::fs::read_to_string(&path)
        .map_err(|source| TrustStoreError::Read { path: path.clone(), source })?;
    text.parse().map_err(|source| TrustStoreError::KeyFile { path, source })
}

fn check_threshold(pin: &Pin) -> Result<(), TrustStoreError> {
    if pin.threshold == 0 || pin.threshold as usize > pin.keys.len() {
        return Err(TrustStoreError::Threshold { threshold: pin.threshold, keys: pin.keys.len() });
    }
    Ok(())
}

fn read_pin(path: &Utf8Path) -> Result<Pin, TrustStoreError> {
    let failed = |source| TrustStoreError::Read { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(failed)?;
    serde_json::from_slice(&bytes).map_err(|source| TrustStoreError::Pin { path: path.to_owned(), source })
}

fn write(directory: &Utf8Path, pin: &Pin) -> Result<(), TrustStoreError> {
    let path = path_of(directory, &pin.groups);
    let failed = |source| TrustStoreError::Write { path: path.clone(), source };
    durable::create_dir_all(directory.as_std_path()).map_err(failed)?;
    let text = serde_json::to_vec_pretty(pin).map_err(|error| failed(error.into()))?;
    durable::write(path.as_std_path(), 0o644, Existing::Replace, &text).map_err(failed)
}

/// `com.example.*` is `com.example._.json`: no label is `_`, and no shell expands it.
fn path_of(directory: &Utf8Path, groups: &GroupPattern) -> Utf8PathBuf {
    directory.join(format!("{}.json", groups.to_string().replace('*', "_")))
}
