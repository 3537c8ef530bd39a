//! One round: every subscription has its turn, and none keeps another from it.

use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::PackageCoordinate;
use serde::Serialize;
use serde_json::json;

use super::super::follow::list::is_at;
use super::turn::{Turn, TurnEnd};
use super::{Context, content, deployment, points, service};
use crate::follow::{
    FollowedChannel, Follower, LastRound, MaintenanceWindow, Revision, Standing, SubscriptionName,
    Subscriptions,
};
use crate::interrupt::{self, Interrupted};
use crate::repository::Network;

/// Whether the pauses after setbacks count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pauses {
    Kept,
    /// Everything is tried at once.
    Ended,
}

/// What a round says of one subscription.
#[derive(Serialize)]
struct RoundRow {
    name: SubscriptionName,
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    points_at: Option<PackageCoordinate>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<PackageCoordinate>,
    #[serde(flatten)]
    last: LastRound,
}

/// Makes a round, and reports what it came to.
pub(super) fn run(
    context: &mut Context<'_>,
    windows: &[MaintenanceWindow],
    pauses: Pauses,
) -> Result<Exit, Failure> {
    check_windows(context, windows)?;
    let prefix = context.prefix()?;
    let subscriptions = Subscriptions::of(&prefix);
    let names = subscriptions.names()?;
    if names.is_empty() {
        context.report.note(format!("nothing below {} follows a channel", prefix.root()));
        context.report.data(&json!({ "changed": false, "subscriptions": [] }), String::new);
        return Ok(Exit::Ok);
    }
    let _round = subscriptions.lock_round(context.wait())?;
    let (mut turns, mut rows) = (Vec::new(), Vec::new());
    for name in names {
        match turn(&subscriptions, windows, &name) {
            Ok(Some(turn)) if pauses == Pauses::Kept && turn.progress.pauses(context.now()) => {
                rows.extend(waiting(context, &turn)?);
            }
            Ok(turn) => turns.extend(turn),
            Err(failure) => rows.push(unreadable(context, name, &failure)),
        }
    }
    let interrupted = take_turns(context, turns, &mut rows)?;
    let changed = rows.iter().any(|row| row.changed);
    let exit = rows.iter().map(|row| Exit::of_code(row.last.exit)).rfind(|exit| *exit != Exit::Ok);
    let lines: Vec<String> = rows.iter().map(line).collect();
    context.report.data(&json!({ "changed": changed, "subscriptions": rows }), || lines.join("\n"));
    interrupted.map_or(Ok(exit.unwrap_or(Exit::Ok)), |_| Ok(Exit::Interrupted))
}

/// Refuses windows of which nobody can tell whether they are open.
pub(super) fn check_windows(context: &Context<'_>, windows: &[MaintenanceWindow]) -> Result<(), Failure> {
    for window in windows {
        window.contains(context.now())?;
    }
    Ok(())
}

fn turn<'a>(
    subscriptions: &'a Subscriptions,
    windows: &'a [MaintenanceWindow],
    name: &SubscriptionName,
) -> Result<Option<Turn<'a>>, Failure> {
    let Some(subscription) = subscriptions.read(name)? else { return Ok(None) };
    let progress = subscriptions.progress(name)?;
    let name = name.clone();
    Ok(Some(Turn { subscriptions, windows, name, subscription, progress, changed: false }))
}

/// Asks where all channels lead, and gives each subscription its turn. Returns the signal that ended it early, if one did.
fn take_turns(
    context: &mut Context<'_>,
    turns: Vec<Turn<'_>>,
    rows: &mut Vec<RoundRow>,
) -> Result<Option<Interrupted>, Failure> {
    if turns.is_empty() {
        return Ok(None);
    }
    let channels: Vec<&FollowedChannel> = turns.iter().map(|turn| &turn.subscription.channel).collect();
    let all = super::super::interruption::while_fetching(context, |context| {
        points::all(context, &channels, Network::Online)
    })?;
    for (mut turn, leads_to) in turns.into_iter().zip(all) {
        if let Err(interrupted) = interrupt::check() {
            context.report.warn(format!("{} has not had its turn: {interrupted}", turn.name));
            return Ok(Some(interrupted));
        }
        let end = take(context, &mut turn, leads_to);
        if let TurnEnd::Not(_, failure) = &end
            && failure.exit == Exit::Interrupted
        {
            // It is neither a setback nor news: the next round goes through with it.
            context.report.warn(format!("{}: {failure}", turn.name));
            turn.subscriptions.keep(&turn.name, &turn.progress, context.wait())?;
            return Ok(interrupt::check().err());
        }
        rows.push(row(context, turn, &end));
    }
    Ok(None)
}

