//! The log: whether a repository still says what it has said to this host before.
//!
//! Comes after a refresh. The timestamp carries the head of the repository's transparency log; the log of today must begin
//! with the one that was seen last. Both heads are signed, so where they contradict one another they are kept as evidence:
//! somebody holds the repository's online keys and shows different histories to different people.

use copkg_spec::tlog::{Head, Tiles, TlogError};
use copkg_spec::tuf::{Document, Timestamp, Trusted};

use super::cache::Cache;
use super::driver::{Copy, Stopped};
use super::error::CacheError;

/// The timestamp whose head was believed last.
pub(super) const SEEN: &str = "log.timestamp.json";
/// Says that the keys of the timestamp were retired since: then a log may begin anew.
pub(super) const ROTATED: &str = "log.rotated";
/// Where contradictions are kept.
const EVIDENCE: &str = "evidence";

/// What became of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Log {
    /// It goes on from where it was seen last, or there is none.
    GoesOn,
    /// It begins anew, after the repository's keys were rotated. Both states are kept here.
    BeganAnew { evidence: String },
}

/// Why the log is not believed.
#[derive(Debug)]
pub(super) enum Unbelieved {
    /// It contradicts what was seen, or says nothing any more.
    Log { evidence: Option<String>, source: TlogError },
    /// A tile cannot be had.
    Stopped(Stopped),
}

impl From<TlogError> for Unbelieved {
    fn from(source: TlogError) -> Self {
        Self::Log { evidence: None, source }
    }
}

impl From<CacheError> for Unbelieved {
    fn from(error: CacheError) -> Self {
        Self::Stopped(error.into())
    }
}

/// Checks that the log goes on, and proposes to remember its head.
pub(super) fn check(copy: &mut Copy<'_>, trusted: &Trusted) -> Result<Log, Unbelieved> {
    let timestamp = trusted.timestamp();
    let head = Head::of_timestamp(timestamp)?;
    let seen = seen(copy.cache)?;
    let result = match (&seen, head) {
        (None, _) => Ok(()),
        (Some((seen, _)), Some(head)) if *seen == head => {
            // Also when a crash came between the two below: the next fork must not pass for a new beginning.
            copy.cache.propose_removal(ROTATED)?;
            return Ok(Log::GoesOn);
        }
        (Some((seen, _)), Some(head)) => verify(copy, seen, &head),
        (Some(_), None) => Err(TlogError::NoCheckpoint.into()),
    };
    let outcome = match (result, seen) {
        (Err(Unbelieved::Log { source, .. }), Some((_, before))) if is_contradiction(&source) => {
            let evidence = keep_evidence(copy.cache, &before, timestamp.bytes());
            if copy.cache.read(ROTATED)?.is_none() {
                return Err(Unbelieved::Log { evidence: Some(evidence), source });
            }
            Log::BeganAnew { evidence }
        }
        (result, _) => result.map(|()| Log::GoesOn)?,
    };
    if head.is_some() {
        copy.cache.propose(SEEN, timestamp.bytes());
        copy.cache.propose_removal(ROTATED)?;
    }
    Ok(outcome)
}

/// Returns the head that was believed last, and the timestamp that carried it. It was verified then; it is this host's own.
fn seen(cache: &Cache) -> Result<Option<(Head, Vec<u8>)>, CacheError> {
    let Some(bytes) = cache.read(SEEN)? else { return Ok(None) };
    let document = Document::<Timestamp>::parse(bytes.clone()).ok();
    let head = document.and_then(|document| Head::of_timestamp(document.unverified()).ok()?);
    Ok(head.map(|head| (head, bytes)))
}

fn verify(copy: &mut Copy<'_>, seen: &Head, head: &Head) -> Result<(), Unbelieved> {
    let mut tiles = Tiles::new();
    for tile in head.proof_since(seen)?.tiles() {
        // A partial tile goes when the full one is there.
        let mut wanted = vec![tile, tile.full()];
        wanted.dedup();
        for tile in wanted {
            let limit = u64::try_from(tile.byte_length()).unwrap_or(u64::MAX);
            let got = copy.get(&format!("tlog/{}", tile.path()), limit).map_err(Unbelieved::Stopped)?;
            if let Some(bytes) = got {
                tiles.insert(tile, &bytes)?;
                break;
            }
        }
    }
    Ok(head.verify_extends(seen, &tiles)?)
}

/// Tells whether two heads cannot both be true. A tile that is missing proves nothing.
fn is_contradiction(error: &TlogError) -> bool {
    matches!(error, TlogError::Shrunk { .. } | TlogError::Inconsistent { .. } | TlogError::NoCheckpoint)
}

fn keep_evidence(cache: &mut Cache, before: &[u8], after: &[u8]) -> String {
    let name = copkg_spec::digest::Digest::of(after).short();
    cache.write(&format!("{EVIDENCE}/{name}.before.timestamp.json"), before);
    cache.write(&format!("{EVIDENCE}/{name}.after.timestamp.json"), after);
    cache.directory().join(EVIDENCE).to_string()
}
