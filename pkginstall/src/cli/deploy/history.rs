//! `pkginstall deploy history`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Label;
use serde_json::{Value, json};

use super::super::Context;
use crate::deploy::{DeployError, DeploymentStore};
use crate::host::Prefix;

/// The arguments of `deploy history`.
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// The deployment, by its name here
    #[arg(value_name = "NAME")]
    name: Label,
}

pub(super) fn run(args: &HistoryArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let store = known(&prefix, &args.name)?;
    let current = store.current_number()?;
    let (mut documents, mut lines) = (Vec::new(), Vec::new());
    for number in store.list()? {
        let (made, outcome) = (store.read(number)?, store.outcome(number)?);
        let failure = store.failure(number)?;
        let mark = if Some(number) == current { "*" } else { " " };
        let from = made.parent.map_or_else(|| "-".to_owned(), |parent| parent.to_string());
        let cause = made.cause.word();
        let mut line = format!(
            "{mark} {from:>3} → {number:<3} {:<6} {:.0}  {cause:<9} {}  {}: {}",
            outcome.state.word(),
            outcome.since,
            made.desired.package,
            made.actor,
            made.reason
        );
        if let Some(failure) = &failure {
            line = format!("{line}\n    {}", failure.why);
            let logs = failure.logs.iter().map(|log| format!("\n    its output is in {log}"));
            let services = failure.services.iter().map(|service| format!("\n    {service}"));
            line.extend(logs.chain(services));
        }
        lines.push(line);
        documents.push(json!({
            "number": number,
            "parent": made.parent,
            "cause": made.cause,
            "outcome": outcome.state,
            "since": outcome.since,
            "package": made.desired.package,
            "environment": made.desired.environment,
            "host": made.desired.host,
            "actor": made.actor,
            "reason": made.reason,
            "services": store.services(number)?,
            "failure": failure,
        }));
    }
    let document: Value = json!({ "deployment": args.name, "current": current, "generations": documents });
    context.report.data(&document, || lines.join("\n"));
    Ok(Exit::Ok)
}

/// Opens a deployment that must be here.
pub(super) fn known(prefix: &Prefix, name: &Label) -> Result<DeploymentStore, DeployError> {
    if prefix.deployment(name).is_dir() {
        return Ok(DeploymentStore::of(prefix, name));
    }
    Err(DeployError::Unknown { name: name.clone(), known: DeploymentStore::names(prefix)? })
}
