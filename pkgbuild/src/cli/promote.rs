//! `pkgbuild promote COORD CHANNEL` and `pkgbuild demote`: moves a channel up to a newer version, down to an older one, or
//! removes it.

use std::cmp::Ordering;

use clap::Args;
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::coordinate::{Group, Label, PackageCoordinate, Version};
use copkg_spec::repository::{GroupContent, GroupError};
use serde_json::json;
use thiserror::Error;

use super::Context;
use super::server::{GroupServer, document, mode, remote, said};
use crate::repository::{Blobs, EditError, Expired};

#[derive(Debug, Args)]
pub(super) struct Promote {
    /// The version, group:id:version
    coordinate: PackageCoordinate,
    /// The channel, which is made when it is not there: `pkginstall install group:id@channel` follows it
    channel: Label,
    #[command(flatten)]
    server: GroupServer,
    /// Work it out, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct Demote {
    /// The older version, group:id:version; with --remove the package, group:id
    package: String,
    /// The channel
    channel: Label,
    /// Remove the channel
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    server: GroupServer,
    /// Work it out, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Where a channel is to lead.
enum Move {
    Up(PackageCoordinate),
    Down(PackageCoordinate),
    Gone(Group, Label),
}

pub(super) fn promote(args: &Promote, context: &mut Context) -> Result<Exit, Failure> {
    run(&Move::Up(args.coordinate.clone()), &args.channel, &args.server, args.dry_run, context)
}

pub(super) fn demote(args: &Demote, context: &mut Context) -> Result<Exit, Failure> {
    let wanted = args.wanted()?;
    run(&wanted, &args.channel, &args.server, args.dry_run, context)
}

impl Demote {
    fn wanted(&self) -> Result<Move, MoveError> {
        let bad = |source| MoveError::Package { text: self.package.clone(), source };
        if !self.remove {
            return self.package.parse().map(Move::Down).map_err(bad);
        }
        let (group, id) = self.package.split_once(':').unwrap_or((&self.package, ""));
        Ok(Move::Gone(group.parse().map_err(bad)?, id.parse().map_err(bad)?))
    }
}

impl Move {
    fn group(&self) -> &Group {
        match self {
            Self::Up(coordinate) | Self::Down(coordinate) => coordinate.group(),
            Self::Gone(group, _) => group,
        }
    }

    fn id(&self) -> &Label {
        match self {
            Self::Up(coordinate) | Self::Down(coordinate) => coordinate.id(),
            Self::Gone(_, id) => id,
        }
    }

    fn version(&self) -> Option<&Version> {
        match self {
            Self::Up(coordinate) | Self::Down(coordinate) => Some(coordinate.version()),
            Self::Gone(..) => None,
        }
    }

    /// Checks the direction: who says "up" and would go down has mistaken a version.
    fn check(&self, channel: &Label, today: Option<&Version>) -> Result<(), MoveError> {
        if let (Self::Down(coordinate), None) = (self, today) {
            let package = format!("{}:{}", coordinate.group(), coordinate.id());
            return Err(MoveError::NoChannel { package, channel: channel.clone() });
        }
        let (Some(wanted), Some(today)) = (self.version(), today) else { return Ok(()) };
        let wrong = match self {
            Self::Up(_) => Ordering::Less,
            _ => Ordering::Greater,
        };
        if wanted.cmp(today) != wrong {
            return Ok(());
        }
        let (channel, wanted, today) = (channel.clone(), wanted.clone(), today.clone());
        Err(match self {
            Self::Up(_) => MoveError::NotUp { channel, wanted, today },
            _ => MoveError::NotDown { channel, wanted, today },
        })
    }

