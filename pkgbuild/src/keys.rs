//! Key files: `NAME.key`, the secret half, readable by its owner alone, and `NAME.pub`, the public one.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::durable::{self, Existing};
use copkg_spec::keys::{KeyError, KeyId, Passphrase, PublicKey, SecretKey};
use getrandom::SysRng;
use rand_core::UnwrapErr;
use thiserror::Error;
use zeroize::Zeroizing;

/// The largest key file that is read.
const KEY_FILE_BYTES: u64 = 64 << 10;

/// The two files of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFiles {
    /// The secret half.
    pub secret: PathBuf,
    /// The public half.
    pub public: PathBuf,
}

impl KeyFiles {
    /// Returns the files of the key `name`, which may have a directory and an ending of the two.
    pub fn of(name: &Path) -> Self {
        let stem = match name.extension().and_then(|ending| ending.to_str()) {
            Some("key" | "pub") => name.with_extension(""),
            _ => name.to_owned(),
        };
        let with = |ending: &str| {
            let mut file = stem.clone().into_os_string();
            file.push(ending);
            PathBuf::from(file)
        };
        Self { secret: with(".key"), public: with(".pub") }
    }
}

/// Makes a key and writes its two files, neither of which may be there.
///
/// # Errors
/// When one is there, or cannot be written. A secret half without its public one can be left after a crash.
pub fn generate(files: &KeyFiles, passphrase: Option<&Passphrase>) -> Result<SecretKey, KeyFileError> {
    for path in [&files.secret, &files.public] {
        if fs::symlink_metadata(path).is_ok() {
            return Err(KeyFileError::Exists { path: path.clone() });
        }
    }
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(KeyFileError::Randomness)?;
    let secret = SecretKey::from_seed(&seed);
    let encode = |source| KeyFileError::Key { path: files.secret.clone(), source };
    let text = secret.to_pem(passphrase, &mut UnwrapErr(SysRng)).map_err(encode)?;
    write(&files.secret, 0o600, text.as_bytes())?;
    write(&files.public, 0o644, secret.public().to_pem().map_err(encode)?.as_bytes())?;
    Ok(secret)
}

fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), KeyFileError> {
    durable::write(path, mode, Existing::Keep, bytes).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.to_owned() },
        _ => KeyFileError::Write { path: path.to_owned(), source },
    })
}

/// Reads a secret key; `passphrase` is asked for only when the file is encrypted.
///
/// # Errors
/// When the file is not there, is readable by others, is no key, or the passphrase is wrong or missing.
pub fn read_secret(
    path: &Path,
    passphrase: impl FnOnce() -> Result<Option<Passphrase>, KeyFileError>,
) -> Result<SecretKey, KeyFileError> {
    let file = open(path)?;
    let mode = file.metadata().map_err(|source| unreadable(path, source))?.permissions().mode();
    let text = Zeroizing::new(read_text(path, file)?);
    // What is no secret may be read by everybody, and is refused as what it is.
    if mode & 0o077 != 0 && text.contains("PRIVATE KEY") {
        return Err(KeyFileError::TooOpen { path: path.to_owned(), mode: mode & 0o7777 });
    }
    let passphrase = if SecretKey::is_encrypted(&text) { passphrase()? } else { None };
    SecretKey::from_pem(&text, passphrase.as_ref())
        .map_err(|source| KeyFileError::Key { path: path.to_owned(), source })
}

/// Reads a public key: a file, or the text `ed25519:…` itself.
///
/// # Errors
/// When the file is not there or is no public key.
pub fn read_public(key: &Path) -> Result<PublicKey, KeyFileError> {
    if let Some(text) = key.to_str().filter(|text| text.starts_with("ed25519:")) {
        return text.parse().map_err(|_| KeyFileError::Key {
            path: key.to_owned(),
            source: KeyError::Malformed("public key"),
        });
    }
    let text = read_text(key, open(key)?)?;
    let error = |_| KeyFileError::Key { path: key.to_owned(), source: KeyError::Malformed("public key") };
    text.parse().map_err(error)
}

