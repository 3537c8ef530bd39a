//! `pkginstall deploy check` and `deploy verify`: the checks of a deployment alone, before a change and at any time after it.

use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Label;
use copkg_spec::deployment::HostDeployment;
use serde_json::json;

use super::super::Context;
use super::super::start::at_site;
use super::history::known;
use super::packages::{self, Obtained, Supply};
use super::results;
use super::source::Source;
use crate::deploy::{self, CheckResult, DeployError, Desired, Part, is_passed};
use crate::host::Effect;

/// The arguments of `deploy check`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 every check passed or is tolerated, 1 one failed.")]
pub(super) struct CheckArgs {
    /// The deployment: group:id, group:id:version, group:id@channel, a package file, or a directory with a deployment.toml
    #[arg(value_name = "DEPLOYMENT|DIR")]
    what: String,
    #[command(flatten)]
    pub(super) source: Source,
    /// Write the results for a CI server, as `JUnit` XML
    #[arg(long, value_name = "FILE")]
    junit: Option<Utf8PathBuf>,
}

/// The arguments of `deploy verify`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 every check passed, 1 one failed.")]
pub(super) struct VerifyArgs {
    /// The deployment, by its name here
    #[arg(value_name = "NAME")]
    name: Label,
    /// Write the results for a CI server, as `JUnit` XML
    #[arg(long, value_name = "FILE")]
    junit: Option<Utf8PathBuf>,
}

/// Checks whether the host is what a deployment asks for.
pub(super) fn check(args: &CheckArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let described = args.source.describe(context, &args.what)?;
    let local = args.source.local(context)?;
    let supply = Supply { local: &local, network: args.source.network(), effect: Effect::DryRun };
    let Obtained { desired, .. } = packages::obtain(context, &described, &supply)?;
    let survey = at_site(context, |site| deploy::survey(site, desired))?;
    let checked = at_site(context, |site| deploy::preflight(site, &described.host, &survey))?;
    report(context, &described.name, args.junit.as_ref(), &checked)
}

/// Checks whether a deployment that is up works.
pub(super) fn verify(args: &VerifyArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let none = || DeployError::NoWayBack { name: args.name.clone() };
    let current = known(&prefix, &args.name)?.current()?.ok_or_else(none)?.desired;
    let host = recorded(context, &current)?;
    let checked = at_site(context, |site| deploy::verification(site, &host, &current))?;
    report(context, &args.name, args.junit.as_ref(), &checked)
}

/// Resolves the description of a recorded generation once more.
pub(super) fn recorded(context: &Context<'_>, desired: &Desired) -> Result<HostDeployment, Failure> {
    let part = Part {
        environment: desired.environment.parse().ok(),
        host: desired.host.parse().ok(),
        host_name: None,
        name: Some(desired.name.clone()),
        addresses: desired.addresses.clone(),
    };
    Ok(deploy::describe(&context.prefix()?, &desired.place(), &part)?.host)
}

fn report(
    context: &mut Context<'_>,
    name: &Label,
    junit: Option<&Utf8PathBuf>,
    checked: &[CheckResult],
) -> Result<Exit, Failure> {
    let file = junit.map(|file| context.working_directory().join(file));
    results::write_junit(file.as_deref(), name.as_str(), checked)?;
    let lines = results::lines(context, checked);
    let passed = is_passed(checked);
    let document = json!({ "deployment": name, "passed": passed, "checks": checked });
    context.report.data(&document, || lines.join("\n"));
    if checked.is_empty() {
        context.report.note("the deployment has no checks");
    }
    Ok(if passed { Exit::Ok } else { Exit::Failure })
}
