//! `pkginstall deploy hosts`: every host of a local world, its services, how they are, and where they are reached.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::deployment::{HostAddress, HostId};
use serde::Serialize;
use serde_json::json;

use super::super::super::Context;
use super::super::super::start::at_site;
use super::super::super::table::table;
use super::WorldArgs;
use super::up::rows;
use crate::deploy::{self, DeploymentStore};
use crate::health::{self, Condition};
use crate::host::Prefix;
use crate::world::World;

/// The arguments of `deploy hosts`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every service is well, 1 one is not, 3 one is stopped or was never started."
)]
pub(in super::super) struct HostsArgs {
    #[command(flatten)]
    world: WorldArgs,
}

pub(in super::super) fn run(args: &HostsArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let world = args.world.open(context)?;
    let rows = rows(context, &world)?;
    Ok(show(context, &world, false, &rows))
}

/// A host of a world.
#[derive(Debug, Serialize)]
pub(super) struct HostRow {
    host: HostId,
    address: HostAddress,
    services: Vec<ServiceRow>,
}

/// A service of a host.
#[derive(Debug, Serialize)]
struct ServiceRow {
    service: ServiceCoordinate,
    #[serde(flatten)]
    condition: Condition,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// Looks at one host. One that was never brought up has no services.
pub(super) fn look(context: &mut Context<'_>, world: &World, host: &HostId) -> Result<HostRow, Failure> {
    let prefix = context.prefix()?;
    let mut services = Vec::new();
    for (service, url) in services_of(&prefix)? {
        let condition = at_site(context, |site| health::condition(site, &service))?;
        services.push(ServiceRow { service, condition, url });
    }
    Ok(HostRow { host: host.clone(), address: world.addresses()[host].clone(), services })
}

fn services_of(prefix: &Prefix) -> Result<Vec<(ServiceCoordinate, Option<String>)>, Failure> {
    let mut services = Vec::new();
    for name in DeploymentStore::names(prefix)? {
        let found = deploy::status(prefix, &name)?.services;
        services.extend(found.into_iter().map(|one| (one.service, one.url)));
    }
    Ok(services)
}

/// Shows the hosts, and returns the exit code that says how they are.
pub(super) fn show(context: &mut Context<'_>, world: &World, changed: bool, rows: &[HostRow]) -> Exit {
    let cells: Vec<Vec<String>> = rows.iter().flat_map(cells).collect();
    let lines = table(context.report, &["HOST", "ADDRESS", "SERVICE", "HEALTH", "URL"], &cells);
    let document = json!({ "changed": changed, "world": world.root(), "hosts": rows });
    context.report.data(&document, || lines.join("\n"));
    let conditions = || rows.iter().flat_map(|row| &row.services).map(|row| &row.condition);
    let is_down = |condition: &Condition| matches!(condition, Condition::Stopped { .. });
    if rows.iter().any(|row| row.services.is_empty()) || conditions().any(is_down) {
        Exit::Stopped
    } else if conditions().all(|condition| matches!(condition, Condition::Well)) {
        Exit::Ok
    } else {
        Exit::Failure
    }
}

fn cells(row: &HostRow) -> Vec<Vec<String>> {
    let of_host = |service: &str, health: String, url: String| {
        vec![row.host.to_string(), row.address.to_string(), service.to_owned(), health, url]
    };
    if row.services.is_empty() {
        return vec![of_host("–", "never brought up".to_owned(), String::new())];
    }
    let of_service = |one: &ServiceRow| {
        of_host(&one.service.to_string(), one.condition.to_string(), one.url.clone().unwrap_or_default())
    };
    row.services.iter().map(of_service).collect()
}
