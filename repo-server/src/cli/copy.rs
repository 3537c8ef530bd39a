//! `repo-server export` and `repo-server mirror`: verified copies of a repository.

use std::fs;
use std::io;
use std::time::{Duration, SystemTime};

use bytesize::ByteSize;
use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Explain, Failure, Options, Report};
use copkg_spec::durable;
use copkg_spec::repository::Fingerprint;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

use super::task::StoreOption;
use super::{clock, task, units};
use crate::replica::{self, Commits, Copied, Credentials, Effect, HttpSource, Job, ReplicaError, Source};
use crate::storage::{Leftovers, Storage, StoreUrl};

/// Copy a repository to files that any web server can serve
///
/// The copy has metadata/, targets/ and tlog/; point nginx or a CDN at it. Only what is new is copied, each file is verified,
/// and readers of the copy see the state before or the one after. Run it again after publishing.
#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    store: StoreOption,
    /// Where the copy goes: a directory, made if it is not there, or the URL of a store
    #[arg(value_name = "DIR")]
    into: String,
    /// Verify, and say what would be copied
    #[arg(long)]
    dry_run: bool,
}

/// Keep a verified copy of another server's repository
///
/// A full client of the repository: it believes what a host would, needs no key and can be served with
/// `repo-server serve --store`. Fetches what is new, at once and then after each --interval, until SIGTERM or SIGINT. What a
/// crash interrupts goes on where it was. A directory is locked; `serve` reads it beside.
#[derive(Debug, Args)]
pub(super) struct Mirror {
    /// The repository: its URL
    #[arg(value_name = "UPSTREAM")]
    upstream: String,
    #[arg(help = "Where the copy is kept: a directory as file:///path, or a bucket as s3://name[/prefix]")]
    #[arg(long, value_name = "URL", env = "COPKG_STORE", hide_env_values = true)]
    store: StoreUrl,
    /// The fingerprint of the repository's first root; needed the first time
    #[arg(long, value_name = "FINGERPRINT")]
    root: Option<Fingerprint>,
    /// A file with a token, for a closed repository
    #[arg(long, value_name = "FILE")]
    token_file: Option<Utf8PathBuf>,
    /// The user that a web server in front of the repository asks for
    #[arg(long, value_name = "NAME", requires = "password_file", conflicts_with = "token_file")]
    user: Option<String>,
    /// A file with the password of --user
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<Utf8PathBuf>,
    /// How often a file is tried in a row without progress
    #[arg(long, value_name = "NUMBER", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: u32,
    /// How long to wait before looking again
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = units::duration)]
    interval: Duration,
    /// Look once and end
    #[arg(long)]
    once: bool,
    /// Verify once, and say what would be fetched
    #[arg(long)]
    dry_run: bool,
}

/// Says why a copy cannot begin.
#[derive(Debug, Error)]
pub(super) enum CopyError {
    /// The directory cannot be made.
    #[error("cannot make the directory {path}")]
    Directory { path: Utf8PathBuf, source: io::Error },
    /// The place of the copy is none.
    #[error("{text} is no place for a copy: {why}")]
    Place { text: String, why: String },
    /// The token or the password cannot be read.
    #[error("cannot read the token or the password in {path}")]
    Token { path: Utf8PathBuf, source: io::Error },
    /// Signals are not to be had.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
}

impl Explain for CopyError {
    fn exit(&self) -> Exit {
        match self {
            Self::Directory { .. } | Self::Signals(_) => Exit::Failure,
            Self::Place { .. } => Exit::Usage,
            Self::Token { .. } => Exit::NotFound,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Directory { .. } => "store_not_writable",
            Self::Place { .. } => "bad_copy_place",
            Self::Token { .. } => "token_unreadable",
            Self::Signals(_) => "cannot_start",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Place { .. } => Some("name a directory, or a store as file:///path or s3://bucket".into()),
            Self::Token { .. } => {
                Some("name the file that holds what `repo-server token create` of the source printed, or the password".into())
            }
            Self::Directory { .. } | Self::Signals(_) => None,
        }
    }
}

impl Export {
    pub(super) fn run(&self, options: &Options, report: &mut Report) -> Result<Exit, Failure> {
        let source = Source::Store(self.store.open()?);
        let copy = self.open()?;
        task::run(options, async {
            let effect = effect(self.dry_run);
            sweep(&copy, effect).await;
            let pinned = first_root(&source).await?;
            let job = Job {
                source: &source,
                copy: &copy,
                pinned,
                now: clock::now(),
                commits: Commits::Bundled,
                effect,
            };
            let copied = replica::copy(&job).await?;
            tell(report, &copied, effect);
            Ok(Exit::Ok)
        })
    }

    fn open(&self) -> Result<Storage, Failure> {
        let text = self.into.clone();
        if text.contains("://") {
            let url: StoreUrl = text.parse().map_err(|why| bad_place(&text, &why))?;
            return open_copy(&url, self.dry_run);
        }
        let path = camino::absolute_utf8(&text).map_err(|why| bad_place(&text, &why))?;
        open_copy(&StoreUrl::Directory(path), self.dry_run)
    }
}

fn bad_place(text: &str, why: &dyn std::error::Error) -> CopyError {
    CopyError::Place { text: text.to_owned(), why: why.to_string() }
}