/// Reads a passphrase from the first line of a file.
///
/// # Errors
/// When the file cannot be read, or its first line is empty.
pub fn read_passphrase(path: &Path) -> Result<Passphrase, KeyFileError> {
    let text = Zeroizing::new(read_text(path, open(path)?)?);
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(KeyFileError::EmptyPassphrase { path: path.to_owned() });
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn open(path: &Path) -> Result<File, KeyFileError> {
    File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing { path: path.to_owned() },
        _ => unreadable(path, source),
    })
}

fn read_text(path: &Path, file: File) -> Result<String, KeyFileError> {
    let mut text = String::new();
    file.take(KEY_FILE_BYTES).read_to_string(&mut text).map_err(|source| unreadable(path, source))?;
    Ok(text)
}

fn unreadable(path: &Path, source: io::Error) -> KeyFileError {
    KeyFileError::Read { path: path.to_owned(), source }
}

/// Describes a key for people: its id, shortened.
pub fn describe(keys: &[KeyId]) -> String {
    if keys.is_empty() {
        return "nobody".to_owned();
    }
    keys.iter().map(KeyId::short).collect::<Vec<_>>().join(", ")
}

/// Says why a key file cannot be used.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// It is not there.
    #[error("there is no key file {path}", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It is there already.
    #[error("{path} is there already", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others can read the secret half.
    #[error("{path} has mode {mode:04o}: others than its owner can reach the secret key", path = path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is no key, or the passphrase is wrong.
    #[error("cannot use {path}", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The passphrase file is empty.
    #[error("the first line of {path} is empty; it is the passphrase", path = path.display())]
    EmptyPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// Two passphrases that were typed differ.
    #[error("the two passphrases differ")]
    PassphrasesDiffer,
    /// The terminal cannot be used.
    #[error("cannot ask for the passphrase")]
    Terminal(#[source] io::Error),
    /// The system has no randomness.
    #[error("the system gives no random bytes")]
    Randomness(#[source] getrandom::Error),
}

impl Explain for KeyFileError {
    fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. } => Exit::NotFound,
            Self::Exists { .. } => Exit::Conflict,
            Self::TooOpen { .. } | Self::Key { .. } => Exit::Trust,
            _ => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "key_missing",
            Self::Exists { .. } => "key_exists",
            Self::Read { .. } => "key_unreadable",
            Self::Write { .. } => "key_unwritable",
            Self::TooOpen { .. } => "key_too_open",
            Self::Key { source: KeyError::PassphraseNeeded, .. } => "passphrase_needed",
            Self::Key { source: KeyError::WrongPassphrase, .. } => "passphrase_wrong",
            Self::Key { .. } => "key_invalid",
            Self::EmptyPassphrase { .. } => "passphrase_empty",
            Self::PassphrasesDiffer => "passphrases_differ",
            Self::Terminal(_) => "terminal_failed",
            Self::Randomness(_) => "no_randomness",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { path } => {
                let files = KeyFiles::of(path);
                Some(format!("make one with `pkgbuild keygen {}`", files.secret.with_extension("").display()))
            }
            Self::Exists { .. } => {
                Some("a key is never overwritten: choose another name, or move the file away".into())
            }
            Self::Key { source: KeyError::Malformed(half), .. } => Some(format!(
                "`pkgbuild keygen NAME` makes NAME.key, the secret half, and NAME.pub, the public one: the {half} is wanted"
            )),
            Self::TooOpen { path, .. } => Some(format!("chmod 600 {}", path.display())),
            Self::Key { source: KeyError::PassphraseNeeded, .. } => {
                Some("give --passphrase-file FILE, or set COPKG_PASSPHRASE".into())
            }
            _ => None,
        }
    }
}
