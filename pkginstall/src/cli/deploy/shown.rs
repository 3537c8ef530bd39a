//! What a change of a deployment would do, as a person reads it.

use std::fmt::Write as _;

use super::packages::PackageRow;
use crate::deploy::{Act, ServicePreview, Survey, SurveyedService};

/// Names the services that change, one line each.
pub(super) fn brief(survey: &Survey) -> String {
    let changing = survey.steps.iter().filter(|step| step.act.is_something());
    let lines = changing.map(|step| {
        let package = step.preview.package.as_ref().map(|package| format!(": {package}"));
        format!("  {}  {}{}", step.service, step.act.word(), package.unwrap_or_default())
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Describes what would be done.
pub(super) fn text(survey: &Survey, packages: &[PackageRow]) -> String {
    let desired = &survey.desired;
    let from = survey.from.as_ref().map_or_else(
        || "nothing of it is here yet".to_owned(),
        |from| format!("now generation {}, {}", from.number, from.desired.package),
    );
    let mut text = format!(
        "the deployment {}: {}, environment {}, host {} ({from})\n",
        desired.name, desired.package, desired.environment, desired.host
    );
    if !packages.is_empty() {
        text.push_str("\npackages\n");
        for row in packages {
            let what = if row.installed {
                "installed".to_owned()
            } else {
                format!("{} bytes to fetch", row.fetch_bytes)
            };
            let _ = writeln!(text, "  {}  {what}", row.package);
        }
    }
    text.push_str("\nservices, in order\n");
    for step in &survey.steps {
        service(&mut text, step);
    }
    let changing = survey.steps.iter().filter(|step| step.act.is_something()).count();
    let summary = match (changing, survey.is_nothing()) {
        (_, true) => "nothing to do".to_owned(),
        (0, false) => "no service changes; the deployment gets a new generation".to_owned(),
        (changing, false) => {
            let stopped = survey.steps.iter().filter(|step| step.stops == Some(true)).count();
            format!("{changing} of {} services change, {stopped} of them stop for it", survey.steps.len())
        }
    };
    let _ = write!(text, "\n{summary}");
    text
}

fn service(text: &mut String, step: &SurveyedService) {
    let SurveyedService { service, act, preview, .. } = step;
    let how = match (act, step.stops) {
        (Act::Create, _) => ": started for the first time",
        (Act::Start, _) => ": started, it does not run",
        (Act::Change, Some(true)) => ": stopped and started",
        (Act::Change, Some(false)) => ": without a stop",
        (Act::Retire, _) => ": stopped and kept",
        _ => "",
    };
    let _ = writeln!(text, "  {service}  {}{how}", act.word());
    if !act.is_something() || *act == Act::Start {
        return;
    }
    details(text, preview, *act);
}

fn details(text: &mut String, preview: &ServicePreview, act: Act) {
    match (&preview.package_before, &preview.package) {
        (Some(before), Some(after)) if before != after => {
            let _ = writeln!(text, "    package: {before} → {after}");
        }
        (None, Some(after)) => {
            let _ = writeln!(text, "    package: {after}");
        }
        _ => {}
    }
    match &preview.parameters_before {
        Some(before) => {
            let _ = writeln!(text, "    parameters: {} → {}", before.join(" "), preview.parameters.join(" "));
        }
        None if act == Act::Create && !preview.parameters.is_empty() => {
            let _ = writeln!(text, "    parameters: {}", preview.parameters.join(" "));
        }
        None => {}
    }
    for change in &preview.settings {
        let origin = format!("  ({})", change.origin);
        let _ = writeln!(
            text,
            "    {}{origin}",
            value(&change.name, change.before.as_ref(), change.after.as_ref())
        );
    }
    for change in &preview.conditions {
        let _ = writeln!(text, "    {}", value(&change.name, change.before.as_ref(), change.after.as_ref()));
    }
    match &preview.configuration {
        None if act != Act::Retire => {
            text.push_str("    its configuration is shown once its package is here\n");
        }
        None => {}
        Some(files) => {
            for file in files {
                match &file.diff {
                    Some(diff) => diff.lines().for_each(|line| {
                        let _ = writeln!(text, "    {line}");
                    }),
                    None => {
                        let _ = writeln!(text, "    etc/{} differs; it is not shown", file.path);
                    }
                }
            }
        }
    }
}

/// Shows a value that is new, or that is another.
fn value(name: &str, before: Option<&String>, after: Option<&String>) -> String {
    let after = after.map_or("not set", String::as_str);
    before.map_or_else(|| format!("{name}: {after}"), |before| format!("{name}: {before} → {after}"))
}
