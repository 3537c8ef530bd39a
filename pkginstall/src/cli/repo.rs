//! `pkginstall repo`.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Label;
use copkg_spec::trust::GroupPattern;
use serde_json::{Value, json};

use super::Context;
use super::context::describe;
use crate::config::{Edited, NewRepository, add_repository, remove_repository};
use crate::host::{Catalogue, Effect};
use crate::repository::{Auth, Base, Secret};

/// The arguments of `repo`.
#[derive(Debug, Args)]
pub(super) struct Repo {
    #[command(subcommand)]
    command: RepoCommand,
}

#[derive(Debug, Subcommand)]
enum RepoCommand {
    /// Add a repository to the prefix's configuration, or change it
    Add(Add),
    /// List the repositories of all configuration files
    List,
    /// Remove a repository from the prefix's configuration
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
    /// Only check that it could be added
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Repo, context: &mut Context) -> Result<Exit, Failure> {
    match &args.command {
        RepoCommand::Add(args) => add(args, context),
        RepoCommand::List => Ok(list(context)),
        RepoCommand::Remove { name, dry_run } => remove(name, Effect::of_dry_run(*dry_run), context),
    }
}

fn add(args: &Add, context: &mut Context) -> Result<Exit, Failure> {
    let repository = NewRepository {
        name: args.name.clone(),
        base: Base::parse(&args.url, context.working_directory())?,
        groups: args.groups.clone(),
        auth: auth(args, context),
    };
    let prefix = context.prefix()?;
    let effect = Effect::of_dry_run(args.dry_run);
    let edited = add_repository(&lock(context, &prefix)?, &repository, effect)?;
    Ok(report(context, edited, effect, &args.name))
}

fn remove(name: &Label, effect: Effect, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let edited = remove_repository(&lock(context, &prefix)?, name, effect)?;
    Ok(report(context, edited, effect, name))
}

fn list(context: &mut Context) -> Exit {
    let values: Vec<_> = context.settings.repositories.values().cloned().collect();
    let rows: Vec<Value> = values
        .iter()
        .map(|entry| {
            let repository = &entry.value;
            json!({
                "name": repository.name,
                "url": repository.base.to_string(),
                "groups": repository.groups,
                "credentials": repository.auth.is_some(),
                "origin": entry.origin,
            })
        })
        .collect();
    context.report.data(&json!({ "repositories": rows }), || {
        let line = |entry: &crate::config::Value<crate::repository::Repository>| {
            let groups: Vec<String> = entry.value.groups.iter().map(ToString::to_string).collect();
            let groups =
                if groups.is_empty() { String::new() } else { format!("  for {}", groups.join(", ")) };
            format!("{}  {}{groups}  ({})\n", entry.value.name, entry.value.base, entry.origin)
        };
        values.iter().map(line).collect()
    });
    Exit::Ok
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
    Ok(Catalogue::lock(prefix, wait, &mut |notice| context.report.note(describe(&notice)))?)
}

fn report(context: &mut Context, edited: Edited, effect: Effect, name: &Label) -> Exit {
    let changed = edited == Edited::Changed && effect == Effect::Real;
    context.report.data(&json!({ "changed": changed, "name": name }), String::new);
    Exit::Ok
}
