//! `pkginstall start`, and what the commands that change a service share.

use clap::Args;
use copkg_spec::command::{Exit, Failure, Report};
use copkg_spec::coordinate::{CoordinateError, PackageCoordinate, ServiceCoordinate};
use serde::Serialize;

use super::select::{Selector, select};
use super::stop::{each, finish};
use super::{Context, status};
use crate::deploy;
use crate::service::{self, Change, Outcome, ServiceError, Site, StartRequest, State, Told, View};

/// The arguments of `start`.
#[derive(Debug, Args)]
#[command(
    after_help = "Parameters of the package follow two dashes:\n  pkginstall start com.example:web:1.2 --as 1.web.prod.osl -- --port=8080"
)]
pub(super) struct Start {
    /// An installed package, group:id:version, with --as; else services that were started before, or patterns of them
    #[arg(value_name = "PACKAGE|SERVICE", required_unless_present = "all", conflicts_with = "all")]
    what: Vec<String>,
    /// What the package runs as: instance.service.user.cell
    #[arg(long = "as", value_name = "SERVICE")]
    service: Option<ServiceCoordinate>,
    /// All services of the prefix that were started before
    #[arg(long, conflicts_with = "service")]
    all: bool,
    /// What the start script is given besides: --name=value …
    #[arg(last = true, value_name = "PARAMETER", requires = "service")]
    parameters: Vec<String>,
    /// Only those that should run: what was stopped stays so
    #[arg(long, conflicts_with = "service")]
    wanted: bool,
    /// Check everything, and start nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Start, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let Some(service) = &args.service else { return start_again(args, context) };
    let [package] = &args.what[..] else { return Err(ServiceError::OnePackage.into()) };
    let package: PackageCoordinate = package.parse().map_err(|why: CoordinateError| {
        ServiceError::PackageName { text: package.clone(), why: why.to_string() }
    })?;
    let request = StartRequest { package, service: service.clone(), parameters: args.parameters.clone() };
    let outcome = if args.dry_run {
        at_site(context, |site| service::check_start(site, &request))?
    } else {
        at_site(context, |site| service::start(site, &request))?
    };
    let done = if args.dry_run { "would start" } else { "started" };
    let tense = Tense { done, nothing: "runs already" };
    report(context.report, &[outcome], tense, Form::One);
    Ok(Exit::Ok)
}

/// Starts services with the package and the parameters that they had.
fn start_again(args: &Start, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let parse =
        |text: &String| text.parse().map_err(|why| ServiceError::Selector { text: text.clone(), why });
    let selectors = args.what.iter().map(parse).collect::<Result<Vec<Selector>, _>>()?;
    let services = select(&selectors, context)?;
    let (outcomes, failures) = each(&services, |name| {
        if args.dry_run {
            at_site(context, |site| service::check_start(site, &service::recorded_request(site, name)?))
        } else if args.wanted {
            at_site(context, |site| service::start_wanted(site, name))
        } else {
            at_site(context, |site| service::start(site, &service::recorded_request(site, name)?))
        }
    });
    let done = if args.dry_run { "would start" } else { "started" };
    finish(context, &outcomes, failures, Tense { done, nothing: "runs already" })
}

/// Does something at the prefix of the command, and passes on what it says meanwhile.
pub(super) fn at_site<T, E: Into<Failure>>(
    context: &mut Context<'_>,
    act: impl FnOnce(&mut Site<'_>) -> Result<T, E>,
) -> Result<T, Failure> {
    let prefix = context.prefix()?;
    let (wait, keep_data) = (context.wait(), context.settings.keep_data());
    let ambient = &context.ambient;
    let backends = context.backends();
    let report = &mut *context.report;
    let mut tell = |told: Told| match told {
        Told::Note(text) => report.note(text),
        Told::Warning(text) => report.warn(text),
    };
    let mut site = Site {
        prefix: &prefix,
        wait,
        environment: &ambient.environment,
        user: ambient.user,
        clock: ambient.clock,
        keep_data,
        backends: &backends,
        tell: &mut tell,
    };
    act(&mut site).map_err(Into::into)
}

/// Rolls back or finishes what an interrupted change of a deployment left, so that nothing builds on it.
pub(super) fn recover_deployments(context: &mut Context<'_>) -> Result<(), Failure> {
    at_site(context, |site| {
        deploy::recover_before(site);
        Ok::<(), Failure>(())
    })
}

/// How a command says what it did, and that there was nothing to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tense {
    pub(super) done: &'static str,
    pub(super) nothing: &'static str,
}

/// Whether a command is about one service or about a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    One,
    List,
}

#[derive(Serialize)]
struct One<'a> {
    changed: bool,
    #[serde(flatten)]
    view: &'a View,
}

#[derive(Serialize)]
struct List<'a> {
    changed: bool,
    services: Vec<One<'a>>,
}

/// Reports what was done to services.
pub(super) fn report(report: &mut Report, outcomes: &[Outcome], tense: Tense, form: Form) {
    let ones = outcomes.iter().map(|o| One { changed: o.change == Change::Changed, view: &o.view });
    let services: Vec<One<'_>> = ones.collect();
    let text = || {
        let line = |one: &One<'_>| {
            let word = if one.changed { tense.done } else { tense.nothing };
            format!("{} {word}{}", one.view.service, details(one.view))
        };
        services.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    if let (Form::One, [one]) = (form, &services[..]) {
        return report.data(one, text);
    }
    let text = text();
    let changed = services.iter().any(|one| one.changed);
    report.data(&List { changed, services }, || text);
}

fn details(view: &View) -> String {
    match view.state {
        State::Stopped | State::Failed => String::new(),
        _ => format!(" ({}) in {}", status::pids(view), view.runtime_dir),
    }
}
