//! What follows what, what it is at, and what the last round came to.

use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::PackageCoordinate;
use serde::Serialize;
use serde_json::json;

use super::super::Context;
use super::super::table::table;
use crate::content::{ContentStore, Served};
use crate::deploy::DeploymentStore;
use crate::follow::{Follower, Progress, Subscription, SubscriptionName, Subscriptions};
use crate::generation::Generations;
use crate::host::Prefix;

/// A subscription, as it is shown.
#[derive(Serialize)]
struct FollowRow {
    name: SubscriptionName,
    #[serde(flatten)]
    subscription: Subscription,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<PackageCoordinate>,
    #[serde(flatten)]
    progress: Progress,
}

pub(super) fn run(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let subscriptions = Subscriptions::of(&prefix);
    let (mut rows, mut exit) = (Vec::new(), Exit::Ok);
    for name in subscriptions.names()? {
        match row(&prefix, &subscriptions, &name) {
            Ok(row) => rows.extend(row),
            // One that cannot be read hides none of the others.
            Err(failure) => {
                context.report.warn(failure.to_string());
                exit = failure.exit;
            }
        }
    }
    if rows.is_empty() && exit == Exit::Ok {
        context.report.note(format!("nothing below {} follows a channel", prefix.root()));
    }
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let headers = ["NAME", "CHANNEL", "POINTS AT", "IS AT", "LAST"];
    let lines = table(context.report, &headers, &cells).into_iter().zip(&rows);
    let lines: Vec<String> = lines.map(|(line, row)| line + &remarks(row)).collect();
    context.report.data(&json!({ "subscriptions": rows }), || lines.join("\n"));
    Ok(exit)
}

fn row(
    prefix: &Prefix,
    subscriptions: &Subscriptions,
    name: &SubscriptionName,
) -> Result<Option<FollowRow>, Failure> {
    let Some(subscription) = subscriptions.read(name)? else { return Ok(None) };
    let (at, progress) = (is_at(prefix, &subscription.follower)?, subscriptions.progress(name)?);
    Ok(Some(FollowRow { name: name.clone(), subscription, at, progress }))
}

/// Returns what a follower is.
pub(in crate::cli) fn is_at(
    prefix: &Prefix,
    follower: &Follower,
) -> Result<Option<PackageCoordinate>, Failure> {
    Ok(match follower {
        Follower::Service { service } => Generations::of(prefix, service).current()?.map(|now| now.package),
        Follower::Content { content } => revision_served(&ContentStore::of(prefix, content))?,
        Follower::Deployment { deployment, .. } => {
            DeploymentStore::of(prefix, deployment).current()?.map(|now| now.desired.package)
        }
    })
}

/// Returns the revision of a content: while it is edited, the one that the edits were made on.
fn revision_served(store: &ContentStore) -> Result<Option<PackageCoordinate>, Failure> {
    let Some(content) = store.content()? else { return Ok(None) };
    Ok(match store.served(&content)? {
        Some(Served::Revision(package)) => Some(package),
        Some(Served::WorkingCopy) => store.hold()?.map(|hold| hold.base.package),
        None => None,
    })
}

fn cells(row: &FollowRow) -> Vec<String> {
    let version = |package: &Option<PackageCoordinate>| {
        package.as_ref().map_or_else(|| "-".to_owned(), |package| package.version().to_string())
    };
    let last = row.progress.last.as_ref();
    vec![
        row.name.to_string(),
        row.subscription.channel.to_string(),
        version(&row.progress.points_at),
        version(&row.at),
        last.map_or_else(
            || "never asked".to_owned(),
            |last| format!("{} {:.0}", last.standing.word(), last.time),
        ),
    ]
}

/// What else is worth saying of a subscription, each on a line of its own.
fn remarks(row: &FollowRow) -> String {
    let last = row.progress.last.as_ref();
    let why = last.and_then(|last| last.why.as_ref()).map(|why| format!("\n  {why}")).unwrap_or_default();
    let hint = last.and_then(|last| last.hint.as_ref()).map(|hint| format!("\n  {hint}")).unwrap_or_default();
    let next = row.progress.next_try.map(|next| format!("\n  tried again at {next:.0}")).unwrap_or_default();
    format!("{why}{hint}{next}")
}
