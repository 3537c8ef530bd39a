//! Where channels lead: asked of each repository once, whatever the number of subscriptions.

use std::collections::BTreeMap;

use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Group;
use copkg_spec::platform::Platform;

use super::Context;
use crate::follow::{FollowError, FollowedChannel, Revision};
use crate::metadata::Keeping;
use crate::repository::{Network, Resolver, Vouched};

/// Finds out where one channel leads.
pub(in crate::cli) fn points_at(
    context: &mut Context<'_>,
    channel: &FollowedChannel,
    network: Network,
) -> Result<Revision, Failure> {
    let mut all = all(context, &[channel], network)?;
    all.pop().unwrap_or_else(|| Err(FollowError::Arguments.into()))
}

/// Finds out where each channel leads. A repository that does not answer is asked once for all groups that it is asked for.
pub(super) fn all(
    context: &mut Context<'_>,
    channels: &[&FollowedChannel],
    network: Network,
) -> Result<Vec<Result<Revision, Failure>>, Failure> {
    let prefix = context.prefix()?;
    let sources = context.sources();
    let asking = context.asking(&prefix, network, Keeping::Durable);
    let platform = Platform::host();
    let mut tell = |text: String| context.report.note(text);
    let mut resolver = Resolver::new(&sources, asking, &mut tell);
    let mut silent: BTreeMap<&Group, Failure> = BTreeMap::new();
    let mut found = Vec::new();
    for channel in channels {
        if let Some(failure) = silent.get(channel.group()) {
            found.push(Err(failure.clone()));
            continue;
        }
        let revision = resolver.resolve(&channel.wanted(), &platform).map_err(Failure::from);
        let revision = revision.and_then(|resolved| match resolved.vouched {
            Vouched::Repository(vouched) => {
                Ok(Revision { package: resolved.coordinate, digest: vouched.digest() })
            }
            Vouched::Pins => Err(FollowError::NotVouched { channel: (*channel).clone() }.into()),
        });
        if let Err(failure) = &revision
            && failure.exit == Exit::TryAgain
        {
            silent.insert(channel.group(), failure.clone());
        }
        found.push(revision);
    }
    Ok(found)
}
