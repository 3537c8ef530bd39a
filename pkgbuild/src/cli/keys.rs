//! The options that name keys, and where passphrases come from: a file, the environment, the terminal.

use std::path::{Path, PathBuf};

use clap::Args;
use copkg_spec::keys::{Passphrase, SecretKey};
use zeroize::Zeroizing;

use super::Context;
use crate::keys::{self, KeyFileError};

/// The variable that may hold a passphrase.
const VARIABLE: &str = "COPKG_PASSPHRASE";

/// The keys that sign.
#[derive(Debug, Args)]
pub(super) struct SigningKeys {
    /// A secret key that signs; repeat it for several
    #[arg(long = "key", value_name = "FILE")]
    pub(super) keys: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) passphrase: PassphraseSource,
}

/// Where a passphrase comes from.
#[derive(Debug, Args)]
pub(super) struct PassphraseSource {
    /// Read the passphrase from the first line of this file [env: `COPKG_PASSPHRASE` holds it itself]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl SigningKeys {
    /// Reads every key.
    pub(super) fn read(&self, context: &Context) -> Result<Vec<SecretKey>, KeyFileError> {
        read_secrets(&self.keys, &self.passphrase, context)
    }
}

/// Reads secret keys; a passphrase is asked for only where a file is encrypted.
pub(super) fn read_secrets(
    files: &[PathBuf],
    passphrase: &PassphraseSource,
    context: &Context,
) -> Result<Vec<SecretKey>, KeyFileError> {
    let read = |file: &PathBuf| {
        let path = context.path(file);
        keys::read_secret(&path, || passphrase.for_key(&path, context))
    };
    files.iter().map(read).collect()
}

impl PassphraseSource {
    /// Returns the passphrase that opens a key; nothing says one: the person at the terminal is asked.
    fn for_key(&self, key: &Path, context: &Context) -> Result<Option<Passphrase>, KeyFileError> {
        if let Some(passphrase) = self.given(context)? {
            return Ok(Some(passphrase));
        }
        match &context.terminal {
            Some(terminal) => {
                terminal.ask(&format!("Passphrase of {}", key.display())).map_err(KeyFileError::Terminal)
            }
            None => Ok(None),
        }
    }

    /// Returns the passphrase for a new key: asked for twice at a terminal, where an empty one means none.
    pub(super) fn for_new_key(&self, context: &Context) -> Result<Option<Passphrase>, KeyFileError> {
        if let Some(passphrase) = self.given(context)? {
            return Ok(Some(passphrase));
        }
        let Some(terminal) = &context.terminal else { return Ok(None) };
        let first = terminal.ask("Passphrase (empty for none)").map_err(KeyFileError::Terminal)?;
        if first.is_none() {
            return Ok(None);
        }
        let second = terminal.ask("The same again").map_err(KeyFileError::Terminal)?;
        if first == second { Ok(first) } else { Err(KeyFileError::PassphrasesDiffer) }
    }

    fn given(&self, context: &Context) -> Result<Option<Passphrase>, KeyFileError> {
        if let Some(file) = &self.passphrase_file {
            return keys::read_passphrase(&context.path(file)).map(Some);
        }
        let variable = context.ambient.variable(VARIABLE);
        Ok(variable.and_then(|value| value.to_str()).map(|text| Zeroizing::new(text.to_owned())))
    }
}
