//! Taking away the unit of a service, killed at each call that changes something: the same command again finishes.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use copkg_skip::skip;
use copkg_tests::execution::Execution;
use copkg_tests::faults;

use crate::Outcome;
use crate::world::{SERVICE, World};

/// Stands in for a systemd that knows none of our units and does what it is told. What it was told is written down.
const SYSTEMCTL: &str = "#!/bin/sh\necho \"$*\" >>\"$(dirname \"$0\")/told\"\n\
                         case \"$*\" in *show*) echo ActiveState=inactive; echo SubState=dead ;; esac\n";

const FORGET: [&str; 3] = ["forget", SERVICE, "--yes"];
const REMOVE: [&str; 3] = ["unit", "--remove", SERVICE];

struct Scene {
    world: World,
}

impl Scene {
    fn new() -> Result<Self, Box<dyn Error>> {
        let scene = Self { world: World::new()? };
        scene.world.pkginstall(&["stop", SERVICE])?.success()?;
        fs::create_dir_all(scene.tools())?;
        fs::write(scene.tools().join("systemctl"), SYSTEMCTL)?;
        fs::set_permissions(scene.tools().join("systemctl"), fs::Permissions::from_mode(0o755))?;
        scene.pkginstall(&["unit", "--user", SERVICE])?.success()?;
        fs::create_dir_all(scene.read_by_systemd())?;
        for entry in fs::read_dir(scene.units())? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|end| end == "service" || end == "target") {
                fs::copy(entry.path(), scene.read_by_systemd().join(entry.file_name()))?;
            }
        }
        assert_eq!(names(&scene.read_by_systemd()).len(), 3, "a service, the recovery and the target");
        copy(scene.world.scene.prefix(), &scene.world.scene.path().join("with-unit"))?;
        Ok(scene)
    }

    fn tools(&self) -> PathBuf {
        self.world.scene.path().join("tools")
    }

    fn units(&self) -> PathBuf {
        self.world.scene.prefix().join(".copkg/units")
    }

    /// Below the prefix, so that what is done there counts.
    fn read_by_systemd(&self) -> PathBuf {
        self.world.scene.prefix().join("config/systemd/user")
    }

    fn at_home(&self, command: &mut Command) -> Result<(), Box<dyn Error>> {
        self.world.scene.at_home(command);
        let found = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value);
        let before = found.unwrap_or_default().to_owned();
        let all = std::env::join_paths(std::iter::once(self.tools()).chain(std::env::split_paths(&before)))?;
        command.env("PATH", all).env("XDG_CONFIG_HOME", self.world.scene.prefix().join("config"));
        Ok(())
    }

    fn pkginstall(&self, words: &[&str]) -> Result<Execution, Box<dyn Error>> {
        let mut command = self.world.scene.command("pkginstall", words);
        self.at_home(&mut command)?;
        Ok(self.world.scene.run(&mut command)?)
    }

    fn under_faultrun(&self, words: &[&str], options: &[&str]) -> Result<Execution, Box<dyn Error>> {
        let mut run = Command::new(env!("CARGO_BIN_EXE_faultrun"));
        run.args(options).arg("--alone").arg("--under").arg(self.world.scene.prefix()).arg("--");
        run.arg(self.world.scene.programs().path("pkginstall")).args(words);
        self.at_home(&mut run)?;
        Ok(self.world.scene.run(&mut run)?)
    }

    fn restore(&self) -> Outcome {
        fs::remove_dir_all(self.world.scene.prefix())?;
        copy(&self.world.scene.path().join("with-unit"), self.world.scene.prefix())?;
        let _ = fs::remove_file(self.tools().join("told"));
        Ok(())
    }

    fn sweep(&self, words: &[&str]) -> Outcome {
        let log = self.world.scene.path().join("points");
        self.restore()?;
        self.under_faultrun(words, &["list", "--log", &log.to_string_lossy()])?.success()?;
        self.check("without a fault")?;
        let points = fs::read_to_string(&log)?;
        let points: Vec<&str> = points.lines().collect();
        assert!(points.len() >= 10, "only {points:?}: is everything counted?");
        for (number, point) in points.iter().enumerate() {
            let moment = format!("{words:?} killed at {} of {} ({point})", number + 1, points.len());
            self.restore()?;
            self.under_faultrun(words, &["kill", "--at", &(number + 1).to_string()])?;
            let again = self.pkginstall(words)?;
            // Nobody knows a service that was forgotten but for the last call.
            let is_over = again.code == Some(5) && !self.world.runtime().exists();
            assert!(again.is_success() || is_over, "{moment}: {again}");
            self.check(&moment)?;
        }
        Ok(())
    }

    /// Nothing of the unit is left, and systemd was told after it went.
    fn check(&self, moment: &str) -> Outcome {
        assert_eq!(names(&self.read_by_systemd()), [""; 0], "{moment}");
        let ours = names(&self.units());
        assert!(
            !ours.iter().any(|name| name.ends_with(".service") || name.ends_with(".target")),
            "{moment}: {ours:?}"
        );
        let record = self.world.scene.prefix().join(".copkg/services").join(SERVICE).join("unit.json");
        assert!(!record.exists(), "{moment}: it is written down that there is a unit");
        let told = fs::read_to_string(self.tools().join("told"))?;
        let told: Vec<&str> = told.lines().collect();
        let of = |words: &str| told.iter().rposition(|line| line.contains(words));
        assert!(of("disable --now") < of("daemon-reload"), "{moment}: {told:?}");
        Ok(())
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    // What a killed command was writing has no name yet.
    names.filter(|name| !name.starts_with(".tmp-")).collect()
}

fn copy(from: &Path, to: &Path) -> Outcome {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    assert!(copied.success());
    Ok(())
}

#[test]
fn a_killed_removal_of_a_unit_is_finished_by_the_same_command() -> Outcome {
    if !faults::is_supported() {
        skip("exact fault points", "x86_64 only");
        return Ok(());
    }
    let scene = Scene::new()?;
    for words in [&REMOVE[..], &FORGET] {
        scene.sweep(words)?;
    }
    Ok(())
}
