//! `pkgbuild lint FILE|DIR`: looks for what would not work where the package is installed.
//!
//! A directory is built as far as its tree, a package file is unpacked; both go through the same rules.

use std::path::{Path, PathBuf};

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::Context;
use super::build::LEVEL;
use super::described::{Locking, PackageSources};
use super::sandbox::SandboxChoice;
use crate::build::{self, Plan, Tests, Work, choose_platform};
use crate::lint::{self, Finding, LintError};
use crate::package;

#[derive(Debug, Args)]
pub(super) struct Lint {
    /// A package file, or a directory with a recipe or a deployment
    #[arg(default_value = ".", hide_default_value = true)]
    path: PathBuf,
    #[command(flatten)]
    sources: PackageSources,
    #[command(flatten)]
    sandbox: SandboxChoice,
}

pub(super) fn run(args: &Lint, context: &mut Context) -> Result<Exit, Failure> {
    let path = context.path(&args.path);
    let findings =
        if path.is_dir() { lint_directory(&path, args, context)? } else { lint_file(&path, context)? };
    let errors = findings.iter().filter(|finding| finding.stops()).count();
    let document = json!({ "findings": findings, "errors": errors });
    if errors > 0 {
        let failure = LintError::Found { count: errors, shown: Vec::new() };
        return context.fail_with(document, || describe(&findings), failure.into());
    }
    context.report.data(&document, || describe(&findings));
    Ok(Exit::Ok)
}

fn lint_directory(path: &Path, args: &Lint, context: &mut Context) -> Result<Vec<Finding>, Failure> {
    let file = args.sources.read(path, Locking::WherePossible, context)?;
    let plan = Plan {
        platform: choose_platform(&file.recipe, None)?,
        source_date: None,
        materials: None,
        threads: context.ambient.threads(),
        level: LEVEL,
        earlier: None,
        against: None,
        keys: Vec::new(),
        tests: Tests::Skip,
        sandbox: args.sandbox.chosen(),
    };
    let work = Work::new(&context.ambient)?;
    let sourced = build::gather(&file, &plan, &work, &context.ambient, &mut context.report)?;
    let (prepared, _) = build::prepare(&file, &plan, sourced, &work, &context.ambient, &mut context.report)?;
    Ok(lint::lint(prepared.subject(&file.recipe, &plan.platform), &file.recipe.allowances)?)
}

fn lint_file(path: &Path, context: &mut Context) -> Result<Vec<Finding>, Failure> {
    let work = Work::new(&context.ambient)?;
    Ok(package::lint(path, work.path())?)
}

fn describe(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing found".to_owned();
    }
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
