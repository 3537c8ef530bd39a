//! Ctrl-C and TERM while something is being started: it is ended in order, instead of being left behind.
//!
//! Outside of such a step both do what they always do. A second one does, too, whatever goes on.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

struct Flags {
    /// Nothing that wants to be asked goes on.
    idle: Arc<AtomicBool>,
    /// A signal came.
    interrupted: Arc<AtomicBool>,
}

static FLAGS: OnceLock<Flags> = OnceLock::new();

/// As long as it lives, the first Ctrl-C only makes [`is_interrupted`] true.
#[derive(Debug)]
pub struct Interruptible(());

impl Interruptible {
    /// Begins to catch.
    ///
    /// # Errors
    /// When the handlers cannot be set.
    pub fn begin() -> io::Result<Self> {
        flags()?.idle.store(false, Ordering::SeqCst);
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

/// Tells whether a signal came while something interruptible went on.
pub fn is_interrupted() -> bool {
    FLAGS.get().is_some_and(|flags| flags.interrupted.load(Ordering::SeqCst))
}

fn flags() -> io::Result<&'static Flags> {
    if let Some(flags) = FLAGS.get() {
        return Ok(flags);
    }
    let flags =
        Flags { idle: Arc::new(AtomicBool::new(true)), interrupted: Arc::new(AtomicBool::new(false)) };
    for signal in [SIGINT, SIGTERM] {
        // In this order: what it does depends on how things stood before it.
        flag::register_conditional_default(signal, Arc::clone(&flags.idle))?;
        flag::register_conditional_default(signal, Arc::clone(&flags.interrupted))?;
        flag::register(signal, Arc::clone(&flags.interrupted))?;
    }
    Ok(FLAGS.get_or_init(|| flags))
}
