//! Changes what groups say, on a server that others change too: read, edit, sign, send; whoever was slower begins anew.

use std::path::PathBuf;
use std::thread;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{Group, PackageCoordinate, Version};
use copkg_spec::keys::{KeyId, PublicKey, SecretKey};
use copkg_spec::repository::ceremony::Speakers;
use copkg_spec::repository::{GroupContent, GroupError};
use copkg_spec::tuf::{Role, Time};
use thiserror::Error;

use super::change::{Change, ChangeError};
use super::online::Reading;
use super::send::{Blobs, SendError, Sent, send, wait_until_visible};
use super::view::{GroupView, ViewError};
use crate::surroundings::Ambient;

/// Bins that end within so many days are signed again with the next change.
const BINS_END_SOON_DAYS: i64 = 60;
const DAY: i64 = 86_400;
/// How often somebody else may be faster.
const CONFLICTS: u32 = 12;

/// Who changes groups, and where.
#[derive(Debug)]
pub struct Editor<'e> {
    /// How the repository is read.
    pub reading: Reading<'e>,
    /// The keys that sign.
    pub keys: &'e [SecretKey],
    /// For how many days what is signed now counts.
    pub lasts_days: u16,
    /// The process's surroundings.
    pub ambient: &'e Ambient,
}

/// What a change came to.
#[derive(Debug)]
pub enum Edited {
    /// Everything was so already.
    Nothing,
    /// It would be this change.
    Rehearsed(Change),
    /// It was sent.
    Sent(Sent),
}

/// Whether it is done or only worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is done.
    Real,
    /// It is worked out and signed, and not sent.
    Rehearsal,
}

type Result<T> = std::result::Result<T, EditError>;

