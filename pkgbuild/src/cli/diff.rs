//! `pkgbuild diff OLD NEW`: shows how two packages differ.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::manifest::Kind;
use serde_json::json;

use super::Context;
use crate::build::Work;
use crate::deployment::{self, DeploymentChange, DeploymentContents};
use crate::package::{Comparison, OpenPackage, compare};

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The old package file
    old: PathBuf,
    /// The new package file
    new: PathBuf,
}

pub(super) fn run(args: &Diff, context: &mut Context) -> Result<Exit, Failure> {
    let old = OpenPackage::without_trust(&context.path(&args.old))?;
    let new = OpenPackage::without_trust(&context.path(&args.new))?;
    let comparison = compare(old.contents(), new.contents());
    let is_deployment = |package: &OpenPackage| package.contents().manifest().kind() == Kind::Deployment;
    let both = is_deployment(&old) && is_deployment(&new);
    let changes = if both { deployment_changes(old, new, context) } else { None };
    let Some(changes) = changes else {
        context.report.data(&comparison, || describe(&comparison));
        return Ok(Exit::Ok);
    };
    let document = json!({
        "manifest": comparison.manifest,
        "entries": comparison.entries,
        "deployment": changes,
    });
    context.report.data(&document, || {
        let lines = changes.iter().map(ToString::to_string);
        lines.chain([describe(&comparison)]).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

/// Returns how two deployments differ in what they say; nothing for what only says that it is one.
fn deployment_changes(
    old: OpenPackage,
    new: OpenPackage,
    context: &mut Context,
) -> Option<Vec<DeploymentChange>> {
    let contents = contents_of(old, context).and_then(|old| Ok((old, contents_of(new, context)?)));
    match contents {
        Ok((old, new)) => Some(deployment::compare(&old, &new)),
        Err(failure) => {
            context.report.warn(format!("what they deploy cannot be compared: {}", failure.message));
            None
        }
    }
}

fn contents_of(package: OpenPackage, context: &Context) -> Result<DeploymentContents, Failure> {
    let work = Work::new(&context.ambient)?;
    Ok(DeploymentContents::read(package, work.path())?)
}

/// Describes a comparison, one difference a line.
pub(super) fn describe(comparison: &Comparison) -> String {
    if comparison.is_empty() {
        return "no difference".to_owned();
    }
    let fields = comparison.manifest.iter().map(|change| {
        let shown = |value: &serde_json::Value| {
            if value.is_null() { "(nothing)".to_owned() } else { value.to_string() }
        };
        format!("manifest {}: {} → {}", change.field, shown(&change.old), shown(&change.new))
    });
    let entries = comparison
        .entries
        .iter()
        .map(|change| format!("{} {} ({})", change.change.sign(), change.path, change.detail));
    fields.chain(entries).collect::<Vec<_>>().join("\n")
}
