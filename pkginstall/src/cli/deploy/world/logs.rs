//! `pkginstall deploy logs`: what the services of every host of a local world wrote, each line with its host.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::deployment::HostId;

use super::super::super::Context;
use super::super::super::logs::{Reading, print};
use super::{WorldArgs, on_host};
use crate::service::{self, ServiceError};

/// The arguments of `deploy logs`.
#[derive(Debug, Args)]
pub(in super::super) struct WorldLogsArgs {
    #[command(flatten)]
    world: WorldArgs,
    /// The hosts, joined by commas; all when left out
    #[arg(long, value_name = "HOST,…", value_delimiter = ',')]
    hosts: Vec<HostId>,
    #[command(flatten)]
    reading: Reading,
}

pub(in super::super) fn run(args: &WorldLogsArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let world = args.world.open(context)?;
    let mut files = Vec::new();
    for host in world.chosen(&args.hosts)? {
        let found = on_host(context, &world, (&host, None), |context| {
            let prefix = context.prefix()?;
            let mut found = Vec::new();
            for service in service::known(&prefix)? {
                match service::find_logs(&prefix, &service) {
                    // One that has not written anything yet.
                    Err(ServiceError::NeverStarted { .. }) => {}
                    logs => found.extend(logs?),
                }
            }
            Ok(found)
        })?;
        files.extend(found.into_iter().map(|log| (format!("{host} "), log)));
    }
    // Others may change the hosts while their logs are followed.
    drop(world);
    print(&args.reading, context, files)
}
