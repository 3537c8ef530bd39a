//! Who speaks for a role from now on: appointing, rotating, revoking, other thresholds, and signing again what expires.
//!
//! All of them are one thing: some roles get other speakers, some only a later end, and what follows from that below. A role
//! whose newest file the new keys did not sign is signed again by them in the same change, so that no client ever meets a file
//! that nobody vouches for.

use std::collections::{BTreeMap, BTreeSet};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::Group;
use copkg_spec::keys::PublicKey;
use copkg_spec::repository::ceremony::{self, CeremonyError, Speakers, TopLevel};
use copkg_spec::repository::{GroupError, group_role};
use copkg_spec::tuf::{Authority, Delegated, Document, Role, Targets, Time};
use thiserror::Error;

use super::change::{Change, ChangeError};
use super::seat::Seat;
use super::view::{GroupView, View, ViewError};

/// Who is to speak for which roles, and which are to last longer.
#[derive(Debug, Clone, Default)]
pub struct Appointments {
    speakers: BTreeMap<Seat, Speakers>,
    renewed: BTreeSet<Seat>,
}

type Result<T> = std::result::Result<T, AppointError>;

impl Appointments {
    /// Lets `speakers` speak for a role.
    pub fn appoint(&mut self, seat: Seat, speakers: Speakers) {
        self.speakers.insert(seat, speakers);
    }

    /// Lets a role last longer.
    pub fn renew(&mut self, seat: Seat) {
        self.renewed.insert(seat);
    }

    /// Returns the roles that get other speakers.
    pub fn seats(&self) -> impl Iterator<Item = (&Seat, &Speakers)> {
        self.speakers.iter()
    }

    /// Works out every file that changes. Each of them lasts until `expires`.
    ///
    /// # Errors
    /// When the repository cannot be read, or keys and thresholds do not make roles.
    pub fn draft(&self, view: &mut View<'_>, expires: Time) -> Result<Change> {
        let mut change = Change::default();
        self.draft_root(view, expires, &mut change)?;
        self.draft_targets(view, expires, &mut change)?;
        self.draft_registrar(view, expires, &mut change)?;
        for group in self.groups() {
            self.draft_group(&group, view, expires, &mut change)?;
        }
        Ok(change)
    }

    fn draft_root(&self, view: &View<'_>, expires: Time, change: &mut Change) -> Result<()> {
        let top: Vec<(TopLevel, Speakers)> = self
            .speakers
            .iter()
            .filter_map(|(seat, speakers)| Some((seat.top_level()?, speakers.clone())))
            .collect();
        if !top.is_empty() || self.renewed.contains(&Seat::Root) {
            change.root(ceremony::next_root(view.root(), &top, expires)?)?;
        }
        Ok(())
    }

    fn draft_targets(&self, view: &View<'_>, expires: Time, change: &mut Change) -> Result<()> {
        let (targets, root) = (view.targets()?, change.new_root().unwrap_or(view.root()));
        let next = match self.speakers.get(&Seat::Registrar) {
            Some(speakers) => ceremony::appoint_registrar(targets, view.division(), speakers, expires)?,
            None if self.renewed.contains(&Seat::Targets)
                || !is_signed(targets.bytes(), root.targets_authority()) =>
            {
                ceremony::renew(targets, expires)?
            }
            None => return Ok(()),
        };
        Ok(change.targets(Role::Targets, next)?)
    }

    fn draft_registrar(&self, view: &mut View<'_>, expires: Time, change: &mut Change) -> Result<()> {
        let division = view.division();
        for name in division.roles().map_err(ViewError::from)? {
            let registrar = view.registrar(&name)?.clone();
            let mut next: Option<Targets> = None;
            for (group, speakers) in self.group_speakers() {
                if division.role_for(group).map_err(ViewError::from)? == name {
                    let before = next.as_ref().unwrap_or(&registrar);
                    next = Some(ceremony::delegate(before, group, speakers, expires)?);
                }
            }
            // However many groups of it change, it is one new version.
            let version = registrar.version.next().ok_or(CeremonyError::LastVersion)?;
            let targets = change.new_targets(&Role::Targets).unwrap_or(view.targets()?);
            let authority = ceremony::authority_for(targets, &name);
            let signed = authority.is_some_and(|authority| is_signed(registrar.bytes(), authority));
            if next.is_none() && (self.renewed.contains(&Seat::Registrar) || !signed) {
                next = Some(ceremony::renew(&registrar, expires)?);
            }
            if let Some(next) = next {
                change.targets(Role::Delegated(name), Targets { version, ..next })?;
            }
        }
        Ok(())
    }