impl Mirror {
    pub(super) fn run(&self, options: &Options, report: &mut Report) -> Result<Exit, Failure> {
        let client = replica::http_client()?;
        let source = HttpSource::new(client, &self.upstream, self.credentials()?, self.attempts)?;
        let source = Source::Http(source);
        let copy = open_copy(&self.store, self.dry_run)?;
        task::run(options, async {
            sweep(&copy, effect(self.dry_run)).await;
            if self.once || self.dry_run {
                let copied = self.look(&source, &copy).await?;
                tell(report, &copied, effect(self.dry_run));
                return Ok(Exit::Ok);
            }
            self.keep(&source, &copy, report).await
        })
    }

    fn credentials(&self) -> Result<Option<Credentials>, CopyError> {
        if let (Some(user), Some(file)) = (&self.user, &self.password_file) {
            return Ok(Some(Credentials::Basic { user: user.clone(), password: read_secret(file)? }));
        }
        Ok(self.token_file.as_ref().map(read_secret).transpose()?.map(Credentials::Token))
    }

    async fn look(&self, source: &Source, copy: &Storage) -> Result<Copied, ReplicaError> {
        let (now, effect) = (clock::now(), effect(self.dry_run));
        replica::copy(&Job { source, copy, pinned: self.root, now, commits: Commits::Kept, effect }).await
    }

    /// Looks again and again. What cannot be had now may be there next time; a source that breaks a rule is believed again
    /// when it no longer does.
    async fn keep(&self, source: &Source, copy: &Storage, report: &mut Report) -> Result<Exit, Failure> {
        let mut term = signal(SignalKind::terminate()).map_err(CopyError::Signals)?;
        let mut int = signal(SignalKind::interrupt()).map_err(CopyError::Signals)?;
        let mut first = true;
        loop {
            let looked = tokio::select! {
                looked = self.look(source, copy) => looked,
                _ = term.recv() => return Ok(Exit::Ok),
                _ = int.recv() => return Ok(Exit::Ok),
            };
            match looked {
                Ok(copied) if copied.changed => tell(report, &copied, Effect::Write),
                Ok(_) => {}
                // The first time somebody is there to read it.
                Err(error) if first => return Err(error.into()),
                Err(error) => report.warn(Failure::of(&error).to_string()),
            }
            first = false;
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                _ = term.recv() => return Ok(Exit::Ok),
                _ = int.recv() => return Ok(Exit::Ok),
            }
        }
    }
}

/// Removes what runs that were killed left in the copy. Whatever comes of it, the copy can be made.
async fn sweep(copy: &Storage, effect: Effect) {
    if effect == Effect::Plan {
        return;
    }
    match copy.remove_own_leftovers(SystemTime::now()).await {
        Ok(Leftovers { files: 0, .. }) => {}
        Ok(Leftovers { files, bytes }) => tracing::info!(files, bytes, "removed what a killed run left"),
        Err(error) => tracing::warn!(%error, "cannot remove what killed runs left"),
    }
}

/// Reads a secret: the first line of a file.
fn read_secret(path: &Utf8PathBuf) -> Result<String, CopyError> {
    let read = fs::read_to_string(path).map_err(|source| CopyError::Token { path: path.clone(), source })?;
    Ok(read.lines().next().unwrap_or_default().trim().to_owned())
}

fn effect(dry_run: bool) -> Effect {
    if dry_run { Effect::Plan } else { Effect::Write }
}

fn open_copy(url: &StoreUrl, dry_run: bool) -> Result<Storage, Failure> {
    if let StoreUrl::Directory(path) = url {
        if dry_run {
            return Ok(if path.is_dir() { Storage::open(url)? } else { Storage::nowhere() });
        }
        let failed = |source| CopyError::Directory { path: path.clone(), source };
        durable::create_dir_all(path.as_std_path()).map_err(failed)?;
    }
    Ok(Storage::open_to_write(url)?)
}

/// Reads which repository a store of our own holds.
async fn first_root(source: &Source) -> Result<Option<Fingerprint>, Failure> {
    let Source::Store(storage) = source else { return Ok(None) };
    let path =
        crate::layout::StorePath::metadata(&copkg_spec::tuf::Role::Root, copkg_spec::tuf::Version::FIRST);
    let bytes = storage.read(&path).await.map_err(ReplicaError::from)?;
    let bytes = bytes.ok_or_else(|| ReplicaError::NoRepository { place: source.to_string() })?;
    Ok(Some(Fingerprint::of_first_root(&bytes)))
}

fn tell(report: &mut Report, copied: &Copied, effect: Effect) {
    for role in &copied.left_out {
        report.warn(format!("left out, no host would believe it: {role}"));
    }
    let mut document = serde_json::to_value(copied).unwrap_or(Value::Null);
    if effect == Effect::Plan {
        document["changed"] = json!(false);
        document["would_change"] = json!(copied.changed);
    }
    report.data(&document, || {
        let Copied { commit, roles, blobs, blob_bytes, entries, .. } = copied;
        let bytes = ByteSize::b(*blob_bytes);
        if !copied.changed {
            return format!("commit {commit} is there already");
        }
        let came = if effect == Effect::Plan { "would copy" } else { "copied" };
        format!("{came} commit {commit}: {roles} metadata files, {blobs} packages ({bytes}), {entries} entries of the log")
    });
}
