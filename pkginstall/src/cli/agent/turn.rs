//! One subscription in a round: its record, how far it is, and what the round came to.

use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::PackageCoordinate;

use super::Context;
use crate::follow::{
    Attempt, AttemptEnd, FailedRevision, FollowError, LastRound, MaintenanceWindow, Progress, Revision,
    Standing, Subscription, SubscriptionName, Subscriptions,
};
use crate::generation::{Blame, Number};

/// What a turn came to.
pub(super) enum TurnEnd {
    /// It is what the channel names.
    Converged,
    /// Everything is ready, and the maintenance window is not open.
    Staged {
        /// The packages that were fetched for it.
        packages: Vec<PackageCoordinate>,
    },
    /// A person has it in hand, and nothing would be written to it anyway.
    Held {
        /// Who, since when and why.
        why: String,
    },
    /// It is not what the channel names.
    Not(Standing, Failure),
}

impl From<Failure> for TurnEnd {
    /// What did not touch anything and can be had another time is tried again.
    fn from(failure: Failure) -> Self {
        Self::Not(Standing::Waiting, failure)
    }
}

impl TurnEnd {
    /// Nothing was touched: where there is no way from here, there is none until the channel or the host is another.
    pub(super) fn refused(failure: Failure) -> Self {
        let standing = if failure.exit == Exit::Conflict { Standing::Refused } else { Standing::Waiting };
        Self::Not(standing, failure)
    }
}

/// One subscription in a round.
pub(super) struct Turn<'a> {
    pub(super) subscriptions: &'a Subscriptions,
    pub(super) windows: &'a [MaintenanceWindow],
    pub(super) name: SubscriptionName,
    pub(super) subscription: Subscription,
    pub(super) progress: Progress,
    /// Whether it was changed in this round.
    pub(super) changed: bool,
}

impl Turn<'_> {
    /// Tells whether changes may be made now.
    pub(super) fn may_apply(&self, context: &Context<'_>) -> Result<bool, Failure> {
        let now = context.now();
        let mut open = self.windows.is_empty();
        for window in self.windows {
            open |= window.contains(now)?;
        }
        Ok(open)
    }

    /// Refuses a revision that failed here.
    pub(super) fn refuse_failed(&self, revision: &Revision) -> Result<(), TurnEnd> {
        let Some(failed) = self.progress.failure_of(revision.digest) else { return Ok(()) };
        Err(TurnEnd::Not(Standing::Failed, self.failure(failed)))
    }

    fn failure(&self, failed: &FailedRevision) -> Failure {
        let FailedRevision { revision, time, why } = failed.clone();
        FollowError::RevisionFailed { name: self.name.clone(), package: revision.package, time, why }.into()
    }

    /// Writes down that a change is begun. Where that fails it is not.
    pub(super) fn begin(
        &mut self,
        context: &Context<'_>,
        revision: &Revision,
        after: Option<Number>,
    ) -> Result<(), Failure> {
        let attempt = Attempt { revision: revision.clone(), after, started: context.now() };
        self.progress.attempt = Some(attempt);
        Ok(self.subscriptions.keep(&self.name, &self.progress, context.wait())?)
    }

    /// Takes note of how a change ended that was begun, in this round or in one that was interrupted. Returns why it failed, if
    /// it did, and is not to be tried again.
    pub(super) fn end(&mut self, context: &Context<'_>, end: AttemptEnd) -> Option<TurnEnd> {
        let attempt = self.progress.attempt.take()?;
        let AttemptEnd::Failed { why } = end else { return None };
        let failed = FailedRevision { revision: attempt.revision, time: context.now(), why };
        let failure = self.failure(&failed);
        self.progress.remember(failed);
        Some(TurnEnd::Not(Standing::Failed, failure))
    }

    /// Takes note of a change that failed: of a revision that is to blame for it, that it is not tried again.
    pub(super) fn not_changed(&mut self, context: &Context<'_>, failure: Failure, blame: Blame) -> TurnEnd {
        let end = match blame {
            Blame::Revision => AttemptEnd::Failed { why: failure.in_one_line() },
            Blame::Host | Blame::Interruption => AttemptEnd::Open,
        };
        self.end(context, end).unwrap_or_else(|| failure.into())
    }

    /// Keeps what the turn came to. Returns it, and whether that is news.
    pub(super) fn close(
        &mut self,
        context: &Context<'_>,
        end: &TurnEnd,
    ) -> Result<(LastRound, bool), Failure> {
        let now = context.now();
        let last = match end {
            TurnEnd::Converged => LastRound::well(Standing::Converged, now),
            TurnEnd::Staged { .. } => LastRound::well(Standing::Staged, now),
            TurnEnd::Held { why } => {
                LastRound { why: Some(why.clone()), ..LastRound::well(Standing::Held, now) }
            }
            TurnEnd::Not(standing, failure) => LastRound::by(*standing, failure, now),
        };
        self.progress.staged = match end {
            TurnEnd::Staged { packages } => packages.clone(),
            _ => Vec::new(),
        };
        match last.standing {
            Standing::Waiting => self.progress.set_back(now),
            _ => self.progress.settled(),
        }
        let before = self.progress.last.replace(last.clone());
        let is_news = before.is_none_or(|before| !before.is_same(&last));
        self.subscriptions.keep(&self.name, &self.progress, context.wait())?;
        Ok((last, is_news))
    }
}
