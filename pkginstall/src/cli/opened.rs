//! Opening what a name leads to: the first copy whose head is right, verified, its payload still to come.

use std::sync::{Mutex, PoisonError};

use copkg_spec::archive::VerifiedIndex;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::trust::Keyring;

use super::Context;
use super::search::shown;
use crate::fetch::{Span, Stream};
use crate::repository::{Candidate, ResolveError, Resolved, VouchedBy};
use crate::stage::NextCopy;
use crate::verify::{Expected, read_head, verify};

/// A package whose head is verified.
pub(super) struct Opened<'s> {
    /// The package.
    pub(super) package: Box<VerifiedIndex>,
    /// What comes after the head.
    pub(super) payload: Stream<'s>,
    /// Where it came from.
    pub(super) source: String,
    /// Which metadata vouched for it.
    pub(super) by: Option<VouchedBy>,
    /// Other copies, for when this one turns out to be damaged.
    pub(super) others: Vec<Candidate<'s>>,
}

/// What was wrong with copies that were given up half-way.
pub(super) type Damaged = Mutex<Vec<String>>;

/// Returns how to come to the copies after the one at `place`; notes in `damaged` which were given up, and why.
pub(super) fn next_copies<'s>(
    place: String,
    others: Vec<Candidate<'s>>,
    damaged: &'s Damaged,
) -> NextCopy<'s> {
    let (mut place, mut others) = (place, others.into_iter());
    Box::new(move |why| {
        let (next, stream) = others
            .find_map(|next| next.open(Span::HEAD).ok().map(|stream| (next.location.to_string(), stream)))?;
        let text = format!("the copy at {place} {why}; going on with the one at {next}");
        damaged.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        place = next;
        Some(stream)
    })
}

/// Opens the package. A copy that is not what was promised is passed over for the next one, and said so.
pub(super) fn open<'s>(
    context: &mut Context,
    resolved: &Resolved<'s>,
    keyring: &Keyring,
) -> Result<Opened<'s>, Failure> {
    let Some((last, before)) = resolved.candidates.split_last() else {
        let place = resolved.coordinate.to_string();
        return Err(ResolveError::Offline { place }.into());
    };
    for (at, candidate) in before.iter().enumerate() {
        match open_copy(candidate, resolved, keyring) {
            Err(failure) if matches!(failure.exit, Exit::Trust | Exit::NotFound | Exit::TryAgain) => {
                context.report.note(format!("{}; asking the next copy", failure.message));
            }
            Ok(opened) => return Ok(Opened { others: resolved.candidates[at + 1..].to_vec(), ..opened }),
            failed => return failed,
        }
    }
    open_copy(last, resolved, keyring)
}

fn open_copy<'s>(
    candidate: &Candidate<'s>,
    resolved: &Resolved<'s>,
    keyring: &Keyring,
) -> Result<Opened<'s>, Failure> {
    let mut payload = candidate.open(Span::HEAD)?;
    let source = candidate.location.to_string();
    let expected =
        Expected::Exactly { package: resolved.coordinate.clone(), platform: resolved.platform.clone() };
    let head = read_head(&mut payload.beyond(), &source, &expected)?;
    payload.widen(head.payload_offset());
    let package = Box::new(verify(head, &mut payload, &resolved.vouched, keyring)?);
    payload.rest();
    Ok(Opened { package, payload, source, by: resolved.by.clone(), others: Vec::new() })
}

/// Warns of a package that its publisher withdrew, and that is taken because somebody named its version.
pub(super) fn warn_if_yanked(context: &mut Context, resolved: &Resolved<'_>) {
    if let Some(reason) = resolved.vouched.yanked() {
        let reason = shown(reason);
        context.report.warn(format!("{} was yanked: {reason}", resolved.coordinate));
    }
}
