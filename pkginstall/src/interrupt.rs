//! INT, TERM and HUP while a command changes something: they end the change in order, and never the command itself.
//!
//! A command that changes something begins with [`Interruptible`]. From then on a signal only makes [`check`] fail and
//! [`is_interrupted`] true: every wait asks, gives up, and what was begun is rolled back like after any other failure. What
//! must not be left half done, the way back above all, runs [`Undisturbed`]. A second signal changes nothing: the first one
//! is already being obeyed. Outside of all this the three do what they always do.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use copkg_spec::command::{Exit, Explain};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use thiserror::Error;

use crate::inherited;

struct Flags {
    /// Nothing interruptible is under way: signals do what they always do.
    idle: Arc<AtomicBool>,
    /// The number of the last signal; 0 where none came.
    signal: Arc<AtomicUsize>,
}

static FLAGS: OnceLock<Flags> = OnceLock::new();

/// How many steps that must not be disturbed are under way.
static UNDISTURBED: AtomicUsize = AtomicUsize::new(0);

/// As long as it lives, signals end what is under way in order, and not the process.
#[derive(Debug)]
pub struct Interruptible(());

impl Interruptible {
    /// Begins to catch signals. HUP stays ignored where it was, as below `nohup`.
    ///
    /// # Errors
    /// When the handlers cannot be set.
    pub fn begin() -> io::Result<Self> {
        Self::by(&[SIGINT, SIGTERM, SIGHUP])
    }

    /// Begins to catch TERM alone, for the main process of a unit: systemd sends nothing else, and what people send to all
    /// processes of the unit is meant for the service. To be called before [`Self::begin`], if that is called at all.
    ///
    /// # Errors
    /// When the handler cannot be set.
    pub fn by_term() -> io::Result<Self> {
        Self::by(&[SIGTERM])
    }

    fn by(signals: &[i32]) -> io::Result<Self> {
        flags(signals)?.idle.store(false, Ordering::SeqCst);
        Ok(Self(()))
    }
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        if let Some(flags) = FLAGS.get() {
            flags.idle.store(true, Ordering::SeqCst);
        }
    }
}

/// As long as it lives, nothing gives up because of a signal. The signal counts again afterwards.
#[derive(Debug)]
#[must_use = "it protects for as long as it lives"]
pub struct Undisturbed(());

impl Undisturbed {
    /// Begins a step that must not be left half done.
    pub fn begin() -> Self {
        UNDISTURBED.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        UNDISTURBED.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A signal asked the command to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it was interrupted by {signal}")]
pub struct Interrupted {
    /// The signal.
    signal: &'static str,
}

impl Explain for Interrupted {
    fn exit(&self) -> Exit {
        Exit::Interrupted
    }

    fn code(&self) -> &'static str {
        "interrupted"
    }
}

impl From<Interrupted> for io::Error {
    fn from(interrupted: Interrupted) -> Self {
        Self::other(interrupted)
    }
}

impl Interrupted {
    /// Tells whether a signal is what made an operation fail.
    pub fn is_inside(error: &io::Error) -> bool {
        error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>)
    }
}

/// Returns the signal that came, whether or not it may disturb now.
pub fn signal_so_far() -> Option<Interrupted> {
    let signal = match i32::try_from(FLAGS.get()?.signal.load(Ordering::SeqCst)).ok()? {
        0 => return None,
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        _ => "SIGHUP",
    };
    Some(Interrupted { signal })
}

/// Fails when a signal came.
///
/// # Errors
/// When a signal came, and nothing runs [`Undisturbed`].
pub fn check() -> Result<(), Interrupted> {
    if UNDISTURBED.load(Ordering::SeqCst) > 0 {
        return Ok(());
    }
    signal_so_far().map_or(Ok(()), Err)
}

/// Tells whether a signal came, and nothing runs [`Undisturbed`].
pub fn is_interrupted() -> bool {
    check().is_err()
}

fn flags(signals: &[i32]) -> io::Result<&'static Flags> {
    if let Some(flags) = FLAGS.get() {
        return Ok(flags);
    }
    let flags = Flags { idle: Arc::new(AtomicBool::new(true)), signal: Arc::new(AtomicUsize::new(0)) };
    for &signal in signals {
        if signal == SIGHUP && inherited::was_ignored(signal) {
            continue;
        }
        // In this order: what it does depends on how things stood before it.
        flag::register_conditional_default(signal, Arc::clone(&flags.idle))?;
        let number = usize::try_from(signal).unwrap_or_default();
        flag::register_usize(signal, Arc::clone(&flags.signal), number)?;
    }
    Ok(FLAGS.get_or_init(|| flags))
}
