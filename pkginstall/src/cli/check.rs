//! `pkginstall check`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;
use serde::Serialize;

use super::Context;
use super::select::{Selector, select};
use super::start::at_site;
use crate::health::{self, Condition};

/// The arguments of `check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all are well, 1 one is not, 3 one is stopped, 5 one was never started here."
)]
pub(super) struct Check {
    /// The services, or patterns of services such as *.web.prod.*; all of the prefix if none is named
    #[arg(value_name = "SERVICE")]
    services: Vec<Selector>,
}

#[derive(Serialize)]
struct Row {
    service: ServiceCoordinate,
    #[serde(flatten)]
    condition: Condition,
}

pub(super) fn run(args: &Check, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    for service in select(&args.services, context)? {
        let condition = at_site(context, |site| health::condition(site, &service))?;
        rows.push(Row { service, condition });
    }
    let exit = rows.iter().map(|row| exit_of(&row.condition)).max_by_key(|exit| exit.code());
    let text =
        || rows.iter().map(|row| format!("{} {}", row.service, row.condition)).collect::<Vec<_>>().join("\n");
    context.report.data(&serde_json::json!({ "services": rows }), text);
    // One that is stopped is worse than one that is not well.
    Ok(exit.unwrap_or(Exit::Ok))
}

fn exit_of(condition: &Condition) -> Exit {
    match condition {
        Condition::Well => Exit::Ok,
        Condition::Ailing { .. } | Condition::Interrupted { .. } => Exit::Failure,
        Condition::Stopped { .. } => Exit::Stopped,
    }
}
