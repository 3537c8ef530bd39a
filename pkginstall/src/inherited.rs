//! What this process was handed by its caller, and must not hand on: it is set to stated values before anything else is done.
//!
//! A service would otherwise keep its caller's locks and open files for as long as it lives, or ignore a signal that the caller
//! ignored. What can only be set for the child is set there (`hook::conditions`).

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use nix::sys::signal::SigSet;
use rustix::fs::Mode;
use rustix::process::umask;
use signal_hook::consts::{FORBIDDEN, SIGPIPE};
use signal_hook::flag;

/// The first descriptor that is not a standard stream.
const FIRST: i32 = 3;
/// Two real-time signals that the C library keeps for itself.
const OF_THE_LIBRARY: [i32; 2] = [32, 33];
/// The umask of everything that we make and run.
const UMASK: u32 = 0o022;

/// The signals that the caller ignored.
static IGNORED: OnceLock<Vec<i32>> = OnceLock::new();

/// Tells whether whoever started us had us ignore `signal`, as `nohup` does.
pub fn was_ignored(signal: i32) -> bool {
    IGNORED.get_or_init(read_ignored).contains(&signal)
}

/// Sets descriptors, umask, blocked and ignored signals. To be called first, while there is one thread.
///
/// Descriptors above 2 stay open for us (a caller's lock holds until we end) and are closed in what we start. Signals that the
/// caller ignores are still without effect on us, and have their usual effect on what we start.
///
/// # Errors
/// When the kernel refuses.
pub fn set_stated_values() -> io::Result<()> {
    close_fds::set_fds_cloexec(FIRST, &[]);
    umask(Mode::from_raw_mode(UMASK));
    SigSet::empty().thread_set_mask()?;
    for signal in IGNORED.get_or_init(read_ignored) {
        // A signal with a handler is not inherited as ignored.
        let _ = flag::register(*signal, Arc::new(AtomicBool::new(false)));
    }
    Ok(())
}

fn read_ignored() -> Vec<i32> {
    ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// Reads which signals are ignored, without those that we may not handle and the one that the standard library resets in children.
fn ignored(status: &str) -> Vec<i32> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let set = (1..=64).filter(|signal| mask & (1 << (signal - 1)) != 0);
    let is_ours = |signal: &i32| !FORBIDDEN.contains(signal) && !OF_THE_LIBRARY.contains(signal);
    set.filter(|signal| *signal != SIGPIPE && is_ours(signal)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status_of_a_process() {
        // HUP, INT, SEGV, PIPE and the last real-time signal.
        let status = "Name:\tsh\nSigIgn:\t8000000180001403\nSigCgt:\t0000000000000000\n";
        assert_eq!(ignored(status), [1, 2, 64]);
        assert!(ignored("").is_empty());
    }
}
