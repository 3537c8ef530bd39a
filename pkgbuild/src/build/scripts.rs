//! Runs the recipe's scripts: those that build, and those that test the finished package.

use std::fs;
use std::path::PathBuf;

use copkg_spec::command::Report;
use copkg_spec::recipe::Phase;

use super::work::Workspace;
use super::{BuildError, Built};
use crate::package::OpenPackage;
use crate::recipe_file::RecipeFile;
use crate::run::{Script, run_script};

/// Runs the build scripts, and returns what the install script filled, if there is one.
pub(super) fn build(
    file: &RecipeFile,
    space: &Workspace<'_>,
    report: &mut Report,
) -> Result<Option<PathBuf>, BuildError> {
    let build = &file.recipe.build;
    let destination = space.make("destination")?;
    let mut environment = space.environment().clone();
    environment.set("COPKG_DESTDIR", space.inside(&destination));
    for script in &build.scripts {
        report.note(format!("build: {}", script.phase.name()));
        let script = Script {
            name: script.phase.name(),
            text: &script.text,
            directory: &space.path().join("source"),
            environment: &environment,
            timeout: build.timeout.as_duration(),
            scratch: space.path(),
            sandbox: space.sandbox(),
            interrupts: space.interrupts(),
        };
        run_script(&script, |output| show(output, report))?;
    }
    let installs = build.scripts.iter().any(|script| script.phase == Phase::Install);
    if installs && fs::read_dir(&destination).is_ok_and(|mut entries| entries.next().is_none()) {
        return Err(BuildError::NothingInstalled);
    }
    Ok(installs.then_some(destination))
}

/// Unpacks the finished package and runs the recipe's tests against it.
pub(super) fn test(
    file: &RecipeFile,
    built: &Built,
    space: &Workspace<'_>,
    report: &mut Report,
) -> Result<(), BuildError> {
    let recipe = &file.recipe;
    if recipe.tests.is_empty() {
        return Ok(());
    }
    let software = space.make(&format!("prefix/software/{}", recipe.package.coordinate.install_path()))?;
    OpenPackage::without_trust(built.path())?.unpack(&software)?;
    let mut environment = space.environment().clone();
    environment.set("COPKG_SOFTWARE", space.inside(&software));
    for (number, test) in recipe.tests.iter().enumerate() {
        report.note(format!("test: {}", test.name));
        let script = Script {
            name: &test.name,
            text: &test.script,
            directory: &space.make(&format!("tests/{number}"))?,
            environment: &environment,
            timeout: test.timeout.as_duration(),
            scratch: space.path(),
            sandbox: space.sandbox(),
            interrupts: space.interrupts(),
        };
        run_script(&script, |output| show(output, report))?;
    }
    Ok(())
}

fn show(output: &[u8], report: &mut Report) {
    let text = String::from_utf8_lossy(output);
    report.detail(text.trim_end_matches('\n'));
}
