//! A repository on a server, packages whose versions differ in how they start, and a host that follows.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use copkg_tests::execution::Execution;
use copkg_tests::registry::Registry;
use copkg_tests::scene::{GROUP, Scene};
use serde_json::Value;

use crate::Outcome;

/// The service.
pub(crate) const SERVICE: &str = "1.beacon.dev.local";

/// The version that does not start.
pub(crate) const FAILING: &str = "3";

/// The version whose data no lower one may read.
pub(crate) const ONE_WAY: &str = "4";

const RECIPE: &str = r#"[package]
group = "org.copkg.examples"
id = "beacon"
version = "VERSION"

[[contents]]
src = "bin"

[service]
exec = "bin/server"
settle = "50ms"

[service.health]
healthy_for = "100ms"
interval = "50ms"

[service.upgrade]
downgrade = "DOWNGRADE"
"#;

/// Writes down that it ran, beside its data, so that nothing takes that back.
const SERVER: &str = "#!/bin/sh\necho VERSION >>\"$COPKG_RUNTIME_DIR/log/starts\" || exit 8\nEND\n";

/// Tells the worlds of one test program apart.
static WORLDS: AtomicU32 = AtomicU32::new(0);

/// A repository with versions 1 to 4 of a package, and a host on which the first one runs.
pub(crate) struct World {
    pub(crate) scene: Scene,
    pub(crate) registry: Registry,
    /// What services execute in the end, which nothing else on this machine does.
    pub(crate) nap: String,
}

impl World {
    /// Version 1 runs, and the channel `stable` leads to it.
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let scene = Scene::new()?;
        let registry = scene.registry(&["publisher.pub"], 1)?;
        let number = WORLDS.fetch_add(1, Ordering::SeqCst);
        let world = Self { scene, registry, nap: format!("600.{}{number:03}", std::process::id()) };
        let files = ["1", "2", FAILING, ONE_WAY].map(|version| world.build(version));
        let files = files.into_iter().collect::<Result<Vec<_>, _>>()?;
        let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
        world.registry.publish(&world.scene, &files, &["publisher.key"])?.success()?;
        world.add_repository()?;
        world.publisher("promote", &package("1"), &["stable"])?;
        world.ok(&["install", &format!("{GROUP}:beacon@stable")])?;
        world.ok(&["start", &package("1"), "--as", SERVICE])?;
        Ok(world)
    }

    fn build(&self, version: &str) -> Result<PathBuf, Box<dyn Error>> {
        let downgrade = if version == ONE_WAY { "forbidden" } else { "allowed" };
        let recipe = RECIPE.replace("VERSION", version).replace("DOWNGRADE", downgrade);
        let end = if version == FAILING { "exit 9".to_owned() } else { format!("exec sleep {}", self.nap) };
        let server = SERVER.replace("VERSION", version).replace("END", &end);
        let tree = self.scene.path().join(format!("beacon-{version}"));
        self.scene.write(tree.join("package.toml"), 0o644, recipe)?;
        self.scene.write(tree.join("bin/server"), 0o755, server)?;
        Ok(self.scene.build(&tree)?)
    }

    /// Pins the repository where it is served now.
    pub(crate) fn add_repository(&self) -> Outcome {
        self.ok(&["repo", "add", "main", self.registry.url(), "--root", self.registry.fingerprint()])?;
        Ok(())
    }

    /// Runs a command of the publisher.
    pub(crate) fn publisher(&self, command: &str, coordinate: &str, rest: &[&str]) -> Outcome {
        let words = [&[command, coordinate], rest, &["--key", "publisher.key"]].concat();
        self.registry.pkgbuild(&self.scene, &words)?.success()?;
        Ok(())
    }

    /// Moves the channel, up or down.
    pub(crate) fn promote(&self, version: &str) -> Outcome {
        self.publisher("promote", &package(version), &["stable"])
    }

    /// Moves the channel down.
    pub(crate) fn demote(&self, version: &str) -> Outcome {
        self.publisher("demote", &package(version), &["stable"])
    }

    pub(crate) fn pkginstall(&self, arguments: &[&str]) -> Result<Execution, Box<dyn Error>> {
        Ok(self.scene.pkginstall(arguments)?)
    }

    /// Runs a command that must go well, and returns its document.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
        Ok(self.pkginstall(&[arguments, &["--json"]].concat())?.success()?.json()?)
    }

    /// Follows the channel with the service.
    pub(crate) fn follow(&self) -> Outcome {
        self.ok(&["follow", SERVICE, &format!("{GROUP}:beacon@stable")])?;
        Ok(())
    }

    /// Makes a round that must end with `code`, and returns what it says of the first subscription.
    pub(crate) fn round(&self, code: i32, options: &[&str]) -> Result<Value, Box<dyn Error>> {
        let words = [&["agent", "--once", "--json"], options].concat();
        let mut said = self.pkginstall(&words)?.expect_code(code)?.json()?;
        Ok(said["subscriptions"][0].take())
    }

    /// Returns the version that a service runs; it must run.
    pub(crate) fn runs(&self, service: &str) -> Result<String, Box<dyn Error>> {
        let status = self.ok(&["status", service])?;
        let package = status["services"][0]["package"].as_str().unwrap_or_default();
        Ok(package.rsplit(':').next().unwrap_or_default().to_owned())
    }

    /// Returns the versions that were ever started of a service, in order.
    pub(crate) fn starts(&self, service: &str) -> Vec<String> {
        let path = self.scene.prefix().join("runtime").join(service).join("log/starts");
        fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Kills what services of this world run.
    pub(crate) fn kill_services(&self) {
        let wanted = format!("sleep\0{}\0", self.nap);
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            if fs::read(entry.path().join("cmdline")).unwrap_or_default() == wanted.as_bytes() {
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill_services();
    }
}

/// Returns the coordinate of a version.
pub(crate) fn package(version: &str) -> String {
    format!("{GROUP}:beacon:{version}")
}
