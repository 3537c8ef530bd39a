//! `kill -9`, full disks and signals at every call of an upgrade and of a rollback that changes something.
//!
//! `COPKG_SWEEP=steps` tries each step of the journal in every way, and each change of a name in the recovery after it;
//! `COPKG_SWEEP=full` every call, which takes hours; without it some are drawn with a seed.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use copkg_skip::skip;
use copkg_tests::execution::Execution;
use copkg_tests::faults;
use copkg_tests::random::Random;
use copkg_tests::scene::Scene;

use crate::Outcome;
use crate::world::{SERVICE, World, package, say};

/// How many points are tried where they are not all tried.
pub(crate) const DRAWN: usize = 6;

/// Decides which.
const SEED: u64 = 20_261_121;

/// `ENOSPC`.
const NO_SPACE: &str = "28";

const UPGRADE: [&str; 4] = ["upgrade", SERVICE, "--to", "2"];
pub(crate) const FAILING: [&str; 4] = ["upgrade", SERVICE, "--to", "3"];
const ROLLBACK: [&str; 3] = ["rollback", SERVICE, "--restore-data"];
const RELOAD: [&str; 3] = ["config", "apply", SERVICE];

#[test]
fn a_killed_upgrade_leads_back_to_one_good_version() -> Outcome {
    each(before_upgrade()?, Sweep::kill)
}

#[test]
fn a_killed_rollback_leads_to_one_good_version() -> Outcome {
    each(before_rollback()?, Sweep::kill)
}

#[test]
fn a_killed_reload_leaves_one_configuration() -> Outcome {
    each(before_reload()?, Sweep::kill)
}

#[test]
fn a_killed_recovery_of_an_upgrade_is_recovered() -> Outcome {
    each(before_upgrade()?, Sweep::kill_twice)
}

#[test]
fn a_killed_recovery_of_a_rollback_is_recovered() -> Outcome {
    each(before_rollback()?, Sweep::kill_twice)
}

#[test]
fn a_disk_that_is_full_for_one_call_of_an_upgrade_leaves_a_good_version_running() -> Outcome {
    each(before_upgrade()?, Sweep::fill)
}

#[test]
fn a_disk_that_is_full_for_one_call_of_a_rollback_leaves_a_good_version_running() -> Outcome {
    each(before_rollback()?, Sweep::fill)
}

#[test]
fn a_disk_that_is_full_for_one_call_of_a_reload_leaves_one_configuration() -> Outcome {
    each(before_reload()?, Sweep::fill)
}

#[test]
fn a_killed_upgrade_to_a_version_that_fails_loses_nothing_that_it_wrote() -> Outcome {
    each(before(&FAILING)?, Sweep::kill)
}

#[test]
fn a_disk_that_is_full_for_one_call_of_an_upgrade_that_fails_loses_nothing() -> Outcome {
    each(before(&FAILING)?, Sweep::fill)
}

#[test]
fn a_small_disk_that_is_full_leaves_the_old_version_running() -> Outcome {
    let directory = tempfile::Builder::new().prefix("copkg-disk-").tempdir()?;
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"])
        .arg(directory.path())
        .status()?;
    if !mount.success() {
        skip("a small file system of its own", "mounting is not allowed here");
        return Ok(());
    }
    let result = on_small_disk(directory.path());
    Command::new("umount").arg(directory.path()).status()?;
    result
}

/// Upgrades with less and less ballast on the disk, until one goes well: each before that met a full disk somewhere.
fn on_small_disk(disk: &Path) -> Outcome {
    let world = World::on(Scene::new()?.with_prefix(disk.join("host")))?;
    fs::write(world.runtime().join("data/large"), vec![7; 1 << 20])?;
    let ballast = disk.join("ballast");
    let step = if sweep() == Extent::Full { 16 << 10 } else { 400 << 10 };
    let mut refused = 0;
    for room in (0..).step_by(step) {
        fs::write(&ballast, b"")?;
        leave_free(&ballast, room)?;
        let tried = world.pkginstall(&UPGRADE)?;
        let version = world.check(&format!("{room} bytes were free: {tried}"))?;
        assert_eq!(tried.is_success(), version == "2", "{tried}");
        if version == "2" {
            break;
        }
        refused += 1;
        // Collecting works with next to nothing free.
        leave_free(&ballast, 64 << 10)?;
        world.pkginstall(&["gc", "--keep", "0"])?.success()?;
    }
    assert!(refused > 0, "nothing was ever full");
    say(&format!("an upgrade on a full disk: {refused} times refused or led back, then done"));
    Ok(())
}

