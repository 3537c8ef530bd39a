//! Says why a content cannot be edited, pushed or changed.

use camino::Utf8PathBuf;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{CoordinateError, Label, PackageCoordinate, ServiceCoordinate};
use thiserror::Error;

use super::Hold;
use crate::file_error::FileError;
use crate::follow::{FollowError, FollowedChannel};
use crate::host::LockError;
use crate::interrupt::Interrupted;
use crate::receipts::ReceiptError;
use crate::service::ServiceError;
use crate::tree::TreeError;

/// Why a content cannot be looked at or changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ContentError {
    /// There is no content of this name.
    #[error("there is no content {name} here")]
    Unknown {
        /// The name.
        name: Label,
        /// Those that there are.
        known: Vec<Label>,
    },
    /// A content of this name is another one.
    #[error("the content {name} is {channel} here already")]
    Exists {
        /// The name.
        name: Label,
        /// What it is.
        channel: FollowedChannel,
    },
    /// Somebody edits it.
    #[error("{name} {}", hold.said())]
    Held {
        /// The content.
        name: Label,
        /// Who edits it.
        hold: Box<Hold>,
    },
    /// Nobody edits it.
    #[error("{name} is not being edited")]
    NotEdited {
        /// The content.
        name: Label,
    },
    /// The channel leads to something else than a content.
    #[error("{package} is no package of kind content")]
    NoContent {
        /// The package.
        package: PackageCoordinate,
    },
    /// There is no such revision.
    #[error("{name} has no revision {id}")]
    NoRevision {
        /// The content.
        name: Label,
        /// What was asked for.
        id: String,
        /// The newest revisions that there are.
        known: Vec<String>,
    },
    /// Nothing was edited.
    #[error("nothing in {name} is different from {base}")]
    Unchanged {
        /// The content.
        name: Label,
        /// The revision that is edited.
        base: PackageCoordinate,
    },
    /// Something cannot be in a revision.
    #[error("{} cannot be in a revision{}", refused[0].0, more(refused.len()))]
    NotPublishable {
        /// What, and why.
        refused: Vec<(String, &'static str)>,
    },
    /// A channel was moved since editing began.
    #[error("{channel} was moved from {from} to {to} since editing began")]
    Moved {
        /// The content.
        name: Label,
        /// The channel.
        channel: String,
        /// Where it led.
        from: String,
        /// Where it leads.
        to: String,
    },
    /// A merge left something to settle.
    #[error("{} of {name} {} to be settled: {}", count(left.len()), if left.len() == 1 { "has" } else { "have" }, left.join(", "))]
    Unsettled {
        /// The content.
        name: Label,
        /// What, by file and line.
        left: Vec<String>,
        /// Where the files lie.
        place: Utf8PathBuf,
    },
    /// Nothing can sign.
    #[error("no key is given to sign the revision with")]
    NoKey,
    /// `pkgbuild` is not on this host.
    #[error("pkgbuild, which builds and publishes revisions, is neither beside pkginstall nor in PATH")]
    NoPkgbuild,
    /// `pkgbuild` failed without saying why.
    #[error("pkgbuild {how}")]
    PkgbuildFailed {
        /// How it ended.
        how: String,
        /// What it wrote.
        output: String,
    },
    /// `pkgbuild` says something else than what it made.
    #[error("pkgbuild does not say what it built")]
    Answer {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The recipe of the revision cannot be written.
    #[error("the recipe of the revision cannot be written")]
    Recipe(#[source] toml::ser::Error),
    /// The version of the next revision is none.
    #[error("{name} has no further revision")]
    NoVersion {
        /// The content.
        name: Label,
        /// Why.
        #[source]
        source: CoordinateError,
    },
    /// What was built is not what was edited.
    #[error("the revision that was built lacks what was edited: {}", paths.join(", "))]
    NotWhole {
        /// What differs.
        paths: Vec<String>,
    },
    /// No server takes what is published.
    #[error("{channel} comes from {place}, and only a repository server takes what is pushed")]
    NoServer {
        /// The channel.
        channel: FollowedChannel,
        /// Where it comes from.
        place: String,
    },
    /// The files are served, and the service did not read them.
    #[error("{name} was switched, and {service} could not be reloaded")]
    NotReloaded {
        /// The content.
        name: Label,
        /// The service.
        service: ServiceCoordinate,
        /// Why.
        #[source]
        source: Box<ServiceError>,
    },
    /// Something lies where the working copy goes.
    #[error("{path} is in the way")]
    InTheWay {
        /// What.
        path: Utf8PathBuf,
    },
    /// The link that names what is served leads elsewhere.
    #[error("{path} leads to {target}, which is no revision of this content")]
    StrangeLink {
        /// The link.
        path: Utf8PathBuf,
        /// Where it leads.
        target: String,
    },
    /// A record is of a later version of this program.
    #[error("{path} was written by a later version of pkginstall")]
    LaterVersion {
        /// The record.
        path: Utf8PathBuf,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A tree cannot be read or changed.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Another command is at work on it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// What is installed cannot be read.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// Its subscription refuses.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// A signal came. Nothing was changed.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

fn more(all: usize) -> String {
    match all {
        0 | 1 => String::new(),
        all => format!(", and {} more", all - 1),
    }
}

fn count(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

impl Explain for ContentError {
    fn exit(&self) -> Exit {
        match self {
            Self::Unknown { .. } | Self::NoRevision { .. } | Self::NoPkgbuild => Exit::NotFound,
            Self::Exists { .. }
            | Self::Held { .. }
            | Self::NotEdited { .. }
            | Self::NoContent { .. }
            | Self::Unchanged { .. }
            | Self::Moved { .. }
            | Self::Unsettled { .. }
            | Self::InTheWay { .. }
            | Self::StrangeLink { .. } => Exit::Conflict,
            Self::NotPublishable { .. } => Exit::Trust,
            Self::NoKey | Self::NoServer { .. } => Exit::Usage,
            Self::PkgbuildFailed { .. }
            | Self::Answer { .. }
            | Self::Recipe(_)
            | Self::NoVersion { .. }
            | Self::NotWhole { .. }
            | Self::NotReloaded { .. }
            | Self::LaterVersion { .. }
            | Self::File(_) => Exit::Failure,
            Self::Tree(error) => error.exit(),
            Self::Lock(error) => error.exit(),
            Self::Receipt(error) => error.exit(),
            Self::Follow(error) => error.exit(),
            Self::Interrupted(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "content_unknown",
            Self::Exists { .. } => "content_exists",
            Self::Held { .. } => "content_held",
            Self::NotEdited { .. } => "content_not_edited",
            Self::NoContent { .. } => "not_a_content",
            Self::NoRevision { .. } => "content_no_revision",
            Self::Unchanged { .. } => "content_unchanged",
            Self::NotPublishable { .. } => "content_not_publishable",
            Self::Moved { .. } => "content_moved",
            Self::Unsettled { .. } => "content_unsettled",
            Self::NoKey => "content_no_key",
            Self::NoPkgbuild => "content_no_pkgbuild",
            Self::PkgbuildFailed { .. } | Self::Answer { .. } | Self::Recipe(_) => "content_pkgbuild",
            Self::NoVersion { .. } => "content_no_version",
            Self::NotWhole { .. } => "content_not_whole",
            Self::NoServer { .. } => "content_no_server",
            Self::NotReloaded { .. } => "content_not_reloaded",
            Self::InTheWay { .. } => "content_in_the_way",
            Self::StrangeLink { .. } => "content_strange_link",
            Self::LaterVersion { .. } => "content_of_later_version",
            Self::File(_) => "content_file",
            Self::Tree(error) => error.code(),
            Self::Lock(error) => error.code(),
            Self::Receipt(error) => error.code(),
            Self::Follow(error) => error.code(),
            Self::Interrupted(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { known, .. } if known.is_empty() => {
                "`pkginstall content add NAME GROUP:ID@CHANNEL` adds one".into()
            }
            Self::Unknown { known, .. } => {
                let known: Vec<&str> = known.iter().map(Label::as_str).collect();
                format!("there are {}", known.join(", "))
            }
            Self::Exists { name, .. } => {
                format!("choose another name, or take it away first: `pkginstall content remove {name}`")
            }
            Self::Held { name, .. } => format!(
                "`pkginstall content push {name}` publishes the edits, `pkginstall content abandon {name}` sets them aside; \
                 `--take-over` does it for somebody else"
            ),
            Self::NotEdited { name } => format!("`pkginstall content edit {name}` begins to"),
            Self::NoContent { .. } => "build it from a recipe with `kind = \"content\"`".into(),
            Self::NoRevision { name, known, .. } if known.is_empty() => {
                format!("`pkginstall content list {name}` lists them")
            }
            Self::NoRevision { known, .. } => format!("there are {}", known.join(", ")),
            Self::Unchanged { name, .. } => format!("`pkginstall content abandon {name}` ends editing"),
            Self::NotPublishable { refused } => {
                let lines = refused.iter().map(|(path, why)| format!("{path}: {why}"));
                lines.collect::<Vec<_>>().join("\n        ")
            }
            Self::Moved { name, .. } => {
                format!("`pkginstall content push {name} --merge` brings that into the edits, then pushes")
            }
            Self::Unsettled { name, place, .. } => format!(
                "edit each file in {place} and move it over the one of the same path in edit/, or delete it to keep that; \
                 then `pkginstall content push {name}`"
            ),
            Self::NoKey => "give `--key FILE`, or set COPKG_CONTENT_KEY to the file's path".into(),
            Self::NoPkgbuild => "install pkgbuild in the directory of pkginstall".into(),
            Self::PkgbuildFailed { output, .. } if output.is_empty() => return None,
            Self::PkgbuildFailed { output, .. } => format!("it wrote: {output}"),
            Self::NoVersion { .. } | Self::Answer { .. } | Self::Recipe(_) | Self::LaterVersion { .. } => {
                return None;
            }
            Self::NotWhole { .. } => "nothing was published; take these files away, or rename them".into(),
            Self::NoServer { .. } => "name the server with `--repo URL`".into(),
            Self::NotReloaded { service, .. } => {
                format!("it is tried again by the agent; or restart it: `pkginstall restart {service}`")
            }
            Self::InTheWay { .. } => "move it away: nobody edits this content".into(),
            Self::StrangeLink { path, .. } => {
                format!("it was made by hand: remove {path}, and activate a revision")
            }
            Self::File(_) => return None,
            Self::Tree(error) => return error.hint(),
            Self::Lock(error) => return error.hint(),
            Self::Receipt(error) => return error.hint(),
            Self::Follow(error) => return error.hint(),
            Self::Interrupted(error) => return error.hint(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use copkg_spec::command::Failure;
    use copkg_spec::digest::Digest;
    use jiff::Timestamp;

    use super::*;
    use crate::content::Serving;
    use crate::follow::Revision;
    use crate::generation::Actor;

    fn hold() -> Hold {
        let base = Revision { package: "com.example:pages:3".parse().unwrap(), digest: Digest::of(b"three") };
        let actor = Actor { user: "root".into(), through: Some("ada".into()) };
        let hold = Hold::new(actor, Timestamp::UNIX_EPOCH, base, BTreeMap::new());
        hold.because(Some("new prices".into()), Serving::Edits)
    }

    #[test]
    fn every_error_says_what_failed_why_and_what_to_do() {
        let name = || "site".parse::<Label>().unwrap();
        let channel = || "com.example:pages@prod".parse::<FollowedChannel>().unwrap();
        let package = || "com.example:pages:3".parse::<PackageCoordinate>().unwrap();
        let refused = vec![
            ("key.pem".to_owned(), "nobody but its owner may read it, and everybody may read a revision"),
            ("out".to_owned(), "it leads out of the content"),
        ];
        let errors = [
            ContentError::Unknown { name: name(), known: Vec::new() },
            ContentError::Unknown { name: name(), known: vec!["rules".parse().unwrap()] },
            ContentError::Exists { name: name(), channel: channel() },
            ContentError::Held { name: name(), hold: Box::new(hold()) },
            ContentError::NotEdited { name: name() },
            ContentError::NoContent { package: package() },
            ContentError::NoRevision { name: name(), id: "9".into(), known: vec!["3".into(), "2".into()] },
            ContentError::Unchanged { name: name(), base: package() },
            ContentError::NotPublishable { refused },
            ContentError::Moved {
                name: name(),
                channel: channel().to_string(),
                from: "3".into(),
                to: "4".into(),
            },
            ContentError::Unsettled {
                name: name(),
                left: vec!["index.html:5".into(), "picture".into()],
                place: "/content/site/conflicts".into(),
            },
            ContentError::NoKey,
            ContentError::NoPkgbuild,
            ContentError::PkgbuildFailed { how: "was ended by signal 9".into(), output: String::new() },
            ContentError::NotWhole { paths: vec!["page".into()] },
            ContentError::NoServer { channel: channel(), place: "/srv/packages".into() },
            ContentError::InTheWay { path: "/content/site/edit".into() },
            ContentError::StrangeLink { path: "/content/site/active".into(), target: "/tmp".into() },
            ContentError::LaterVersion { path: "/srv/hold.json".into() },
        ];
        let said = errors.iter().map(|error| {
            let failure = Failure::of(error);
            format!("{} (exit {})\n{failure}", failure.code, failure.exit.code())
        });
        insta::assert_snapshot!(said.collect::<Vec<_>>().join("\n\n"));
    }
}
