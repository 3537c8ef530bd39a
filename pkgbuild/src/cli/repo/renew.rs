//! `pkgbuild repo renew [ROLE…]`: signs roles again before they end.

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::decide::Decision;
use super::place::seats;
use super::status::{SOON_DAYS, ends_before};
use crate::cli::Context;
use crate::repository::{AppointError, Appointments, Seat, View, speakers_of};

#[derive(Debug, Args)]
pub(in crate::cli) struct Renew {
    /// The roles [default: those of root, targets and registrar that end soon]
    #[arg(value_name = "ROLE")]
    roles: Vec<String>,
    /// What ends within so many days ends soon
    #[arg(long, value_name = "DAYS", default_value_t = SOON_DAYS, conflicts_with = "roles")]
    within: u16,
    #[command(flatten)]
    decision: Decision,
}

pub(super) fn run(args: &Renew, context: &mut Context) -> Result<Exit, Failure> {
    args.decision.carry_out(context, |view, context| args.decide(view, context))
}

impl Renew {
    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Appointments, Failure> {
        let mut appointments = Appointments::default();
        for role in &self.roles {
            for seat in seats(role)? {
                if seat.is_online() {
                    return Err(AppointError::Online { seat }.into());
                }
                if speakers_of(&seat, view)?.is_none() {
                    return Err(AppointError::NotDelegated { seat }.into());
                }
                appointments.renew(seat);
            }
        }
        if self.roles.is_empty() {
            let ending = ends_before(view, context.ambient.now(), self.within)?;
            let offline = [Seat::Root, Seat::Targets, Seat::Registrar];
            let ending = ending.into_iter().filter(|seat| offline.contains(seat));
            ending.for_each(|seat| appointments.renew(seat));
        }
        Ok(appointments)
    }
}