/// Makes the ballast so large that so many bytes are free beside it.
fn leave_free(ballast: &Path, room: u64) -> Outcome {
    let file = fs::File::options().write(true).open(ballast)?;
    let disk = rustix::fs::fstatvfs(&file)?;
    let size = file.metadata()?.len() + disk.f_bavail * disk.f_frsize;
    let size = size.saturating_sub(room).max(1);
    file.set_len(size)?;
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size)?;
    Ok(())
}

/// Version 1 runs, and version 2 is there to change to.
pub(crate) fn before_upgrade() -> Result<Option<Sweep>, Box<dyn Error>> {
    let Some(world) = world()? else { return Ok(None) };
    world.remember()?;
    Ok(Some(Sweep { world, command: &UPGRADE, before: "1", after: "2", random: Random(SEED), tried: 0 }))
}

/// Version 1 runs, and will afterwards.
pub(crate) fn before(command: &'static [&'static str]) -> Result<Option<Sweep>, Box<dyn Error>> {
    let Some(world) = world()? else { return Ok(None) };
    world.remember()?;
    Ok(Some(Sweep { world, command, before: "1", after: "1", random: Random(SEED), tried: 0 }))
}

/// Version 2 runs, and version 1 is what it was before.
pub(crate) fn before_rollback() -> Result<Option<Sweep>, Box<dyn Error>> {
    let Some(world) = world()? else { return Ok(None) };
    world.pkginstall(&UPGRADE)?.success()?;
    world.remember()?;
    Ok(Some(Sweep { world, command: &ROLLBACK, before: "2", after: "1", random: Random(SEED), tried: 0 }))
}

/// Version 1 runs, and another configuration is set for it, which it can read without being stopped.
pub(crate) fn before_reload() -> Result<Option<Sweep>, Box<dyn Error>> {
    let Some(world) = world()? else { return Ok(None) };
    world.remember()?;
    Ok(Some(Sweep { world, command: &RELOAD, before: "1", after: "1", random: Random(SEED), tried: 0 }))
}

fn world() -> Result<Option<World>, Box<dyn Error>> {
    if faults::is_supported() {
        return Ok(Some(World::new()?));
    }
    skip("exact fault points", "x86_64 only");
    Ok(None)
}

pub(crate) fn each(sweep: Option<Sweep>, go: impl FnOnce(&mut Sweep) -> Outcome) -> Outcome {
    let Some(mut sweep) = sweep else { return Ok(()) };
    go(&mut sweep)?;
    say(&format!(
        "{}: {} faults, each time one good version with all of its data",
        sweep.command[0], sweep.tried
    ));
    Ok(())
}

/// Whom a kill strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Command,
    Service,
    Both,
}

/// One command, and the versions before and after it.
pub(crate) struct Sweep {
    pub(crate) world: World,
    pub(crate) command: &'static [&'static str],
    pub(crate) before: &'static str,
    pub(crate) after: &'static str,
    random: Random,
    pub(crate) tried: usize,
}

