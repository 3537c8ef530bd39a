//! The build: from a recipe to a package file. Each step is a module; this one puts them in their order.
//!
//! source → scripts → collect → lint → pack and sign → tests → the file, by one rename. Whatever fails, nothing is left
//! but a file that was there before.

mod against;
mod cache;
mod error;
mod pack;
mod plan;
mod scripts;
mod work;

pub use against::{Against, EarlierVersion, open as open_against};
pub use cache::{BuildCache, BuildKey, stamp_of};
pub use error::BuildError;
pub use pack::{Built, Finished, Origin};
pub use plan::{Plan, PlanError, Tests, choose_platform};
pub use work::{Work, WorkError, Workspace};

use std::path::PathBuf;

use copkg_spec::command::Report;
use copkg_spec::platform::Platform;
use copkg_spec::recipe::Recipe;

use crate::collect::{self, Collection, Parts};
use crate::lint::{self, Finding, LintError, Watch};
use crate::recipe_file::RecipeFile;
use crate::source::{self, GatherError, Gathered, InPlace, Material, SourceDate, Workplace, date_of_commit};
use crate::surroundings::Ambient;

/// What a package is built from.
#[derive(Debug)]
pub struct Sourced {
    /// What was gathered.
    pub gathered: Gathered,
    /// The date of the source.
    pub date: SourceDate,
}

/// A tree that is ready to be packed.
#[derive(Debug)]
pub struct Prepared {
    /// What was gathered.
    pub gathered: Gathered,
    /// The date of the source.
    pub date: SourceDate,
    /// What goes into the package.
    pub collection: Collection,
    /// The paths that no packed file should mention: where scripts ran.
    pub build_prefixes: Vec<PathBuf>,
}

impl Prepared {
    /// Returns what the lint looks at.
    pub fn subject<'a>(&'a self, recipe: &'a Recipe, platform: &'a Platform) -> lint::Subject<'a> {
        lint::Subject {
            tree: &self.collection.tree,
            kind: recipe.package.kind,
            version: recipe.package.coordinate.version(),
            platform,
            service: self.collection.service.as_ref(),
            named: self.collection.named.as_ref(),
            build_prefixes: &self.build_prefixes,
        }
    }
}

/// Builds the package of `file` from `sourced`, as `plan` says, in `work`.
///
/// # Errors
/// At the first step that fails.
pub fn build(
    file: &RecipeFile,
    plan: &Plan,
    sourced: Sourced,
    work: &Work,
    ambient: &Ambient,
    report: &mut Report,
) -> Result<Built, BuildError> {
    let (prepared, space) = prepare(file, plan, sourced, work, ambient, report)?;
    let built = lint_and_pack(file, plan, &prepared, work, report)?;
    if plan.tests == Tests::Run {
        scripts::test(file, &built, &space, report)?;
    }
    Ok(built)
}

/// Gathers the sources, and checks that they are those of a package that is built again.
///
/// # Errors
/// When a source cannot be had or is another one.
pub fn gather(
    file: &RecipeFile,
    plan: &Plan,
    work: &Work,
    ambient: &Ambient,
    report: &mut Report,
) -> Result<Sourced, BuildError> {
    report.detail(format!("source: gathering into {}", work.path().display()));
    let gathered = source::gather(file, Workplace { scratch: work.path(), ambient })?;
    if let Some(recorded) = &plan.materials {
        check_materials(recorded, &gathered)?;
    }
    let date = source_date(file, plan, &gathered, ambient, report);
    Ok(Sourced { gathered, date })
}

