//! `pkginstall history`.

use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;
use serde_json::json;

use super::Context;
use crate::answers;
use crate::generation::{Event, GenerationError, Generations, History, Number, Verdict};
use crate::upgrade::SetAside;

/// The arguments of `history`.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The service: instance.service.user.cell
    #[arg(value_name = "SERVICE")]
    service: ServiceCoordinate,
    /// Write this generation to a tar archive, with its logs and what was kept of it
    #[arg(long, value_name = "NUMBER", requires = "out")]
    export: Option<Number>,
    /// The archive to write
    #[arg(long, value_name = "FILE", requires = "export")]
    out: Option<Utf8PathBuf>,
}

pub(super) fn run(args: &Show, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let service = &args.service;
    if let (Some(number), Some(file)) = (args.export, &args.out) {
        let file = context.working_directory().join(file);
        let bytes = answers::export(&prefix, service, number, &file)?;
        let document =
            json!({ "changed": true, "service": service, "number": number, "file": file, "bytes": bytes });
        context.report.data(&document, || file.to_string());
        return Ok(Exit::Ok);
    }
    let (history, generations) = (History::read(&prefix, service)?, Generations::of(&prefix, service));
    let current = generations.current_number()?;
    if history.events().is_empty() && current.is_none() {
        return Err(GenerationError::None { service: service.clone() }.into());
    }
    let set_aside = SetAside::list(&prefix, service)?;
    let document = json!({
        "service": service,
        "set_aside": set_aside,
        "current": current,
        "generations": generations.list()?,
        "digest": history.head(),
        "changes": history.events(),
    });
    context.report.data(&document, || {
        let events = history.events();
        // What it is now, it is by the last change that led there.
        let is_it = |event: &Event| event.verdict == Verdict::Good && Some(event.to) == current;
        let here = events.iter().rposition(is_it);
        let lines = events
            .iter()
            .enumerate()
            .map(|(at, event)| line(event, if Some(at) == here { "*" } else { " " }));
        let asides = set_aside.iter().map(|aside| format!("  {}: {aside}", aside.name));
        lines.chain(asides).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

fn line(event: &Event, mark: &str) -> String {
    let verdict = serde_json::to_value(event.verdict).unwrap_or_default();
    let verdict = verdict.as_str().unwrap_or_default().to_owned();
    let from = event.from.map_or_else(|| "-".to_owned(), |from| from.to_string());
    let down = event.downtime_milliseconds.map(|ms| format!(", down {ms} ms")).unwrap_or_default();
    let why = event.why.as_ref().map(|why| format!("\n    {why}")).unwrap_or_default();
    let Event { to, time, cause, package, actor, reason, .. } = event;
    let cause = cause.word();
    format!(
        "{mark} {from:>3} → {to:<3} {verdict:<6} {time:.0}  {cause:<9} {package}  {actor}: {reason}{down}{why}"
    )
}
