//! `pkginstall deploy status`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Label;
use serde_json::json;

use super::super::Context;
use super::super::table::table;
use crate::deploy::{self, DeploymentStatus, DeploymentStore, ServiceStatus};
use crate::service::State;

/// The arguments of `deploy status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every service runs, 3 one does not, 4 the state of one is unknown or a change was interrupted, 5 there is no such deployment."
)]
pub(super) struct StatusArgs {
    /// The deployments, by their names here; all when left out
    #[arg(value_name = "NAME")]
    names: Vec<Label>,
}

pub(super) fn run(args: &StatusArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let names = if args.names.is_empty() { DeploymentStore::names(&prefix)? } else { args.names.clone() };
    let found = names.iter().map(|name| deploy::status(&prefix, name)).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        context.report.note(format!("there is no deployment below {}", prefix.root()));
    }
    let rows: Vec<Vec<String>> = found.iter().flat_map(|one| &one.services).map(cells).collect();
    let mut lines = table(context.report, &HEADERS, &rows).into_iter();
    let text = found.iter().map(|one| text(one, &mut lines)).collect::<Vec<_>>().join("\n");
    context.report.data(&json!({ "deployments": found }), || text);
    Ok(exit(&found))
}

fn exit(found: &[DeploymentStatus]) -> Exit {
    let is_unknown = |one: &DeploymentStatus| {
        one.change.is_some() || one.services.iter().any(|service| service.state == State::Unknown)
    };
    if found.iter().any(is_unknown) {
        Exit::Unknown
    } else if found.iter().all(DeploymentStatus::is_up) {
        Exit::Ok
    } else {
        Exit::Stopped
    }
}

const HEADERS: [&str; 5] = ["  SERVICE", "STATE", "PACKAGE", "GENERATION", "URL"];

/// Shows a deployment with the next lines of the table, which has one for each service.
fn text(one: &DeploymentStatus, lines: &mut impl Iterator<Item = String>) -> String {
    let head = match (&one.package, one.generation, one.since) {
        (Some(package), Some(number), Some(since)) if one.services.is_empty() => {
            format!("{}: removed {since:.0} (generation {number}, {package})", one.deployment)
        }
        (Some(package), Some(number), Some(since)) => {
            let place = format!(
                "environment {}, host {}",
                one.environment.as_deref().unwrap_or_default(),
                one.host.as_deref().unwrap_or_default()
            );
            format!("{}: {package}, {place}, generation {number} since {since:.0}", one.deployment)
        }
        _ => format!("{}: never good here", one.deployment),
    };
    let change = one.change.iter().map(|change| format!("  {change}"));
    let lines =
        one.services.iter().zip(lines).map(|(service, line)| {
            service.drift.iter().fold(line, |text, drift| format!("{text}\n    {drift}"))
        });
    let retired = one
        .retired
        .iter()
        .map(|retired| format!("  {} is no longer named; kept until {:.0}", retired.service, retired.until));
    let all: Vec<String> = std::iter::once(head).chain(change).chain(lines).chain(retired).collect();
    all.join("\n")
}

fn cells(service: &ServiceStatus) -> Vec<String> {
    vec![
        format!("  {}", service.service),
        service.state.word().to_owned(),
        service.package.to_string(),
        service.generation.map(|number| format!("generation {number}")).unwrap_or_default(),
        service.url.clone().unwrap_or_default(),
    ]
}
