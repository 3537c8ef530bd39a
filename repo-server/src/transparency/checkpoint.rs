//! The file `tlog/checkpoint`: the newest head, signed by the online keys, cosigned by witnesses, never going back.

use bytes::Bytes;
use copkg_spec::coordinate::CoordinateError;
use copkg_spec::keys::{PublicKey, SecretKey};
use copkg_spec::repository::Fingerprint;
use copkg_spec::tlog::{
    Checkpoint, Head, KeyKind, NoteSignature, Origin, Resource, SignedCheckpoint, VerifierKey,
};
use copkg_spec::tuf::Root;

use super::{TransparencyError, path_of};
use crate::storage::{Replaced, Storage};

/// Returns the name of a repository's log, which its keys have too.
///
/// # Errors
/// Never for a fingerprint.
pub fn origin_of(fingerprint: &Fingerprint) -> Result<Origin, CoordinateError> {
    fingerprint.log_origin().parse()
}

/// Returns the keys that a root lets sign checkpoints: those of the timestamp.
///
/// # Errors
/// When the origin is no name of a key.
pub fn log_keys(origin: &Origin, root: &Root) -> Result<Vec<VerifierKey>, CoordinateError> {
    let name: copkg_spec::tlog::KeyName = origin.as_str().parse()?;
    let listed = root.roles.timestamp.keyids().iter().filter_map(|id| root.keys.get(id));
    // A key of another kind signs no notes.
    let public = listed.filter_map(|key| format!("ed25519:{}", key.keyval.public).parse::<PublicKey>().ok());
    Ok(public.map(|key| VerifierKey::new(name.clone(), KeyKind::Note, key)).collect())
}

/// Signs a head with each key that speaks for the timestamp; nothing when none of them is at hand.
///
/// # Errors
/// When the origin is no name of a key.
pub fn sign_head(
    origin: &Origin,
    head: Head,
    root: &Root,
    keys: &[SecretKey],
) -> Result<Option<SignedCheckpoint>, CoordinateError> {
    let allowed = log_keys(origin, root)?;
    let checkpoint = Checkpoint { origin: origin.clone(), head };
    let mut signed: Option<SignedCheckpoint> = None;
    for key in keys {
        let public = key.public();
        let Some(name) = allowed.iter().find(|allowed| *allowed.public() == public).map(VerifierKey::name)
        else {
            continue;
        };
        let more = checkpoint.sign(name.clone(), key);
        match &mut signed {
            Some(signed) => {
                for line in more.note().signatures() {
                    signed.add(line.clone());
                }
            }
            None => signed = Some(more),
        }
    }
    Ok(signed)
}

/// Reads the checkpoint that is served; nothing when there is none, or it is damaged.
///
/// # Errors
/// When the store fails.
pub async fn read_checkpoint(storage: &Storage) -> Result<Option<SignedCheckpoint>, TransparencyError> {
    let bytes = storage.read(&path_of(Resource::Checkpoint)).await?;
    Ok(bytes.and_then(|bytes| SignedCheckpoint::parse(&bytes).ok()))
}

/// Lets the served checkpoint be this one, unless it is this or a later one already. Durable when it returns.
///
/// # Errors
/// When the store fails.
pub async fn advance_checkpoint(storage: &Storage, next: &SignedCheckpoint) -> Result<(), TransparencyError> {
    change(storage, |there| {
        let later = there.is_some_and(|there| there.unverified().head.size >= next.unverified().head.size);
        (!later).then(|| next.clone())
    })
    .await
}

/// Adds cosignatures to the served checkpoint, unless it went on since.
///
/// # Errors
/// When the store fails.
pub async fn add_signatures(
    storage: &Storage,
    cosigned: &Checkpoint,
    lines: &[NoteSignature],
) -> Result<(), TransparencyError> {
    change(storage, |there| {
        let mut next = there.filter(|there| there.unverified() == cosigned)?.clone();
        for line in lines {
            next.add(line.clone());
        }
        Some(next)
    })
    .await
}

async fn change(
    storage: &Storage,
    next: impl Fn(Option<&SignedCheckpoint>) -> Option<SignedCheckpoint>,
) -> Result<(), TransparencyError> {
    let path = path_of(Resource::Checkpoint);
    loop {
        let there = storage.read_stamped(&path).await?;
        let before = there.as_ref().and_then(|(bytes, _)| SignedCheckpoint::parse(bytes).ok());
        let Some(next) = next(before.as_ref()) else { return Ok(()) };
        let stamp = there.as_ref().map(|(_, stamp)| stamp);
        let bytes = Bytes::from(next.to_string());
        if storage.replace(&path, stamp, bytes).await? == Replaced::Yes {
            return Ok(());
        }
    }
}
