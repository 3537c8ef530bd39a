//! What a client trusts, and the rules by which new metadata becomes trusted (TUF 5.3 to 5.6).
//!
//! Pure checks; in which order the files are asked for is the matter of [`super::refresh`] and [`super::search`].

use std::collections::BTreeMap;

use super::authority::Authority;
use super::content::{Root, Snapshot, Timestamp};
use super::document::{Content, Document, Verified};
use super::error::{Rule, TufError};
use super::file::MetaFile;
use super::limits::Limits;
use super::name::Role;
use super::targets::Targets;
use super::time::Time;

/// Loads the root that the client already trusts.
///
/// 5.2: "Load the trusted root metadata file. […] Note that the expiration of the trusted root metadata file does not
/// matter, because we will attempt to update it in the next step." Its own keys must have signed it, so that a file cut
/// short or mixed up on disk is found here.
///
/// # Errors
/// When it is not a root, or its own keys did not sign it.
pub fn load_root(bytes: Vec<u8>) -> Result<Verified<Root>, TufError> {
    let refused = |rule| TufError { role: Role::Root, rule };
    let document = Document::<Root>::parse(bytes).map_err(|error| refused(error.into()))?;
    let own = document.unverified().clone();
    document.verify(own.root_authority()).map_err(refused)
}

/// Checks the root that follows `trusted`.
///
/// # Errors
/// When it does not follow.
pub fn next_root(trusted: &Root, bytes: Vec<u8>) -> Result<Verified<Root>, TufError> {
    check_next_root(trusted, bytes).map_err(|rule| TufError { role: Role::Root, rule })
}

fn check_next_root(trusted: &Root, bytes: Vec<u8>) -> Result<Verified<Root>, Rule> {
    let document = Document::<Root>::parse(bytes)?;
    // 5.3.4: "Version N+1 of the root metadata file MUST have been signed by: (1) a threshold of keys specified in the
    // trusted root metadata file (version N), and (2) a threshold of keys specified in the new root metadata file being
    // validated (version N+1)."
    document.check(trusted.root_authority())?;
    let own = document.unverified().clone();
    let verified = document.verify(own.root_authority())?;
    // 5.3.5: "Effectively, this means checking that the version number signed in the new root metadata file is indeed
    // N+1."
    let expected = trusted.version.next().unwrap_or(trusted.version);
    if verified.version < trusted.version {
        return Err(Rule::Rollback { trusted: trusted.version, found: verified.version });
    }
    if verified.version != expected || expected == trusted.version {
        return Err(Rule::Version { expected, found: verified.version });
    }
    // 5.3.6: "Note that the expiration of the new (intermediate) root metadata file does not matter yet".
    Ok(verified)
}

/// "The expiration timestamp […] MUST be higher than the fixed update start time" (5.3.10, 5.4.4, 5.5.6, 5.6.5).
pub(super) fn check_expiry(content: &impl Content, now: Time) -> Result<(), Rule> {
    let expires = content.expires();
    if expires > now { Ok(()) } else { Err(Rule::Expired { expires, now }) }
}

/// Which of two timestamps counts.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum NewTimestamp {
    /// The new one.
    Newer(Verified<Timestamp>),
    /// The one that the client has: the new one says the same.
    Same,
}

/// Checks a timestamp against the one before it, if there is one. The expiry of one that counts comes after; `now` only tells what
/// an older one is.
pub(super) fn next_timestamp(
    root: &Root,
    trusted: Option<&Timestamp>,
    bytes: Vec<u8>,
    now: Time,
) -> Result<NewTimestamp, Rule> {
    // 5.4.2: "The new timestamp metadata file MUST have been signed by a threshold of keys specified in the trusted root
    // metadata file."
    let verified = Document::<Timestamp>::parse(bytes)?.verify(root.timestamp_authority())?;
    let Some(trusted) = trusted else { return Ok(NewTimestamp::Newer(verified)) };
    // 5.4.3.1: "If the new timestamp metadata version is less than the trusted timestamp metadata version, discard it, abort
    // the update cycle, and report the potential rollback attack. In case they are equal, discard the new timestamp
    // metadata and abort the update cycle. This is normal and it shouldn't raise any error."
    if verified.version < trusted.version {
        return Err(older(trusted, &verified, now));
    }
    if verified.version == trusted.version {
        return Ok(NewTimestamp::Same);
    }
    // 5.4.3.2: "The version number of the snapshot metadata file in the trusted timestamp metadata file, if any, MUST be less
    // than or equal to its version number in the new timestamp metadata file."
    let listed = Role::Snapshot.meta_name();
    check_listed(&listed, &trusted.meta.snapshot, &verified.meta.snapshot)?;
    Ok(NewTimestamp::Newer(verified))
}

