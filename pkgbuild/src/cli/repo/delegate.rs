//! `pkgbuild repo delegate GROUP --key PUB… --threshold M`: the registrar lets keys speak for a group.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Group;
use copkg_spec::keys::{KeyId, PublicKey};
use copkg_spec::repository::ceremony::Speakers;

use super::decide::Decision;
use super::place::public_keys;
use crate::cli::Context;
use crate::repository::{AppointError, Appointments, Seat, View};

#[derive(Debug, Args)]
pub(in crate::cli) struct Delegate {
    /// The group
    group: Group,
    /// A public key that speaks for it, a file or ed25519:…; repeat it for several
    #[arg(long = "key", value_name = "PUB", required = true)]
    group_keys: Vec<PathBuf>,
    /// How many of the keys must sign what the group publishes
    #[arg(long, value_name = "M", default_value_t = 1)]
    threshold: u32,
    #[command(flatten)]
    decision: Decision,
}

pub(super) fn run(args: &Delegate, context: &mut Context) -> Result<Exit, Failure> {
    args.decision.carry_out(context, |view, context| args.decide(view, context))
}

impl Delegate {
    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<Appointments, Failure> {
        if Seat::FIXED.iter().any(|seat| seat.to_string() == self.group.as_str()) {
            return Err(AppointError::NoGroup { group: self.group.clone() }.into());
        }
        let keys = public_keys(&self.group_keys, context)?;
        let speakers = Speakers::new(keys, self.threshold).map_err(AppointError::from)?;
        let mut appointments = Appointments::default();
        match view.speakers(&self.group)? {
            Some(today) if same(&today, &speakers) => {}
            Some(_) => return Err(AppointError::Delegated { group: self.group.clone() }.into()),
            None => appointments.appoint(Seat::Group(self.group.clone()), speakers),
        }
        Ok(appointments)
    }
}

fn same(one: &Speakers, other: &Speakers) -> bool {
    let ids = |speakers: &Speakers| speakers.keys().iter().map(PublicKey::id).collect::<BTreeSet<KeyId>>();
    one.threshold() == other.threshold() && ids(one) == ids(other)
}
