//! `repo-server token`: makes, lists and revokes the tokens that open a closed repository.

use std::time::Duration;

use clap::{Args, Subcommand};
use copkg_spec::command::{Exit, Failure, Options, Report};
use copkg_spec::trust::GroupPattern;
use copkg_spec::tuf::Time;
use serde_json::json;

use super::task::StoreOption;
use super::{clock, task, units};
use crate::tokens::{self, Record, Secret, TokenError, TokenId};

/// Make, list and revoke tokens for reading
///
/// They matter to a server that was started with --reading=tokens. Publishing needs none: there the signature is the
/// credential.
#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a token and print it, once
///
/// The store keeps only its SHA-256. A running server knows it at once.
#[derive(Debug, Args)]
struct Create {
    #[command(flatten)]
    store: StoreOption,
    /// A group that it opens: com.example, or com.example.* for all below it; without any it opens all
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<GroupPattern>,
    /// How long it opens, e.g. 720h; never for as long as it is not revoked
    #[arg(long, value_name = "TIME", default_value = "2160h", value_parser = lifetime)]
    expires: Lifetime,
    /// Who it is for
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    note: String,
    /// Make it and keep nothing
    #[arg(long)]
    dry_run: bool,
}

/// List the tokens of a repository
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    store: StoreOption,
}

/// Revoke tokens
///
/// A running server forgets them within ten seconds.
#[derive(Debug, Args)]
struct Revoke {
    #[command(flatten)]
    store: StoreOption,
    /// The ids, as `token list` shows them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<TokenId>,
    /// Look whether they are there, and keep them
    #[arg(long)]
    dry_run: bool,
}

/// How long a token opens.
#[derive(Debug, Clone, Copy)]
enum Lifetime {
    Limited(Duration),
    Endless,
}

fn lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" { Ok(Lifetime::Endless) } else { units::duration(text).map(Lifetime::Limited) }
}

impl Token {
    pub(super) fn run(&self, options: &Options, report: &mut Report) -> Result<Exit, Failure> {
        task::run(options, async {
            match &self.command {
                Command::Create(command) => command.run(report).await,
                Command::List(command) => command.run(report).await,
                Command::Revoke(command) => command.run(report).await,
            }
        })
    }
}

impl Create {
    async fn run(&self, report: &mut Report) -> Result<Exit, Failure> {
        let storage = self.store.open()?;
        let mut random = [0; 40];
        getrandom::fill(&mut random).map_err(|_| TokenError::Random)?;
        let secret = Secret::from_random(&random);
        let record = self.record(&secret, clock::now());
        if !self.dry_run {
            tokens::write(&storage, &record).await?;
        }
        let document = json!({ "token": secret.reveal(), "id": record.id, "groups": record.groups,
            "expires": record.expires, "changed": !self.dry_run });
        report.data(&document, || secret.reveal());
        report.note(describe(&record));
        report.note("it is shown this once; `pkginstall repo add --token-file FILE` reads it from a file");
        Ok(Exit::Ok)
    }

    fn record(&self, secret: &Secret, now: Time) -> Record {
        let expires = match self.expires {
            Lifetime::Endless => None,
            Lifetime::Limited(time) => {
                let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
                Time::from_unix_seconds(now.unix_seconds().saturating_add(seconds))
            }
        };
        Record {
            id: secret.id().clone(),
            sha256: secret.digest(),
            groups: self.groups.clone(),
            created: now,
            expires,
            note: self.note.clone(),
        }
    }
}

impl List {
    async fn run(&self, report: &mut Report) -> Result<Exit, Failure> {
        let storage = self.store.open()?;
        let records = tokens::list(&storage).await?;
        let now = clock::now();
        let shown: Vec<_> = records
            .iter()
            .map(|record| {
                json!({ "id": record.id, "groups": record.groups, "created": record.created,
                    "expires": record.expires, "expired": !record.is_current(now), "note": record.note })
            })
            .collect();
        report.data(&json!({ "tokens": shown }), || {
            let lines = records.iter().map(|record| format!("{} {}", record.id, describe(record)));
            lines.collect::<Vec<_>>().join("\n")
        });
        Ok(Exit::Ok)
    }
}

impl Revoke {
    async fn run(&self, report: &mut Report) -> Result<Exit, Failure> {
        let storage = self.store.open()?;
        let known = tokens::list(&storage).await?;
        if let Some(id) = self.ids.iter().find(|id| !known.iter().any(|record| record.id == **id)) {
            return Err(TokenError::Unknown { id: id.clone() }.into());
        }
        for id in self.ids.iter().filter(|_| !self.dry_run) {
            tokens::remove(&storage, id).await?;
            report.note(format!("revoked {id}"));
        }
        report.data(&json!({ "revoked": self.ids, "changed": !self.dry_run }), String::new);
        Ok(Exit::Ok)
    }
}

fn describe(record: &Record) -> String {
    let groups = match record.groups.as_slice() {
        [] => "all groups".to_owned(),
        groups => groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let until = record.expires.map_or_else(|| "for ever".to_owned(), |expires| format!("until {expires}"));
    let note =
        if record.note.is_empty() { String::new() } else { format!(" ({})", record.note.escape_debug()) };
    format!("opens {groups} {until}{note}")
}
