//! Publishes package files to a repository server: all files of a command in one commit, whichever groups they are of.
//!
//! The group's next metadata goes first, signed by its keys; only then the server takes the files that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{CoordinateError, Group, Label, NestingConflict, PackageCoordinate, Version};
use copkg_spec::repository::{GroupContent, GroupError, PackageCustom, PackageTarget};
use thiserror::Error;

use super::edit::{EditError, Edited, Editor, Mode};
use super::patches::NewPatch;
use super::publish::{Checked, PublishError};
use super::send::Blobs;

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// The file.
    pub package: Checked,
    /// Whether it was not there before.
    pub is_new: bool,
    /// What the name of the package without a version means from now on.
    pub newest: Option<Version>,
}

/// A channel that is moved by the commit that publishes: `stable`, or `stable=3` where it must lead to version 3 until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// The channel, which is made when it is not there.
    pub channel: Label,
    /// Where it must lead.
    pub from: Option<Version>,
}

impl FromStr for Promotion {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let (channel, from) = match text.split_once('=') {
            Some((channel, from)) => (channel, Some(from.parse()?)),
            None => (text, None),
        };
        Ok(Self { channel: channel.parse()?, from })
    }
}

impl Promotion {
    /// Lets the channel lead to a package that is being published. One that leads there already stays as it is.
    fn apply(&self, package: &PackageCoordinate, content: &mut GroupContent) -> Result<(), EditError> {
        let entry = content.packages().get(package.id());
        let today = entry.and_then(|entry| entry.channels.get(&self.channel)).cloned();
        if today.as_ref() == Some(package.version()) {
            return Ok(());
        }
        let channel = || format!("{}:{}@{}", package.group(), package.id(), self.channel);
        match (&self.from, today) {
            (Some(expected), today) if today.as_ref() != Some(expected) => {
                Err(EditError::ChannelMoved { channel: channel(), expected: expected.clone(), today })
            }
            (_, Some(today)) if today > *package.version() => {
                Err(EditError::ChannelAhead { channel: channel(), wanted: package.version().clone(), today })
            }
            _ => Ok(content.promote(package, &self.channel)?),
        }
    }
}

/// Publishes files that were checked, and patches to them, and moves channels to them.
///
/// # Errors
/// When two of them contradict each other, other bytes are published already, a channel leads elsewhere than it should, or as
/// [`Editor::edit`].
pub fn release(
    packages: &[Checked],
    patches: &[NewPatch],
    promotions: &[Promotion],
    editor: &Editor<'_>,
    mode: Mode,
) -> Result<(Edited, Vec<Released>), ReleaseError> {
    check_together(packages)?;
    let groups: Vec<Group> = packages
        .iter()
        .map(|package| package.coordinate.group().clone())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let files = packages.iter().map(|package| (package.sha256, package.file.clone()));
    let blobs: Blobs = files.chain(patches.iter().map(|patch| (patch.sha256, patch.file.clone()))).collect();
    // The last attempt tells what was new.
    let mut new: BTreeMap<PackageTarget, (bool, Option<Version>)> = BTreeMap::new();
    let edited = editor.edit(&groups, &blobs, mode, |speakers, content| {
        let group = content.group().clone();
        for package in packages.iter().filter(|package| *package.coordinate.group() == group) {
            if !speakers.keys().iter().any(|key| package.signers.contains(&key.id())) {
                let (coordinate, file) = (package.coordinate.clone(), package.file.clone());
                return Err(EditError::NotOurs { coordinate, file });
            }
            let is_new = add(package, content)?;
            new.insert(package.target(), (is_new, None));
            promotions.iter().try_for_each(|one| one.apply(&package.coordinate, content))?;
        }
        for (target, (_, newest)) in new.iter_mut().filter(|(target, _)| *target.coordinate.group() == group)
        {
            *newest = content.packages().get(target.coordinate.id()).and_then(|entry| entry.newest.clone());
        }
        for patch in patches.iter().filter(|patch| *patch.target.package.coordinate.group() == group) {
            content.add_patch(&patch.target, (patch.length, patch.sha256), &patch.custom)?;
        }
        Ok(())
    });
    let edited = edited.map_err(|error| named(error, packages))?;
    let released = packages.iter().map(|package| {
        let (is_new, newest) = new.get(&package.target()).cloned().unwrap_or_default();
        Released { package: package.clone(), is_new, newest }
    });
    Ok((edited, released.collect()))
}

/// Adds a package; tells whether it was not there.
fn add(package: &Checked, content: &mut GroupContent) -> Result<bool, GroupError> {
    let target = package.target();
    let is_new = content.target(&target.path()).is_none();
    // The description of a package is that of the version published last: repeating an older one does not bring its back.
    let description = if is_new { package.description.as_deref() } else { None };
    let custom = PackageCustom {
        digest: package.digest,
        kind: package.kind,
        platform: package.platform.clone(),
        yanked: None,
    };
    content.add(&target, (package.length, package.sha256), &custom, description)?;
    Ok(is_new)
}

/// Checks that no two files are of one coordinate and platform with other bytes, or nest.
fn check_together(packages: &[Checked]) -> Result<(), ReleaseError> {
    for (number, package) in packages.iter().enumerate() {
        for other in &packages[..number] {
            package.coordinate.check_beside(&other.coordinate)?;
            if package.target() == other.target() && package.sha256 != other.sha256 {
                return Err(PublishError::Conflict {
                    coordinate: package.coordinate.clone(),
                    platform: package.platform.clone(),
                    new: package.sha256,
                    there: other.sha256,
                }
                .into());
            }
        }
    }
    Ok(())
}

/// Names the package instead of its path where it is ours.
fn named(error: EditError, packages: &[Checked]) -> ReleaseError {
    if let EditError::Group(GroupError::Changed { path }) = &error
        && let Some(package) = packages.iter().find(|package| package.target().path() == *path)
    {
        return ReleaseError::Published { package: Box::new(package.clone()) };
    }
    ReleaseError::Edit(error)
}

/// Says why packages were not published.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// A file cannot be published, or contradicts another one.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Two files would be installed one inside the other.
    #[error(transparent)]
    Nesting(#[from] NestingConflict),
    /// Other bytes are published already.
    #[error("{} for {} is published already, with other bytes", package.coordinate, package.platform)]
    Published {
        /// The package.
        package: Box<Checked>,
    },
    /// The group cannot be changed.
    #[error(transparent)]
    Edit(EditError),
}

impl Explain for ReleaseError {
    fn exit(&self) -> Exit {
        match self {
            Self::Publish(error) => error.exit(),
            Self::Nesting(_) | Self::Published { .. } => Exit::Conflict,
            Self::Edit(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Publish(error) => error.code(),
            Self::Nesting(_) => "nesting_coordinates",
            Self::Published { .. } => "published_with_other_bytes",
            Self::Edit(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Publish(error) => error.hint(),
            Self::Nesting(_) => Some("choose another group, id or version".into()),
            Self::Published { .. } => Some("what is published never changes: raise the version".into()),
            Self::Edit(error) => error.hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promotion_names_a_channel_and_where_it_must_lead() {
        let read = |text: &str| text.parse::<Promotion>();
        let stable = || "stable".parse::<Label>().unwrap();
        assert_eq!(read("stable").unwrap(), Promotion { channel: stable(), from: None });
        assert_eq!(
            read("stable=1.2").unwrap(),
            Promotion { channel: stable(), from: Some("1.2".parse().unwrap()) }
        );
        assert!(read("stable=").is_err() && read("=1").is_err() && read("").is_err());
    }
}
