//! `pkgbuild repo renew [ROLE…]`: signs roles again before they end.

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::finish::Ending;
use super::place::{Place, seats};
use super::status::{SOON_DAYS, ends_before};
use crate::cli::Context;
use crate::repository::{AppointError, Appointments, Seat, speakers_of};

#[derive(Debug, Args)]
pub(in crate::cli) struct Renew {
    /// The roles [default: those of root, targets and registrar that end soon]
    #[arg(value_name = "ROLE")]
    roles: Vec<String>,
    /// What ends within so many days ends soon
    #[arg(long, value_name = "DAYS", default_value_t = SOON_DAYS, conflicts_with = "roles")]
    within: u16,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    ending: Ending,
}

pub(super) fn run(args: &Renew, context: &mut Context) -> Result<Exit, Failure> {
    let remote = args.place.remote(context)?;
    let mut view = args.place.view(remote.as_ref(), context)?;
    let mut appointments = Appointments::default();
    for role in &args.roles {
        for seat in seats(role)? {
            let is_there = !seat.is_online() && speakers_of(&seat, &mut view)?.is_some();
            if !is_there {
                return Err(AppointError::NotDelegated { seat }.into());
            }
            appointments.renew(seat);
        }
    }
    if args.roles.is_empty() {
        let ending = ends_before(&mut view, context.ambient.now(), args.within)?;
        let offline = [Seat::Root, Seat::Targets, Seat::Registrar];
        ending.into_iter().filter(|seat| offline.contains(seat)).for_each(|seat| appointments.renew(seat));
    }
    let change = appointments.draft(&mut view, args.ending.expires(context))?;
    args.ending.finish(change, view, (&args.place, remote.as_ref()), context)
}
