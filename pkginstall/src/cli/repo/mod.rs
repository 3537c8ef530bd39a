//! `pkginstall repo`.

mod add;
mod list;

use clap::{Args, Subcommand};
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::coordinate::Label;
use serde_json::{Value, json};
use thiserror::Error;

use super::Context;
use crate::config::{Edited, remove_repository};
use crate::host::{Catalogue, Effect};
use crate::metadata::{self, Keeping, Session, remove_cache};
use crate::repository::Network;
use crate::trust::RootPin;
use add::{Add, add};
use list::list;

/// The arguments of `repo`.
#[derive(Debug, Args)]
pub(super) struct Repo {
    #[command(subcommand)]
    command: RepoCommand,
}

impl Repo {
    /// Tells whether nothing is changed, and nothing is kept of a repository.
    pub(super) fn only_looks(&self) -> bool {
        matches!(self.command, RepoCommand::List)
    }
}

#[derive(Debug, Subcommand)]
enum RepoCommand {
    /// Add a repository to the prefix's configuration, or change it
    Add(Box<Add>),
    /// List the repositories of all configuration files, and what is kept of them
    List,
    /// Bring what is kept of repositories up to date
    Refresh {
        /// Their names; none means all whose root is pinned
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Remove a repository from the prefix's configuration, and what is kept of it
    Remove {
        /// Its name
        name: Label,
        /// Only check that it could be removed
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) fn run(args: &Repo, context: &mut Context) -> Result<Exit, Failure> {
    match &args.command {
        RepoCommand::Add(args) => add(args, context),
        RepoCommand::List => Ok(list(context)),
        RepoCommand::Refresh { names } => refresh(names, context),
        RepoCommand::Remove { name, dry_run } => remove(name, Effect::of_dry_run(*dry_run), context),
    }
}

fn refresh(names: &[String], context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let sources = context.sources();
    if let Some(unknown) = names.iter().find(|name| !context.settings.repositories.contains_key(*name)) {
        return Err(AddError::Unknown { name: unknown.clone() }.into());
    }
    let asking = context.asking(&prefix, Network::Online, Keeping::Durable);
    let mut rows = Vec::new();
    for source in sources.iter() {
        let repository = source.repository();
        let is_named = names.is_empty() || names.contains(&repository.name);
        let Some(pin) = repository.root.as_ref().filter(|_| is_named) else { continue };
        let before = metadata::kept(&prefix, &repository.name).head;
        let mut tell = |text: String| context.report.note(text);
        let mut session = Session::open(&asking, source, (pin, None), &mut tell)?;
        session.refresh_kept(&mut tell)?;
        let head = session.trusted().timestamp().version;
        rows.push((repository.name.clone(), head, before != Some(head)));
    }
    let changed = rows.iter().any(|(.., changed)| *changed);
    let documents: Vec<Value> = rows
        .iter()
        .map(|(name, head, changed)| json!({ "name": name, "head": head, "changed": changed }))
        .collect();
    context.report.data(&json!({ "changed": changed, "repositories": documents }), || {
        rows.iter().map(|(name, head, _)| format!("{name}  head {head}")).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

fn remove(name: &Label, effect: Effect, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let edited = remove_repository(&lock(context, &prefix)?, name, effect)?;
    if effect == Effect::Real {
        let wait = context.wait();
        remove_cache(&prefix, name.as_str(), wait, |holder| {
            context.report.note(format!("waiting for {holder} …"));
        })?;
    }
    Ok(report(context, edited, effect, name))
}

fn lock<'p>(context: &mut Context, prefix: &'p crate::host::Prefix) -> Result<Catalogue<'p>, Failure> {
    let wait = context.wait();
    Ok(Catalogue::lock(prefix, wait, &mut |notice| context.report.note(notice.to_string()))?)
}

fn report(context: &mut Context, edited: Edited, effect: Effect, name: &Label) -> Exit {
    let changed = edited == Edited::Changed && effect == Effect::Real;
    context.report.data(&json!({ "changed": changed, "name": name }), String::new);
    Exit::Ok
}

/// Says why a repository is not added.
#[derive(Debug, Error)]
enum AddError {
    /// Another root is pinned.
    #[error("another root is pinned for {name}: {before}, not {new}")]
    Pinned {
        /// The repository.
        name: Label,
        /// What is pinned.
        before: RootPin,
        /// What was to be pinned.
        new: RootPin,
    },
    /// No name can be made of what is given.
    #[error("{url:?} is no URL, and there is no directory of this name")]
    NoName {
        /// What is given.
        url: String,
    },
    /// No such repository is configured.
    #[error("there is no repository {name}")]
    Unknown {
        /// The name.
        name: String,
    },
}

impl Explain for AddError {
    fn exit(&self) -> Exit {
        match self {
            Self::Pinned { .. } => Exit::Trust,
            Self::Unknown { .. } => Exit::NotFound,
            Self::NoName { .. } => Exit::Usage,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Pinned { .. } => "another_root_pinned",
            Self::Unknown { .. } => "no_repository",
            Self::NoName { .. } => "bad_repository",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Pinned { .. } => {
                "a root is pinned once, and follows the repository's own rotations; if its owner made the repository anew, add \
                 --replace-root"
                    .to_owned()
            }
            Self::NoName { .. } => "give a name and a URL: pkginstall repo add NAME URL".to_owned(),
            Self::Unknown { .. } => "`pkginstall repo list` shows them".to_owned(),
        })
    }
}
