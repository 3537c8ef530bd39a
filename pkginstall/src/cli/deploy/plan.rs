//! `pkginstall deploy plan`: what an apply would do, and nothing done.

use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::super::Context;
use super::super::start::at_site;
use super::packages::{self, Obtained, PackageRow, Supply};
use super::plan_file::PlanFile;
use super::shown;
use super::source::Source;
use crate::deploy::{self, Survey};
use crate::host::Effect;

/// The arguments of `deploy plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing of the deployment is touched. A description from a repository is installed, its services' packages only with --fetch."
)]
pub(super) struct PlanArgs {
    /// The deployment: group:id, group:id:version, group:id@channel, a package file, or a directory with a deployment.toml
    #[arg(value_name = "DEPLOYMENT|DIR")]
    what: String,
    #[command(flatten)]
    pub(super) source: Source,
    /// Install the packages ahead, so that the rendered configuration of new ones is shown, too
    #[arg(long)]
    fetch: bool,
    /// Write the plan to a file, for `deploy apply`
    #[arg(short, long, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
}

pub(super) fn run(args: &PlanArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let described = args.source.describe(context, &args.what)?;
    let effect = if args.fetch { Effect::Real } else { Effect::DryRun };
    let local = args.source.local(context)?;
    let supply = Supply { local: &local, network: args.source.network(), effect };
    let Obtained { desired, packages } = packages::obtain(context, &described, &supply)?;
    let survey = at_site(context, |site| deploy::survey(site, desired))?;
    if let Some(file) = &args.output {
        let file = context.working_directory().join(file);
        PlanFile::new(&described, &survey.desired, survey.base.clone()).write(&file)?;
    }
    let document = document(&survey, &packages);
    context.report.data(&document, || shown::text(&survey, &packages));
    Ok(Exit::Ok)
}

/// The document of `--json`.
pub(super) fn document(survey: &Survey, packages: &[PackageRow]) -> serde_json::Value {
    let desired = &survey.desired;
    json!({
        "changed": false,
        "would_change": !survey.is_nothing(),
        "deployment": desired.name,
        "package": desired.package,
        "environment": desired.environment,
        "host": desired.host,
        "from": survey.from.as_ref().map(|from| from.number),
        "packages": packages,
        "fetch_bytes": packages.iter().map(|row| row.fetch_bytes).sum::<u64>(),
        "services": survey.steps,
        "base": survey.base,
    })
}
