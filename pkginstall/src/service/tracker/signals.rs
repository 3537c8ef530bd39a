//! What wakes the main process of a unit: TERM asks for the end, one signal for a reload, CHLD says that somebody ended.
//!
//! Nothing else means it: what people send to all processes of the unit (`systemctl kill -s HUP`) is for the service, so the
//! unit has it ignore the rest.

use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGCHLD, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;

use crate::interrupt::Interruptible;

/// What `ExecReload=` sends: a real-time signal, which nobody sends by habit.
pub(crate) const RELOAD: i32 = 40;

/// The signals that came, and a descriptor that can be read when some did.
#[derive(Debug)]
pub(super) struct Signals {
    reload: Arc<AtomicBool>,
    woken: UnixStream,
    _interruptible: Interruptible,
}

impl Signals {
    /// Begins to catch them.
    pub(super) fn catch() -> io::Result<Self> {
        // Before the wake: who is woken must see why.
        let interruptible = Interruptible::by_term()?;
        let reload = Arc::new(AtomicBool::new(false));
        flag::register(RELOAD, Arc::clone(&reload))?;
        let (woken, waker) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        for signal in [SIGTERM, SIGCHLD, RELOAD] {
            pipe::register(signal, waker.try_clone()?)?;
        }
        Ok(Self { reload, woken, _interruptible: interruptible })
    }

    /// Tells whether a reload was requested since it was asked last.
    pub(super) fn take_reload(&self) -> bool {
        self.reload.swap(false, Ordering::SeqCst)
    }

    /// Returns what can be read when a signal came.
    pub(super) fn woken(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }

    /// Forgets that signals came. What they mean is looked at afterwards.
    pub(super) fn settle_down(&self) {
        let mut bytes = [0; 64];
        while (&self.woken).read(&mut bytes).is_ok_and(|length| length == bytes.len()) {}
    }
}
