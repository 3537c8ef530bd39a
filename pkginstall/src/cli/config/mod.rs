//! `pkginstall config`: the settings of pkginstall itself, and the configuration of services.

mod apply;
mod service;
mod settings;

use clap::{Args, Subcommand};
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::index::EntryPath;

use self::settings::Origins;
use super::Context;
use crate::host::Effect;

/// The arguments of `config`.
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    command: ConfigCommand,
}

impl Config {
    /// Tells whether nothing is changed.
    pub(super) fn only_looks(&self) -> bool {
        matches!(
            self.command,
            ConfigCommand::Show { .. } | ConfigCommand::Diff { .. } | ConfigCommand::Resolve(_)
        )
    }
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show the value of every setting: of pkginstall itself, or of a service
    Show {
        /// The service: instance.service.user.cell. Without one: pkginstall itself
        service: Option<ServiceCoordinate>,
        /// Say where each value came from; for a service that is always said
        #[arg(long)]
        origin: bool,
        /// The installed package whose settings are meant; the one that the service runs if left out
        #[arg(long, value_name = "PACKAGE", requires = "service")]
        package: Option<PackageCoordinate>,
    },
    /// Set values of a service; `config apply` makes them count
    Set {
        /// The service: instance.service.user.cell
        service: ServiceCoordinate,
        /// What to set. A list has commas; a secret is `file:/PATH`, `env:NAME` or `credential:NAME`; limits, umask and environment are
        /// `service.limits.memory`, `service.umask`, `service.env.NAME` …
        #[arg(value_name = "NAME=VALUE", required = true)]
        assignments: Vec<String>,
        /// The installed package that declares it; the one that the service runs if left out
        #[arg(long, value_name = "PACKAGE")]
        package: Option<PackageCoordinate>,
        /// Check everything, and write nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Take values of a service back, so that the package's default counts again
    Unset {
        /// The service: instance.service.user.cell
        service: ServiceCoordinate,
        /// What to take back
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        /// Only say whether anything would be different
        #[arg(long)]
        dry_run: bool,
    },
    /// Render configurations anew and make them count: by a reload where a service can, else by a restart
    Apply(apply::Apply),
    /// Show what was changed by hand, and which changes contradict a new version
    Diff {
        /// The service: instance.service.user.cell
        service: ServiceCoordinate,
    },
    /// Decide where changes by hand and a new version contradict one another
    Resolve(Resolve),
}

/// The arguments of `config resolve`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(group = clap::ArgGroup::new("decision").required(true))]
struct Resolve {
    /// The service: instance.service.user.cell
    service: ServiceCoordinate,
    /// The file below etc/; all that contradict one another if left out
    #[arg(value_name = "FILE")]
    file: Option<EntryPath>,
    /// Take what was changed here by hand
    #[arg(long, group = "decision")]
    ours: bool,
    /// Take what the package says
    #[arg(long, group = "decision")]
    theirs: bool,
    /// Take the file that was laid out for review, as it was edited
    #[arg(long, group = "decision")]
    edited: bool,
    /// Only list what would be decided
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Config, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match &args.command {
        ConfigCommand::Show { service: None, origin, .. } => {
            Ok(settings::run(if *origin { Origins::Shown } else { Origins::Hidden }, context))
        }
        ConfigCommand::Show { service: Some(service), package, .. } => {
            service::show(service, package.as_ref(), context)
        }
        ConfigCommand::Set { service, assignments, package, dry_run } => {
            let effect = Effect::of_dry_run(*dry_run);
            service::set(service, package.as_ref(), assignments, effect, context)
        }
        ConfigCommand::Unset { service, names, dry_run } => {
            service::unset(service, names, Effect::of_dry_run(*dry_run), context)
        }
        ConfigCommand::Apply(args) => apply::run(args, context),
        ConfigCommand::Diff { service } => service::diff(service, context),
        ConfigCommand::Resolve(args) => service::resolve(args, context),
    }
}
