//! `pkgbuild repo delegate GROUP --key PUB… --threshold M`: the registrar lets keys speak for a group.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Group;
use copkg_spec::keys::{KeyId, PublicKey};
use copkg_spec::repository::ceremony::Speakers;

use super::finish::Ending;
use super::place::{Place, public_keys};
use crate::cli::Context;
use crate::repository::{AppointError, Appointments, Change, Seat};

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
    place: Place,
    #[command(flatten)]
    ending: Ending,
}

pub(super) fn run(args: &Delegate, context: &mut Context) -> Result<Exit, Failure> {
    let keys = public_keys(&args.group_keys, context)?;
    let speakers = Speakers::new(keys, args.threshold).map_err(AppointError::from)?;
    let remote = args.place.remote(context)?;
    let mut view = args.place.view(remote.as_ref(), context)?;
    let change = match view.speakers(&args.group)? {
        Some(today) if same(&today, &speakers) => Change::default(),
        Some(_) => return Err(AppointError::Delegated { group: args.group.clone() }.into()),
        None => {
            let mut appointments = Appointments::default();
            appointments.appoint(Seat::Group(args.group.clone()), speakers);
            appointments.draft(&mut view, args.ending.expires(context))?
        }
    };
    args.ending.finish(change, view, (&args.place, remote.as_ref()), context)
}

fn same(one: &Speakers, other: &Speakers) -> bool {
    let ids = |speakers: &Speakers| speakers.keys().iter().map(PublicKey::id).collect::<BTreeSet<KeyId>>();
    one.threshold() == other.threshold() && ids(one) == ids(other)
}
