//! The contents of a deployment: their revisions are here and what holds them is known before anything is stopped; they are served
//! before the services that read them start.
//!
//! A content follows its channel from then on by itself, edited and taken back as any other: it is no part of a generation.

use copkg_spec::command::Failure;
use copkg_spec::deployment::{HostContent, PackageChoice, PackageReference};

use super::super::content::{actor, lock, obtain, place, subscribe, switch};
use super::super::wanted::Argument;
use super::super::{Context, install};
use super::packages::Supply;
use crate::content::{Content, ContentChange, ContentError, ContentStore, Served};
use crate::deploy::Described;
use crate::follow::{FollowedChannel, Revision};
use crate::host::Effect;

/// The contents of a host, whose revisions are installed.
pub(in crate::cli) struct PreparedContents(Vec<PreparedContent>);

struct PreparedContent {
    record: Content,
    /// What the host is to serve.
    revision: Revision,
    /// Whether the revision came from a repository, whose channel is followed.
    follows: bool,
}

/// Has the revisions of all contents on this host, and refuses contents that are edited and would have to change.
pub(in crate::cli) fn prepare(
    context: &mut Context<'_>,
    described: &Described,
    supply: &Supply<'_>,
) -> Result<PreparedContents, Failure> {
    let contents = described.host.contents.iter();
    contents.map(|one| prepare_one(context, one, supply)).collect::<Result<_, _>>().map(PreparedContents)
}

fn prepare_one(
    context: &mut Context<'_>,
    described: &HostContent,
    supply: &Supply<'_>,
) -> Result<PreparedContent, Failure> {
    let HostContent { name, group, id, channel, reload } = described.clone();
    let store = ContentStore::of(&context.prefix()?, &name);
    let followed = FollowedChannel::new(group.clone(), id.clone(), channel.clone());
    if let Some(there) = store.content()?.filter(|there| there.channel != followed) {
        return Err(ContentError::Exists { name, channel: there.channel }.into());
    }
    let choice = PackageChoice::Follow(Some(channel));
    let file = supply.local.find(&PackageReference { group, id, choice }, None);
    let (revision, follows) = match file {
        Some(file) => {
            let file = Argument::Path(file.to_owned());
            let row = install::obtain_row(context, &file, supply.network, Effect::Real)?;
            (Revision { package: row.package, digest: row.digest }, false)
        }
        None => (obtain(context, followed.wanted(), supply.network)?, true),
    };
    if let Some(hold) = store.hold()? {
        let head = hold.heads.get(followed.channel());
        if head.is_some_and(|head| head != revision.package.version()) {
            return Err(ContentError::Held { name, hold: Box::new(hold) }.into());
        }
        context.report.note(format!("{name} {}: it is left alone", hold.said()));
    }
    let record = Content::new(name, followed, actor(context), context.now()).reloading(reload);
    Ok(PreparedContent { record, revision, follows })
}

impl PreparedContents {
    /// Serves the contents. One that somebody began to edit meanwhile is left alone.
    pub(in crate::cli) fn put(&self, context: &mut Context<'_>) -> Result<bool, Failure> {
        let mut changed = false;
        for one in &self.0 {
            changed |= one.put(context)?;
        }
        Ok(changed)
    }
}

impl PreparedContent {
    fn put(&self, context: &mut Context<'_>) -> Result<bool, Failure> {
        let store = ContentStore::of(&context.prefix()?, &self.record.name);
        let there = store.content()?;
        let mut changed = place(context, &store, there, &self.record, self.revision.clone())?;
        let _lock = lock(context, &store)?;
        let is_another = store.served(&self.record)? != Some(Served::Revision(self.revision.package.clone()));
        let stays = store.stay()?.and_then(|stay| stay.against).is_some_and(|it| it == self.revision.package);
        if is_another && !stays && store.hold()?.is_none() {
            let to = self.revision.package.clone();
            switch(context, &store, &ContentChange::Switch { to, stay: None, edits: None })?;
            changed = true;
        }
        if self.follows {
            subscribe(context, &self.record)?;
        }
        if changed {
            context.report.note(format!("content {} is {}", self.record.name, self.revision.package));
        }
        Ok(changed)
    }
}
