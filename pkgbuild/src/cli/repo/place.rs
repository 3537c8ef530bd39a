//! Where a repository is read: on its server, or from a copy; and who signs for it.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::keys::{PublicKey, SecretKey};
use thiserror::Error;

use crate::cli::Context;
use crate::cli::keys::{PassphraseSource, read_secrets};
use crate::cli::server::{Root, remote};
use crate::keys::{self, KeyFileError};
use crate::repository::remote::Remote;
use crate::repository::{Expired, Seat, View, open_copy};

/// Where the repository is read.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The URL of the repository
    #[arg(long, value_name = "URL", conflicts_with = "metadata")]
    repo: Option<String>,
    #[command(flatten)]
    pub(super) root: Root,
    /// A copy of its metadata instead, on a machine without network (`pkgbuild repo fetch` makes one)
    #[arg(long, value_name = "DIR", conflicts_with = "root")]
    metadata: Option<PathBuf>,
}

/// The keys of who decides.
#[derive(Debug, Args)]
pub(super) struct OwnerKeys {
    /// A secret key that signs; repeat it for several
    #[arg(long = "signing-key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseSource,
}

impl fmt::Display for Place {
    /// Writes it as it is given on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.repo, &self.metadata) {
            (Some(url), _) => write!(f, "--repo {url}"),
            (None, Some(directory)) => write!(f, "--metadata {}", directory.display()),
            (None, None) => f.write_str("--metadata DIR"),
        }
    }
}

impl Place {
    /// Returns the URL of the server, or what stands for it.
    pub(super) fn url(&self) -> &str {
        self.repo.as_deref().unwrap_or("URL")
    }

    /// Returns the server, if it is one.
    pub(super) fn remote(&self, context: &Context) -> Result<Option<Remote>, Failure> {
        Ok(self.repo.as_deref().map(|url| remote(url, context)).transpose()?)
    }

    /// Reads the repository. What has expired counts, since its owners must be able to sign it again.
    pub(super) fn view<'r>(
        &self,
        remote: Option<&'r Remote>,
        context: &Context,
    ) -> Result<View<'r>, Failure> {
        match (remote, &self.metadata) {
            (Some(remote), _) => {
                Ok(self.root.reading(remote, Expired::Shown, context).view(&context.ambient)?)
            }
            (None, Some(directory)) => Ok(open_copy(&context.path(directory))?),
            (None, None) => Err(NoPlace.into()),
        }
    }
}

impl OwnerKeys {
    /// Reads every key.
    pub(super) fn read(&self, context: &Context) -> Result<Vec<SecretKey>, KeyFileError> {
        read_secrets(&self.keys, &self.passphrase, context)
    }

    /// Returns where the passphrase of a new key comes from.
    pub(super) fn passphrase(&self) -> &PassphraseSource {
        &self.passphrase
    }
}

/// Reads public keys: files, or the keys themselves.
pub(super) fn public_keys(keys: &[PathBuf], context: &Context) -> Result<Vec<PublicKey>, KeyFileError> {
    let read = |key: &PathBuf| {
        let is_key = key.to_str().is_some_and(|text| text.starts_with("ed25519:"));
        if is_key { keys::read_public(key) } else { keys::read_public(&context.path(key)) }
    };
    keys.iter().map(read).collect()
}

/// Reads the name of a role; `online` is that of both roles that the server signs for.
pub(super) fn seats(text: &str) -> Result<Vec<Seat>, Failure> {
    if text == "online" {
        return Ok(vec![Seat::Snapshot, Seat::Timestamp]);
    }
    let seat = text.parse().map_err(|source| NoSeat { text: text.to_owned(), source })?;
    Ok(vec![seat])
}

/// Finds the key that a user means among `keys`: by its file, itself, or the beginning of its id.
pub(super) fn find_key(text: &str, known: &[PublicKey], context: &Context) -> Result<PublicKey, Failure> {
    let hexadecimal = text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_file = |text: &str| text.starts_with("ed25519:") || context.path(Path::new(text)).exists();
    if !hexadecimal && !is_file(text) {
        return Err(NotOneKey { text: text.to_owned(), found: 0 }.into());
    }
    if !hexadecimal {
        return Ok(public_keys(&[PathBuf::from(text)], context)?.remove(0));
    }
    let mut found: Vec<&PublicKey> =
        known.iter().filter(|key| key.id().to_string().starts_with(text)).collect();
    found.sort_by_key(|key| key.id());
    found.dedup();
    match found[..] {
        [key] => Ok(key.clone()),
        _ => Err(NotOneKey { text: text.to_owned(), found: found.len() }.into()),
    }
}

/// Neither an address nor a copy was given.
#[derive(Debug, Error)]
#[error("no repository is given")]
struct NoPlace;

impl Explain for NoPlace {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> &'static str {
        "bad_repository"
    }

    fn hint(&self) -> Option<String> {
        Some("give --repo URL, or --metadata DIR".into())
    }
}

/// The name is that of no role.
#[derive(Debug, Error)]
#[error("{text:?} names no role")]
struct NoSeat {
    text: String,
    #[source]
    source: copkg_spec::coordinate::CoordinateError,
}

impl Explain for NoSeat {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> &'static str {
        "bad_role"
    }

    fn hint(&self) -> Option<String> {
        Some(
            "roles are root, targets, registrar, snapshot, timestamp, online (the last two), and groups"
                .into(),
        )
    }
}

/// The beginning of an id fits no key, or several.
#[derive(Debug, Error)]
#[error("{found} keys of this repository have an id that begins with {text}")]
struct NotOneKey {
    text: String,
    found: usize,
}

impl Explain for NotOneKey {
    fn exit(&self) -> Exit {
        Exit::NotFound
    }

    fn code(&self) -> &'static str {
        "no_such_key"
    }

    fn hint(&self) -> Option<String> {
        Some("`pkgbuild repo status` lists the keys; a file NAME.pub works too".into())
    }
}
