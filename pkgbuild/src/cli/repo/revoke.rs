//! `pkgbuild repo revoke KEY`: takes a key away from every role that it speaks for.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::keys::PublicKey;
use copkg_spec::repository::ceremony::Speakers;

use super::decide::Decision;
use super::place::{find_key, public_keys};
use crate::cli::Context;
use crate::repository::{AppointError, Appointments, Seat, View, speakers_of, without};

#[derive(Debug, Args)]
pub(in crate::cli) struct Revoke {
    /// The key: a public key, or the beginning of its id
    #[arg(value_name = "PUB|ID")]
    key: String,
    /// A public key that takes its place
    #[arg(long, value_name = "PUB")]
    replace_with: Option<PathBuf>,
    #[command(flatten)]
    decision: Decision,
}

pub(super) fn run(args: &Revoke, context: &mut Context) -> Result<Exit, Failure> {
    args.decision.carry_out(context, |view, context| args.decide(view, context))
}

impl Revoke {
    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Appointments, Failure> {
        let all = everybody(view)?;
        let known: Vec<PublicKey> = all.iter().flat_map(|(_, speakers)| speakers.keys().to_vec()).collect();
        let key = find_key(&self.key, &known, context)?;
        let instead = self.replace_with.as_slice();
        let instead = public_keys(instead, context)?.pop();
        let short = key.id().short();
        let mut appointments = Appointments::default();
        for (seat, speakers) in all.into_iter().filter(|(_, speakers)| speakers.keys().contains(&key)) {
            let rest = without(&speakers, &key, instead.as_ref()).map_err(|source| AppointError::TooFew {
                key: short.clone(),
                seat: seat.clone(),
                source: Box::new(source),
            });
            appointments.appoint(seat, rest?);
        }
        if appointments.seats().next().is_none() {
            return Err(AppointError::Idle { key: short }.into());
        }
        Ok(appointments)
    }
}

/// Returns who speaks for each role of the repository.
pub(super) fn everybody(view: &mut View<'_>) -> Result<Vec<(Seat, Speakers)>, Failure> {
    let groups = view.groups()?;
    let mut found = Vec::new();
    for seat in Seat::FIXED.into_iter().chain(groups.into_iter().map(Seat::Group)) {
        if let Some(speakers) = speakers_of(&seat, view)? {
            found.push((seat, speakers));
        }
    }
    Ok(found)
}
