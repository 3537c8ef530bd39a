//! A signal while packages are fetched: the steps notice it and undo what they began, and where they cannot, because a server
//! keeps silent, the command ends all the same and says so.
//!
//! What a command that ends so leaves is what one that is killed leaves: the next command removes it.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use copkg_spec::command::{Failure, Report};
use copkg_spec::coordinate::PackageCoordinate;

use super::wanted::Argument;
use super::{Context, install};
use crate::host::Effect;
use crate::interrupt::{self, Interrupted};
use crate::repository::Network;

/// How often it is asked whether a signal came.
const LOOK: Duration = Duration::from_millis(50);

/// How long the steps may take to notice a signal and to undo what they began.
const PATIENCE: Duration = Duration::from_secs(2);

/// Obtains one package, as [`install::obtain_one`] does.
pub(super) fn obtain_one(
    context: &mut Context<'_>,
    what: &Argument,
    network: Network,
    effect: Effect,
) -> Result<PackageCoordinate, Failure> {
    while_fetching(context, |context| install::obtain_one(context, what, network, effect))
}

/// Does what waits for servers. When a signal comes and it does not return soon, the process ends.
pub(super) fn while_fetching<T>(context: &mut Context<'_>, act: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let (options, streams) = (context.report.options().clone(), context.ambient.streams);
    thread::scope(|scope| {
        let (fetching, ended) = channel::<()>();
        scope.spawn(move || {
            let mut look = LOOK;
            let mut signal = None;
            while ended.recv_timeout(look) == Err(RecvTimeoutError::Timeout) {
                if let Some(interrupted) = signal {
                    give_up(interrupted, &mut Report::new(options, streams()));
                }
                signal = interrupt::signal_so_far();
                look = if signal.is_some() { PATIENCE } else { LOOK };
            }
        });
        let done = act(context);
        drop(fetching);
        done
    })
}

fn give_up(interrupted: Interrupted, report: &mut Report) -> ! {
    let failure = Failure::of(&interrupted);
    let message = format!("{} while packages were fetched", failure.message);
    let hint = Some(
        "each package is whole or absent; what was fetched half is removed by the next command".to_owned(),
    );
    let exit = report.fail(&Failure { message, hint, ..failure });
    std::process::exit(exit.code().into())
}
