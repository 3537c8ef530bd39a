//! Services: started, stopped and looked at by their coordinate.
//!
//! The last step of the flow. Comes after a package is installed; makes its runtime directory, runs its scripts, and
//! knows its processes. One lock for each service coordinate: whoever changes a service holds it, looking needs none.

mod account;
mod adopt;
mod by_hand;
mod ending;
mod environment;
mod error;
mod exec;
mod failure;
mod forget;
mod hand_over;
mod hooks;
mod logs;
mod look;
mod order;
mod outcome;
mod package;
mod parameters;
mod post_mortem;
mod record;
mod reload;
mod restart;
mod rotate;
mod settle;
mod start;
mod stop;
mod survivors;
mod tracker;

pub use account::{Account, RunAs};
pub use adopt::{AdoptRequest, adopt, check_adopt};
pub(crate) use environment::REHEARSAL;
pub use error::ServiceError;
pub use exec::exec;
pub use failure::{LastLines, StartFailure};
pub use forget::{Forgotten, check_forget, forget};
pub use hand_over::hand_back;
pub use hooks::{HookRequest, OptionalScript, run_hook};
pub use logs::{Follow, LogFile, find_logs, follow, tail};
pub(crate) use look::refuse_started_by_hand;
pub use look::{State, View, known, running_from, status, view};
pub use order::in_order;
pub use outcome::{Change, Outcome};
pub(crate) use package::InstalledService;
pub(crate) use parameters::are_same as are_same_parameters;
pub use record::{Desired, Phase, Run, ServiceRecord};
pub(crate) use reload::{can_reload, reload_locked};
pub use reload::{check_reload, reload};
pub use restart::{check_restart, recorded_request, restart, start_wanted};
pub use rotate::{Rotated, When, rotate};
pub(crate) use start::Start;
pub(crate) use stop::{kill, signal_of, stop_locked};
pub(crate) use survivors::refuse_survivors;

pub use start::{StartRequest, check_start, start};
pub use stop::{check_stop, stop};
pub(crate) use tracker::{RELOAD, UMASK};
pub use tracker::{Surroundings as TrackerSurroundings, TrackRequest, track};

use std::collections::BTreeMap;
use std::time::Duration;

use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::durable;
use jiff::Timestamp;

use crate::host::{Lock, Prefix, Wait};
use crate::unit::Backends;

/// Where the steps of a service happen, and whom they tell.
#[allow(missing_debug_implementations, reason = "a listener has nothing to show")]
pub struct Site<'a> {
    /// The prefix.
    pub prefix: &'a Prefix,
    /// How long to wait for another command.
    pub wait: Wait,
    /// The environment of this process.
    pub environment: &'a BTreeMap<String, String>,
    /// The effective user of this process.
    pub user: u32,
    /// Tells the time.
    pub clock: fn() -> Timestamp,
    /// How long data is kept that was set aside.
    pub keep_data: Duration,
    /// Who runs services.
    pub backends: &'a Backends,
    /// Is told what the user should know while it happens.
    pub tell: &'a mut dyn FnMut(Told),
}

/// Something to say before the command has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// What is going on.
    Note(String),
    /// What is not as it should be, and does not stop us.
    Warning(String),
}

impl Site<'_> {
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        (self.tell)(Told::Note(text.into()));
    }

    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        (self.tell)(Told::Warning(text.into()));
    }

    /// Takes the lock of `service`.
    pub(crate) fn lock(&mut self, service: &ServiceCoordinate) -> Result<Lock, ServiceError> {
        let directory = self.prefix.services();
        durable::create_dir_all(directory.as_std_path()).map_err(|source| ServiceError::Record {
            action: "create",
            path: directory,
            source,
        })?;
        let tell = &mut *self.tell;
        let waiting =
            |holder: &str| tell(Told::Note(format!("waiting for {holder}, which changes {service}")));
        Ok(Lock::take(&self.prefix.service_lock(service), self.wait, waiting)?)
    }
}
