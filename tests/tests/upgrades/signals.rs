//! INT, TERM and HUP at moments of every command that changes a service: what comes of it is one of two states, and the command says
//! which. Some moments are drawn with a seed; `COPKG_SWEEP=full` tries 50 of each command.

use copkg_tests::execution::Execution;

use crate::Outcome;
use crate::faults::{
    DRAWN, Extent, FAILING, Sweep, before, before_reload, before_rollback, before_upgrade, each, sweep,
};
use crate::world::SERVICE;

/// How many moments of a command a signal is tried at with `COPKG_SWEEP=full`.
const SIGNALS: usize = 50;

const RESTART: [&str; 2] = ["restart", SERVICE];
const STOP: [&str; 2] = ["stop", SERVICE];
const REHEARSE: [&str; 4] = ["rehearse", SERVICE, "--to", "2"];
const GC: [&str; 3] = ["gc", "--keep", "0"];

#[test]
fn a_signal_at_any_moment_of_an_upgrade_leaves_one_of_two_versions_and_says_which() -> Outcome {
    each(before_upgrade()?, Sweep::signal)
}

#[test]
fn a_signal_at_any_moment_of_a_rollback_leaves_one_of_two_versions_and_says_which() -> Outcome {
    each(before_rollback()?, Sweep::signal)
}

#[test]
fn a_signal_at_any_moment_of_a_reload_leaves_one_configuration() -> Outcome {
    each(before_reload()?, Sweep::signal)
}

#[test]
fn a_signal_at_any_moment_of_the_other_commands_leaves_what_they_say() -> Outcome {
    for command in [&FAILING[..], &RESTART, &STOP, &REHEARSE, &GC] {
        each(before(command)?, Sweep::signal)?;
    }
    Ok(())
}

impl Sweep {
    /// Sends a signal before calls: what comes of it is one of two states, and the command says which.
    fn signal(&mut self) -> Outcome {
        self.restore()?;
        let points = self.points_from_here(self.command)?;
        let moments = if sweep() == Extent::Full { SIGNALS } else { DRAWN };
        for (number, at) in self.spread(points.len(), moments).into_iter().enumerate() {
            self.tried += 1;
            let signal = ["INT", "TERM", "HUP"][number % 3];
            let moment = format!(
                "{signal} during {:?} at {at} of {} ({})",
                self.command,
                points.len(),
                points[at - 1]
            );
            self.restore()?;
            let kill = format!("kill -{signal} $TRACEE");
            let ended =
                self.under_faultrun(self.command, &["run", "--at", &at.to_string(), "--run", &kill])?;
            self.said(&ended, &moment)?;
        }
        Ok(())
    }

    /// Checks, without any recovery, that the service is what the command said.
    fn said(&self, ended: &Execution, moment: &str) -> Outcome {
        let fails = self.command == FAILING;
        let is_done = match ended.code {
            Some(0) => !fails,
            Some(1) => fails,
            _ => false,
        };
        assert!(is_done || ended.code == Some(130), "{moment}: {ended}");
        assert!(is_done || ended.err.contains("interrupted by SIG"), "{moment}: {ended}");
        let copy = self.world.scene.prefix().join("runtime/.rehearsal").join(SERVICE);
        assert!(!copy.exists(), "{moment}: the copy is left: {ended}");
        let status = self.world.pkginstall(&["status", SERVICE])?;
        if self.command == STOP && is_done {
            assert_eq!(status.code, Some(3), "{moment}: {ended}\n{status}");
            return Ok(());
        }
        assert!(status.is_success(), "{moment}: {ended}\n{status}");
        let version = self.world.check(moment)?;
        assert_eq!(version, if is_done { self.after } else { self.before }, "{moment}: {ended}");
        Ok(())
    }
}
