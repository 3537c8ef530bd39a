//! `pkgbuild publish --co-sign [ID]`: lists what waits for signatures, or shows one proposal in full and signs it.

use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::keys::SecretKey;
use copkg_spec::repository::{Proposal, ProposalId};
use copkg_spec::tuf::KeyId;
use serde_json::{Value, json};
use thiserror::Error;

use super::Context;
use super::keys::SigningKeys;
use super::publish::Wanted;
use super::server::{NoKey, missing_text, sent_document, sent_text};
use crate::repository::remote::{CoSignature, RemoteError, Waiting};
use crate::repository::{Change, Mode, Reading, RoleChange, Sent, View, describe, wait_until_visible};

pub(super) fn run(
    wanted: Wanted,
    keys: &SigningKeys,
    reading: &Reading<'_>,
    mode: Mode,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let keys = keys.read(context)?;
    match wanted {
        Wanted::List => list(&keys, reading, context),
        Wanted::One(_) if keys.is_empty() && mode == Mode::Real => Err(NoKey.into()),
        Wanted::One(id) => sign(id, &keys, reading, mode, context),
    }
}

/// Lists what waits: with keys, only what they may still sign.
fn list(keys: &[SecretKey], reading: &Reading<'_>, context: &mut Context) -> Result<Exit, Failure> {
    let ids: Vec<KeyId> = keys.iter().map(|key| key.public().id().into()).collect();
    let mut waiting = Vec::new();
    for id in reading.remote.waiting()? {
        match reading.remote.proposal(id) {
            Ok(found) => waiting.push(found),
            // Somebody completed it meanwhile, or published something else that it does not build upon.
            Err(RemoteError::NotFound { .. } | RemoteError::VersionConflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    waiting.retain(|waiting| {
        let mut may = waiting.pending.missing_signatures.iter().flat_map(|missing| &missing.may);
        ids.is_empty() || may.any(|id| ids.contains(id))
    });
    let mut view = reading.view(&context.ambient)?;
    let shown = waiting.into_iter().map(|waiting| show(waiting, &mut view)).collect::<Result<Vec<_>, _>>()?;
    let documents: Vec<Value> = shown.iter().map(Shown::document).collect();
    context.report.data(&json!({ "changed": false, "proposals": documents }), || match &shown[..] {
        [] => "nothing waits for a signature".to_owned(),
        shown => shown.iter().map(Shown::text).collect::<Vec<_>>().join("\n\n"),
    });
    Ok(Exit::Ok)
}

fn sign(
    id: ProposalId,
    keys: &[SecretKey],
    reading: &Reading<'_>,
    mode: Mode,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let waiting = reading.remote.proposal(id)?;
    let mut view = reading.view(&context.ambient)?;
    let shown = show(waiting, &mut view)?;
    check_is(id, &shown)?;
    // Before anything is signed, whoever signs can read what.
    context.report.note(shown.text());
    let mut change = shown.change.clone();
    change.check_current(&mut view)?;
    change.check_keys(keys, &mut view)?;
    let signed = change.sign(keys, &mut view)?;
    drop(view);
    let mut signatures = Vec::new();
    for (role, key) in &signed {
        let found = change.files().find(|(other, _)| *other == role);
        let signature =
            found.and_then(|(_, draft)| draft.signatures().iter().find(|signature| signature.keyid == *key));
        signatures.extend(
            signature.map(|signature| CoSignature {
                role: role.as_str().to_owned(),
                signature: signature.clone(),
            }),
        );
    }
    if mode == Mode::Rehearsal || signatures.is_empty() {
        let mut document = shown.document();
        document["changed"] = false.into();
        context.report.data(&document, || match mode {
            Mode::Rehearsal => format!("would sign {id}"),
            Mode::Real => format!("{id} has these signatures already"),
        });
        return Ok(Exit::Ok);
    }
    let sent = Sent::of(reading.remote.co_sign(id, &signatures)?);
    if let Sent::Committed { .. } = sent {
        wait_until_visible(&change.proposal(), reading, &context.ambient)?;
    }
    let mut document = sent_document(&sent);
    document["changed"] = true.into();
    document["roles"] = json!(shown.roles);
    let url = reading.remote.address().to_string();
    context.report.data(&document, || format!("signed {id}\n{}", sent_text(&sent, &url)));
    Ok(Exit::Ok)
}

/// A proposal as it is shown.
struct Shown {
    waiting: Waiting,
    change: Change,
    roles: Vec<RoleChange>,
}

fn show(waiting: Waiting, view: &mut View<'_>) -> Result<Shown, Failure> {
    let change = Change::of(&Proposal { roles: waiting.roles.clone() })?;
    let roles = describe(&change, view)?;
    Ok(Shown { waiting, change, roles })
}

/// What is shown and signed must be what was asked for, whatever the server calls it.
fn check_is(asked: ProposalId, shown: &Shown) -> Result<(), OtherProposal> {
    let found = shown.change.id();
    if found == asked { Ok(()) } else { Err(OtherProposal { asked, found }) }
}

impl Shown {
    fn document(&self) -> Value {
        let pending = &self.waiting.pending;
        json!({
            "proposal": pending.id,
            "roles": self.roles,
            "missing_signatures": pending.missing_signatures,
            "missing_blobs": pending.missing_blobs,
        })
    }

    fn text(&self) -> String {
        let pending = &self.waiting.pending;
        let mut lines = vec![format!("proposal {}", pending.id)];
        lines.extend(self.roles.iter().map(role_text));
        lines.extend(
            pending.missing_signatures.iter().map(|missing| format!("  waits: {}", missing_text(missing))),
        );
        let blobs = &pending.missing_blobs;
        lines.extend(blobs.iter().map(|blob| format!("  waits: {} is not uploaded yet", blob.path)));
        lines.join("\n")
    }
}

/// Says what changes in a role.
pub(super) fn role_text(role: &RoleChange) -> String {
    let head = format!("  {} version {}", role.role, role.version);
    let changes = role.changes.iter().map(|change| format!("    {change}"));
    std::iter::once(head).chain(changes).collect::<Vec<_>>().join("\n")
}

/// The server sent another proposal than the one that was asked for.
#[derive(Debug, Error)]
#[error("the server answers with another proposal than the one asked for: {found}, not {asked}")]
struct OtherProposal {
    asked: ProposalId,
    found: ProposalId,
}

impl Explain for OtherProposal {
    fn exit(&self) -> Exit {
        Exit::Trust
    }

    fn code(&self) -> &'static str {
        "other_proposal"
    }
}