impl Sweep {
    /// Kills the command, the service, or both, before and after each call.
    fn kill(&mut self) -> Outcome {
        let points = self.points(self.command)?;
        for at in self.moments(&points) {
            let mut ways = vec![("run", Victim::Service)];
            for mode in ["kill", "kill-after"] {
                if sweep() == Extent::Drawn {
                    ways.push((mode, [Victim::Command, Victim::Both][self.random.below(2)]));
                } else {
                    ways.extend([(mode, Victim::Command), (mode, Victim::Both)]);
                }
            }
            for (mode, victim) in ways {
                let moment = format!("{mode} of {victim:?} at {at} of {} ({})", points.len(), points[at - 1]);
                self.restore()?;
                self.strike(mode, victim, at, &moment)?;
                self.recovered(&moment)?;
            }
        }
        Ok(())
    }

    /// Kills the command at each step of its journal, and then the recovery at each of its calls.
    fn kill_twice(&mut self) -> Outcome {
        let points = self.points(self.command)?;
        let steps = journal(&points);
        assert!(steps.len() >= 8, "only {} steps in {points:#?}", steps.len());
        let drawn = vec![steps[self.random.below(steps.len() - 1)], steps[4]];
        for at in if sweep() == Extent::Drawn { drawn } else { steps } {
            let all = [Victim::Both, Victim::Command];
            for victim in if sweep() == Extent::Full { &all[..] } else { &all[..1] } {
                let first = format!("kill-after of {victim:?} at {at} ({})", points[at - 1]);
                self.restore()?;
                self.strike("kill-after", *victim, at, &first)?;
                let again = self.points_from_here(&["recover"])?;
                for second in self.seconds(&again) {
                    let moment = format!("{first}, recovery at {second} of {}", again.len());
                    self.restore()?;
                    self.strike("kill-after", *victim, at, &moment)?;
                    self.under_faultrun(&["recover"], &["kill-after", "--at", &second.to_string()])?;
                    self.recovered(&moment)?;
                }
            }
        }
        Ok(())
    }

    /// Runs the command until the point, where someone is killed.
    fn strike(&mut self, mode: &str, victim: Victim, at: usize, moment: &str) -> Outcome {
        self.tried += 1;
        let at = at.to_string();
        let killer = self.world.killer();
        let mut options = vec![mode, "--at", &at];
        if victim == Victim::Service {
            options.extend(["--run", &killer]);
        }
        let ended = self.under_faultrun(self.command, &options)?;
        match victim {
            Victim::Service => assert!(matches!(ended.code, Some(0 | 1)), "{moment}: {ended}"),
            _ => assert_eq!(ended.code, Some(137), "{moment}: {ended}"),
        }
        if victim == Victim::Both {
            self.world.kill_service();
        }
        // Looking never fails, whatever was left.
        let status = self.world.pkginstall(&["status", SERVICE])?;
        assert!(matches!(status.code, Some(0 | 3 | 4)), "{moment}: {status}");
        Ok(())
    }

    /// Recovers, starts where it is merely down, and checks what is there then.
    fn recovered(&self, moment: &str) -> Outcome {
        self.world.pkginstall(&["recover"])?.success()?;
        self.startable(moment)?;
        let version = self.world.check(moment)?;
        assert!([self.before, self.after].contains(&version.as_str()), "{moment}: {version}");
        Ok(())
    }

    /// Where nothing of a change was left to recover, a service that was killed is merely down: it must start.
    fn startable(&self, moment: &str) -> Outcome {
        let status = self.world.pkginstall(&["status", SERVICE, "--json"])?;
        if status.is_success() {
            return Ok(());
        }
        let document = status.json()?;
        let package = document["services"][0]["package"].as_str().unwrap_or_default().to_owned();
        let started = self.world.pkginstall(&["start", &package, "--as", SERVICE])?;
        assert!(started.is_success(), "{moment}: {started}");
        Ok(())
    }

