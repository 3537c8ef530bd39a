//! The command line: one file a subcommand, each of which calls the steps and reports what they say.

mod adopt;
mod agent;
mod cheapest;
mod check;
mod completions;
mod config;
mod content;
mod context;
mod deploy;
mod diff;
mod dirs;
mod exec;
mod follow;
mod forget;
mod found;
mod gc;
mod history;
mod host;
mod info;
mod install;
mod interruption;
mod list;
mod listed;
mod logs;
mod opened;
mod owner;
mod progress;
mod recover;
mod rehearse;
mod rehearse_inside;
mod reload;
mod remove;
mod repair;
mod repo;
mod resolve;
mod restart;
mod rollback;
mod row;
mod run_unit;
mod search;
mod select;
mod start;
mod status;
mod stop;
mod store;
mod supervise;
mod table;
mod trust;
mod unit;
mod upgrade;
mod verify;
mod version;
mod wanted;
mod why;

pub use context::{Ambient, Clock, Context, Surroundings};

use clap::{Parser, Subcommand};
use copkg_spec::command::{Exit, ExplainCode, Failure, Options, Report, explain_code, unparsed};

use crate::interrupt::{self, Interruptible};
use crate::service::ServiceError;

/// Installs copkg packages and runs their services.
#[derive(Debug, Parser)]
#[command(name = "pkginstall", version, about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: context::Place,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install packages from repositories, files or directories
    Install(install::Install),
    /// Remove installed packages
    Remove(remove::Remove),
    /// List installed packages
    List(list::List),
    /// Show what is known of a package: installed, or in a repository
    Info(info::Info),
    /// Show where a coordinate leads: path, URL, runtime directory
    Resolve(resolve::Resolve),
    /// Find packages in repositories
    Search(search::Search),
    /// Compare installed trees with what was signed
    Verify(verify::Verify),
    /// Fetch what is damaged of installed packages, and replace it
    Repair(repair::RepairArgs),
    /// Start services
    Start(start::Start),
    /// Stop services
    Stop(stop::Stop),
    /// Stop and start services
    Restart(restart::Restart),
    /// Take over a service whose start script was run by hand
    Adopt(adopt::Adopt),
    /// Remove services whole, but for what they stored
    Forget(forget::Forget),
    /// Make services read their configuration again
    Reload(reload::Reload),
    /// Run a command as a service: its user, its environment, its runtime directory
    Exec(exec::Exec),
    /// Change a service to another version, and back when that fails
    Upgrade(upgrade::Upgrade),
    /// Go back to what a service was when it was last good
    Rollback(rollback::Rollback),
    /// Try an upgrade on a copy, with other ports
    Rehearse(rehearse::Rehearse),
    /// Run the part of a rehearsal that has a network of its own
    #[command(hide = true)]
    RehearseInside(rehearse_inside::RehearseInside),
    /// Show the changes of a service: when, by whom, why, and how they ended
    History(history::Show),
    /// Say why a service is what it is, back to the source of its package
    Why(why::Why),
    /// Compare two generations of a service
    Diff(diff::Diff),
    /// Change several services as one, as a deployment describes them
    Deploy(deploy::Deploy),
    /// Edit the files behind a service here, push them to all, and take them back
    Content(content::ContentArgs),
    /// Let a service or a deployment follow a channel; without arguments, list what follows what
    Follow(follow::Follow),
    /// Let a service or a deployment follow its channel no more; it stays what it is
    Unfollow(follow::Unfollow),
    /// Look after services as `supervise` does, and take what follows a channel to where that leads
    Agent(agent::Agent),
    /// Print the line of a crontab that makes a round of the agent from time to time
    Crontab(agent::Crontab),
    /// Print the units of systemd that make a round of the agent from time to time
    Timer(agent::Timer),
    /// Take snapshots of this host's files, and bring a host back from them
    Host(host::Host),
    /// Look after a store of snapshots
    Store(store::Store),
    /// Remove what no service needs any more
    Gc(gc::Gc),
    /// Say which services run
    Status(status::Status),
    /// Look after services in the foreground: start again what ends, restart what is not well
    Supervise(supervise::Supervise),
    /// Write units of systemd for services
    Unit(unit::UnitArgs),
    /// Be the main process of a unit
    #[command(hide = true)]
    RunUnit(run_unit::RunUnit),
    /// Ask services whether they are well
    Check(check::Check),
    /// Show what a service wrote
    Logs(logs::Logs),
    /// Say whose signatures count
    Trust(trust::Trust),
    /// Say where packages come from
    Repo(repo::Repo),
    /// Put right what a command that was cut short left behind
    Recover(recover::Recover),
    /// Show and change the configuration, of pkginstall itself and of services
    Config(config::Config),
    /// Show where everything lies
    Dirs(dirs::Dirs),
    /// Say what an error code means
    Explain(ExplainCode),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Show the version of this program and of the format that it reads
    Version(version::Version),
}

