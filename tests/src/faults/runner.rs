//! Runs a program under ptrace and strikes at the planned point.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use seccompiler::{SeccompAction, SeccompFilter, TargetArch};

use super::calls::{CALLS, Kind};
use super::tracee::Stop;
use super::{Fault, Plan, Traced, Whose};

/// Becomes the program to be traced: waits for its parent, then runs `command`. Returns only when that fails.
pub fn become_tracee(command: &mut Command, whose: Whose) -> io::Error {
    let prepare = || -> io::Result<()> {
        ptrace::traceme()?;
        raise(Signal::SIGSTOP)?;
        if whose == Whose::ItsOwn {
            // A filter would stay with what the program starts, which nobody traces.
            return Ok(());
        }
        let rules: BTreeMap<i64, Vec<_>> = CALLS.iter().map(|call| (call.number, Vec::new())).collect();
        let filter =
            SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Trace(0), TargetArch::x86_64);
        let program = filter.and_then(seccompiler::BpfProgram::try_from).map_err(io::Error::other)?;
        seccompiler::apply_filter(&program).map_err(io::Error::other)
    };
    prepare().err().unwrap_or_else(|| command.exec())
}

/// Runs `tracee`, which calls [`become_tracee`], to its end.
///
/// # Errors
/// When the program cannot be started or traced.
pub fn run(tracee: &mut Command, plan: &Plan) -> io::Result<Traced> {
    let child = tracee.spawn()?;
    let first = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    waitpid(first, None)?;
    ptrace::setoptions(first, options(plan.whose))?;
    let mut runner = Runner {
        plan,
        first,
        inside: BTreeSet::new(),
        live: BTreeSet::from([first]),
        dying: BTreeSet::new(),
        code: 0,
        points: Vec::new(),
    };
    runner.go_on(first, None);
    while !runner.live.is_empty() {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::__WALL)) {
            Ok(status) => runner.handle(status),
            Err(Errno::EINTR) => {}
            Err(_) => break,
        }
    }
    Ok(Traced { code: runner.code, points: runner.points })
}

fn options(whose: Whose) -> Options {
    let own = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    match whose {
        Whose::ItsOwn => own,
        Whose::All => {
            own | Options::PTRACE_O_TRACEFORK | Options::PTRACE_O_TRACEVFORK | Options::PTRACE_O_TRACESECCOMP
        }
    }
}

struct Runner<'p> {
    plan: &'p Plan,
    first: Pid,
    live: BTreeSet<Pid>,
    /// Threads that are in a call, where every call stops twice.
    inside: BTreeSet<Pid>,
    /// Threads that are killed when their call returns.
    dying: BTreeSet<Pid>,
    code: i32,
    points: Vec<String>,
}

impl Runner<'_> {
    fn handle(&mut self, status: WaitStatus) {
        match status {
            WaitStatus::Exited(pid, code) => self.ended(pid, code),
            WaitStatus::Signaled(pid, signal, _) => self.ended(pid, 128 + signal as i32),
            WaitStatus::PtraceEvent(pid, _, event) if event == libc::PTRACE_EVENT_SECCOMP => {
                self.at_call(pid);
            }
            WaitStatus::PtraceSyscall(pid) if self.enters(pid) => self.at_call(pid),
            WaitStatus::PtraceSyscall(pid) => self.after_call(pid),
            // A new thread or process stops before its first instruction.
            WaitStatus::Stopped(pid, Signal::SIGSTOP) if self.live.insert(pid) => self.go_on(pid, None),
            WaitStatus::PtraceEvent(pid, ..) | WaitStatus::Stopped(pid, Signal::SIGTRAP) => {
                self.go_on(pid, None);
            }
            WaitStatus::Stopped(pid, signal) => self.go_on(pid, Some(signal)),
            WaitStatus::Continued(_) | WaitStatus::StillAlive => {}
        }
    }

    /// Tells whether the thread stops before a call, and not after it.
    fn enters(&mut self, pid: Pid) -> bool {
        self.plan.whose == Whose::ItsOwn && (self.inside.insert(pid) || !self.inside.remove(&pid))
    }

    /// Lets the thread go on. One that was killed meanwhile does not mind.
    fn go_on(&self, pid: Pid, signal: Option<Signal>) {
        let _ = match self.plan.whose {
            Whose::All => ptrace::cont(pid, signal),
            Whose::ItsOwn => ptrace::syscall(pid, signal),
        };
    }

    fn ended(&mut self, pid: Pid, code: i32) {
        self.live.remove(&pid);
        self.inside.remove(&pid);
        if pid == self.first {
            self.code = code;
        }
    }

    /// The thread is about to make one of the calls.
    fn at_call(&mut self, pid: Pid) {
        let Ok(registers) = ptrace::getregs(pid) else { return self.go_on(pid, None) };
        let Some(stop) = Stop::of(pid, &registers, &self.plan.under) else { return self.go_on(pid, None) };
        self.points.push(stop.text.clone());
        let number = self.points.len();
        match self.plan.fault {
            Fault::Kill if number == self.plan.at => strike(pid),
            Fault::KillAfter if number == self.plan.at => {
                self.dying.insert(pid);
                let _ = ptrace::syscall(pid, None);
                return;
            }
            Fault::Error(errno) if number == self.plan.at => answer(pid, registers, -i64::from(errno)),
            Fault::StickyError(errno) if number >= self.plan.at && stop.call.kind.needs_space() => {
                answer(pid, registers, -i64::from(errno));
            }
            Fault::Lie if number == self.plan.at => answer(pid, registers, 0),
            Fault::Short if number == self.plan.at => halve(pid, registers, &stop),
            Fault::Run if number == self.plan.at => self.run_command(),
            _ => {}
        }
        self.go_on(pid, None);
    }

    /// How the command ends is its own business. `TRACEE` is the number of the program that waits meanwhile.
    fn run_command(&self) {
        if let Some(line) = &self.plan.command {
            let _ = Command::new("sh").args(["-c", line]).env("TRACEE", self.first.to_string()).status();
        }
    }

    fn after_call(&mut self, pid: Pid) {
        if self.dying.remove(&pid) {
            strike(pid);
        }
        self.go_on(pid, None);
    }
}

/// Kills the process that the thread belongs to, as `kill -9` does.
fn strike(pid: Pid) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let group = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
    let _ = kill(Pid::from_raw(group.unwrap_or(pid.as_raw())), Signal::SIGKILL);
}

/// Makes the call return `value` without running.
fn answer(pid: Pid, mut registers: libc::user_regs_struct, value: i64) {
    registers.orig_rax = u64::MAX;
    registers.rax = value.cast_unsigned();
    let _ = ptrace::setregs(pid, registers);
}

/// Halves the length of a write.
fn halve(pid: Pid, mut registers: libc::user_regs_struct, stop: &Stop) {
    let Kind::Write(argument) = stop.call.kind else { return };
    let half = stop.arguments[argument] / 2;
    match argument {
        _ if half == 0 => return,
        2 => registers.rdx = half,
        3 => registers.r10 = half,
        _ => registers.r8 = half,
    }
    let _ = ptrace::setregs(pid, registers);
}
