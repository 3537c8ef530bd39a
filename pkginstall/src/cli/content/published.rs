//! What the repository has of a content: its revisions, and where its channels lead.

use std::collections::BTreeMap;

use copkg_spec::command::Failure;
use copkg_spec::coordinate::{Label, Version};
use copkg_spec::digest::Digest;
use copkg_spec::manifest::Kind;
use copkg_spec::platform::Platform;

use super::super::{Context, interruption};
use crate::content::ContentError;
use crate::follow::{FollowedChannel, Revision};
use crate::metadata::Keeping;
use crate::repository::{Network, RepositoryError, Resolver};

/// What a repository has of a content.
pub(super) struct Published {
    /// Each revision: its digest, and why it was withdrawn.
    pub(super) revisions: BTreeMap<Version, (Digest, Option<String>)>,
    /// Where each channel leads.
    pub(super) channels: BTreeMap<Label, Version>,
}

impl Published {
    /// Tells whether a channel leads to a revision.
    pub(super) fn leads_to(&self, channel: &Label, revision: &Revision) -> bool {
        let version = revision.package.version();
        self.channels.get(channel) == Some(version)
            && self.revisions.get(version).is_some_and(|(digest, _)| *digest == revision.digest)
    }
}

/// Asks what the repository has of the package of a channel.
pub(super) fn published(
    context: &mut Context<'_>,
    channel: &FollowedChannel,
    network: Network,
) -> Result<Published, Failure> {
    interruption::while_fetching(context, |context| ask(context, channel, network))
}

fn ask(context: &mut Context<'_>, channel: &FollowedChannel, network: Network) -> Result<Published, Failure> {
    let prefix = context.prefix()?;
    let sources = context.sources();
    let asking = context.asking(&prefix, network, Keeping::Durable);
    let listed = {
        let mut tell = |text: String| context.report.note(text);
        Resolver::new(&sources, asking, &mut tell).list(channel.group(), channel.id())?
    };
    let not_found = || {
        let asked = sources.for_group(channel.group()).into_iter();
        let asked = asked.map(|source| source.repository().first.base.to_string()).collect();
        RepositoryError::NotFound { package: channel.wanted(), asked }
    };
    let listed = listed.ok_or_else(not_found)?;
    let mut revisions = BTreeMap::new();
    for (package, _, custom) in listed.group.package_targets() {
        if package.coordinate.id() != channel.id()
            || ![Platform::Any, Platform::host()].contains(&package.platform)
        {
            continue;
        }
        if custom.kind != Kind::Content {
            return Err(ContentError::NoContent { package: package.coordinate }.into());
        }
        revisions.insert(package.coordinate.version().clone(), (custom.digest, custom.yanked));
    }
    Ok(Published { revisions, channels: listed.entry.channels })
}
