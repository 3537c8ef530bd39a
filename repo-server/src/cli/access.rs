//! Who may read and who vouches, on the command line of `serve`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::clock;
use crate::replica::{ReplicaError, http_client};
use crate::repository::Repository;
use crate::storage::Storage;
use crate::tokens::TokenBook;
use crate::transparency::{Witness, Witnesses};

/// How long to wait before a witness is asked again that did not answer, when nothing is committed meanwhile.
const AGAIN: Duration = Duration::from_secs(60);

/// Who may read a repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Reading {
    /// Everybody.
    #[default]
    Open,
    /// Who has a token: see `repo-server token`.
    Tokens,
}

/// Who may read, and who vouches for the log.
#[derive(Debug, Args)]
#[command(next_help_heading = "Access")]
pub(super) struct AccessOptions {
    /// Who may read; publishing needs no token, there the signature is the credential
    #[arg(
        long,
        value_name = "WHO",
        value_enum,
        default_value_t,
        env = "COPKG_READING",
        hide_env_values = true
    )]
    reading: Reading,
    /// A witness that cosigns each commit: <key>@<url>, as `repo-server witness` prints both
    #[arg(long = "witness", value_name = "KEY@URL")]
    witnesses: Vec<Witness>,
}

impl AccessOptions {
    /// Returns the tokens without which nobody reads, if that is asked for.
    pub(super) fn tokens(&self, storage: &Storage) -> Option<TokenBook> {
        match self.reading {
            Reading::Open => None,
            Reading::Tokens => Some(TokenBook::new(storage.clone(), clock::now)),
        }
    }

    /// Lets the witnesses cosign each commit from now on, if there are any.
    ///
    /// # Errors
    /// When there is no HTTP client.
    pub(super) fn ask_witnesses(&self, repository: &Repository) -> Result<(), ReplicaError> {
        if self.witnesses.is_empty() {
            return Ok(());
        }
        let witnesses = Witnesses::new(http_client()?, self.witnesses.clone());
        tokio::spawn(keep_asking(witnesses, repository.clone()));
        Ok(())
    }
}

async fn keep_asking(witnesses: Witnesses, repository: Repository) {
    let mut heads = repository.subscribe();
    loop {
        if let Err(error) = witnesses.cosign(repository.storage()).await {
            tracing::warn!(%error, "cosignatures cannot be added");
        }
        tokio::select! {
            changed = heads.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}
