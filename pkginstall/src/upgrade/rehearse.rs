//! A rehearsal: the same change, on a copy, with other ports, and thrown away afterwards.
//!
//! The scratch prefix lies in `<prefix>/runtime/.rehearsal/<service>`, on the file system of the data, so that the copy
//! shares its blocks where it can. Packages are those of the prefix itself: they are immutable. The service is neither
//! stopped nor locked: its data is copied while it runs, file by file.

use std::time::Instant;

use camino::Utf8Path;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::durable;
use jiff::{SignedDuration, Timestamp};

use super::UpgradeError;
use super::inside::{self, Elsewhere, InsideEnd, InsideRequest};
use super::network::RehearsalNetwork;
use super::stand_ins::{self, RehearsalValues, Stage, StandIns};
use super::verdict::{Basis, Rehearsed};
use super::{live_copy, outside};
use crate::conditions;
use crate::configure::{self, Accept};
use crate::generation::{Actor, Generation, GenerationError, Generations, Outcome, Proposal, Trial};
use crate::host::{Lock, Prefix};
use crate::interrupt::Undisturbed;
use crate::service::{self, InstalledService, ServiceError, Site, Told};
use crate::tree::{Directory, if_there};
use crate::unit::Backends;

/// What to rehearse.
#[derive(Debug, Clone)]
pub struct RehearsalRequest<'a> {
    /// The service.
    pub service: &'a ServiceCoordinate,
    /// The installed package to change to.
    pub package: &'a PackageCoordinate,
    /// The parameters that the service is to have; those that it has when left out.
    pub parameters: Option<Vec<String>>,
    /// Values for the rehearsal alone.
    pub values: RehearsalValues<'a>,
    /// The names of settings and parameters that may lead outside of the service.
    pub allow_outside: &'a [String],
    /// Whose side is taken where a change of the configuration by hand contradicts that of the package.
    pub accept: Option<Accept>,
    /// The network; a network of its own, where that can be had, when left out.
    pub network: Option<RehearsalNetwork>,
    /// For how many days the verdict counts.
    pub valid_days: u16,
    /// This program, which is started once more to run something in another network, and options of every command for it.
    pub ourselves: &'a [String],
}

/// Rehearses the change of a service to an installed package, and writes the verdict down.
///
/// # Errors
/// When what it would run with leads outside of the service, in which case nothing was run; or when it fails. Either way
/// the last verdict on this package is withdrawn.
pub fn rehearse(site: &mut Site<'_>, request: &RehearsalRequest<'_>) -> Result<Rehearsed, UpgradeError> {
    let RehearsalRequest { service, package, .. } = *request;
    let none = || GenerationError::None { service: service.clone() };
    let from = Generations::of(site.prefix, service).current()?.ok_or_else(none)?;
    let installed = InstalledService::open(site.prefix, package)?;
    let scratch = site.prefix.rehearsal(service);
    let (real, clock) = (site.prefix, site.clock);
    let mut stage = Site {
        prefix: &scratch,
        wait: site.wait,
        environment: site.environment,
        user: site.user,
        clock,
        keep_data: site.keep_data,
        // Nothing of it is of any interest to systemd.
        backends: &Backends::default(),
        tell: &mut *site.tell,
    };
    let _lock = lock(&mut stage, real, service)?;
    clear(&mut stage, service)?;
    let began = Instant::now();
    let tried = try_out(&mut stage, real, &from, &installed, request);
    let cleared = clear(&mut stage, service);
    match tried {
        Ok(Tried { stand_ins: StandIns { parameters, replaced, .. }, basis, copied_bytes, network }) => {
            cleared?;
            let rehearsed = Rehearsed {
                service: service.clone(),
                package: package.clone(),
                digest: installed.digest,
                from: from.digest,
                parameters,
                replaced,
                basis,
                network,
                time: clock(),
                expires: expiry(clock(), request.valid_days),
                took_milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                copied_bytes,
            };
            rehearsed.write(real)?;
            Ok(rehearsed)
        }
        Err(error) => {
            Rehearsed::withdraw(real, service, installed.digest);
            Err(error)
        }
    }
}

fn try_out(
    stage: &mut Site<'_>,
    real: &Prefix,
    from: &Generation,
    installed: &InstalledService,
    request: &RehearsalRequest<'_>,
) -> Result<Tried, UpgradeError> {
    let service = &from.service;
    copy_settings(stage.prefix, real, service)?;
    let ground = Stage { real, scratch: stage.prefix, service, installed };
    let parameters = request.parameters.as_ref().unwrap_or(&from.parameters);
    let stand_ins = stand_ins::put(ground, request.values, parameters)?;
    outside::refuse(stage.environment, ground, from, &stand_ins, request.allow_outside)?;
    let basis = Basis::of(real, from, installed, parameters, &stand_ins.replaced)?;
    let copied = live_copy::copy(&mut Site { prefix: real, tell: &mut *stage.tell, ..*stage }, ground, from)?;
    outside::refuse_links(ground, request.allow_outside)?;
    let generations = Generations::of(stage.prefix, service);
    let proposal = Proposal {
        parent: None,
        package: from.package.clone(),
        digest: from.digest,
        parameters: from.parameters.clone(),
        conditions: from.conditions.clone(),
        directories: from.directories.clone(),
        asked: None,
        actor: Actor::of(stage.user, stage.environment),
        reason: "rehearsal".into(),
        created: (stage.clock)(),
    };
    let draft = generations.draft()?;
    let rendered = Directory::open(&Generations::of(real, service).etc(from.number))?;
    rendered.copy_into(&Directory::open(&draft.etc())?)?;
    let before = draft.commit(proposal)?;
    let good = Outcome { state: Trial::Good, since: (stage.clock)(), why: None };
    generations.set_outcome(before.number, &good)?;
    generations.switch_to(before.number)?;
    let inside = InsideRequest {
        service: service.clone(),
        package: installed.package.clone(),
        parameters: stand_ins.parameters.clone(),
        accept: request.accept,
        network: request.network.unwrap_or(RehearsalNetwork::Loopback),
    };
    let network = run(stage, real, request, inside)?;
    Ok(Tried { stand_ins, basis, copied_bytes: copied, network })
}

