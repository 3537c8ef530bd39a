//! `pkginstall status`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde::Serialize;

use super::Context;
use super::content::held_lines;
use super::select::{Selector, select};
use super::table::table;
use crate::host::{Stuck, stuck};
use crate::service::{self, State, View};
use crate::upgrade::PendingChange;

/// The arguments of `status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes, as LSB has them: 0 all run, 3 one does not (stopped, or failed: it ended without a stop), 4 the \
                  state of one is unknown or a change of it was cut short, 5 one was never started here."
)]
pub(super) struct Status {
    /// The services, or patterns of services such as *.web.prod.*; all of the prefix if none is named
    #[arg(value_name = "SERVICE")]
    services: Vec<Selector>,
}

#[derive(Serialize)]
struct Document {
    services: Vec<View>,
    /// The contents that are being edited.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    held: Vec<String>,
    /// What recovery could not put right, of packages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stuck: Vec<Stuck>,
}

pub(super) fn run(args: &Status, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let names = select(&args.services, context)?;
    let views = names.iter().map(|name| service::status(&prefix, name)).collect::<Result<Vec<_>, _>>()?;
    if views.is_empty() {
        context.report.note(format!("no service was ever started below {}", prefix.root()));
    }
    let exit = exit(&views);
    let document = Document { services: views, held: held_lines(&prefix)?, stuck: stuck(&prefix) };
    let text = lines(context, &document.services);
    context.report.data(&document, || text);
    for held in &document.held {
        context.report.note(held);
    }
    for stuck in &document.stuck {
        context.report.warn(stuck.to_string());
    }
    Ok(exit)
}

/// The worst state is the command's.
fn exit(views: &[View]) -> Exit {
    let any = |state| views.iter().any(|view| view.state == state);
    let is_pending = |view: &View| view.change.as_ref().is_some_and(PendingChange::needs_recovery);
    if any(State::Unknown) || views.iter().any(is_pending) {
        Exit::Unknown
    } else if any(State::Stopped) || any(State::Failed) {
        Exit::Stopped
    } else {
        Exit::Ok
    }
}

const HEADERS: [&str; 6] = ["SERVICE", "STATE", "PACKAGE", "GENERATION", "PROCESSES", "SINCE"];

fn lines(context: &mut Context<'_>, views: &[View]) -> String {
    let rows: Vec<Vec<String>> = views.iter().map(cells).collect();
    let lines = table(context.report, &HEADERS, &rows).into_iter().zip(views);
    lines.map(|(line, view)| line + &remarks(view)).collect::<Vec<_>>().join("\n")
}

fn cells(view: &View) -> Vec<String> {
    let generation = match (view.generation, view.outcome) {
        (Some(number), Some(outcome)) => format!("generation {number} ({})", outcome.word()),
        _ => String::new(),
    };
    vec![
        view.service.to_string(),
        view.state.word().to_owned(),
        view.package.as_ref().map(ToString::to_string).unwrap_or_default(),
        generation,
        if view.pids.is_empty() { String::new() } else { pids(view) },
        view.since.map(|since| format!("since {since:.0}")).unwrap_or_default(),
    ]
}

/// What else is worth saying of a service, each on a line of its own.
fn remarks(view: &View) -> String {
    let why = view.why.as_ref().map(|why| format!("\n  {why}")).unwrap_or_default();
    let limits = match &view.not_enforced[..] {
        [] => String::new(),
        lacking => format!("\n  limits that are not enforced: {}", lacking.join(", ")),
    };
    let change = view.change.as_ref().map(|change| format!("\n  {change}")).unwrap_or_default();
    let rehearsal = if view.left_rehearsal {
        "\n  a rehearsal was cut short and left its copy: `pkginstall recover` removes it"
    } else {
        ""
    };
    let aside = view.set_aside.iter().fold(String::new(), |text, aside| format!("{text}\n  {aside}"));
    format!("{why}{limits}{change}{rehearsal}{aside}")
}

/// Names the processes of a service for a line.
pub(super) fn pids(view: &View) -> String {
    let numbers = view.pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("{} {numbers}", if view.pids.len() == 1 { "pid" } else { "pids" })
}
