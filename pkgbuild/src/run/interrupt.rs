//! What must not outlive this process when it is interrupted: the running script, and the scratch directory.
//!
//! A script has a process group of its own, so that its deadline reaches all of it; the terminal's Ctrl-C does not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// What is ended and removed when an interrupt comes.
#[derive(Debug, Clone, Default)]
pub struct Interrupts(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    group: Option<Pid>,
    scratch: Option<PathBuf>,
}

impl Interrupts {
    /// Begins to wait for INT, TERM and HUP; after cleaning up they end this process as they would have.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub fn watch(&self) -> io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let interrupts = self.clone();
        thread::spawn(move || {
            for signal in signals.forever() {
                // Held until the end, so that nothing new is begun.
                let state = interrupts.state();
                state.clean_up();
                let _ = emulate_default_handler(signal);
            }
        });
        Ok(())
    }

    /// Starts a process group that ends with this process, for as long as the guard is there.
    ///
    /// # Errors
    /// Those of `start`.
    pub(super) fn guard<T, E>(
        &self,
        start: impl FnOnce() -> Result<(Pid, T), E>,
    ) -> Result<(Guard<'_>, T), E> {
        // Held meanwhile, so that an interrupt comes before the group is there, or finds it.
        let mut state = self.state();
        let (group, started) = start()?;
        state.group = Some(group);
        Ok((Guard(self), started))
    }

    /// Removes the directory with this process.
    pub fn remove_with_us(&self, scratch: &Path) {
        self.state().scratch = Some(scratch.to_owned());
    }

    /// Keeps the directory.
    pub fn keep(&self) {
        self.state().scratch = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn clean_up(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        if let Some(scratch) = &self.scratch {
            let _ = fs::remove_dir_all(scratch);
        }
    }
}

/// A process group that ends with this process.
pub(super) struct Guard<'a>(&'a Interrupts);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.state().group = None;
    }
}
