//! `pkginstall follow` and `unfollow`: which service and which deployment follows which channel.

mod add;
pub(super) mod list;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Label;
use copkg_spec::deployment::HostId;
use serde_json::json;

use super::Context;
use super::context::Offline;
use crate::follow::{FollowError, SubscriptionName, Subscriptions};

/// The arguments of `follow`.
#[derive(Debug, Args)]
#[command(
    after_help = "pkginstall follow 1.web.prod.osl com.example:web@stable\npkginstall follow com.example:shop@stable --env prod\n\
                  `pkginstall agent` takes what follows a channel to where that leads: up, and down where its package allows it."
)]
pub(super) struct Follow {
    /// A service and the channel of its package; or the channel of a deployment alone
    #[arg(value_name = "SERVICE|GROUP:ID@CHANNEL", num_args = 0..=2)]
    what: Vec<String>,
    /// Of a deployment: the environment; the only one when left out
    #[arg(long, value_name = "NAME", requires = "what")]
    env: Option<Label>,
    /// Of a deployment: this host, as the environment names it; the one with this host's name, or the only one, when left out
    #[arg(long, value_name = "HOST", requires = "what")]
    host: Option<HostId>,
    /// Of a deployment: its name here; the id of its package when left out
    #[arg(long = "as", value_name = "NAME", requires = "what")]
    name: Option<Label>,
    /// Forget what failed of this subscription, and every pause: the next round tries again
    #[arg(long, value_name = "SERVICE|NAME", conflicts_with = "what")]
    retry: Option<SubscriptionName>,
    #[command(flatten)]
    offline: Offline,
    /// Check everything, and write nothing down
    #[arg(long)]
    dry_run: bool,
}

/// The arguments of `unfollow`.
#[derive(Debug, Args)]
pub(super) struct Unfollow {
    /// The service, the name of the deployment here, or content.NAME
    #[arg(value_name = "SERVICE|NAME")]
    name: SubscriptionName,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

impl Follow {
    /// Tells whether it changes nothing.
    pub(super) fn only_looks(&self) -> bool {
        self.what.is_empty() && self.retry.is_none()
    }
}

pub(super) fn run(args: &Follow, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if let Some(name) = &args.retry {
        return retry(name, args, context);
    }
    match &args.what[..] {
        [] => list::run(context),
        [channel] => add::deployment(args, channel, context),
        [service, channel] => add::service(args, service, channel, context),
        _ => Err(FollowError::Arguments.into()),
    }
}

/// Forgets what failed of a subscription.
fn retry(name: &SubscriptionName, args: &Follow, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let subscriptions = Subscriptions::of(&context.prefix()?);
    subscriptions.read(name)?.ok_or_else(|| FollowError::Unknown { name: name.clone() })?;
    let mut progress = subscriptions.progress(name)?;
    let changed = progress.retry();
    if changed && !args.dry_run {
        subscriptions.keep(name, &progress, context.wait())?;
    }
    context.report.data(&json!({ "changed": changed && !args.dry_run, "name": name }), || {
        let what = if changed { "is tried again at the next round" } else { "has nothing to try again" };
        format!("{name} {what}")
    });
    Ok(Exit::Ok)
}

pub(super) fn unfollow(args: &Unfollow, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let subscriptions = Subscriptions::of(&context.prefix()?);
    let name = &args.name;
    let _lock = subscriptions.lock(context.wait())?;
    if !subscriptions.names()?.contains(name) {
        return Err(FollowError::Unknown { name: name.clone() }.into());
    }
    if !args.dry_run {
        subscriptions.remove(name)?;
    }
    context.report.data(&json!({ "changed": !args.dry_run, "name": name }), || {
        let follows = if args.dry_run { "would follow" } else { "follows" };
        format!("{name} {follows} no channel any more, and stays what it is")
    });
    Ok(Exit::Ok)
}
