//! `pkginstall config apply`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::manifest::OnReturn;
use serde_json::{Value as Json, json};

use super::super::Context;
use super::super::select::{Selector, select};
use super::super::start::at_site;
use super::super::stop::not_begun;
use super::super::upgrade::on_return;
use crate::configure::Accept;
use crate::interrupt;
use crate::upgrade::{Reconfiguration, Reconfigured, Way, reconfigure};

/// The arguments of `config apply`.
#[derive(Debug, Args)]
#[command(after_help = "Should a service not be well with its new configuration, it gets the old one back.")]
pub(super) struct Apply {
    /// The services, or patterns of services such as *.web.prod.*; all of the prefix if none is named
    #[arg(value_name = "SERVICE")]
    services: Vec<Selector>,
    /// Whose side to take where a change of the configuration by hand contradicts that of the package
    #[arg(long, value_name = "SIDE")]
    accept: Option<Accept>,
    /// Restart, also what can be reloaded
    #[arg(long)]
    restart: bool,
    /// Copy the data before (restore), or leave it as the new configuration left it (keep), should the service not be well; it stays when left
    /// out
    #[arg(long, value_name = "WHAT", value_parser = on_return)]
    on_return: Option<OnReturn>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "configured")]
    reason: String,
    /// Render and merge, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Apply, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let way = match (args.dry_run, args.restart) {
        (true, _) => Way::Try,
        (_, true) => Way::Restart,
        _ => Way::Gentle,
    };
    let mut done: Vec<(ServiceCoordinate, Reconfigured)> = Vec::new();
    let services = select(&args.services, context)?;
    for (at, service) in services.iter().enumerate() {
        interrupt::check().map_err(|interrupted| not_begun(interrupted, &services[at..]))?;
        let request = Reconfiguration {
            service: service.clone(),
            accept: args.accept,
            way,
            on_return: args.on_return,
            reason: args.reason.clone(),
        };
        let one = at_site(context, |site| reconfigure(site, &request))?;
        done.push((service.clone(), one));
    }
    let changed = done.iter().any(|(_, one)| matches!(one, Reconfigured::Reloaded | Reconfigured::Restarted));
    let rows: Vec<Json> =
        done.iter().map(|(service, one)| json!({ "service": service, "done": one })).collect();
    context.report.data(&json!({ "changed": changed, "services": rows }), || {
        done.iter().map(|(service, one)| format!("{service} {}", words(*one))).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

fn words(done: Reconfigured) -> &'static str {
    match done {
        Reconfigured::Unchanged => "is configured so already",
        Reconfigured::Different => "would be configured anew",
        Reconfigured::Reloaded => "was reloaded with its new configuration",
        Reconfigured::Restarted => "has its new configuration",
    }
}
