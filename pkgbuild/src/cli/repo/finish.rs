//! What every command that changes who speaks ends with: the change is shown, signed, and sent or written to a file.

use std::path::{Path, PathBuf};

use clap::Args;
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::durable::{self, Existing};
use copkg_spec::repository::Proposal;
use copkg_spec::tuf::Time;
use serde_json::json;
use thiserror::Error;

use super::place::{OwnerKeys, Place};
use crate::cli::Context;
use crate::cli::co_sign::role_text;
use crate::cli::server::{NoKey, Root, missing_text, sent_document, sent_text};
use crate::repository::remote::Remote;
use crate::repository::{
    Blobs, Change, Expired, RoleChange, Sent, View, describe, lasting, send, wait_until_visible,
};

/// For how many days an offline role counts when nobody says otherwise.
const OWNER_DAYS: u16 = 365;

/// What is done with a change.
#[derive(Debug, Args)]
pub(super) struct Ending {
    #[command(flatten)]
    pub(super) keys: OwnerKeys,
    /// Write the change to this file instead of sending it, for others to sign
    #[arg(long, value_name = "FILE", required_unless_present = "repo")]
    out: Option<PathBuf>,
    /// For how many days what is signed now counts [default: 365]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    expires_in: Option<u16>,
    /// Show the change, and make none
    #[arg(long)]
    dry_run: bool,
}

impl Ending {
    /// Returns the end of what is signed now.
    pub(super) fn expires(&self, context: &Context) -> Time {
        expires(self.expires_in, context)
    }

    /// Shows, signs, and sends or writes a change.
    pub(super) fn finish(
        &self,
        mut change: Change,
        mut view: View<'_>,
        (place, remote): (&Place, Option<&Remote>),
        context: &mut Context,
    ) -> Result<Exit, Failure> {
        if change.is_empty() {
            let document = json!({ "changed": false, "state": "unchanged", "roles": [] });
            context.report.data(&document, || "nothing changes".to_owned());
            return Ok(Exit::Ok);
        }
        let keys = self.keys.read(context)?;
        let roles = describe(&change, &mut view)?;
        context.report.note(shown(&roles));
        change.check_keys(&keys, &mut view)?;
        change.sign(&keys, &mut view)?;
        if self.dry_run {
            let document =
                json!({ "changed": false, "state": "rehearsed", "proposal": change.id(), "roles": roles });
            context.report.data(&document, || "nothing was changed".to_owned());
            return Ok(Exit::Ok);
        }
        match (&self.out, remote) {
            (Some(file), _) => {
                let out = Out { path: &context.path(file), existing: Existing::Keep, place };
                write_out(&change, &roles, &mut view, out, context)
            }
            (None, Some(_)) if keys.is_empty() => Err(Failure { hint: Some(NO_KEY.into()), ..NoKey.into() }),
            (None, Some(remote)) => {
                change.check_begun(&mut view)?;
                drop(view);
                deliver(&change.proposal(), &roles, (&place.root, remote), context)
            }
            (None, None) => Err(NoOutput.into()),
        }
    }
}

const NO_KEY: &str = "give --signing-key FILE, or write the change to a file with --out";

/// Returns the end of what is signed now.
pub(super) fn expires(days: Option<u16>, context: &Context) -> Time {
    lasting(context.ambient.now(), days.unwrap_or(OWNER_DAYS))
}

/// Says what changes, role by role.
pub(super) fn shown(roles: &[RoleChange]) -> String {
    roles.iter().map(role_text).collect::<Vec<_>>().join("\n")
}

/// The file that a change is written to.
pub(super) struct Out<'o> {
    pub(super) path: &'o Path,
    pub(super) existing: Existing,
    /// Where the repository is read that it changes.
    pub(super) place: &'o Place,
}

/// Writes a change to a file, and says who must sign it still.
pub(super) fn write_out(
    change: &Change,
    roles: &[RoleChange],
    view: &mut View<'_>,
    Out { path, existing, place }: Out<'_>,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let missing = change.missing(view)?;
    let text =
        serde_json::to_vec_pretty(&change.proposal()).map_err(|source| ChangeFileError::Encode { source })?;
    durable::write(path, 0o644, existing, &text)
        .map_err(|source| ChangeFileError::Write { path: path.to_owned(), source })?;
    let document = json!({
        "changed": true,
        "state": if missing.is_empty() { "signed" } else { "incomplete" },
        "proposal": change.id(),
        "file": path,
        "roles": roles,
        "missing_signatures": missing,
    });
    context.report.data(&document, || {
        let file = path.display();
        if missing.is_empty() {
            return format!("written to {file}, with all signatures\nnext: pkgbuild repo send {file} --repo {}", place.url());
        }
        let waits: Vec<String> = missing.iter().map(missing_text).collect();
        format!("written to {file}; it waits for signatures: {}\nnext: pkgbuild repo sign {file} {place} --signing-key FILE", waits.join("; "))
    });
    Ok(Exit::Ok)
}

/// Sends a change, and waits until it can be seen.
pub(super) fn deliver(
    proposal: &Proposal,
    roles: &[RoleChange],
    (root, remote): (&Root, &Remote),
    context: &mut Context,
) -> Result<Exit, Failure> {
    let sent = send(proposal, &Blobs::new(), remote)?;
    if let Sent::Committed { .. } = sent {
        let reading = root.reading(remote, Expired::Shown, context);
        wait_until_visible(proposal, &reading, &context.ambient)?;
    }
    let mut document = sent_document(&sent);
    document["roles"] = json!(roles);
    let url = remote.address().to_string();
    context.report.data(&document, || sent_text(&sent, &url));
    Ok(Exit::Ok)
}

/// Reads a change from a file.
pub(super) fn read_change(path: &Path) -> Result<(Proposal, Change), Failure> {
    let bytes =
        std::fs::read(path).map_err(|source| ChangeFileError::Read { path: path.to_owned(), source })?;
    let proposal: Proposal = serde_json::from_slice(&bytes)
        .map_err(|source| ChangeFileError::Malformed { path: path.to_owned(), source })?;
    let change = Change::of(&proposal)?;
    Ok((proposal, change))
}

/// A copy was given, and no file to write to.
#[derive(Debug, Error)]
#[error("a change of a copy must be written to a file")]
struct NoOutput;

impl Explain for NoOutput {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> &'static str {
        "no_output"
    }

    fn hint(&self) -> Option<String> {
        Some("give --out FILE".into())
    }
}

/// Says why a file with a change cannot be used.
#[derive(Debug, Error)]
pub(super) enum ChangeFileError {
    /// It cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is none.
    #[error("{path} holds no change of a repository", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// It cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It cannot be encoded.
    #[error("the change cannot be written as JSON")]
    Encode {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl Explain for ChangeFileError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Exit::NotFound,
            Self::Write { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
                Exit::Conflict
            }
            Self::Malformed { .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "change_unreadable",
            Self::Malformed { .. } => "not_a_change",
            Self::Write { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
                "change_exists"
            }
            Self::Write { .. } | Self::Encode { .. } => "output_unwritable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } | Self::Malformed { .. } => Some(
                "name a file that `pkgbuild repo delegate|rotate|revoke|threshold|renew --out FILE` wrote"
                    .into(),
            ),
            Self::Write { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
                Some("it holds another change: send or remove it, or choose another name".into())
            }
            _ => None,
        }
    }
}
