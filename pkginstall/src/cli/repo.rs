//! `pkginstall repo`.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::coordinate::Label;
use copkg_spec::tlog::VerifierKey;
use copkg_spec::trust::GroupPattern;
use serde_json::{Value, json};
use thiserror::Error;

use super::Context;
use super::context::Offline;
use crate::config::{self, Edited, Origin, add_repository, remove_repository};
use crate::host::{Catalogue, Effect};
use crate::metadata::{self, Keeping, Kept, Session, keep_pinned, remove_cache};
use crate::repository::{Auth, Base, Network, Place, Repository, Secret, Witnesses};
use crate::trust::{GivenRoot, RootPin, read_root};

/// The arguments of `repo`.
#[derive(Debug, Args)]
pub(super) struct Repo {
    #[command(subcommand)]
    command: RepoCommand,
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

#[derive(Debug, Args)]
struct Add {
    /// A name for it
    name: Label,
    /// Its URL (https, http, file) or directory
    url: String,
    /// The root to begin with: its fingerprint (64 hexadecimal digits) or file, from its owner and not from the repository.
    /// Without one it can only be a plain directory of packages whose groups have keys of their own
    #[arg(long, value_name = "FINGERPRINT|FILE")]
    root: Option<String>,
    /// Pin another root in place of the one that is pinned, and forget what is kept
    #[arg(long, requires = "root")]
    replace_root: bool,
    /// Another copy of it, asked when the ones before fail; several in their order
    #[arg(long = "mirror", value_name = "URL")]
    mirrors: Vec<String>,
    /// The key of a witness that must have seen the repository's history, as `repo-server witness` prints it; several
    #[arg(long = "witness", value_name = "KEY", requires = "root")]
    witness_keys: Vec<VerifierKey>,
    /// How many of the witnesses must have [default: all]
    #[arg(long, value_name = "NUMBER", requires = "witness_keys")]
    witnesses: Option<u32>,
    /// How long a copy may be silent, and take for a file of metadata, before the next one is asked
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,
    /// Ask it, and no other, for this group; com.example.* for it and all below it
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<GroupPattern>,
    /// The user for HTTP Basic
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The file that holds the password
    #[arg(long, value_name = "FILE", requires = "user", conflicts_with = "password_env")]
    password_file: Option<Utf8PathBuf>,
    /// The environment variable that holds the password
    #[arg(long, value_name = "VARIABLE", requires = "user")]
    password_env: Option<String>,
    /// The file that holds a bearer token
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "token_env"])]
    token_file: Option<Utf8PathBuf>,
    /// The environment variable that holds a bearer token
    #[arg(long, value_name = "VARIABLE", conflicts_with = "user")]
    token_env: Option<String>,
    #[command(flatten)]
    offline: Offline,
    /// Only check that it could be added
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Repo, context: &mut Context) -> Result<Exit, Failure> {
    match &args.command {
        RepoCommand::Add(args) => add(args, context),
        RepoCommand::List => Ok(list(context)),
        RepoCommand::Refresh { names } => refresh(names, context),
        RepoCommand::Remove { name, dry_run } => remove(name, Effect::of_dry_run(*dry_run), context),
    }
}

/// The order matters: a repository that is refused changes nothing, and a crash after the configuration is written leaves
/// a cache that the next command fills.
fn add(args: &Add, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let effect = Effect::of_dry_run(args.dry_run);
    let given = args.root.as_ref().map(|root| read_root(root, context.working_directory())).transpose()?;
    let repository = repository(args, context, given.as_ref())?;
    let sources = context.sources_of([repository.clone()]);
    let asking = context.asking(&prefix, args.offline.network(), Keeping::InMemory);
    let bytes = given.as_ref().and_then(|given| given.bytes.as_deref());
    let source = sources.iter().next().filter(|_| args.offline.network() == Network::Online);
    let session = match (source, &repository.root) {
        (Some(source), Some(pin)) => {
            let mut tell = |text: String| context.report.note(text);
            Some(Session::open(&asking, source, (pin, bytes), &mut tell)?)
        }
        _ => None,
    };
    let edited = add_repository(&lock(context, &prefix)?, &args.name, &repository, effect)?;
    if effect == Effect::Real {
        let asking = metadata::Asking { keeping: Keeping::Durable, ..asking };
        match (session, &repository.root, bytes) {
            (Some(session), ..) => session.keep(&asking)?,
            (None, Some(pin), Some(bytes)) => keep_pinned(&asking, args.name.as_str(), pin, bytes)?,
            _ => {}
        }
    }
    Ok(report(context, edited, effect, &args.name))
}

fn repository(args: &Add, context: &Context, given: Option<&GivenRoot>) -> Result<Repository, Failure> {
    let here = context.working_directory();
    let timeout = args.timeout.map(|seconds| Duration::from_secs(seconds.into()));
    let root = pin(args, context, given)?;
    let witnesses = Witnesses::new(args.witness_keys.clone(), args.witnesses, root.as_ref())?;
    let mirror = |url: &String| Ok(Place { timeout, ..Place::from(Base::parse(url, here)?) });
    Ok(Repository {
        name: args.name.to_string(),
        first: Place { base: Base::parse(&args.url, here)?, auth: auth(args, context), timeout },
        mirrors: args.mirrors.iter().map(mirror).collect::<Result<_, Failure>>()?,
        groups: args.groups.clone(),
        root,
        witnesses,
    })
}