    fn draft_group(
        &self,
        group: &Group,
        view: &mut View<'_>,
        expires: Time,
        change: &mut Change,
    ) -> Result<()> {
        let Some(GroupView { speakers: today, content: Some(content) }) = view.group(group)? else {
            // What was never published has no file that must be signed again.
            return Ok(());
        };
        let seat = Seat::Group(group.clone());
        let speakers = self.speakers.get(&seat).unwrap_or(&today);
        // Bins list the keys themselves, in the group's own role.
        let keys_stand_below = !content.bins().is_empty() && *speakers != today;
        if !self.renewed.contains(&seat) && !keys_stand_below && is_group_signed(group, view, change)? {
            return Ok(());
        }
        for next in content.renew(Some(&content), speakers, expires)? {
            change.targets(Role::Delegated(next.name), next.targets)?;
        }
        Ok(())
    }

    fn group_speakers(&self) -> impl Iterator<Item = (&Group, &Speakers)> {
        self.speakers.iter().filter_map(|(seat, speakers)| match seat {
            Seat::Group(group) => Some((group, speakers)),
            _ => None,
        })
    }

    fn groups(&self) -> BTreeSet<Group> {
        let seats = self.speakers.keys().chain(&self.renewed);
        seats
            .filter_map(|seat| if let Seat::Group(group) = seat { Some(group.clone()) } else { None })
            .collect()
    }
}

/// Tells whether the newest file of a group's role is signed by those who speak for it after the change.
fn is_group_signed(group: &Group, view: &View<'_>, change: &Change) -> Result<bool> {
    let registrar = Role::Delegated(view.division().role_for(group).map_err(ViewError::from)?);
    let name = group_role(group).map_err(ViewError::from)?;
    let after = change.new_targets(&registrar).or_else(|| view.read(&registrar).map(|read| &**read));
    let authority = after.and_then(|registrar| ceremony::authority_for(registrar, &name));
    let file = view.read(&Role::Delegated(name.clone()));
    Ok(match (file, authority) {
        (Some(file), Some(authority)) => is_signed(file.bytes(), authority),
        _ => false,
    })
}

fn is_signed(file: &[u8], authority: Authority<'_>) -> bool {
    Document::<Targets>::parse(file.to_vec()).is_ok_and(|document| document.verify(authority).is_ok())
}

/// Returns the speakers without one key, or with another one in its place.
///
/// # Errors
/// When the rest cannot reach the threshold.
pub fn without(speakers: &Speakers, key: &PublicKey, instead: Option<&PublicKey>) -> Result<Speakers> {
    let mut keys: Vec<PublicKey> = speakers.keys().iter().filter(|other| *other != key).cloned().collect();
    keys.extend(instead.filter(|instead| !speakers.keys().contains(instead)).cloned());
    Ok(Speakers::new(keys, speakers.threshold().get())?)
}

/// Returns who speaks for a seat today; nothing for a group that is not delegated.
///
/// # Errors
/// When the repository cannot be read.
pub fn speakers_of(seat: &Seat, view: &mut View<'_>) -> Result<Option<Speakers>> {
    let root = view.root();
    let role = match seat {
        Seat::Root => &root.roles.root,
        Seat::Targets => &root.roles.targets,
        Seat::Snapshot => &root.roles.snapshot,
        Seat::Timestamp => &root.roles.timestamp,
        Seat::Group(group) => return Ok(view.speakers(group)?),
        Seat::Registrar => return registrar_speakers(view).map(Some),
    };
    Ok(Some(Speakers::of(&root.keys, role)?))
}