fn expiry(now: Timestamp, days: u16) -> Timestamp {
    now.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MAX)
}

/// What a rehearsal that passed was.
struct Tried {
    stand_ins: StandIns,
    basis: Basis,
    copied_bytes: u64,
    network: RehearsalNetwork,
}

/// Runs it in a process of its own, and without a network of its own where the kernel has none and nobody insists.
fn run(
    stage: &mut Site<'_>,
    real: &Prefix,
    request: &RehearsalRequest<'_>,
    mut inside: InsideRequest,
) -> Result<RehearsalNetwork, UpgradeError> {
    let mut end = inside::start_again(real, request.ourselves, &inside)?;
    if let InsideEnd::Refused { causes } = &end {
        let (service, causes) = (inside.service.clone(), causes.clone());
        if request.network.is_some() {
            return Err(UpgradeError::NoNetwork { service, source: Elsewhere::of(causes) });
        }
        stage.warn(format!("the rehearsal has the network of this host: {}", causes.join(": ")));
        inside.network = RehearsalNetwork::Host;
        end = inside::start_again(real, request.ourselves, &inside)?;
    }
    let (service, package) = (inside.service, inside.package);
    let scratch = stage.prefix.root().as_str();
    let failed = |causes, hint: Option<String>, interrupted| {
        let source = Elsewhere::of(causes);
        // The copy is removed, so nobody is sent there; the last lines of the output are among the causes.
        let hint = hint.filter(|hint| !hint.contains(scratch));
        Err(UpgradeError::RehearsalFailed { service, package, source, hint, interrupted })
    };
    match end {
        InsideEnd::Passed => Ok(inside.network),
        InsideEnd::Failed { causes, hint, interrupted } => failed(causes, hint, interrupted),
        InsideEnd::Refused { causes } => failed(causes, None, false),
    }
}

/// Copies what was set for the service and what was decided about conflicts: the configuration is rendered from it.
fn copy_settings(scratch: &Prefix, real: &Prefix, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let failed = |path: &Utf8Path| {
        let path = path.to_owned();
        move |source| ServiceError::Record { action: "copy", path, source }
    };
    let state = scratch.service_state(service);
    durable::create_dir_all(state.as_std_path()).map_err(failed(&state))?;
    for (from, to) in [
        (configure::values_file(real, service), configure::values_file(scratch, service)),
        (conditions::deployed_file(real, service), conditions::deployed_file(scratch, service)),
        (conditions::overrides_file(real, service), conditions::overrides_file(scratch, service)),
    ] {
        if from.exists() {
            std::fs::copy(&from, &to).map_err(failed(&from))?;
        }
    }
    let review = if_there(Directory::open(&real.service_state(service).join("review")))?;
    if let Some(review) = review {
        review.copy_into(&Directory::open(&state)?.open_or_make("review")?)?;
    }
    Ok(())
}

/// Ends and removes what a rehearsal of `service` left that was cut short. One that is under way is left alone.
///
/// # Errors
/// When its processes cannot be ended or its files not be removed.
pub fn clear_left_rehearsal(site: &mut Site<'_>, service: &ServiceCoordinate) -> Result<bool, ServiceError> {
    if !super::has_left_rehearsal(site.prefix, service) {
        return Ok(false);
    }
    let (real, scratch) = (site.prefix, site.prefix.rehearsal(service));
    let mut stage = Site { prefix: &scratch, backends: &Backends::default(), tell: &mut *site.tell, ..*site };
    let _lock = lock(&mut stage, real, service)?;
    clear(&mut stage, service)?;
    Ok(true)
}

/// Takes the lock of the rehearsal, which tells a rehearsal that is under way from one that was cut short.
fn lock(stage: &mut Site<'_>, real: &Prefix, service: &ServiceCoordinate) -> Result<Lock, ServiceError> {
    let tell = &mut *stage.tell;
    let waiting = |holder: &str| tell(Told::Note(format!("waiting for {holder}, which rehearses {service}")));
    Ok(Lock::take(&real.rehearsal_lock(service), stage.wait, waiting)?)
}

/// Ends and removes what this rehearsal, or one that was cut short, left.
fn clear(stage: &mut Site<'_>, service: &ServiceCoordinate) -> Result<(), ServiceError> {
    let _undisturbed = Undisturbed::begin();
    let root = stage.prefix.root().to_owned();
    if !root.exists() {
        return Ok(());
    }
    // The process of one whose command was killed ends first.
    let _lock = stage.lock(service)?;
    crate::hook::end_leftovers(&root)?;
    // Not by its scripts: they would have the network of this host.
    service::kill(stage, service)?;
    let (Some(parent), Some(name)) = (root.parent(), root.file_name()) else { return Ok(()) };
    Ok(Directory::open(parent)?.remove_tree(name)?)
}
