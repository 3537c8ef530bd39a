//! `pkgbuild build [DIR]`: builds the package of a recipe.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::keys::KeyId;
use copkg_spec::limits::SOURCE_DATE;
use copkg_spec::platform::Platform;
use copkg_spec::recipe::FILE_NAME;
use serde_json::json;

use super::Context;
use super::described::{Locking, PackageSources};
use super::keys::SigningKeys;
use super::reuse::Reuse;
use super::sandbox::SandboxChoice;
use crate::build::{self, BuildKey, Finished, Origin, Plan, PlanError, Tests, Work, choose_platform};
use crate::recipe_file::RecipeFile;
use crate::source::SourceDate;

pub(super) const LEVEL: i32 = copkg_spec::archive::DEFAULT_LEVEL;

#[derive(Debug, Args)]
pub(super) struct Build {
    /// The directory with the recipe, or the deployment
    #[arg(default_value = ".", hide_default_value = true)]
    directory: PathBuf,
    /// Where the package file goes [default: the working directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    sources: PackageSources,
    #[command(flatten)]
    keys: SigningKeys,
    /// The platform to build for [default: this machine's where the recipe has it, else any]
    #[arg(long)]
    platform: Option<Platform>,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    sandbox: SandboxChoice,
    /// Do not run the recipe's tests against the finished package
    #[arg(long)]
    no_tests: bool,
    #[command(flatten)]
    reuse: Reuse,
    /// Keep the scratch directory and say where it is
    #[arg(long)]
    keep_work: bool,
    /// Say what would be built, and build nothing
    #[arg(long)]
    dry_run: bool,
}

/// How a package is built; nothing here but the date and the level changes its bytes.
#[derive(Debug, Args)]
pub(super) struct How {
    /// How many threads compress [default: as many as the machine runs at once]
    #[arg(long)]
    pub(super) threads: Option<NonZeroUsize>,
    /// The zstd level
    #[arg(long, default_value_t = LEVEL, value_parser = clap::value_parser!(i32).range(1..=19))]
    level: i32,
    /// The date of the source, in seconds since 1970 [env: `SOURCE_DATE_EPOCH`; default: that of the commit]
    #[arg(long, value_name = "SECONDS")]
    source_date: Option<String>,
}

impl How {
    fn date(&self, context: &Context) -> Result<Option<SourceDate>, PlanError> {
        let variable =
            context.ambient.variable("SOURCE_DATE_EPOCH").map(|text| text.to_string_lossy().into_owned());
        let given = self.source_date.clone().or(variable);
        let parse = |text: String| {
            let seconds = text.trim().parse().ok().filter(|seconds| *seconds <= SOURCE_DATE);
            seconds.ok_or(PlanError::SourceDate(text))
        };
        Ok(given.map(parse).transpose()?.map(SourceDate::given))
    }
}

pub(super) fn run(args: &Build, context: &mut Context) -> Result<Exit, Failure> {
    let directory = context.path(&args.directory);
    let out = context.path(args.out.as_deref().unwrap_or(Path::new(".")));
    let file = args.sources.read(&directory, Locking::Required, context)?;
    let plan = Plan {
        platform: choose_platform(&file.recipe, args.platform.clone())?,
        source_date: args.how.date(context)?,
        materials: None,
        threads: args.how.threads.unwrap_or_else(|| context.ambient.threads()),
        level: args.how.level,
        earlier: None,
        against: args.reuse.against(context)?,
        keys: args.keys.read(context)?,
        tests: if args.no_tests { Tests::Skip } else { Tests::Run },
        sandbox: args.sandbox.chosen(),
    };
    if args.dry_run {
        say_plan(&file, &plan, &out, context);
        return Ok(Exit::Ok);
    }
    let work = Work::new(&context.ambient)?;
    let result = build_in(&work, &file, plan, args, &out, context);
    if args.keep_work {
        let path = work.keep();
        context.report.note(format!("the work is kept in {}", path.display()));
    }
    let (outcome, finished, keys) = result?;
    if keys.is_empty() {
        context
            .report
            .note("the package is not signed: no host installs it (`--key NAME.key`, or `pkgbuild sign`)");
    }
    say_finished(&finished, outcome, &keys, context);
    Ok(Exit::Ok)
}

/// Whether a package was built or was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Built,
    Unchanged,
}

fn build_in(
    work: &Work,
    file: &RecipeFile,
    mut plan: Plan,
    args: &Build,
    out: &Path,
    context: &mut Context,
) -> Result<(Outcome, Finished, Vec<KeyId>), Failure> {
    let keys: Vec<KeyId> = plan.keys.iter().map(|key| key.public().id()).collect();
    let begun = build::stamp_of(work.path()).ok();
    let sourced = build::gather(file, &plan, work, &context.ambient, &mut context.report)?;
    let cache = args.reuse.cache(file, &plan, context);
    let key = begun.and_then(|begun| BuildKey::new(file, &plan, &sourced.gathered, &sourced.date, &begun));
    if let (Some(cache), Some(key)) = (&cache, key) {
        let path = out.join(file.recipe.package.coordinate.file_name(&plan.platform));
        if let Some(finished) = cache.find(key, &path) {
            context.report.note("nothing has changed since the last build (--no-cache builds again)");
            return Ok((Outcome::Unchanged, finished, keys));
        }
    }
    plan.earlier = args.reuse.earlier(&plan, cache.as_ref(), context)?;
    let built = build::build(file, &plan, sourced, work, &context.ambient, &mut context.report)?;
    let origin = built.origin;
    let finished = built.finish(out)?;
    if let (Some(cache), Some(key), Origin::Listed) = (&cache, key, origin) {
        cache.keep(key, &finished);
    }
    Ok((Outcome::Built, finished, keys))
}

fn say_plan(file: &RecipeFile, plan: &Plan, out: &Path, context: &mut Context) {
    let recipe = &file.recipe;
    let coordinate = &recipe.package.coordinate;
    let path = out.join(coordinate.file_name(&plan.platform));
    let scripts: Vec<&str> = recipe.build.scripts.iter().map(|script| script.phase.name()).collect();
    let tests: Vec<&str> = recipe.tests.iter().map(|test| test.name.as_str()).collect();
    let document = json!({
        "changed": false,
        "package": coordinate,
        "platform": plan.platform,
        "file": path,
        "scripts": scripts,
        "tests": tests,
    });
    context.report.data(&document, || {
        let recipe = file.directory.join(FILE_NAME);
        let none = |list: &[&str]| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
        format!(
            "would build {coordinate} for {}\nfrom    {}\nscripts {}\ntests   {}\ninto    {}",
            plan.platform,
            recipe.display(),
            none(&scripts),
            none(&tests),
            path.display()
        )
    });
}

fn say_finished(finished: &Finished, outcome: Outcome, signers: &[KeyId], context: &mut Context) {
    let packed = &finished.packed;
    let manifest = &packed.manifest;
    let document = json!({
        "changed": outcome == Outcome::Built,
        "package": manifest.coordinate(),
        "platform": manifest.platform(),
        "file": finished.path,
        "digest": packed.digest,
        "file_sha256": packed.file_sha256,
        "length": packed.length,
        "source_date": manifest.source_date(),
        "counts": manifest.counts(),
        "signers": signers,
    });
    context.report.data(&document, || finished.path.display().to_string());
    let counts = manifest.counts();
    context.report.detail(format!(
        "{}: {} files, {} bytes, packed into {}; digest {}",
        manifest.coordinate(),
        counts.files,
        counts.bytes,
        packed.length,
        packed.digest
    ));
}
