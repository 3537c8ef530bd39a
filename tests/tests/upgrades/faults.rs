//! `kill -9` at every call of an upgrade and of a rollback that changes something.
//!
//! `COPKG_SWEEP=full` tries every point in every mode; without it some are drawn with a seed.

use std::error::Error;
use std::fs;
use std::process::Command;

use copkg_tests::execution::Execution;
use copkg_tests::faults;
use copkg_tests::scene::skip;

use crate::Outcome;
use crate::world::{SERVICE, World, package};

/// How many points are tried where they are not all tried.
const DRAWN: usize = 6;

/// Decides which.
const SEED: u64 = 20_261_121;

const UPGRADE: [&str; 4] = ["upgrade", SERVICE, "--to", "2"];
const ROLLBACK: [&str; 3] = ["rollback", SERVICE, "--restore-data"];

#[test]
fn a_killed_upgrade_leads_back_to_one_good_version() -> Outcome {
    let Some(world) = world()? else { return Ok(()) };
    world.remember()?;
    Sweep { world, command: &UPGRADE, before: "1", after: "2" }.kill()
}

#[test]
fn a_killed_rollback_leads_to_one_good_version() -> Outcome {
    let Some(world) = world()? else { return Ok(()) };
    world.pkginstall(&UPGRADE)?.success()?;
    world.remember()?;
    Sweep { world, command: &ROLLBACK, before: "2", after: "1" }.kill()
}

fn world() -> Result<Option<World>, Box<dyn Error>> {
    if faults::is_supported() {
        return Ok(Some(World::new()?));
    }
    skip("exact fault points", "x86_64 only");
    Ok(None)
}

/// One command, and the versions before and after it.
struct Sweep {
    world: World,
    command: &'static [&'static str],
    before: &'static str,
    after: &'static str,
}

impl Sweep {
    /// Kills the command at its points, sometimes the service with it, and sometimes the recovery.
    fn kill(&self) -> Outcome {
        let mut random = Random(SEED);
        let points = self.points()?;
        for at in drawn(points.len(), &mut random) {
            for mode in ["kill", "kill-after"] {
                let with_service = random.below(2) == 1;
                let second = random.below(2) == 1;
                let moment = format!(
                    "{} {mode} at {at} of {} ({}), service killed: {with_service}, recovery killed: {second}",
                    self.command[0],
                    points.len(),
                    points[at - 1]
                );
                self.world.restore(&package(self.before))?;
                let ended = self.under_faultrun(self.command, &[mode, "--at", &at.to_string()])?;
                assert_eq!(ended.code, Some(137), "{moment}: {ended}");
                if with_service {
                    self.world.kill_service();
                }
                // Looking never fails, whatever was left.
                let status = self.world.pkginstall(&["status", SERVICE])?;
                assert!(matches!(status.code, Some(0 | 3 | 4)), "{moment}: {status}");
                if second {
                    let at = (1 + random.below(60)).to_string();
                    self.under_faultrun(&["recover"], &["kill-after", "--at", &at])?;
                }
                self.world.pkginstall(&["recover"])?.success()?;
                self.startable(&moment)?;
                let version = self.world.check(&moment)?;
                assert!([self.before, self.after].contains(&version.as_str()), "{moment}: {version}");
            }
        }
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

    fn points(&self) -> Result<Vec<String>, Box<dyn Error>> {
        self.world.restore(&package(self.before))?;
        let log = self.world.scene.path().join("points");
        self.under_faultrun(self.command, &["list", "--log", &log.to_string_lossy()])?.success()?;
        let points: Vec<String> = fs::read_to_string(log)?.lines().map(str::to_owned).collect();
        assert!(points.len() >= 60, "only {} points: is everything counted?", points.len());
        Ok(points)
    }

    fn under_faultrun(&self, command: &[&str], options: &[&str]) -> Result<Execution, Box<dyn Error>> {
        let mut run = Command::new(env!("CARGO_BIN_EXE_faultrun"));
        run.args(options).arg("--alone").arg("--under").arg(self.world.scene.prefix()).arg("--");
        run.arg(self.world.scene.programs().path("pkginstall")).args(command);
        self.world.scene.at_home(&mut run);
        Ok(self.world.scene.run(&mut run)?)
    }
}

fn full_sweep() -> bool {
    std::env::var("COPKG_SWEEP").is_ok_and(|value| value == "full")
}

/// The points to try, from 1: all, or some of each part of the way.
fn drawn(total: usize, random: &mut Random) -> Vec<usize> {
    if full_sweep() {
        return (1..=total).collect();
    }
    let part = total / DRAWN;
    (0..DRAWN).map(|number| 1 + number * part + random.below(part)).collect()
}

/// Numbers that look random and are the same each time (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap_or(1)).unwrap_or(0)
    }
}