/// Returns the pin as it will be. What is pinned stays, unless somebody says that another root takes its place.
fn pin(args: &Add, context: &Context, given: Option<&GivenRoot>) -> Result<Option<RootPin>, AddError> {
    let configured = context.settings.repositories.get(args.name.as_str());
    let before = configured.filter(|value| matches!(value.origin, Origin::Prefix(_)));
    let before = before.and_then(|value| value.value.root);
    let new = given.map(|given| given.pin);
    match (before, new) {
        (Some(before), Some(new)) if before != new && !args.replace_root => {
            Err(AddError::Pinned { name: args.name.clone(), before, new })
        }
        (before, new) => Ok(new.or(before)),
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
        let head = Session::open(&asking, source, (pin, None), &mut tell)?.trusted().timestamp().version;
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

fn list(context: &mut Context) -> Exit {
    let values: Vec<_> = context.settings.repositories.values().cloned().collect();
    // Without a prefix nothing is kept, and what is configured can be listed all the same.
    let prefix = context.prefix().ok();
    let kept = |repository: &Repository| {
        let prefix = prefix.as_ref().filter(|_| repository.root.is_some())?;
        Some(metadata::kept(prefix, &repository.name))
    };
    let rows: Vec<_> = values.iter().map(|entry| (entry, kept(&entry.value))).collect();
    let documents: Vec<Value> = rows.iter().map(|(entry, kept)| row(entry, kept.as_ref())).collect();
    context.report.data(&json!({ "repositories": documents }), || {
        rows.iter().map(|(entry, kept)| text(entry, kept.as_ref())).collect()
    });
    Exit::Ok
}

fn row(entry: &config::Value<Repository>, kept: Option<&Kept>) -> Value {
    let repository = &entry.value;
    let mirrors: Vec<String> = repository.mirrors.iter().map(|mirror| mirror.base.to_string()).collect();
    json!({
        "name": repository.name,
        "url": repository.first.base.to_string(),
        "groups": repository.groups,
        "mirrors": mirrors,
        "credentials": repository.first.auth.is_some(),
        "root": repository.root,
        "witnesses": repository.witnesses.as_ref().map(witnesses_document),
        "kept": kept,
        "origin": entry.origin,
    })
}

fn witnesses_document(witnesses: &Witnesses) -> Value {
    json!({ "keys": witnesses.keys(), "needed": witnesses.needed() })
}

fn text(entry: &config::Value<Repository>, kept: Option<&Kept>) -> String {
    let repository = &entry.value;
    let groups: Vec<String> = repository.groups.iter().map(ToString::to_string).collect();
    let groups = if groups.is_empty() { String::new() } else { format!("  for {}", groups.join(", ")) };
    let mut lines =
        vec![format!("{}  {}{groups}  ({})", repository.name, repository.first.base, entry.origin)];
    lines.extend(repository.mirrors.iter().map(|mirror| format!("  mirror     {}", mirror.base)));
    match &repository.root {
        Some(root) => lines.push(format!("  root       {root}")),
        None => lines.push("  root       not pinned: a plain directory".to_owned()),
    }
    lines.extend(repository.witnesses.as_ref().map(|witnesses| {
        let names: Vec<String> = witnesses.keys().iter().map(|key| key.name().to_string()).collect();
        format!("  witnesses  {} of {}", witnesses.needed(), names.join(", "))
    }));
    lines.extend(kept.map(|kept| match (kept.refreshed, kept.head, kept.expires) {
        (Some(refreshed), Some(head), Some(expires)) => {
            format!(
                "  refreshed  {}, head {head}, good until {expires}",
                refreshed.strftime("%Y-%m-%dT%H:%M:%SZ")
            )
        }
        _ => "  refreshed  never".to_owned(),
    }));
    let log = kept.and_then(|kept| kept.log);
    lines.extend(log.map(|log| format!("  log        {} entries, root {}", log.size, log.root)));
    lines.join("\n") + "\n"
}

fn auth(args: &Add, context: &Context) -> Option<Auth> {
    let secret = |file: &Option<Utf8PathBuf>, variable: &Option<String>| {
        let file = file.as_ref().map(|path| Secret::File(context.working_directory().join(path)));
        file.or_else(|| variable.clone().map(Secret::Variable))
    };
    let token = secret(&args.token_file, &args.token_env).map(|token| Auth::Bearer { token });
    let basic = || {
        let password = secret(&args.password_file, &args.password_env)?;
        Some(Auth::Basic { user: args.user.clone()?, password })
    };
    token.or_else(basic)
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
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Pinned { .. } => "another_root_pinned",
            Self::Unknown { .. } => "no_repository",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Pinned { .. } => {
                "a root is pinned once, and follows the repository's own rotations; if its owner made the repository anew, add \
                 --replace-root"
                    .to_owned()
            }
            Self::Unknown { .. } => "`pkginstall repo list` shows them".to_owned(),
        })
    }
}