    /// Fails each call, once, as a full disk does.
    fn fill(&mut self) -> Outcome {
        let points = self.points(self.command)?;
        for at in self.drawn(points.len(), DRAWN) {
            self.tried += 1;
            let moment = format!("no space at {at} of {} ({})", points.len(), points[at - 1]);
            self.restore()?;
            let options = ["error", "--errno", NO_SPACE, "--at", &at.to_string()];
            let ended = self.under_faultrun(self.command, &options)?;
            // Without any recovery: the command itself left it running. Where the way back met the full disk, some of it may be left to do.
            let status = self.world.pkginstall(&["status", SERVICE])?;
            let is_left = status.code == Some(4) && status.out.contains("  running  ");
            assert!(status.is_success() || is_left && self.command == FAILING, "{moment}: {ended}\n{status}");
            self.world.pkginstall(&["recover"])?.success()?;
            let version = self.world.check(&moment)?;
            let said = if ended.is_success() { self.after } else { self.before };
            assert_eq!(version, said, "{moment}: {ended}");
        }
        Ok(())
    }

    /// Makes the host what it was before the command.
    pub(crate) fn restore(&self) -> Outcome {
        self.world.restore(&package(self.before))?;
        if self.command == RELOAD {
            self.world.pkginstall(&["config", "set", SERVICE, "motto=new"])?.success()?;
        }
        Ok(())
    }

    /// Names the calls of a command that change something, from the state that was remembered.
    fn points(&self, command: &[&str]) -> Result<Vec<String>, Box<dyn Error>> {
        self.restore()?;
        let points = self.points_from_here(command)?;
        assert!(points.len() >= 50, "only {} points: is everything counted?", points.len());
        Ok(points)
    }

    pub(crate) fn points_from_here(&self, command: &[&str]) -> Result<Vec<String>, Box<dyn Error>> {
        let log = self.world.scene.path().join("points");
        let ended = self.under_faultrun(command, &["list", "--log", &log.to_string_lossy()])?;
        assert_eq!(ended.code, Some(i32::from(command == FAILING)), "{ended}");
        Ok(fs::read_to_string(log)?.lines().map(str::to_owned).collect())
    }

    pub(crate) fn under_faultrun(
        &self,
        command: &[&str],
        options: &[&str],
    ) -> Result<Execution, Box<dyn Error>> {
        let mut run = Command::new(env!("CARGO_BIN_EXE_faultrun"));
        run.args(options).arg("--alone").arg("--under").arg(self.world.scene.prefix()).arg("--");
        run.arg(self.world.scene.programs().path("pkginstall")).args(command);
        self.world.scene.at_home(&mut run);
        Ok(self.world.scene.run(&mut run)?)
    }

    /// The calls at which the command is struck.
    fn moments(&mut self, points: &[String]) -> Vec<usize> {
        if sweep() == Extent::Steps { journal(points) } else { self.drawn(points.len(), DRAWN) }
    }

    /// The calls at which the recovery is struck: between two changes of a name nothing is different for anybody.
    fn seconds(&mut self, points: &[String]) -> Vec<usize> {
        let renames =
            |at: &usize| ["rename", "unlink", "symlink"].iter().any(|call| points[at - 1].starts_with(call));
        match sweep() {
            Extent::Steps => (1..=points.len()).filter(renames).collect(),
            _ => self.drawn(points.len(), 2),
        }
    }

    /// The points to try, from 1: all, or one of each of so many parts of the way.
    fn drawn(&mut self, total: usize, parts: usize) -> Vec<usize> {
        if sweep() == Extent::Full || total <= parts {
            return (1..=total).collect();
        }
        self.spread(total, parts)
    }

    /// One point of each of so many parts of the way.
    pub(crate) fn spread(&mut self, total: usize, parts: usize) -> Vec<usize> {
        let parts = parts.min(total);
        let part = total / parts;
        (0..parts).map(|number| 1 + number * part + self.random.below(part)).collect()
    }
}

/// The calls with which a step is written to the journal, or the journal is closed.
fn journal(points: &[String]) -> Vec<usize> {
    (1..=points.len()).filter(|at| points[at - 1].ends_with("/change.json)")).collect()
}

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Drawn,
    Steps,
    Full,
}

pub(crate) fn sweep() -> Extent {
    match std::env::var("COPKG_SWEEP").as_deref() {
        Ok("full") => Extent::Full,
        Ok("steps") => Extent::Steps,
        _ => Extent::Drawn,
    }
}