    fn apply(&self, channel: &Label, content: &mut GroupContent) -> Result<(), GroupError> {
        match self {
            Self::Up(coordinate) | Self::Down(coordinate) => content.promote(coordinate, channel),
            Self::Gone(_, id) => content.demote(id, channel),
        }
    }
}

fn run(
    wanted: &Move,
    channel: &Label,
    server: &GroupServer,
    dry_run: bool,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let remote = remote(&server.repo, context)?;
    let keys = server.change.read_keys(context)?;
    let reading = server.root.reading(&remote, Expired::Refused, context);
    let editor = server.change.editor(reading, &keys, context);
    let (mut before, mut wrong) = (None, None);
    let edited = editor.edit(&[wanted.group().clone()], &Blobs::new(), mode(dry_run), |_, content| {
        before = content.packages().get(wanted.id()).and_then(|entry| entry.channels.get(channel)).cloned();
        wrong = wanted.check(channel, before.as_ref()).err();
        if wrong.is_none() { Ok(wanted.apply(channel, content)?) } else { Ok(()) }
    });
    // A wrong direction changes nothing, and is an error of its own.
    if let Some(wrong) = wrong {
        return Err(wrong.into());
    }
    let edited = edited.or_else(|error| gone_already(error, wanted))?;
    let mut document = document(&edited);
    document["package"] = json!(format!("{}:{}", wanted.group(), wanted.id()));
    document["channel"] = json!(channel);
    document["version"] = json!(wanted.version());
    document["version_before"] = json!(before);
    let state = document["state"].as_str().unwrap_or_default().to_owned();
    context.report.data(&document, || {
        let name = format!("{}:{}@{channel}", wanted.group(), wanted.id());
        let was = before.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let instead = before.as_ref().map_or_else(String::new, |before| format!(", not to {before}"));
        let first = match (wanted.version(), state.as_str()) {
            (Some(version), "unchanged") => format!("{name} leads to {version} already"),
            (None, "unchanged") => format!("there is no {name}"),
            (Some(version), "rehearsed" | "pending") => {
                format!("{name} would lead to {version}{instead}")
            }
            (None, "rehearsed" | "pending") => format!("{name} would be removed; it leads to {was}"),
            (Some(version), _) => format!("{name} leads to {version}{instead}"),
            (None, _) => format!("{name} is removed; it led to {was}"),
        };
        std::iter::once(first).chain(said(&edited, &server.repo)).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

/// To remove a channel that is not there is done already.
fn gone_already(error: EditError, wanted: &Move) -> Result<crate::repository::Edited, EditError> {
    match (&error, wanted) {
        (EditError::Group(GroupError::NoChannel { .. }), Move::Gone(..)) => {
            Ok(crate::repository::Edited::Nothing)
        }
        _ => Err(error),
    }
}

/// A channel cannot be moved so.
#[derive(Debug, Error)]
enum MoveError {
    #[error("cannot tell which package {text} is")]
    Package {
        text: String,
        #[source]
        source: copkg_spec::coordinate::CoordinateError,
    },
    #[error("{channel} leads to {today} already, which is newer than {wanted}")]
    NotUp { channel: Label, wanted: Version, today: Version },
    #[error("{package} has no channel {channel}")]
    NoChannel { package: String, channel: Label },
    #[error("{channel} leads to {today}, which is older than {wanted}")]
    NotDown { channel: Label, wanted: Version, today: Version },
}

impl Explain for MoveError {
    fn exit(&self) -> Exit {
        match self {
            Self::Package { .. } => Exit::Usage,
            Self::NoChannel { .. } => Exit::NotFound,
            Self::NotUp { .. } | Self::NotDown { .. } => Exit::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Package { .. } => "bad_package",
            Self::NoChannel { .. } => "no_channel",
            Self::NotUp { .. } | Self::NotDown { .. } => "wrong_direction",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Package { .. } => Some("it is group:id:version, with --remove group:id".into()),
            Self::NoChannel { .. } => Some("`pkgbuild promote` makes a channel".into()),
            Self::NotUp { .. } => Some("to go back to an older version, use `pkgbuild demote`".into()),
            Self::NotDown { .. } => Some("to go on to a newer version, use `pkgbuild promote`".into()),
        }
    }
}
