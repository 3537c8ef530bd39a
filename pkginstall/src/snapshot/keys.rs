//! The keys of a host, and where everything lies that it remembers of its snapshots.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::age::{Identity, identities_of};
use copkg_spec::durable::{self, Existing};
use copkg_spec::keys::{KeyError, SecretKey};
use copkg_spec::snapshot::EpochKey;
use zeroize::Zeroizing;

use super::SnapshotError;
use crate::FileError;
use crate::host::Prefix;

/// Where a host keeps what its snapshots need.
#[derive(Debug, Clone)]
pub struct HostPlaces {
    directory: Utf8PathBuf,
    configuration: Utf8PathBuf,
}

impl HostPlaces {
    /// Returns the places of a prefix.
    pub fn of(prefix: &Prefix) -> Self {
        Self {
            directory: prefix.state().join("host"),
            configuration: prefix.config_file().with_file_name("host.toml"),
        }
    }

    /// Returns the configuration.
    pub fn configuration(&self) -> &Utf8Path {
        &self.configuration
    }

    /// Returns the directory of keys and of what the last push left.
    pub fn directory(&self) -> &Utf8Path {
        &self.directory
    }

    /// Returns the lock that a push holds.
    pub fn lock(&self) -> Utf8PathBuf {
        self.directory.join("lock")
    }

    /// Makes the directories that are missing; that of the keys is for its owner alone.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn make(&self) -> Result<(), SnapshotError> {
        use std::os::unix::fs::PermissionsExt as _;
        let above = self.configuration.parent().unwrap_or(Utf8Path::new("/"));
        for directory in [above, &self.directory] {
            durable::create_dir_all(directory.as_std_path()).map_err(FileError::at("make", directory))?;
        }
        fs::set_permissions(&self.directory, fs::Permissions::from_mode(0o700))
            .map_err(FileError::at("change the mode of", &self.directory))?;
        Ok(())
    }

    fn signing_key(&self) -> Utf8PathBuf {
        self.directory.join("signing.key")
    }

    fn epoch_key(&self) -> Utf8PathBuf {
        self.directory.join("epoch.key")
    }
}

/// What a host signs and seals with.
#[derive(Debug)]
pub struct HostKeys {
    /// Signs snapshots.
    pub signing: SecretKey,
    /// Names and seals objects.
    pub epoch: EpochKey,
}

impl HostKeys {
    /// Makes the keys that are missing, durably, and returns all.
    ///
    /// # Errors
    /// When there are no random numbers, or the file system refuses.
    pub fn make(places: &HostPlaces) -> Result<Self, SnapshotError> {
        if !places.signing_key().exists() {
            let text = SecretKey::from_seed(&*random()?).to_plain_pem();
            let text = text.map_err(|source| SnapshotError::BadKey { path: places.signing_key(), source })?;
            write(&places.signing_key(), text.as_bytes())?;
        }
        if !places.epoch_key().exists() {
            write(&places.epoch_key(), EpochKey::from_bytes(*random()?).to_text().as_bytes())?;
        }
        Self::read(places)
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// When one is missing or is something else.
    pub fn read(places: &HostPlaces) -> Result<Self, SnapshotError> {
        let (path, text) = read(places.signing_key())?;
        let signing =
            SecretKey::from_pem(&text, None).map_err(|source| SnapshotError::BadKey { path, source })?;
        let (path, text) = read(places.epoch_key())?;
        let source = KeyError::Malformed("key of an epoch");
        let epoch = EpochKey::parse(&text).ok_or(SnapshotError::BadKey { path, source })?;
        Ok(Self { signing, epoch })
    }
}

/// Reads a file of identities, as `age-keygen` writes it.
///
/// # Errors
/// When it cannot be read, or a line is something else.
pub fn identities_in(path: &Utf8Path) -> Result<Vec<Identity>, SnapshotError> {
    let (_, text) = read(path.to_owned())?;
    Ok(identities_of(&text)?)
}

fn read(path: Utf8PathBuf) -> Result<(Utf8PathBuf, Zeroizing<String>), SnapshotError> {
    let text = fs::read_to_string(&path).map_err(FileError::at("read", &path))?;
    Ok((path, Zeroizing::new(text)))
}

fn write(path: &Utf8Path, bytes: &[u8]) -> Result<(), SnapshotError> {
    durable::write(path.as_std_path(), 0o600, Existing::Keep, bytes).map_err(FileError::at("write", path))?;
    Ok(())
}

fn random() -> Result<Zeroizing<[u8; 32]>, SnapshotError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut()).map_err(|_| SnapshotError::Random)?;
    Ok(bytes)
}