fn take(context: &mut Context<'_>, turn: &mut Turn<'_>, leads_to: Result<Revision, Failure>) -> TurnEnd {
    let taken = match turn.subscription.follower.clone() {
        Follower::Service { service } => service::settle(context, turn, &service)
            .map_err(TurnEnd::from)
            .and_then(|()| known(turn, leads_to))
            .and_then(|leads_to| service::converge(context, turn, &service, &leads_to)),
        Follower::Content { content } => content::settle(context, &content)
            .map_err(TurnEnd::from)
            .and_then(|()| known(turn, leads_to))
            .and_then(|leads_to| content::converge(context, turn, &content, &leads_to)),
        Follower::Deployment { deployment, .. } => deployment::settle(context, turn, &deployment)
            .map_err(TurnEnd::from)
            .and_then(|()| known(turn, leads_to))
            .and_then(|leads_to| deployment::converge(context, turn, &deployment, &leads_to)),
    };
    taken.unwrap_or_else(|end| end)
}

/// Takes note of where the channel leads. One that names nothing, or what was withdrawn, leaves what runs.
fn known(turn: &mut Turn<'_>, leads_to: Result<Revision, Failure>) -> Result<Revision, TurnEnd> {
    match leads_to {
        Ok(revision) => {
            turn.progress.points_at = Some(revision.package.clone());
            Ok(revision)
        }
        Err(failure) if failure.exit == Exit::NotFound => Err(TurnEnd::Not(Standing::Withdrawn, failure)),
        Err(failure) => Err(failure.into()),
    }
}

/// Keeps what a turn came to, and says it once.
fn row(context: &mut Context<'_>, mut turn: Turn<'_>, end: &TurnEnd) -> RoundRow {
    let at = at(context, &turn);
    let (last, is_news) = match turn.close(context, end) {
        Ok(closed) => closed,
        Err(failure) => (LastRound::by(Standing::Waiting, &failure, context.now()), true),
    };
    if turn.changed
        && let Some(package) = &at
    {
        context.report.note(format!("{} is {package} now, as {} says", turn.name, turn.subscription.channel));
    }
    if is_news && let Some(why) = &last.why {
        let hint = last.hint.as_ref().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        context.report.warn(format!("{} {}: {why}{hint}", turn.name, said(last.standing)));
    }
    RoundRow { name: turn.name, changed: turn.changed, points_at: turn.progress.points_at, at, last }
}

/// What is said of a subscription that is not converged.
fn said(standing: Standing) -> &'static str {
    match standing {
        Standing::Converged | Standing::Staged => "is well",
        Standing::Failed => "stays what it is",
        Standing::Refused => "cannot follow",
        Standing::Withdrawn => "stays what it is, since its channel names nothing to run",
        Standing::Held => "is left alone",
        Standing::Waiting => "is tried again",
    }
}

/// A subscription that pauses after a setback.
fn waiting(context: &Context<'_>, turn: &Turn<'_>) -> Result<Option<RoundRow>, Failure> {
    let at = is_at(&context.prefix()?, &turn.subscription.follower)?;
    let points_at = turn.progress.points_at.clone();
    let row = |last| RoundRow { name: turn.name.clone(), changed: false, points_at, at, last };
    Ok(turn.progress.last.clone().map(row))
}

/// A subscription whose records cannot be read: nothing is tried, since what failed is not known.
fn unreadable(context: &mut Context<'_>, name: SubscriptionName, failure: &Failure) -> RoundRow {
    context.report.warn(format!("{name}: {failure}"));
    let last = LastRound::by(Standing::Waiting, failure, context.now());
    RoundRow { name, changed: false, points_at: None, at: None, last }
}

fn at(context: &Context<'_>, turn: &Turn<'_>) -> Option<PackageCoordinate> {
    is_at(&context.prefix().ok()?, &turn.subscription.follower).ok().flatten()
}

fn line(row: &RoundRow) -> String {
    let at = row.at.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let why = row.last.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{} {} {at}{why}", row.name, row.last.standing.word())
}
