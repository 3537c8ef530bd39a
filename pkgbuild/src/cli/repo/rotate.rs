//! `pkgbuild repo rotate ROLE --key PUB…`: gives a role other keys.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::keys::PublicKey;
use copkg_spec::repository::ceremony::Speakers;

use super::decide::{Decision, reappoint};
use super::place::{find_key, public_keys};
use crate::cli::Context;
use crate::repository::AppointError;

#[derive(Debug, Args)]
pub(in crate::cli) struct Rotate {
    /// The role: root, targets, registrar, snapshot, timestamp, online (the last two), or a group
    role: String,
    /// A public key that the role has from now on, and no other; repeat it for several
    #[arg(long = "key", value_name = "PUB", required_unless_present_any = ["add", "remove"], conflicts_with_all = ["add", "remove"])]
    role_keys: Vec<PathBuf>,
    /// A public key that the role gets beside those it has
    #[arg(long, value_name = "PUB")]
    add: Vec<PathBuf>,
    /// A key that the role loses: a public key, or the beginning of its id
    #[arg(long, value_name = "PUB|ID")]
    remove: Vec<String>,
    /// How many of the keys must sign [default: as many as now]
    #[arg(long, value_name = "M")]
    threshold: Option<u32>,
    #[command(flatten)]
    decision: Decision,
}

pub(super) fn run(args: &Rotate, context: &mut Context) -> Result<Exit, Failure> {
    args.decision.carry_out(context, |view, context| {
        reappoint(&args.role, view, |today| args.speakers(today, context))
    })
}

impl Rotate {
    fn speakers(&self, today: &Speakers, context: &Context) -> Result<Speakers, Failure> {
        let mut keys: Vec<PublicKey> = if self.role_keys.is_empty() {
            today.keys().to_vec()
        } else {
            public_keys(&self.role_keys, context)?
        };
        for text in &self.remove {
            let gone = find_key(text, today.keys(), context)?;
            // Whoever takes a key away and mistakes it must not believe that it is gone.
            if !today.keys().contains(&gone) {
                return Err(
                    AppointError::NotOfRole { key: gone.id().short(), role: self.role.clone() }.into()
                );
            }
            keys.retain(|key| *key != gone);
        }
        let added = public_keys(&self.add, context)?;
        keys.extend(added.into_iter().filter(|key| !today.keys().contains(key)));
        let threshold = self.threshold.unwrap_or(today.threshold().get());
        Ok(Speakers::new(keys, threshold).map_err(AppointError::from)?)
    }
}
