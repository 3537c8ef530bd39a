//! What every command ends and begins alike that changes who speaks: the repository is read, a decision is worked out from it,
//! signed, and sent or written to a file.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::repository::ceremony::Speakers;

use super::finish::Ending;
use super::place::{Place, seats};
use crate::cli::Context;
use crate::repository::{AppointError, Appointments, View, speakers_of};

/// Where a decision is made, and what is done with it.
#[derive(Debug, Args)]
pub(super) struct Decision {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    ending: Ending,
}

impl Decision {
    /// Returns where it is made.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Carries out what `decide` makes of the repository.
    pub(super) fn carry_out(
        &self,
        context: &mut Context,
        decide: impl FnOnce(&mut View<'_>, &Context) -> Result<Appointments, Failure>,
    ) -> Result<Exit, Failure> {
        let remote = self.place.remote(context)?;
        let mut view = self.place.view(remote.as_ref(), context)?;
        let appointments = decide(&mut view, context)?;
        let change = appointments.draft(&mut view, self.ending.expires(context))?;
        self.ending.finish(change, view, (&self.place, remote.as_ref()), context)
    }
}

/// Gives the role that is called `name` the speakers that `tomorrow` makes of today's.
pub(super) fn reappoint(
    name: &str,
    view: &mut View<'_>,
    tomorrow: impl Fn(&Speakers) -> Result<Speakers, Failure>,
) -> Result<Appointments, Failure> {
    let mut appointments = Appointments::default();
    for seat in seats(name)? {
        let today = speakers_of(&seat, view)?;
        let today = today.ok_or_else(|| AppointError::NotDelegated { seat: seat.clone() })?;
        let speakers = tomorrow(&today)?;
        if speakers != today {
            appointments.appoint(seat, speakers);
        }
    }
    Ok(appointments)
}
