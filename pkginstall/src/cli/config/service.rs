//! `pkginstall config` for services: values with their origins, changes by hand, conflicts.

use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use serde_json::{Value as Json, json};

use super::super::Context;
use super::Resolve;
use crate::configure::{self, Accept, Decision, Edit, EditKind, Pending, Value, Values};
use crate::generation::Generations;
use crate::host::Effect;
use crate::service::{self, ServiceError};

pub(super) fn show(
    service: &ServiceCoordinate,
    package: Option<&PackageCoordinate>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let values = Values::of_service(&context.prefix()?, service, package)?;
    let row = |(name, value): (_, &Value)| {
        json!({ "name": name, "type": value.setting.kind, "value": value.value, "origin": value.origin,
            "description": value.setting.description })
    };
    let rows: Vec<Json> = values.iter().map(row).collect();
    let document = json!({ "service": service, "package": values.package(), "values": rows });
    context.report.data(&document, || {
        let line = |(name, value): (_, &Value)| {
            let shown = value.value.as_ref().map_or_else(|| "-".into(), |value| json!(value).to_string());
            format!("{name} = {shown}  # {}", value.origin)
        };
        values.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    if rows.is_empty() {
        context.report.note(format!("{} declares nothing that can be set", values.package()));
    }
    Ok(Exit::Ok)
}

pub(super) fn set(
    service: &ServiceCoordinate,
    package: Option<&PackageCoordinate>,
    assignments: &[String],
    effect: Effect,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let changed = configure::assign(&context.prefix()?, service, package, assignments, effect)?;
    written(service, changed, effect, context)
}

pub(super) fn unset(
    service: &ServiceCoordinate,
    names: &[String],
    effect: Effect,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let changed = configure::take_back(&context.prefix()?, service, names, effect)?;
    written(service, changed, effect, context)
}

fn written(
    service: &ServiceCoordinate,
    different: bool,
    effect: Effect,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let file = configure::values_file(&context.prefix()?, service);
    let changed = different && effect == Effect::Real;
    let document = json!({ "changed": changed, "would_change": different, "service": service, "file": file });
    context.report.data(&document, || match (different, effect) {
        (false, _) => "nothing is different".into(),
        (true, Effect::Real) => format!("written to {file}"),
        (true, Effect::DryRun) => format!("would be written to {file}"),
    });
    if changed {
        context.report.note(format!("it counts from `pkginstall config apply {service}` on"));
    }
    Ok(Exit::Ok)
}

pub(super) fn diff(service: &ServiceCoordinate, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    if service::known(&prefix)?.binary_search(service).is_err() {
        return Err(ServiceError::NeverStarted { service: service.clone() }.into());
    }
    let generations = Generations::of(&prefix, service);
    let current = generations.current_number()?;
    let edits = match current {
        Some(number) => configure::edits(&prefix, service, &generations.etc(number))?,
        None => Vec::new(),
    };
    let conflicts = configure::conflicts(&prefix, service)?;
    let document = json!({ "service": service, "edits": edits, "conflicts": conflicts.iter().map(row).collect::<Vec<_>>() });
    context.report.data(&document, || {
        let edits = edits.iter().map(edit_text);
        edits.chain(conflicts.iter().map(conflict_text)).collect::<Vec<_>>().join("\n")
    });
    if edits.is_empty() && conflicts.is_empty() {
        context.report.note(format!("{service} is configured as its package says"));
    }
    Ok(Exit::Ok)
}

fn edit_text(edit: &Edit) -> String {
    match (&edit.diff, edit.kind) {
        (Some(diff), _) => diff.trim_end().to_owned(),
        (None, EditKind::Changed) => {
            format!("etc/{} was changed; it may hold a secret, or is no text", edit.path)
        }
        (None, EditKind::Removed) => format!("etc/{} is gone; the next start puts it back", edit.path),
    }
}

fn row(pending: &Pending) -> Json {
    json!({ "path": pending.path, "file": pending.file, "decided": pending.decided, "secret": pending.secret })
}

fn conflict_text(pending: &Pending) -> String {
    let state = if pending.decided { "decided" } else { "to be decided" };
    format!("etc/{} is changed here and by the package: {state}, see {}", pending.path, pending.file)
}

pub(super) fn resolve(args: &Resolve, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let decision = match (args.ours, args.theirs) {
        (true, _) => Decision::Side(Accept::Ours),
        (_, true) => Decision::Side(Accept::Theirs),
        _ => Decision::Edited,
    };
    let prefix = context.prefix()?;
    let effect = Effect::of_dry_run(args.dry_run);
    let conflicts = configure::resolve(&prefix, &args.service, args.file.as_ref(), decision, effect)?;
    let rows: Vec<Json> = conflicts.iter().map(row).collect();
    let document = json!({ "changed": effect == Effect::Real, "service": args.service, "conflicts": rows });
    context.report.data(&document, || conflicts.iter().map(conflict_text).collect::<Vec<_>>().join("\n"));
    Ok(Exit::Ok)
}