/// Runs the command that the arguments name, and reports how it ended.
pub fn run(surroundings: Surroundings) -> Exit {
    let cli = match Cli::try_parse_from(&surroundings.arguments) {
        Ok(cli) => cli,
        Err(error) => return unparsed(&surroundings.arguments, &error, surroundings.streams),
    };
    let Surroundings { streams, ambient, arguments } = surroundings;
    let mut report = Report::new(cli.options.clone(), streams);
    // These must work whatever the configuration says.
    let result = match &cli.command {
        Command::Completions(args) if args.list.is_none() => Ok(completions::run(args, &mut report)),
        Command::Explain(args) => explain_code(args, &mut report).map_err(Failure::from),
        Command::Version(args) => Ok(version::run(args, &mut report)),
        Command::RunUnit(args) => run_unit::run(args, &cli.place, &mut report, &ambient),
        command => {
            Context::new(&mut report, &cli.place, command.repository(), ambient).and_then(|mut context| {
                owner::check(command, &context, &arguments)?;
                in_order(command, &mut context)
            })
        }
    };
    let exit = result.unwrap_or_else(|failure| report.fail(&failure));
    report.end(exit)
}

/// Runs a command. One that changes something ends in order when a signal comes.
fn in_order(command: &Command, context: &mut Context) -> Result<Exit, Failure> {
    let _interruptible =
        command.is_change().then(Interruptible::begin).transpose().map_err(ServiceError::Signals)?;
    if command.changes_services() {
        start::recover_deployments(context)?;
    }
    let done = dispatch(command, context);
    if let (Ok(_), Some(interrupted)) = (&done, interrupt::signal_so_far()) {
        context.report.note(format!("{interrupted} when there was no way back any more: it was finished"));
    }
    done
}

impl Command {
    /// Tells whether it changes packages or services.
    fn is_change(&self) -> bool {
        matches!(
            self,
            Self::Install(_)
                | Self::RehearseInside(_)
                | Self::Remove(_)
                | Self::Repair(_)
                | Self::Start(_)
                | Self::Stop(_)
                | Self::Restart(_)
                | Self::Reload(_)
                | Self::Upgrade(_)
                | Self::Rollback(_)
                | Self::Rehearse(_)
                | Self::Deploy(_)
                | Self::Content(_)
                | Self::Gc(_)
                | Self::Recover(_)
                | Self::Config(_)
                | Self::Unit(_)
                | Self::Follow(_)
        ) || matches!(self, Self::Agent(args) if args.is_one_round())
    }

    /// Tells whether it changes services, and so must not build on a deployment that was left half changed.
    fn changes_services(&self) -> bool {
        match self {
            Self::Start(_)
            | Self::Stop(_)
            | Self::Restart(_)
            | Self::Reload(_)
            | Self::Adopt(_)
            | Self::Forget(_)
            | Self::Upgrade(_)
            | Self::Rollback(_)
            | Self::Gc(_) => true,
            Self::Deploy(args) => !args.only_looks(),
            Self::Content(args) => !args.only_looks(),
            Self::Config(args) => !args.only_looks(),
            Self::Agent(args) => args.is_one_round(),
            _ => false,
        }
    }

