//! The options that name a repository server and the root that it is trusted by, and those of commands that change groups on
//! it.

use clap::Args;
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::keys::SecretKey;
use copkg_spec::repository::MissingSignatures;
use serde_json::{Value, json};
use thiserror::Error;

use super::Context;
use super::keys::SigningKeys;
use crate::repository::remote::{Address, Patience, Remote, RemoteError};
use crate::repository::{Change, Edited, Editor, Expired, Mode, Reading, RootPin, Sent};

/// For how many days a group's role counts when nobody says otherwise.
pub(super) const GROUP_DAYS: u16 = 365;

/// Which root is trusted.
#[derive(Debug, Args)]
pub(super) struct Root {
    /// Trust this root: the fingerprint of the repository, or a file. Needed once; it is remembered
    #[arg(long, value_name = "FINGERPRINT|FILE")]
    root: Option<String>,
}

/// A group on a server, and who changes it.
#[derive(Debug, Args)]
pub(super) struct GroupServer {
    /// The URL of the repository
    #[arg(long, value_name = "URL")]
    pub(super) repo: String,
    #[command(flatten)]
    pub(super) root: Root,
    #[command(flatten)]
    pub(super) change: GroupChange,
}

/// Who changes a group, and for how long it counts.
#[derive(Debug, Args)]
pub(super) struct GroupChange {
    #[command(flatten)]
    pub(super) keys: SigningKeys,
    /// For how many days what is signed now counts [default: 365]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(super) expires_in: Option<u16>,
}

impl Root {
    /// Tells whether one is given.
    pub(super) fn is_given(&self) -> bool {
        self.root.is_some()
    }

    /// Returns how the repository on `remote` is read.
    pub(super) fn reading<'r>(&self, remote: &'r Remote, expired: Expired, context: &Context) -> Reading<'r> {
        let root = self.root.as_deref().map(|text| RootPin::parse(text, &context.ambient));
        Reading { remote, root, expired }
    }
}

/// Prepares to speak to a server.
pub(super) fn remote(url: &str, context: &Context) -> Result<Remote, RemoteError> {
    Remote::new(Address::parse(url)?, Patience::default(), &context.ambient)
}

impl GroupChange {
    /// Reads the keys, of which there must be one.
    pub(super) fn read_keys(&self, context: &Context) -> Result<Vec<SecretKey>, Failure> {
        let keys = self.keys.read(context)?;
        if keys.is_empty() { Err(NoKey.into()) } else { Ok(keys) }
    }

    /// Returns who changes groups.
    pub(super) fn editor<'e>(
        &self,
        reading: Reading<'e>,
        keys: &'e [SecretKey],
        context: &'e Context,
    ) -> Editor<'e> {
        let lasts_days = self.expires_in.unwrap_or(GROUP_DAYS);
        Editor { reading, keys, lasts_days, ambient: &context.ambient }
    }
}

/// No key was given for a command that signs.
#[derive(Debug, Error)]
#[error("no key is given to sign with")]
pub(super) struct NoKey;

impl Explain for NoKey {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> &'static str {
        "no_key"
    }

    fn hint(&self) -> Option<String> {
        Some("give --key FILE".into())
    }
}

/// Returns whether a change is done or worked out.
pub(super) fn mode(dry_run: bool) -> Mode {
    if dry_run { Mode::Rehearsal } else { Mode::Real }
}

/// Returns what a change came to, as a document to be added to.
pub(super) fn document(edited: &Edited) -> Value {
    match edited {
        Edited::Nothing => json!({ "changed": false, "state": "unchanged" }),
        Edited::Rehearsed(change) => {
            json!({ "changed": false, "state": "rehearsed", "proposal": change.id() })
        }
        Edited::Sent(sent) => sent_document(sent),
    }
}

/// Returns what became of a proposal, as a document to be added to.
pub(super) fn sent_document(sent: &Sent) -> Value {
    match sent {
        Sent::Committed { committed, now } => json!({
            "changed": now,
            "state": "committed",
            "commit": committed.commit,
            "proposal": committed.id,
        }),
        Sent::Pending(pending) => json!({
            "changed": true,
            "state": "pending",
            "proposal": pending.id,
            "missing_signatures": pending.missing_signatures,
        }),
    }
}

/// Says what became of a proposal, for people; `url` is that of the repository.
pub(super) fn said(edited: &Edited, url: &str) -> Option<String> {
    match edited {
        Edited::Nothing => None,
        Edited::Rehearsed(change) => Some(format!("would sign {}", roles_of(change))),
        Edited::Sent(sent) => Some(sent_text(sent, url)),
    }
}

/// Says what became of a proposal, for people.
pub(super) fn sent_text(sent: &Sent, url: &str) -> String {
    match sent {
        Sent::Committed { committed, now: true } => format!("commit {}", committed.commit),
        Sent::Committed { committed, now: false } => format!("committed before: commit {}", committed.commit),
        Sent::Pending(pending) => {
            let missing: Vec<String> = pending.missing_signatures.iter().map(missing_text).collect();
            format!(
                "it waits for signatures: {}\nnext: pkgbuild publish --co-sign {} --repo {url} --key FILE",
                missing.join("; "),
                pending.id
            )
        }
    }
}

/// Says who must still sign a role.
pub(super) fn missing_text(missing: &MissingSignatures) -> String {
    let may: Vec<String> = missing.may.iter().map(copkg_spec::tuf::KeyId::short).collect();
    format!(
        "{} has {} of {}, may still sign: {}",
        missing.role,
        missing.have.len(),
        missing.need,
        may.join(", ")
    )
}

fn roles_of(change: &Change) -> String {
    change.files().map(|(role, _)| role.to_string()).collect::<Vec<_>>().join(", ")
}
