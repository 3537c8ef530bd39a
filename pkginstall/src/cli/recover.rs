//! `pkginstall recover`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::Context;
use super::context::describe;
use crate::host::{Catalogue, Notice};

/// The arguments of `recover`.
#[derive(Debug, Args)]
pub(super) struct Recover {}

pub(super) fn run(_args: &Recover, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let mut recovered = Vec::new();
    let (report, wait) = (&mut *context.report, context.settings.wait());
    Catalogue::lock(&prefix, wait, &mut |notice| match notice {
        Notice::Recovered(what) => recovered.push(what),
        waiting @ Notice::Waiting { .. } => report.note(describe(&waiting)),
    })?;
    let document = json!({ "changed": !recovered.is_empty(), "recovered": recovered });
    context
        .report
        .data(&document, || recovered.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    if recovered.is_empty() {
        context.report.note("nothing to recover");
    }
    Ok(Exit::Ok)
}
