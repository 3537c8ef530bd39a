//! `pkginstall remove`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::PackageCoordinate;
use serde_json::{Value, json};

use super::Context;
use crate::activate::{Change, InUse, Removal, RemoveError, remove};
use crate::gc::{Reason, Survey};
use crate::host::{self, Catalogue, ForeignFiles, Notice};
use crate::interrupt;
use crate::receipts::{self, ReceiptError};
use crate::service;

/// The arguments of `remove`.
#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The packages, as group:id:version
    #[arg(required = true, value_name = "COORD")]
    packages: Vec<PackageCoordinate>,
    /// Remove the files even while a service runs from them, or a rollback needs them; the service is never stopped, and files that
    /// are not the package's are kept all the same
    #[arg(long)]
    force: bool,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Remove, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let mut rows: Vec<Value> = Vec::new();
    if !args.dry_run {
        // What a dead command left is put right first, so that the receipts can be believed.
        let (report, wait) = (&mut *context.report, context.settings.wait());
        Catalogue::lock(&prefix, wait, &mut |notice| report.note(notice.to_string()))?;
    }
    // A coordinate that is not installed is found before anything is removed.
    for package in &args.packages {
        match receipts::require(&prefix, package) {
            Err(error @ ReceiptError::NotInstalled { .. }) => return Err(error.into()),
            Err(error) => context.report.warn(Failure::of(&error).to_string()),
            Ok(_) => {}
        }
    }
    if !args.force {
        let survey = Survey::of(&prefix, 0)?;
        args.packages.iter().try_for_each(|package| refuse_needed(&survey, package))?;
    }
    let mut failures = Vec::new();
    for package in &args.packages {
        interrupt::check()?;
        let removed =
            if args.dry_run { would_remove(context, package) } else { remove_one(args, context, package) };
        match removed {
            Ok((outcome, set_aside)) => {
                context.report.note(format!("{package}: {}", outcome.replace('_', " ")));
                let path = prefix.install_dir(package);
                rows.push(
                    json!({ "package": package, "outcome": outcome, "path": path, "set_aside": set_aside }),
                );
            }
            // One that cannot be removed keeps none of the others from it.
            Err(failure) => failures.push(failure),
        }
    }
    if let Some(last) = failures.pop() {
        for failure in failures {
            context.report.warn(failure.to_string());
        }
        return Err(last);
    }
    let changed = rows.iter().any(|row| row["outcome"] == "removed");
    context.report.data(&json!({ "changed": changed, "packages": rows }), String::new);
    Ok(Exit::Ok)
}

/// Refuses to remove what a rollback leads to, and what is served of a content. That a service runs from it is found out when it is locked.
fn refuse_needed(survey: &Survey, package: &PackageCoordinate) -> Result<(), RemoveError> {
    let reasons = survey.reasons(package);
    let back =
        reasons.iter().filter(|reason| matches!(reason, Reason::LastGood { .. } | Reason::Content { .. }));
    let reasons: Vec<String> = back.map(ToString::to_string).collect();
    if reasons.is_empty() { Ok(()) } else { Err(RemoveError::Needed { package: package.clone(), reasons }) }
}

fn would_remove(
    context: &mut Context,
    package: &PackageCoordinate,
) -> Result<(&'static str, Option<ForeignFiles>), Failure> {
    let names = host::foreign(&context.prefix()?, package)?;
    if !names.is_empty() {
        let names = host::shown(&names);
        context.report.warn(format!("{package}: files that are not the package's would be kept: {names}"));
    }
    Ok(("would_remove", None))
}

fn remove_one(
    args: &Remove,
    context: &mut Context,
    package: &PackageCoordinate,
) -> Result<(&'static str, Option<ForeignFiles>), Failure> {
    let prefix = context.prefix()?;
    let in_use = if args.force { InUse::RemoveAnyway } else { InUse::Refuse };
    let (wait, now) = (context.wait(), context.now());
    let report = &mut *context.report;
    let mut tell = |notice: Notice| report.note(notice.to_string());
    let mut change = Change { prefix: &prefix, wait, now, tell: &mut tell };
    let running = |package: &PackageCoordinate| service::running_from(&prefix, package);
    match remove(&mut change, package, in_use, running)? {
        Removal::Now { set_aside, .. } => {
            if let Some(set_aside) = &set_aside {
                context.report.warn(set_aside.to_string());
            }
            Ok(("removed", set_aside))
        }
        Removal::Before => Ok(("already_removed", None)),
    }
}
