//! `pkginstall deploy apply`: everything is obtained, rendered and checked while all services run; then they change as one.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::super::Context;
use super::super::interruption;
use super::super::start::at_site;
use super::contents;
use super::packages::{LocalPackages, Supply, obtain};
use super::plan_file::{PlanFile, PlanFileError};
use super::shown;
use super::source::{Source, describe_planned, place};
use super::surveyed::{Making, Surveyed};
use crate::deploy::{self, Applied, ApplyRequest, Described, DescriptionPlace, Survey};
use crate::host::Effect;
use crate::repository::Network;

/// The arguments of `deploy apply`.
#[derive(Debug, Args)]
#[command(
    after_help = "When a service or the verification fails, every service that was changed is rolled back in reverse order, and the generation is recorded as failed."
)]
pub(super) struct ApplyArgs {
    /// A file of `deploy plan -o`, or what `deploy plan` is given
    #[arg(value_name = "PLAN|DEPLOYMENT|DIR")]
    what: Option<String>,
    #[command(flatten)]
    pub(super) source: Source,
    /// Do not ask; needed where nobody sits at a terminal, unless a plan is given
    #[arg(short, long)]
    yes: bool,
    /// Write the results of the checks for a CI server, as `JUnit` XML
    #[arg(long, value_name = "FILE")]
    junit: Option<Utf8PathBuf>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "applied")]
    reason: String,
}

pub(super) fn run(args: &ApplyArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let Some(what) = &args.what else { return Err(PlanFileError::Nothing.into()) };
    let file = context.working_directory().join(what);
    let is_plan = file.is_file() && file.extension() != Some("copkg");
    let plan = is_plan.then(|| PlanFile::read(&file)).transpose()?;
    let described =
        interruption::while_fetching(context, |context| describe(args, context, plan.as_ref(), what))?;
    let junit = args.junit.as_ref().map(|file| context.working_directory().join(file));
    let request = Apply {
        described: &described,
        local: &args.source.local(context)?,
        network: args.source.network(),
        plan: plan.as_ref().map(|plan| (plan, file.as_path())),
        yes: args.yes,
        brief: false,
        reason: &args.reason,
        junit: junit.as_deref(),
    };
    let (survey, applied) = apply(context, &request)?;
    report(context, &survey, &applied);
    Ok(Exit::Ok)
}

/// How a description is applied.
pub(super) struct Apply<'a> {
    pub(super) described: &'a Described,
    /// Package files that are taken before any repository is asked.
    pub(super) local: &'a LocalPackages,
    pub(super) network: Network,
    /// The plan that was looked at, and its file.
    pub(super) plan: Option<(&'a PlanFile, &'a Utf8Path)>,
    /// It is not asked about.
    pub(super) yes: bool,
    /// Only the services that change are named before.
    pub(super) brief: bool,
    /// Why, for the history.
    pub(super) reason: &'a str,
    /// Where the results of the checks are written.
    pub(super) junit: Option<&'a Utf8Path>,
}

/// Obtains the packages of a description, checks the host, asks, and makes the change.
pub(super) fn apply(context: &mut Context<'_>, how: &Apply<'_>) -> Result<(Survey, Applied), Failure> {
    let described = how.described;
    let supply = Supply { local: how.local, network: how.network, effect: Effect::Real };
    let obtained = interruption::while_fetching(context, |context| obtain(context, described, &supply))?;
    let prepared =
        interruption::while_fetching(context, |context| contents::prepare(context, described, &supply))?;
    let desired = obtained.desired;
    if let Some((plan, file)) = how.plan {
        plan.check(file, described, &desired)?;
    }
    let surveyed = Surveyed::of(context, described, desired)?;
    let is_nothing = surveyed.survey.is_nothing();
    let mut checked = Vec::new();
    if !is_nothing {
        checked = surveyed.preflight(context, how.junit)?;
    }
    if how.plan.is_none() && !is_nothing {
        let survey = &surveyed.survey;
        let text = if how.brief { shown::brief(survey) } else { shown::text(survey, &obtained.packages) };
        context.report.note(text);
        if !how.yes {
            context.confirm("Apply? [y/N] ")?;
        }
    }
    let making = Making {
        reason: how.reason.to_owned(),
        base: how.plan.map(|(plan, _)| &plan.base),
        ask: context.ambient.ask.filter(|_| !how.yes),
        checked,
        junit: how.junit,
    };
    // Services read them when they start; a content is no part of the generation, and is not rolled back with it.
    prepared.put(context)?;
    let applied = surveyed.make(context, making)??;
    Ok((surveyed.survey, applied))
}

fn describe(
    args: &ApplyArgs,
    context: &mut Context<'_>,
    plan: Option<&PlanFile>,
    what: &str,
) -> Result<Described, Failure> {
    let Some(plan) = plan else { return args.source.describe(context, what) };
    let place = match &plan.place {
        DescriptionPlace::Package(package) => place(context, &package.to_string(), args.source.network())?,
        directory @ DescriptionPlace::Directory(_) => directory.clone(),
    };
    describe_planned(context, &place, plan)
}

/// How a change that needs no description is asked for.
pub(super) struct Asked {
    /// It is only shown.
    pub(super) dry_run: bool,
    /// It is not asked about.
    pub(super) yes: bool,
    /// What is asked on a terminal.
    pub(super) question: &'static str,
}

/// Shows a change that needs no description, asks, makes it and reports it.
pub(super) fn change(
    context: &mut Context<'_>,
    request: ApplyRequest,
    asked: &Asked,
) -> Result<Exit, Failure> {
    let survey = at_site(context, |site| deploy::survey_for(site, &request))?;
    if asked.dry_run {
        let document = super::plan::document(&survey, &[]);
        context.report.data(&document, || shown::text(&survey, &[]));
        return Ok(Exit::Ok);
    }
    if !survey.is_nothing() {
        context.report.note(shown::text(&survey, &[]));
        if !asked.yes {
            context.confirm(asked.question)?;
        }
    }
    let request = ApplyRequest { base: Some(survey.base.clone()), ..request };
    let applied = at_site(context, |site| deploy::apply(site, &request, &mut ()))?;
    report(context, &survey, &applied);
    Ok(Exit::Ok)
}

/// Reports what came of a change.
fn report(context: &mut Context<'_>, survey: &Survey, applied: &Applied) {
    let desired = &survey.desired;
    let services: Vec<_> =
        applied.services.iter().map(|(service, act)| json!({ "service": service, "act": act })).collect();
    let document = json!({
        "changed": applied.to.is_some(),
        "deployment": desired.name,
        "package": desired.package,
        "from": applied.from,
        "to": applied.to,
        "services": services,
    });
    context.report.data(&document, || {
        let Some(to) = applied.to else {
            return format!("the deployment {} is that already: {}", desired.name, desired.package);
        };
        let head = format!("the deployment {} is generation {to}: {}", desired.name, desired.package);
        let lines = applied.services.iter().map(|(service, act)| format!("  {service} {}", act.word()));
        std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
    });
}