/// Looks the tree over and packs it. Where no script ran, files are looked into while they are packed.
fn lint_and_pack(
    file: &RecipeFile,
    plan: &Plan,
    prepared: &Prepared,
    work: &Work,
    report: &mut Report,
) -> Result<Built, BuildError> {
    let (subject, allowances) = (prepared.subject(&file.recipe, &plan.platform), &file.recipe.allowances);
    let of_tree = lint::lint_tree(subject, allowances)?;
    if prepared.build_prefixes.is_empty() && LintError::of(&of_tree).is_none() {
        report.detail("pack: compressing");
        let watch = Watch::new(subject, allowances);
        let built = pack::pack(file, plan, prepared, |path| watch.open(path), work);
        let seen = watch.findings();
        if LintError::of(&seen).is_none() {
            let built = built?;
            say_findings(file, &lint::joined(of_tree, seen), report);
            return Ok(built);
        }
    }
    // Scripts ran, or something stops the build: then all that there is to find is said at once.
    let findings = lint::lint(subject, allowances)?;
    say_findings(file, &findings, report);
    LintError::of(&findings).map_or(Ok(()), Err)?;
    report.detail("pack: compressing");
    pack::pack(file, plan, prepared, |path| prepared.collection.tree.open(path), work)
}

/// Goes as far as the tree: runs the scripts, and collects.
///
/// # Errors
/// At the first step that fails.
pub fn prepare<'w>(
    file: &RecipeFile,
    plan: &Plan,
    sourced: Sourced,
    work: &'w Work,
    ambient: &'w Ambient,
    report: &mut Report,
) -> Result<(Prepared, Workspace<'w>), BuildError> {
    let recipe = &file.recipe;
    let Sourced { gathered, date } = sourced;
    let space = Workspace::new(file, plan, date.seconds(), work, ambient, report)?;
    let destination = scripts::build(file, &space, report)?;
    report.detail("collect: putting the tree together");
    let parts = Parts {
        source: &gathered.root,
        excludes: &gathered.excludes,
        listed: gathered.in_place.as_ref().map(InPlace::listed),
        destination: destination.as_deref(),
    };
    let mut collection = collect::collect(recipe, parts)?;
    collection.tree.add_generated(&file.generated)?;
    let build_prefixes = if recipe.build.scripts.is_empty() { Vec::new() } else { space.prefixes() };
    Ok((Prepared { gathered, date, collection, build_prefixes }, space))
}

/// Checks that the sources are those of the package that is built again.
fn check_materials(recorded: &[Material], gathered: &Gathered) -> Result<(), BuildError> {
    let digests = gathered.digest_rest(|_| false).map_err(GatherError::from)?;
    let found = gathered.materials(&digests).unwrap_or_default();
    let differs = recorded.iter().zip(&found).find(|(recorded, found)| recorded != found);
    match differs {
        Some((recorded, found)) => {
            Err(BuildError::OtherSource { recorded: recorded.to_string(), found: found.to_string() })
        }
        None if recorded.len() != found.len() => Err(BuildError::OtherSource {
            recorded: format!("{} sources", recorded.len()),
            found: format!("{} sources", found.len()),
        }),
        None => Ok(()),
    }
}

/// Decides on the date of the source: given, else that of a commit, else 1980-01-01.
fn source_date(
    file: &RecipeFile,
    plan: &Plan,
    gathered: &Gathered,
    ambient: &Ambient,
    report: &mut Report,
) -> SourceDate {
    if let Some(date) = &plan.source_date {
        return date.clone();
    }
    let of_commit = date_of_commit(&file.directory, ambient).or_else(|| gathered.date.clone());
    of_commit.unwrap_or_else(|| {
        report.note("the source has no date: files are dated 1980-01-01 (--source-date or SOURCE_DATE_EPOCH sets one)");
        SourceDate::unknown()
    })
}

/// Says what does not stop the build; what does is said by the failure.
fn say_findings(file: &RecipeFile, findings: &[Finding], report: &mut Report) {
    for finding in findings.iter().filter(|finding| !finding.stops()) {
        if finding.allowed.is_some() {
            report.note(format!("lint: {finding}"));
        } else {
            report.warn(format!("lint: {}", finding.text()));
        }
    }
    for allowance in lint::unused(&file.recipe.allowances, findings) {
        let rule = &allowance.rule;
        report.warn(format!(
            "lint: nothing is found that [lint] allow lets pass with the rule {rule}; remove it"
        ));
    }
}
