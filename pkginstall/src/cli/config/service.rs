//! `pkginstall config` for services: values with their origins, changes by hand, conflicts.

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::conditions::ConditionName;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use serde_json::{Value as Json, json};

use super::super::Context;
use super::Resolve;
use crate::conditions::{self, Stated};
use crate::configure::{self, Accept, Decision, Edit, EditKind, Pending, Value, Values};
use crate::generation::Generations;
use crate::host::{Effect, Prefix};
use crate::service::{self, InstalledService, ServiceError};

pub(super) fn show(
    service: &ServiceCoordinate,
    package: Option<&PackageCoordinate>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let values = Values::of_service(&prefix, service, package)?;
    let installed = InstalledService::open(&prefix, values.package())?;
    let stated = conditions::list(&prefix, service, values.package(), &installed.service.conditions)
        .map_err(ServiceError::from)?;
    let row = |(name, value): (_, &Value)| {
        json!({ "name": name, "type": value.setting.kind, "value": value.value, "origin": value.origin,
            "description": value.setting.description })
    };
    let rows: Vec<Json> = values.iter().map(row).collect();
    let named = |stated: &Stated| format!("{}{}", ConditionName::PREFIX, stated.name);
    let of_condition =
        |stated: &Stated| json!({ "name": named(stated), "value": stated.value, "origin": stated.origin });
    let conditions: Vec<Json> = stated.iter().map(of_condition).collect();
    let document =
        json!({ "service": service, "package": values.package(), "values": rows, "conditions": conditions });
    context.report.data(&document, || {
        let line = |(name, value): (_, &Value)| {
            let shown = value.value.as_ref().map_or_else(|| "-".into(), |value| json!(value).to_string());
            format!("{name} = {shown}  # {}", value.origin)
        };
        let condition =
            |stated: &Stated| format!("{} = {}  # {}", named(stated), json!(stated.value), stated.origin);
        values.iter().map(line).chain(stated.iter().map(condition)).collect::<Vec<_>>().join("\n")
    });
    if rows.is_empty() && stated.is_empty() {
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
    let prefix = context.prefix()?;
    let (conditions, settings) = split(assignments);
    let assign = |effect| {
        let set = configure::assign(&prefix, service, package, &settings, effect)?;
        Ok::<_, ServiceError>(conditions::assign_conditions(&prefix, service, &conditions, effect)? || set)
    };
    // Both are checked before one is written.
    let different = assign(Effect::DryRun)?;
    if effect == Effect::Real {
        assign(effect)?;
    }
    written(service, different, &files(&prefix, service, &settings, &conditions), effect, context);
    Ok(Exit::Ok)
}

pub(super) fn unset(
    service: &ServiceCoordinate,
    names: &[String],
    effect: Effect,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let (conditions, settings) = split(names);
    let take_back = |effect| {
        let taken = configure::take_back(&prefix, service, &settings, effect)?;
        Ok::<_, ServiceError>(
            conditions::take_back_conditions(&prefix, service, &conditions, effect)? || taken,
        )
    };
    let different = take_back(Effect::DryRun)?;
    if effect == Effect::Real {
        take_back(effect)?;
    }
    written(service, different, &files(&prefix, service, &settings, &conditions), effect, context);
    Ok(Exit::Ok)
}

/// Tells conditions, which begin with `service.`, from settings.
fn split(texts: &[String]) -> (Vec<&str>, Vec<String>) {
    let condition = |text: &&String| text.starts_with(ConditionName::PREFIX);
    let (conditions, settings): (Vec<&String>, Vec<&String>) = texts.iter().partition(condition);
    let conditions =
        conditions.into_iter().filter_map(|text| text.strip_prefix(ConditionName::PREFIX)).collect();
    (conditions, settings.into_iter().cloned().collect())
}

/// The files that settings and conditions are written to.
fn files(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    settings: &[String],
    conditions: &[&str],
) -> Vec<Utf8PathBuf> {
    let values = (!settings.is_empty()).then(|| configure::values_file(prefix, service));
    let overrides = (!conditions.is_empty()).then(|| conditions::overrides_file(prefix, service));
    values.into_iter().chain(overrides).collect()
}

fn written(
    service: &ServiceCoordinate,
    different: bool,
    files: &[Utf8PathBuf],
    effect: Effect,
    context: &mut Context<'_>,
) {
    let changed = different && effect == Effect::Real;
    let document = json!({ "changed": changed, "would_change": different, "service": service,
        "file": files.first(), "files": files });
    let names = files.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    context.report.data(&document, || match (different, effect) {
        (false, _) => "nothing is different".into(),
        (true, Effect::Real) => format!("written to {names}"),
        (true, Effect::DryRun) => format!("would be written to {names}"),
    });
    if changed {
        context.report.note(format!("it counts from `pkginstall config apply {service}` on"));
    }
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
