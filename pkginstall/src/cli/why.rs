//! `pkginstall why`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;

use super::Context;
use crate::answers::{self, Answer, Trusted, Vouching};
use crate::metadata::Keeping;
use crate::repository::{Network, Resolver};

/// The arguments of `why`.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// The service: instance.service.user.cell
    #[arg(value_name = "SERVICE")]
    service: ServiceCoordinate,
}

pub(super) fn run(args: &Why, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let sources = context.sources();
    let asking = context.asking(&prefix, Network::Offline, Keeping::InMemory);
    let mut tell = |_: String| {};
    let answer = answers::why(&prefix, &args.service, &mut Resolver::new(&sources, asking, &mut tell))?;
    context.report.data(&answer, || describe(&answer));
    Ok(Exit::Ok)
}

fn describe(answer: &Answer) -> String {
    let mut lines: Vec<(&str, String)> = vec![("service", answer.service.to_string())];
    for process in &answer.processes {
        let program = process.program.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
        lines.push(("process", format!("{}{program}", process.pid)));
    }
    if answer.processes.is_empty() {
        lines.push(("process", "none".into()));
    }
    let generation = &answer.generation;
    let state = answer.outcome.state.word();
    lines.push(("generation", format!("{}, {state} since {:.0}", generation.number, answer.outcome.since)));
    lines.push((
        "made by",
        format!("{} on {:.0}: {}", generation.actor, generation.created, generation.reason),
    ));
    if let Some(asked) = &generation.asked {
        lines.push(("asked for", asked.clone()));
    }
    if let Some(change) = &answer.change {
        let by = format!("{} by {} on {:.0}", change.cause.word(), change.actor, change.time);
        let recorded = if answer.generation_as_recorded { "as recorded" } else { "NOT AS RECORDED" };
        lines.push(("change", format!("{by}, {recorded}")));
    }
    lines.push(("package", format!("{} {}", generation.package, generation.digest)));
    if let Some(receipt) = &answer.receipt {
        lines.push(("from", format!("{} on {:.0}", receipt.source, receipt.installed)));
        lines.extend(receipt.vouched_by.iter().map(|by| ("recorded", format!("vouched for by {by}"))));
    }
    lines.push(("files", files(answer.differences)));
    lines.push(("signed", signed(answer)));
    lines.push(("vouched", vouched(&answer.vouched)));
    lines.extend(answer.sources.iter().map(|source| ("source", format!("{} {}", source.uri, source.digest))));
    lines.iter().map(|(name, value)| format!("{name:<10} {value}")).collect::<Vec<_>>().join("\n")
}

fn files(differences: Option<usize>) -> String {
    match differences {
        None => "not installed any more".into(),
        Some(0) => "as signed".into(),
        Some(number) => format!("{number} are not as signed"),
    }
}

fn signed(answer: &Answer) -> String {
    let group = answer.generation.package.group();
    match (&answer.trusted, &answer.vouched) {
        (Trusted::Signed { by }, _) => {
            format!("by {}", by.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        // That is how a host trusts a repository: it need not know the keys of each group.
        (Trusted::Not { .. }, Vouching::By { .. }) => {
            format!("no key of {group} is pinned here; the repository vouches for the package")
        }
        (Trusted::Not { why }, _) => format!("by no key that is pinned here: {why}"),
    }
}

fn vouched(vouched: &Vouching) -> String {
    match vouched {
        Vouching::By { repository, role } => format!("by the repository {repository}, role {role}"),
        Vouching::Nobody { why } => format!("by no repository: {why}"),
    }
}
