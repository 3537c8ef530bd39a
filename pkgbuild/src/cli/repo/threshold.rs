//! `pkgbuild repo threshold ROLE M`: changes how many keys of a role must sign.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::repository::ceremony::Speakers;

use super::finish::Ending;
use super::place::{Place, seats};
use crate::cli::Context;
use crate::repository::{AppointError, Appointments, speakers_of};

#[derive(Debug, Args)]
pub(in crate::cli) struct Threshold {
    /// The role: root, targets, registrar, snapshot, timestamp, online (the last two), or a group
    role: String,
    /// How many of its keys must sign
    #[arg(value_name = "M")]
    needed: u32,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    ending: Ending,
}

pub(super) fn run(args: &Threshold, context: &mut Context) -> Result<Exit, Failure> {
    let remote = args.place.remote(context)?;
    let mut view = args.place.view(remote.as_ref(), context)?;
    let mut appointments = Appointments::default();
    for seat in seats(&args.role)? {
        let today = speakers_of(&seat, &mut view)?;
        let today = today.ok_or_else(|| AppointError::NotDelegated { seat: seat.clone() })?;
        let speakers = Speakers::new(today.keys().to_vec(), args.needed).map_err(AppointError::from)?;
        if speakers != today {
            appointments.appoint(seat, speakers);
        }
    }
    let change = appointments.draft(&mut view, args.ending.expires(context))?;
    args.ending.finish(change, view, (&args.place, remote.as_ref()), context)
}
