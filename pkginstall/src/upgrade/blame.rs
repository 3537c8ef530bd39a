//! Decides what made a change fail: the new version, the host, or an interruption.

use std::error::Error;
use std::io::{self, ErrorKind};

use copkg_spec::command::{Exit, Explain as _};
use serde::{Deserialize, Serialize};

use super::Step;
use crate::generation::Blame;
use crate::service::ServiceError;

/// Why a change is rolled back. Kept in its journal from the first moment of the way back, so that a command that dies on it does
/// not turn a version that failed into one that was only interrupted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ChangeFailure {
    pub(super) why: String,
    pub(super) blame: Blame,
}

/// Decides what is to blame for `error`, which ended a change at `step`.
///
/// What runs of the new version runs from the migration on; whatever fails before that is no fault of it.
pub(crate) fn blame_for(step: Step, error: &ServiceError) -> Blame {
    if error.exit() == Exit::Interrupted {
        return Blame::Interruption;
    }
    match step {
        Step::Migrating | Step::Starting | Step::Trial if !is_full_disk(error) => Blame::Revision,
        _ => Blame::Host,
    }
}

/// Tells whether a disk that takes nothing is the cause.
fn is_full_disk(error: &(dyn Error + 'static)) -> bool {
    let is_full = error.downcast_ref::<io::Error>().is_some_and(|error| {
        use ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
    });
    is_full || error.source().is_some_and(is_full_disk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> ServiceError {
        let path = "/srv/record".into();
        ServiceError::Record { action: "write", path, source: io::Error::from(ErrorKind::StorageFull) }
    }

    #[test]
    fn a_version_is_to_blame_for_what_it_does_itself_and_for_nothing_else() {
        let not_well = || ServiceError::NotRunning { service: "1.web.prod.osl".parse().unwrap() };
        let blames =
            [Step::Prepared, Step::Stopping, Step::Saving, Step::Migrating, Step::Starting, Step::Trial]
                .map(|step| (blame_for(step, &not_well()), blame_for(step, &full())));
        let (host, both) = ((Blame::Host, Blame::Host), (Blame::Revision, Blame::Host));
        assert_eq!(blames, [host, host, host, both, both, both]);
    }
}