/// Says what a timestamp is that is older than the trusted one: neither is believed. What has ended by now was kept to be shown
/// again; what names a newer snapshot than the trusted one is not of its past.
fn older(trusted: &Timestamp, found: &Timestamp, now: Time) -> Rule {
    let is_of_the_past = found.meta.snapshot.version <= trusted.meta.snapshot.version;
    let (trusted, is_in_date) = (trusted.version, check_expiry(found, now).is_ok());
    let found = found.version;
    if is_in_date && is_of_the_past {
        Rule::Behind { trusted, found }
    } else {
        Rule::Rollback { trusted, found }
    }
}

fn check_listed(listed: &str, trusted: &MetaFile, found: &MetaFile) -> Result<(), Rule> {
    if found.version >= trusted.version {
        return Ok(());
    }
    let (trusted, found) = (trusted.version, found.version);
    Err(Rule::ListedRollback { listed: listed.escape_debug().to_string(), trusted, found })
}

/// Checks a snapshot against the timestamp that names it and the snapshot before it, if there is one.
pub(super) fn next_snapshot(
    root: &Root,
    named: &MetaFile,
    trusted: Option<&Snapshot>,
    bytes: Vec<u8>,
    now: Time,
) -> Result<Verified<Snapshot>, Rule> {
    // 5.5.2: "The hashes of the new snapshot metadata file MUST match the hashes, if any, listed in the trusted timestamp
    // metadata."
    named.check(&bytes)?;
    // 5.5.3: "The new snapshot metadata file MUST have been signed by a threshold of keys specified in the trusted root
    // metadata file."
    let verified = Document::<Snapshot>::parse(bytes)?.verify(root.snapshot_authority())?;
    // 5.5.4: "The version number of the new snapshot metadata file MUST match the version number listed in the trusted
    // timestamp metadata."
    check_version(named, &*verified)?;
    // 5.5.5: "The version number of the targets metadata file, and all delegated targets metadata files, if any, in the
    // trusted snapshot metadata file, if any, MUST be less than or equal to its version number in the new snapshot metadata
    // file. Furthermore, any targets metadata filename that was listed in the trusted snapshot metadata file, if any, MUST
    // continue to be listed in the new snapshot metadata file."
    for (listed, before) in trusted.iter().flat_map(|trusted| &trusted.meta) {
        let Some(after) = verified.meta.get(listed) else {
            return Err(Rule::Unlisted { listed: listed.escape_debug().to_string() });
        };
        check_listed(listed, before, after)?;
    }
    // 5.5.6.
    check_expiry(&*verified, now)?;
    Ok(verified)
}

/// Checks the metadata of targets or of a role that it delegates to.
pub(super) fn next_targets(
    authority: Authority<'_>,
    named: &MetaFile,
    bytes: Vec<u8>,
    now: Time,
) -> Result<Verified<Targets>, Rule> {
    // 5.6.2: "The hashes of the new targets metadata file MUST match the hashes, if any, listed in the trusted snapshot
    // metadata."
    named.check(&bytes)?;
    // 5.6.3: "The new targets metadata file MUST have been signed by a threshold of keys specified in the trusted root
    // metadata file", or in the delegation.
    let verified = Document::<Targets>::parse(bytes)?.verify(authority)?;
    // 5.6.4: "The version number of the new targets metadata file MUST match the version number listed in the trusted
    // snapshot metadata."
    check_version(named, &*verified)?;
    // 5.6.5.
    check_expiry(&*verified, now)?;
    Ok(verified)
}

fn check_version(named: &MetaFile, content: &impl Content) -> Result<(), Rule> {
    let (expected, found) = (named.version, content.version());
    if expected == found { Ok(()) } else { Err(Rule::Version { expected, found }) }
}

/// The top-level metadata of a repository, as one refresh found it, and the delegated metadata that searches read
/// since. Every part is verified and was not expired when the refresh began.
#[derive(Debug)]
pub struct Trusted {
    pub(super) root: Verified<Root>,
    pub(super) timestamp: Verified<Timestamp>,
    pub(super) snapshot: Verified<Snapshot>,
    pub(super) targets: Verified<Targets>,
    /// What searches read. Each role was verified for one of those that delegate to it, and is again for the next.
    pub(super) delegated: BTreeMap<Role, Verified<Targets>>,
    pub(super) limits: Limits,
    pub(super) now: Time,
}

impl Trusted {
    /// Returns the root.
    pub fn root(&self) -> &Verified<Root> {
        &self.root
    }

    /// Returns the timestamp.
    pub fn timestamp(&self) -> &Verified<Timestamp> {
        &self.timestamp
    }

    /// Returns the snapshot.
    pub fn snapshot(&self) -> &Verified<Snapshot> {
        &self.snapshot
    }

    /// Returns the top-level targets.
    pub fn targets(&self) -> &Verified<Targets> {
        &self.targets
    }

    /// Returns the metadata of targets, or of a delegated role that was read.
    pub fn role(&self, role: &Role) -> Option<&Verified<Targets>> {
        if *role == Role::Targets { Some(&self.targets) } else { self.delegated.get(role) }
    }

    /// Forgets a delegated role that was read, for whoever reads many of them and needs each once.
    pub fn forget(&mut self, role: &Role) {
        self.delegated.remove(role);
    }
}
