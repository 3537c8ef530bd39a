//! The founders of a repository that one command makes: keys in files, and the first version of each role signed by them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::Group;
use copkg_spec::durable::{self, Existing};
use copkg_spec::keys::{KeyError, PublicKey, SecretKey};
use copkg_spec::repository::ceremony::{CeremonyError, Endings, Founders, Speakers, delegate};
use copkg_spec::repository::{Proposal, ProposedRole, Registrar};
use copkg_spec::tuf::{Content, Document, MalformedError, Targets, Time, Version};
use thiserror::Error;

use crate::signer::{KeyFileError, Signer, read_key};

/// How long the offline roles count, in seconds: a year.
const YEAR: i64 = 365 * 24 * 60 * 60;

/// The key of snapshot and timestamp.
#[derive(Debug)]
pub(super) enum Online {
    /// It is made here.
    Make,
    /// These are given.
    Given(Signer),
}

/// A group that is delegated to from the beginning.
#[derive(Debug)]
pub(super) struct Delegation {
    pub(super) group: Group,
    pub(super) speakers: Speakers,
}

/// Says why the first roles cannot be made.
#[derive(Debug, Error)]
pub(super) enum FoundersError {
    /// A key file cannot be written.
    #[error("cannot write the key {path}")]
    Write { path: Utf8PathBuf, source: io::Error },
    /// A key file that is there cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// A public key is none.
    #[error("{text} is no public key: neither a file nor ed25519:…")]
    PublicKey { text: String, source: KeyError },
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Randomness(#[source] getrandom::Error),
    /// The key cannot be written down.
    #[error("cannot write down a key")]
    Encode(#[source] KeyError),
    /// The roles are impossible.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// A role cannot be written down.
    #[error("cannot write down a role")]
    Role(#[from] MalformedError),
}

/// Makes the keys that are missing in `directory`, and the first version of each role.
///
/// A crash leaves key files; the next call takes them.
pub(super) fn found(
    directory: &Utf8Path,
    online: Online,
    delegation: Option<&Delegation>,
    now: Time,
) -> Result<(Proposal, Signer), FoundersError> {
    let write = |source| FoundersError::Write { path: directory.to_owned(), source };
    durable::create_dir_all(directory.as_std_path()).map_err(write)?;
    fs::set_permissions(directory, Permissions::from_mode(0o700)).map_err(write)?;
    let (root, targets) = (key(directory, "root")?, key(directory, "targets")?);
    let signer = match online {
        Online::Make => Signer::new(vec![key(directory, "online")?]),
        Online::Given(signer) => signer,
    };
    let end = Time::from_unix_seconds(now.unix_seconds() + YEAR).unwrap_or(now);
    let alone = |key: &SecretKey| Speakers::new(vec![key.public()], 1);
    let founders = Founders {
        root: alone(&root)?,
        targets: alone(&targets)?,
        registrar: alone(&targets)?,
        division: Registrar::One,
        online: Speakers::new(signer.keys().iter().map(SecretKey::public).collect(), 1)?,
    };
    let foundation = founders.found(Endings { root: end, targets: end, registrar: end })?;
    let mut roles =
        vec![signed("root", foundation.root, &root)?, signed("targets", foundation.targets, &targets)?];
    for (name, mut registrar) in foundation.registrar {
        if let Some(Delegation { group, speakers }) = delegation {
            let delegated = delegate(&registrar, group, speakers, end)?;
            registrar = Targets { version: Version::FIRST, ..delegated };
        }
        roles.push(signed(name.as_str(), registrar, &targets)?);
    }
    Ok((Proposal { roles }, signer))
}

/// Reads a public key: the file of one, or its text.
pub(super) fn public_key(text: &str) -> Result<PublicKey, FoundersError> {
    let failed = |source| FoundersError::PublicKey { text: text.to_owned(), source };
    if let Ok(key) = text.parse() {
        return Ok(key);
    }
    let pem = fs::read_to_string(text).map_err(|_| failed(KeyError::Malformed("public key")))?;
    PublicKey::from_pem(&pem).map_err(failed)
}

fn signed<T: Content>(role: &str, content: T, key: &SecretKey) -> Result<ProposedRole, FoundersError> {
    let document = Document::sign(content, [key])?;
    // It was written as text a moment ago.
    let metadata = String::from_utf8_lossy(document.bytes()).into_owned();
    Ok(ProposedRole { role: role.to_owned(), metadata })
}

fn key(directory: &Utf8Path, name: &str) -> Result<SecretKey, FoundersError> {
    let path = directory.join(format!("{name}.key"));
    if path.exists() {
        return Ok(read_key(&path)?);
    }
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(FoundersError::Randomness)?;
    let secret = SecretKey::from_seed(&seed);
    let public = secret.public().to_pem().map_err(FoundersError::Encode)?;
    write(&directory.join(format!("{name}.pub")), 0o644, &public)?;
    write(&path, 0o600, &secret.to_plain_pem().map_err(FoundersError::Encode)?)?;
    Ok(secret)
}

fn write(path: &Utf8Path, mode: u32, text: &str) -> Result<(), FoundersError> {
    durable::write(path.as_std_path(), mode, Existing::Replace, text.as_bytes())
        .map_err(|source| FoundersError::Write { path: path.to_owned(), source })
}

impl Explain for FoundersError {
    fn exit(&self) -> Exit {
        match self {
            Self::KeyFile(error) => error.exit(),
            Self::PublicKey { .. } | Self::Ceremony(_) => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::KeyFile(error) => error.code(),
            Self::Write { .. } => "key_unwritable",
            Self::PublicKey { .. } => "malformed_key",
            Self::Randomness(_) => "no_randomness",
            Self::Encode(_) | Self::Role(_) => "not_encodable",
            Self::Ceremony(_) => "bad_ceremony",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::KeyFile(error) => error.hint(),
            Self::PublicKey { .. } => Some("make a key with `pkgbuild keygen`, and name its .pub".into()),
            _ => None,
        }
    }
}
