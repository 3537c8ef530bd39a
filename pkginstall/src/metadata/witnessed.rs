//! Witnesses: whether somebody else has seen the history that this host is shown.
//!
//! Comes after the log was found to go on. The repository's checkpoint must say what its timestamp says, and enough witnesses must
//! have cosigned it: each of them cosigns one history alone. A server asks its witnesses when it has committed, so for a moment
//! there may be too few; then the whole refresh is done again. The cosigned checkpoint is kept, so that nothing is asked
//! while nothing changes, and what is shown offline was witnessed too.

use copkg_spec::tlog::{Head, Resource, SignedCheckpoint, TlogError};
use copkg_spec::tuf::Trusted;

use super::driver::{Copy, Stopped};
use super::error::CacheError;
use crate::repository::Witnesses;

/// The checkpoint that enough witnesses had cosigned.
pub(super) const WITNESSED: &str = "log.checkpoint";
/// The longest checkpoint that is read, in bytes.
const CHECKPOINT_BYTES: u64 = 64 << 10;

/// Why what a repository shows is not believed yet.
#[derive(Debug)]
pub(super) enum Unwitnessed {
    /// Too few witnesses cosigned it.
    TooFew { have: u32 },
    /// The checkpoint is none, or a cosignature is wrong.
    Log(TlogError),
    /// The checkpoint cannot be had.
    Stopped(Stopped),
}

impl From<CacheError> for Unwitnessed {
    fn from(error: CacheError) -> Self {
        Self::Stopped(error.into())
    }
}

impl From<TlogError> for Unwitnessed {
    fn from(error: TlogError) -> Self {
        Self::Log(error)
    }
}

/// Checks that enough of `witnesses` cosigned what the timestamp says.
pub(super) fn check(
    copy: &mut Copy<'_>,
    trusted: &Trusted,
    witnesses: &Witnesses,
) -> Result<(), Unwitnessed> {
    let head = Head::of_timestamp(trusted.timestamp())?.ok_or(TlogError::NoCheckpoint)?;
    let count = |bytes: &[u8]| SignedCheckpoint::parse(bytes).and_then(|there| witnesses.count(&there, head));
    let kept = copy.cache.read(WITNESSED)?;
    if kept.is_some_and(|bytes| count(&bytes).is_ok_and(|have| have >= witnesses.needed())) {
        return Ok(());
    }
    let path = format!("tlog/{}", Resource::Checkpoint);
    let got = copy.get(&path, CHECKPOINT_BYTES).map_err(Unwitnessed::Stopped)?;
    let Some(bytes) = got else { return Err(Unwitnessed::TooFew { have: 0 }) };
    let have = count(&bytes)?;
    if have < witnesses.needed() {
        return Err(Unwitnessed::TooFew { have });
    }
    copy.cache.propose(WITNESSED, &bytes);
    Ok(())
}
