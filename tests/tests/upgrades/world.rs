//! A host with a service whose two versions cannot read each other's data.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use copkg_tests::execution::Execution;
use copkg_tests::scene::{GROUP, Scene};

use crate::Outcome;

/// The service.
pub(crate) const SERVICE: &str = "1.ledger.dev.local";

const RECIPE: &str = r#"[package]
group = "org.copkg.examples"
id = "ledger"
version = "VERSION"

[[contents]]
src = "bin"

[[contents]]
src = "script.d"

[service]
exec = "bin/server"
settle = "50ms"
"#;

/// Serves only data of its own version; the first one makes it.
const SERVER: &str = r#"#!/bin/sh
cd "$COPKG_RUNTIME_DIR" || exit 8
[ -e data/format ] || echo VERSION >data/format
[ "$(cat data/format)" = VERSION ] || exit 9
exec sleep 600
"#;

const MIGRATE: &str = r#"#!/bin/sh
cd "$COPKG_RUNTIME_DIR" || exit 8
echo half >data/format
cp data/entries data/entries.new && mv data/entries.new data/entries
echo VERSION >data/format
"#;

/// What the service stores beside its format: it must be there whatever happens.
const ENTRIES: &str = "one\ntwo\nthree\n";

/// Version 1 runs with data and an edited configuration, version 2 is installed.
pub(crate) struct World {
    pub(crate) scene: Scene,
}

impl World {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        Self::on(Scene::new()?)
    }

    pub(crate) fn on(scene: Scene) -> Result<Self, Box<dyn Error>> {
        scene.trust()?;
        for version in ["1", "2"] {
            let file = scene.build(&tree(&scene, version)?)?;
            scene.pkginstall([Path::new("install"), &file])?.success()?;
        }
        let world = Self { scene };
        world.scene.pkginstall(["start", &package("1"), "--as", SERVICE])?.success()?;
        fs::write(world.runtime().join("data/entries"), ENTRIES)?;
        fs::write(world.runtime().join("etc/edited"), "by hand")?;
        Ok(world)
    }

    pub(crate) fn runtime(&self) -> PathBuf {
        self.scene.prefix().join("runtime").join(SERVICE)
    }

    pub(crate) fn pkginstall(&self, arguments: &[&str]) -> Result<Execution, Box<dyn Error>> {
        Ok(self.scene.pkginstall(arguments)?)
    }

    /// Stops the service and keeps the whole prefix for [`Self::restore`].
    pub(crate) fn remember(&self) -> Outcome {
        self.pkginstall(&["stop", SERVICE])?.success()?;
        copy(&self.scene, self.scene.prefix(), &self.scene.path().join("before"))
    }

    /// Makes the prefix what it was when it was remembered, with the service running.
    pub(crate) fn restore(&self, package: &str) -> Outcome {
        self.kill_service();
        fs::remove_dir_all(self.scene.prefix())?;
        copy(&self.scene, &self.scene.path().join("before"), self.scene.prefix())?;
        self.pkginstall(&["start", package, "--as", SERVICE])?.success()?;
        Ok(())
    }

    /// Returns the processes of the service, by their environment and their program.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let prefix = format!("COPKG_PREFIX={}", self.scene.prefix().display());
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let is_ours = environment.split(|&byte| byte == 0).any(|variable| variable == prefix.as_bytes());
            if is_ours && command.starts_with(b"sleep\x00600\x00") {
                found.push(pid);
            }
        }
        found
    }

    /// Kills the service as a crash would.
    pub(crate) fn kill_service(&self) {
        for pid in self.processes() {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
        let began = Instant::now();
        while !self.processes().is_empty() && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Checks that exactly one version serves, with its own data, all entries, and the configuration as it was edited.
    pub(crate) fn check(&self, moment: &str) -> Result<String, Box<dyn Error>> {
        let status = self.pkginstall(&["status", SERVICE, "--json"])?;
        assert!(status.is_success(), "{moment}: {status}");
        let package = status.json()?["services"][0]["package"].as_str().unwrap_or_default().to_owned();
        assert_eq!(self.processes().len(), 1, "{moment}: one process of the service");
        let version = package.rsplit(':').next().unwrap_or_default();
        let read = |path: &str| fs::read_to_string(self.runtime().join(path)).unwrap_or_default();
        assert_eq!(read("data/format").trim(), version, "{moment}: {package} has its own data");
        assert_eq!(read("data/entries"), ENTRIES, "{moment}");
        assert_eq!(read("etc/edited"), "by hand", "{moment}");
        let history = self.pkginstall(&["history", SERVICE, "--json"])?.success()?.json()?;
        let current = history["current"].to_string();
        let state = self.scene.prefix().join(".copkg/services").join(SERVICE);
        let outcome = fs::read_to_string(state.join("generations").join(&current).join("outcome.json"))?;
        assert!(outcome.contains("\"good\""), "{moment}: generation {current} is {outcome}");
        assert!(!state.join("change.json").exists(), "{moment}: the change is not closed");
        Ok(version.to_owned())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill_service();
    }
}

/// Returns the coordinate of a version.
pub(crate) fn package(version: &str) -> String {
    format!("{GROUP}:ledger:{version}")
}

fn tree(scene: &Scene, version: &str) -> Result<PathBuf, Box<dyn Error>> {
    let tree = scene.path().join(format!("ledger-{version}"));
    let write =
        |path: &str, mode, text: &str| scene.write(tree.join(path), mode, text.replace("VERSION", version));
    write("package.toml", 0o644, RECIPE)?;
    write("bin/server", 0o755, SERVER)?;
    write("script.d/migrate", 0o755, MIGRATE)?;
    Ok(tree)
}

fn copy(scene: &Scene, from: &Path, to: &Path) -> Outcome {
    scene.run(Command::new("cp").arg("-a").arg(from).arg(to))?.success()?;
    Ok(())
}