impl Editor<'_> {
    /// Applies `edit` to each of `groups`, all in one commit. `blobs` are the files that it may need.
    ///
    /// `edit` is called again for what is then current when somebody else was faster.
    ///
    /// # Errors
    /// When the repository cannot be read or refuses, the keys do not speak for a group, or `edit` fails.
    pub fn edit(
        &self,
        groups: &[Group],
        blobs: &Blobs,
        mode: Mode,
        mut edit: impl FnMut(&Speakers, &mut GroupContent) -> Result<()>,
    ) -> Result<Edited> {
        let patience = *self.reading.remote.patience();
        let mut failures = 0;
        loop {
            let change = self.draft(groups, &mut edit)?;
            if change.is_empty() {
                return Ok(Edited::Nothing);
            }
            if mode == Mode::Rehearsal {
                return Ok(Edited::Rehearsed(change));
            }
            let proposal = change.proposal();
            match send(&proposal, blobs, self.reading.remote) {
                Ok(sent) => {
                    if let Sent::Committed { .. } = sent {
                        wait_until_visible(&proposal, &self.reading, self.ambient)?;
                    }
                    return Ok(Edited::Sent(sent));
                }
                Err(error) if error.is_conflict() && failures + 1 < CONFLICTS => {
                    failures += 1;
                    thread::sleep(patience.pause(failures.min(patience.attempts)));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Works out and signs what changes.
    fn draft(
        &self,
        groups: &[Group],
        edit: &mut impl FnMut(&Speakers, &mut GroupContent) -> Result<()>,
    ) -> Result<Change> {
        let mut view = self.reading.view(self.ambient)?;
        let mut change = Change::default();
        for group in groups {
            let found = view.group(group)?.ok_or_else(|| EditError::NotDelegated { group: group.clone() })?;
            self.check_keys(group, &found)?;
            self.draft_group(group, found, edit, &mut change)?;
        }
        change.sign(self.keys, &mut view)?;
        Ok(change)
    }

    /// Each group must have one of the keys, before anything is sent.
    fn check_keys(&self, group: &Group, found: &GroupView) -> Result<()> {
        let is_signer = |key: &SecretKey| found.speakers.keys().contains(&key.public());
        if self.keys.iter().any(is_signer) {
            return Ok(());
        }
        let keys = found.speakers.keys().iter().map(PublicKey::id).collect();
        Err(EditError::NoKey { group: group.clone(), keys })
    }

    /// The end is that of a day, so that who publishes the same twice in a day proposes the same twice.
    fn expires(&self) -> Time {
        lasting(self.ambient.now(), self.lasts_days)
    }

    fn draft_group(
        &self,
        group: &Group,
        found: GroupView,
        edit: &mut impl FnMut(&Speakers, &mut GroupContent) -> Result<()>,
        change: &mut Change,
    ) -> Result<()> {
        let GroupView { speakers, content: before } = found;
        let expires = self.expires();
        let mut after = before.clone().unwrap_or_else(|| GroupContent::new(group.clone(), expires));
        edit(&speakers, &mut after)?;
        if before.as_ref() == Some(&after) || (before.is_none() && after.targets().next().is_none()) {
            return Ok(());
        }
        let soon = self.ambient.now().unix_seconds() + BINS_END_SOON_DAYS * DAY;
        let bins_end = after.bins().values().any(|bin| bin.expires.unix_seconds() < soon);
        let next = if bins_end {
            after.renew(before.as_ref(), &speakers, expires)?
        } else {
            after.next(before.as_ref(), &speakers, expires)?
        };
        for role in next {
            change.targets(Role::Delegated(role.name), role.targets)?;
        }
        Ok(())
    }
}

/// Returns the end of the day that is `days` days after `now`, in UTC.
pub fn lasting(now: Time, days: u16) -> Time {
    let day = now.unix_seconds().div_euclid(DAY) + i64::from(days) + 1;
    // Every day that a `u16` reaches from today is in the calendar.
    Time::from_unix_seconds(day * DAY).unwrap_or(now)
}

/// Says why groups were not changed.
#[derive(Debug, Error)]
pub enum EditError {
    /// The repository cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The change cannot be signed.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The change cannot be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The group may not change so.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// Nobody speaks for the group.
    #[error("{group} is not delegated to anybody in this repository")]
    NotDelegated {
        /// The group.
        group: Group,
    },
    /// A package is not signed by the group.
    #[error("{coordinate} is not signed by a key of {}", coordinate.group())]
    NotOurs {
        /// The package.
        coordinate: PackageCoordinate,
        /// The file.
        file: PathBuf,
    },
    /// A channel leads elsewhere than it should when it is moved.
    #[error("{channel} leads to {}, not to {expected}", today.as_ref().map_or("nothing", Version::as_str))]
    ChannelMoved {
        /// The channel.
        channel: String,
        /// Where it should lead.
        expected: Version,
        /// Where it leads.
        today: Option<Version>,
    },
    /// A channel leads to a newer version than the one that is published.
    #[error("{channel} leads to {today}, which is newer than {wanted}")]
    ChannelAhead {
        /// The channel.
        channel: String,
        /// What is published.
        wanted: Version,
        /// Where it leads.
        today: Version,
    },
    /// None of the keys speaks for the group.
    #[error("none of the keys given speaks for {group}; these do: {}", crate::keys::describe(keys))]
    NoKey {
        /// The group.
        group: Group,
        /// Those that do.
        keys: Vec<KeyId>,
    },
}

impl Explain for EditError {
    fn exit(&self) -> Exit {
        match self {
            Self::View(error) => error.exit(),
            Self::Change(error) => error.exit(),
            Self::Send(error) => error.exit(),
            Self::Group(GroupError::NotPublished { .. } | GroupError::NoChannel { .. }) => Exit::NotFound,
            Self::Group(GroupError::Yanked { .. } | GroupError::Changed { .. } | GroupError::Nesting(_)) => {
                Exit::Conflict
            }
            Self::ChannelMoved { .. } | Self::ChannelAhead { .. } => Exit::Conflict,
            Self::Group(_) | Self::NotDelegated { .. } | Self::NoKey { .. } | Self::NotOurs { .. } => {
                Exit::Trust
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::View(error) => error.code(),
            Self::Change(error) => error.code(),
            Self::Send(error) => error.code(),
            Self::Group(GroupError::NotPublished { .. }) => "not_published",
            Self::Group(GroupError::NoChannel { .. }) => "no_channel",
            Self::Group(GroupError::Yanked { .. }) => "version_yanked",
            Self::Group(GroupError::Changed { .. }) => "target_changed",
            Self::Group(GroupError::Nesting(_)) => "nesting_coordinates",
            Self::Group(_) => "group_inconsistent",
            Self::ChannelMoved { .. } => "channel_moved",
            Self::ChannelAhead { .. } => "wrong_direction",
            Self::NotDelegated { .. } => "not_delegated",
            Self::NoKey { .. } => "key_without_role",
            Self::NotOurs { .. } => "not_signed_by_group",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::View(error) => error.hint(),
            Self::Change(error) => error.hint(),
            Self::Send(error) => error.hint(),
            Self::Group(GroupError::NotPublished { coordinate, published }) => {
                Some(what_is_published(coordinate, published))
            }
            Self::Group(GroupError::Yanked { .. }) => {
                Some("`pkgbuild unyank` takes the mark away, if it was a mistake".into())
            }
            Self::Group(GroupError::Changed { .. }) => {
                Some("what is published never changes: raise the version".into())
            }
            Self::NotDelegated { group } => Some(format!(
                "the owner of the registrar's key can: pkgbuild repo delegate {group} --key PUB"
            )),
            Self::NoKey { .. } => Some("give --key with the secret half of one of them".into()),
            Self::NotOurs { file, .. } => Some(format!("pkgbuild sign {} --key FILE", file.display())),
            Self::ChannelMoved { .. } => Some(
                "somebody moved it meanwhile: look at what it leads to, and publish on top of that".into(),
            ),
            Self::ChannelAhead { .. } => Some("raise the version, or leave `--promote` out".into()),
            Self::Group(_) => None,
        }
    }
}

/// How many versions a hint names.
const NAMED: usize = 8;

/// Names the newest versions that there are, for somebody who named another one.
fn what_is_published(coordinate: &PackageCoordinate, published: &[Version]) -> String {
    let (group, id) = (coordinate.group(), coordinate.id());
    if published.is_empty() {
        return format!("no version of {group}:{id} is published: check the name");
    }
    let newest: Vec<&str> = published.iter().rev().take(NAMED).map(Version::as_str).collect();
    let more = if published.len() > NAMED { ", and older ones" } else { "" };
    format!("of {group}:{id} there are {}{more}", newest.join(", "))
}