    /// Returns the repository that the command line names.
    fn repository(&self) -> Option<&str> {
        match self {
            Self::Install(args) => args.repo.as_deref(),
            Self::Resolve(args) => args.repo.as_deref(),
            Self::Search(args) => args.repo.as_deref(),
            Self::Info(args) => args.repo.as_deref(),
            Self::Repair(args) => args.repo.as_deref(),
            Self::Upgrade(args) => args.repo.as_deref(),
            Self::Rehearse(args) => args.repo.as_deref(),
            Self::Deploy(args) => args.repository(),
            _ => None,
        }
    }

    /// Tells whether the command changes nothing, keeps nothing and runs nothing of the prefix.
    fn only_looks(&self) -> bool {
        match self {
            Self::List(_)
            | Self::Verify(_)
            | Self::History(_)
            | Self::Diff(_)
            | Self::Status(_)
            | Self::Dirs(_)
            | Self::Crontab(_)
            | Self::Timer(_)
            | Self::Completions(_)
            | Self::Version(_)
            | Self::Store(_) => true,
            Self::Logs(args) => !args.rotates(),
            Self::Deploy(args) => args.only_looks(),
            Self::Content(args) => args.only_looks(),
            Self::Follow(args) => args.only_looks(),
            Self::Trust(args) => args.only_looks(),
            Self::Repo(args) => args.only_looks(),
            Self::Config(args) => args.only_looks(),
            Self::Host(args) => args.only_looks(),
            _ => false,
        }
    }
}

fn dispatch(command: &Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Install(args) => {
            interruption::while_fetching(context, |context| install::run(args, context))
        }
        Command::Remove(args) => remove::run(args, context),
        Command::List(args) => list::run(args, context),
        Command::Info(args) => info::run(args, context),
        Command::Resolve(args) => resolve::run(args, context),
        Command::Search(args) => search::run(args, context),
        Command::Verify(args) => verify::run(args, context),
        Command::Repair(args) => repair::run(args, context),
        Command::Start(args) => start::run(args, context),
        Command::Stop(args) => stop::run(args, context),
        Command::Restart(args) => restart::run(args, context),
        Command::Adopt(args) => adopt::run(args, context),
        Command::Forget(args) => forget::run(args, context),
        Command::Reload(args) => reload::run(args, context),
        Command::Exec(args) => exec::run(args, context),
        Command::Upgrade(args) => upgrade::run(args, context),
        Command::Rollback(args) => rollback::run(args, context),
        Command::Rehearse(args) => rehearse::run(args, context),
        Command::RehearseInside(args) => rehearse_inside::run(args, context),
        Command::History(args) => history::run(args, context),
        Command::Why(args) => why::run(args, context),
        Command::Diff(args) => diff::run(args, context),
        Command::Deploy(args) => deploy::run(args, context),
        Command::Content(args) => content::run(args, context),
        Command::Follow(args) => follow::run(args, context),
        Command::Unfollow(args) => follow::unfollow(args, context),
        Command::Agent(args) => agent::run(args, context),
        Command::Crontab(args) => agent::crontab(args, context),
        Command::Timer(args) => agent::timer(args, context),
        Command::Host(args) => host::run(args, context),
        Command::Store(args) => store::run(args, context),
        Command::Gc(args) => gc::run(args, context),
        Command::Status(args) => status::run(args, context),
        Command::Supervise(args) => supervise::run(args, context),
        Command::Unit(args) => unit::run(args, context),
        Command::Check(args) => check::run(args, context),
        Command::Logs(args) => logs::run(args, context),
        Command::Trust(args) => trust::run(args, context),
        Command::Repo(args) => repo::run(args, context),
        Command::Recover(args) => recover::run(args, context),
        Command::Config(args) => config::run(args, context),
        Command::Dirs(args) => dirs::run(args, context),
        Command::Completions(args) => match args.list {
            Some(what) => completions::list(what, context),
            None => Ok(completions::run(args, context.report)),
        },
        Command::Explain(args) => Ok(explain_code(args, context.report)?),
        Command::Version(args) => Ok(version::run(args, context.report)),
        Command::RunUnit(args) => {
            run_unit::run(args, &context::Place::default(), context.report, &context.ambient)
        }
    }
}
