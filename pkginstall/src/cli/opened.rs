//! Opening what a name leads to: the first copy whose head is right, verified, its payload still to come.

use copkg_spec::archive::VerifiedIndex;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::trust::Keyring;

use super::Context;
use super::search::shown;
use crate::fetch::{Span, Stream};
use crate::repository::{Candidate, ResolveError, Resolved};
use crate::verify::{Expected, read_head, verify};

/// A package whose head is verified.
pub(super) struct Opened<'s> {
    /// The package.
    pub(super) package: Box<VerifiedIndex>,
    /// What comes after the head.
    pub(super) payload: Stream<'s>,
    /// Where it came from.
    pub(super) source: String,
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
    for candidate in before {
        match open_copy(candidate, resolved, keyring) {
            Err(failure) if matches!(failure.exit, Exit::Trust | Exit::NotFound | Exit::TryAgain) => {
                context.report.note(format!("{}; asking the next copy", failure.message));
            }
            result => return result,
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
    Ok(Opened { package, payload, source })
}

/// Warns of a package that its publisher withdrew, and that is taken because somebody named its version.
pub(super) fn warn_if_yanked(context: &mut Context, resolved: &Resolved<'_>) {
    if let Some(reason) = resolved.vouched.yanked() {
        let reason = shown(reason);
        context.report.warn(format!("{} was yanked: {reason}", resolved.coordinate));
    }
}