/// All roles of the registrar have the same speakers.
fn registrar_speakers(view: &View<'_>) -> Result<Speakers> {
    let delegations = view.targets()?.delegations.as_ref().ok_or(CeremonyError::Shape)?;
    let Delegated::Roles(roles) = &delegations.roles else { return Err(CeremonyError::Shape.into()) };
    let role = roles.first().ok_or(CeremonyError::Shape)?;
    Ok(Speakers::of(&delegations.keys, &role.role)?)
}

/// Says why nobody can be appointed.
#[derive(Debug, Error)]
pub enum AppointError {
    /// The repository cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The change cannot be written.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Keys and threshold do not make a role.
    #[error("nobody could speak for the role")]
    Ceremony(#[from] CeremonyError),
    /// A group's role cannot be written.
    #[error("the role of a group cannot be signed again")]
    Group(#[from] GroupError),
    /// The group is delegated already.
    #[error("{group} is delegated already, to other keys")]
    Delegated {
        /// The group.
        group: Group,
    },
    /// The name is that of a role of the repository itself.
    #[error("{group} cannot be a group here: it is the name of a role of the repository itself")]
    NoGroup {
        /// The name.
        group: Group,
    },
    /// Nobody speaks for the group.
    #[error("{seat} is not delegated to anybody")]
    NotDelegated {
        /// The group.
        seat: Seat,
    },
    /// Nobody but the server signs the role.
    #[error("{seat} is signed by the server alone, as often as it is needed")]
    Online {
        /// The role.
        seat: Seat,
    },
    /// The key speaks for nothing.
    #[error("the key {key} speaks for nothing here")]
    Idle {
        /// The id, short.
        key: String,
    },
    /// The key does not speak for the role.
    #[error("the key {key} does not speak for {role}")]
    NotOfRole {
        /// The id, short.
        key: String,
        /// The role, as it was named.
        role: String,
    },
    /// Without the key too few are left.
    #[error("without the key {key} nobody could speak for {seat}")]
    TooFew {
        /// The id, short.
        key: String,
        /// The role.
        seat: Seat,
        /// Why.
        #[source]
        source: Box<AppointError>,
    },
}

impl Explain for AppointError {
    fn exit(&self) -> Exit {
        match self {
            Self::View(error) => error.exit(),
            Self::Change(error) => error.exit(),
            Self::Ceremony(_) | Self::TooFew { .. } | Self::NoGroup { .. } => Exit::Usage,
            Self::Group(_) | Self::Online { .. } => Exit::Trust,
            Self::Delegated { .. } => Exit::Conflict,
            Self::NotDelegated { .. } | Self::Idle { .. } | Self::NotOfRole { .. } => Exit::NotFound,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::View(error) => error.code(),
            Self::Change(error) => error.code(),
            Self::Ceremony(_) => "bad_threshold",
            Self::Group(_) => "group_inconsistent",
            Self::Delegated { .. } => "already_delegated",
            Self::NoGroup { .. } => "not_a_group",
            Self::NotDelegated { .. } => "no_such_role",
            Self::Online { .. } => "online_role",
            Self::Idle { .. } | Self::NotOfRole { .. } => "key_speaks_for_nothing",
            Self::TooFew { .. } => "too_few_keys_left",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::View(error) => error.hint(),
            Self::Change(error) => error.hint(),
            Self::Delegated { group } => {
                Some(format!("`pkgbuild repo rotate {group} --key PUB` gives it other keys"))
            }
            Self::NotDelegated { .. } => Some("`pkgbuild repo status` lists the roles".into()),
            Self::Ceremony(CeremonyError::Threshold { .. }) => {
                Some("a threshold is at least 1, and at most the number of keys".into())
            }
            Self::Idle { .. } | Self::NotOfRole { .. } => {
                Some("`pkgbuild repo status` shows whose keys speak for which role".into())
            }
            Self::NoGroup { .. } => Some(
                "`pkgbuild repo rotate` gives it other keys; a group is named as its packages, com.example"
                    .into(),
            ),
            Self::Online { .. } => {
                Some("its keys can be changed: `pkgbuild repo rotate online --key PUB`".into())
            }
            Self::TooFew { .. } => Some("give --replace-with PUB, or lower the threshold first".into()),
            _ => None,
        }
    }
}
