//! `pkginstall deploy diff`: what differs between two generations of a deployment.

use std::collections::BTreeSet;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{Label, ServiceCoordinate};
use serde_json::json;

use super::super::Context;
use super::history::known;
use crate::answers;
use crate::deploy::{DeploymentGeneration, DesiredService};
use crate::generation::Number;

/// The arguments of `deploy diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The deployment, by its name here
    #[arg(value_name = "NAME")]
    name: Label,
    /// The generation before
    #[arg(value_name = "NUMBER")]
    from: Number,
    /// The generation after
    #[arg(value_name = "NUMBER")]
    to: Number,
}

pub(super) fn run(args: &DiffArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let store = known(&prefix, &args.name)?;
    let (from, to) = (store.read(args.from)?, store.read(args.to)?);
    let lines = differences(&from, &to);
    let (before, after) = (store.services(args.from)?, store.services(args.to)?);
    let mut configuration = Vec::new();
    for (service, one) in &before {
        let Some(other) = after.get(service).filter(|other| *other != one) else { continue };
        // A generation that was removed since has nothing to compare.
        if let Ok(compared) = answers::compare(&prefix, service, *one, *other) {
            configuration.extend(compared.configuration.into_iter().map(|change| {
                let shown = change.diff.unwrap_or_else(|| "it differs, and is not shown".into());
                format!("{service}: etc/{} {}\n{shown}", change.file.path, change.file.change)
            }));
        }
    }
    let document = json!({
        "deployment": args.name,
        "from": args.from,
        "to": args.to,
        "differences": lines,
        "configuration": configuration,
    });
    context.report.data(&document, || {
        lines.iter().cloned().chain(configuration.iter().cloned()).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

/// Names what differs, a line each.
fn differences(from: &DeploymentGeneration, to: &DeploymentGeneration) -> Vec<String> {
    let mut lines = Vec::new();
    if from.desired.package != to.desired.package {
        lines.push(format!("deployment: {} → {}", from.desired.package, to.desired.package));
    }
    let services = |one: &DeploymentGeneration| -> Vec<ServiceCoordinate> {
        one.desired.services.iter().map(|one| one.service.clone()).collect()
    };
    let all: BTreeSet<ServiceCoordinate> = services(from).into_iter().chain(services(to)).collect();
    for service in all {
        match (from.desired.service(&service), to.desired.service(&service)) {
            (None, Some(new)) => lines.push(format!("{service}: new, {}", new.package)),
            (Some(_), None) => lines.push(format!("{service}: removed")),
            (Some(one), Some(other)) => of_service(one, other, &mut lines),
            (None, None) => {}
        }
    }
    lines
}

fn of_service(one: &DesiredService, other: &DesiredService, lines: &mut Vec<String>) {
    let service = &one.service;
    if one.package != other.package || one.digest != other.digest {
        lines.push(format!("{service}: {} → {}", one.package, other.package));
    }
    if one.parameters != other.parameters {
        let (before, after) = (one.parameters.join(" "), other.parameters.join(" "));
        lines.push(format!("{service}: parameters {before} → {after}"));
    }
    let names: BTreeSet<&String> = one.values.keys().chain(other.values.keys()).collect();
    for name in names {
        let value = |side: &DesiredService| side.values.get(name).map(|(value, _)| value.to_string());
        let (before, after) = (value(one), value(other));
        if before != after {
            let shown = |value: Option<String>| value.unwrap_or_else(|| "not set".into());
            lines.push(format!("{service}: {name} {} → {}", shown(before), shown(after)));
        }
    }
}
