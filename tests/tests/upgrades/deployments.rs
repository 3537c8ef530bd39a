//! `kill -9` and full disks at the steps of a deployment: afterwards it is one whole generation, and nothing of its data is gone.
//!
//! `COPKG_SWEEP=steps` tries each step of the journals of the deployment, and `COPKG_SWEEP=full` every call; without it some are
//! drawn with a seed.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use copkg_skip::skip;
use copkg_tests::execution::Execution;
use copkg_tests::faults;
use copkg_tests::random::Random;
use copkg_tests::scene::{GROUP, Scene};

use crate::Outcome;
use crate::faults::{DRAWN, Extent, sweep};
use crate::world::say;

/// Decides which points are tried.
const SEED: u64 = 20_261_130;

/// `ENOSPC`.
const NO_SPACE: &str = "28";

/// The services, in the order in which they change.
const SERVICES: [&str; 2] = ["1.ledger.shop.dev", "1.till.shop.dev"];

/// What the services store from the beginning: it must be there whatever happens.
const ENTRIES: &str = "one\ntwo\nthree\n";

/// Runs only with data of its own version, which it makes of that of the version before.
const SERVER: &str = "#!/bin/sh\ncd \"$COPKG_RUNTIME_DIR\" || exit 8\n[ -e data/format ] || echo VERSION >data/format\n\
    [ \"$(cat data/format)\" -le VERSION ] || exit 9\necho VERSION >data/format\nexec sleep NAP\n";

const RECIPE: &str = r#"[package]
group = "org.copkg.examples"
id = "ID"
version = "VERSION"

[[contents]]
src = "bin"

[[contents]]
src = "etc"

[service]
exec = "bin/server"
settle = "50ms"

[service.health]
healthy_for = "100ms"
interval = "50ms"

[service.upgrade]
snapshot = true

[service.config.motto]
type = "string"

[[service.templates]]
src = "etc/motto.j2"
dst = "motto"
"#;

#[test]
fn a_killed_apply_leaves_one_whole_generation() -> Outcome {
    each(Shop::upgrading()?, Shop::kill)
}

#[test]
fn a_killed_recovery_of_an_apply_is_recovered() -> Outcome {
    each(Shop::upgrading()?, Shop::kill_twice)
}

#[test]
fn a_killed_rollback_of_a_deployment_leaves_one_whole_generation() -> Outcome {
    each(Shop::returning()?, Shop::kill)
}

#[test]
fn a_killed_removal_of_a_deployment_leaves_all_of_it_or_nothing_running() -> Outcome {
    each(Shop::leaving()?, Shop::kill)
}

#[test]
fn a_disk_that_is_full_for_one_call_of_an_apply_leaves_one_whole_generation() -> Outcome {
    each(Shop::upgrading()?, Shop::fill)
}

fn each(shop: Option<Shop>, go: impl FnOnce(&mut Shop) -> Outcome) -> Outcome {
    let Some(mut shop) = shop else { return Ok(()) };
    go(&mut shop)?;
    say(&format!("deploy {}: {} faults, each time one whole generation", shop.command[1], shop.tried));
    Ok(())
}

/// Tells the shops of one test program apart.
static SHOPS: AtomicU32 = AtomicU32::new(0);

/// A deployment of two services on a host, and a command that changes it.
struct Shop {
    scene: Scene,
    /// What the services execute in the end, which nothing else on this machine does.
    nap: String,
    /// The revision that runs before.
    revision: &'static str,
    command: Vec<String>,
    random: Random,
    tried: usize,
}

impl Shop {
    /// Revision 1 runs, and revision 2 is applied.
    fn upgrading() -> Result<Option<Self>, Box<dyn Error>> {
        Self::new("1", &["deploy", "apply", "TO", "--yes"])
    }

    /// Revision 2 runs, and revision 1 is brought back with its data.
    fn returning() -> Result<Option<Self>, Box<dyn Error>> {
        Self::new("2", &["deploy", "rollback", "shop", "--yes", "--restore-data"])
    }

    /// Revision 1 runs, and is removed.
    fn leaving() -> Result<Option<Self>, Box<dyn Error>> {
        Self::new("1", &["deploy", "remove", "shop", "--yes"])
    }

    fn new(revision: &'static str, command: &[&str]) -> Result<Option<Self>, Box<dyn Error>> {
        if !faults::is_supported() {
            skip("exact fault points", "x86_64 only");
            return Ok(None);
        }
        let scene = Scene::new()?;
        scene.trust()?;
        let nap = format!("700.{}{:03}", std::process::id(), SHOPS.fetch_add(1, Ordering::SeqCst));
        for (id, version) in [("ledger", "1"), ("till", "1"), ("ledger", "2"), ("till", "2")] {
            let file = scene.build(&tree(&scene, id, version, &nap)?)?;
            scene.pkginstall([Path::new("install"), &file])?.success()?;
        }
        for version in ["1", "2"] {
            describe(&scene, version)?;
        }
        let to = scene.path().join("shop-2").to_string_lossy().into_owned();
        let command = command.iter().map(|word| if *word == "TO" { to.clone() } else { (*word).to_owned() });
        let shop = Self { nap, revision, command: command.collect(), random: Random(SEED), tried: 0, scene };
        shop.apply("1")?.success()?;
        for service in SERVICES {
            fs::write(shop.runtime(service).join("data/entries"), ENTRIES)?;
        }
        if revision == "2" {
            shop.apply("2")?.success()?;
        }
        shop.remember()?;
        Ok(Some(shop))
    }

    fn runtime(&self, service: &str) -> PathBuf {
        self.scene.prefix().join("runtime").join(service)
    }

    fn pkginstall(&self, arguments: &[&str]) -> Result<Execution, Box<dyn Error>> {
        Ok(self.scene.pkginstall(arguments)?)
    }

    fn apply(&self, version: &str) -> Result<Execution, Box<dyn Error>> {
        let path = self.scene.path().join(format!("shop-{version}"));
        self.pkginstall(&["deploy", "apply", &path.to_string_lossy(), "--yes"])
    }

    fn remember(&self) -> Outcome {
        self.pkginstall(&["stop", SERVICES[0], SERVICES[1]])?.success()?;
        copy(&self.scene, self.scene.prefix(), &self.scene.path().join("before"))
    }

    /// Makes the host what it was before the command.
    fn restore(&self) -> Outcome {
        self.kill_services();
        fs::remove_dir_all(self.scene.prefix())?;
        copy(&self.scene, &self.scene.path().join("before"), self.scene.prefix())?;
        self.pkginstall(&["start", SERVICES[0], SERVICES[1]])?.success()?;
        Ok(())
    }

    /// Returns the processes of the services, by their command line.
    fn processes(&self) -> Vec<u32> {
        let wanted = format!("sleep\0{}\0", self.nap);
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.extend((command == wanted.as_bytes()).then_some(pid));
        }
        found
    }

    fn kill_services(&self) {
        for pid in self.processes() {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
    }

    /// Kills the command before and after each call, and every second time its services with it.
    fn kill(&mut self) -> Outcome {
        let points = self.points()?;
        for at in self.moments(&points) {
            for mode in ["kill", "kill-after"] {
                self.tried += 1;
                let moment = format!("{mode} at {at} of {} ({})", points.len(), points[at - 1]);
                self.restore()?;
                let ended = self.under_faultrun(&self.words(), &[mode, "--at", &at.to_string()])?;
                assert_eq!(ended.code, Some(137), "{moment}: {ended}");
                if self.tried.is_multiple_of(2) {
                    self.kill_services();
                }
                self.pkginstall(&["recover"])?.success()?;
                self.check(&moment)?;
            }
        }
        Ok(())
    }

    /// Kills the command at steps of its journal, and then the recovery.
    fn kill_twice(&mut self) -> Outcome {
        let points = self.points()?;
        let steps = journal(&points);
        assert!(steps.len() >= 7, "only {} steps in {points:#?}", steps.len());
        let drawn = vec![steps[2], steps[self.random.below(steps.len() - 2) + 1]];
        for at in if sweep() == Extent::Drawn { drawn } else { steps } {
            let first = format!("kill-after at {at} ({})", points[at - 1]);
            let strike = |shop: &Self| -> Outcome {
                shop.restore()?;
                let ended = shop.under_faultrun(&shop.words(), &["kill-after", "--at", &at.to_string()])?;
                assert_eq!(ended.code, Some(137), "{first}: {ended}");
                Ok(())
            };
            strike(self)?;
            let again = self.points_of(&["recover"])?;
            let parts = if sweep() == Extent::Drawn { 2 } else { 8 };
            for second in self.drawn(again.len(), parts) {
                self.tried += 1;
                let moment = format!("{first}, recovery at {second} of {}", again.len());
                strike(self)?;
                self.under_faultrun(&["recover"], &["kill-after", "--at", &second.to_string()])?;
                self.pkginstall(&["recover"])?.success()?;
                self.check(&moment)?;
            }
        }
        Ok(())
    }

    /// Fails each call, once, as a full disk does.
    fn fill(&mut self) -> Outcome {
        let points = self.points()?;
        for at in self.moments(&points) {
            self.tried += 1;
            let moment = format!("no space at {at} of {} ({})", points.len(), points[at - 1]);
            self.restore()?;
            let options = ["error", "--errno", NO_SPACE, "--at", &at.to_string()];
            let ended = self.under_faultrun(&self.words(), &options)?;
            self.pkginstall(&["recover"])?.success()?;
            let revision = self.check(&format!("{moment}: {ended}"))?;
            assert_eq!(ended.is_success(), revision != self.revision, "{moment}: {ended}");
        }
        Ok(())
    }

    /// Checks that the deployment is one whole generation, that runs or starts, with all data and its configuration.
    fn check(&self, moment: &str) -> Result<String, Box<dyn Error>> {
        let state = self.scene.prefix().join(".copkg");
        let change = state.join("deployments/shop/change.json");
        assert!(!change.exists(), "{moment}: the change is not closed");
        assert_eq!(fs::read_dir(state.join("journal"))?.count(), 0, "{moment}: an intent is left");
        // Where nothing of the change was left to recover, services that were killed are merely down.
        let status = self.pkginstall(&["deploy", "status", "shop", "--json"])?.json()?;
        let deployment = &status["deployments"][0];
        let named = deployment["services"].as_array().cloned().unwrap_or_default();
        if named.is_empty() {
            assert!(self.processes().is_empty(), "{moment}: a removed deployment runs");
            return Ok("removed".into());
        }
        if named.iter().any(|service| service["state"] != "running") {
            self.pkginstall(&["start", SERVICES[0], SERVICES[1]])?.success()?;
        }
        let status = self.pkginstall(&["deploy", "status", "shop", "--json"])?;
        assert!(status.is_success(), "{moment}: {status}");
        let package = deployment["package"].as_str().unwrap_or_default();
        let version = package.rsplit(':').next().unwrap_or_default().to_owned();
        assert_eq!(self.processes().len(), 2, "{moment}: one process of each service");
        for (at, service) in SERVICES.iter().enumerate() {
            let shown = status.json()?["deployments"][0]["services"][at].clone();
            assert_eq!(shown["drift"], serde_json::Value::Null, "{moment}: {shown}");
            let read = |path: &str| fs::read_to_string(self.runtime(service).join(path)).unwrap_or_default();
            assert_eq!(
                read("data/format").trim(),
                version,
                "{moment}: {service} has data of its own version"
            );
            assert_eq!(read("data/entries"), ENTRIES, "{moment}: {service}");
            assert_eq!(read("etc/motto"), format!("motto {version}\n"), "{moment}: {service}");
        }
        Ok(version)
    }

    fn words(&self) -> Vec<&str> {
        self.command.iter().map(String::as_str).collect()
    }

    fn points(&self) -> Result<Vec<String>, Box<dyn Error>> {
        self.restore()?;
        let points = self.points_of(&self.words())?;
        assert!(points.len() >= 20, "only {} points: is everything counted?", points.len());
        Ok(points)
    }

    fn points_of(&self, command: &[&str]) -> Result<Vec<String>, Box<dyn Error>> {
        let log = self.scene.path().join("points");
        let ended = self.under_faultrun(command, &["list", "--log", &log.to_string_lossy()])?;
        assert!(ended.is_success(), "{ended}");
        Ok(fs::read_to_string(log)?.lines().map(str::to_owned).collect())
    }

    fn under_faultrun(&self, command: &[&str], options: &[&str]) -> Result<Execution, Box<dyn Error>> {
        let mut run = Command::new(env!("CARGO_BIN_EXE_faultrun"));
        run.args(options).arg("--alone").arg("--under").arg(self.scene.prefix()).arg("--");
        run.arg(self.scene.programs().path("pkginstall")).args(command);
        self.scene.at_home(&mut run);
        Ok(self.scene.run(&mut run)?)
    }

    fn moments(&mut self, points: &[String]) -> Vec<usize> {
        if sweep() == Extent::Steps { journal(points) } else { self.drawn(points.len(), DRAWN) }
    }

    /// The points to try, from 1: all, or one of each of so many parts of the way.
    fn drawn(&mut self, total: usize, parts: usize) -> Vec<usize> {
        if sweep() == Extent::Full || total <= parts {
            return (1..=total).collect();
        }
        let part = total / parts;
        (0..parts).map(|number| 1 + number * part + self.random.below(part)).collect()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.kill_services();
    }
}

/// The calls with which a step of the deployment is written, or what counts of it is switched.
fn journal(points: &[String]) -> Vec<usize> {
    let is_step = |point: &String| {
        point.contains("/deployments/shop/")
            && ["rename", "unlink", "symlink"].iter().any(|call| point.starts_with(call))
            || point.contains("/journal/") && point.starts_with("unlink")
    };
    (1..=points.len()).filter(|at| is_step(&points[at - 1])).collect()
}

fn tree(scene: &Scene, id: &str, version: &str, nap: &str) -> Result<PathBuf, Box<dyn Error>> {
    let tree = scene.path().join(format!("{id}-{version}"));
    scene.write(
        tree.join("package.toml"),
        0o644,
        RECIPE.replace("VERSION", version).replace("\"ID\"", &format!("{id:?}")),
    )?;
    scene.write(tree.join("bin/server"), 0o755, SERVER.replace("VERSION", version).replace("NAP", nap))?;
    scene.write(tree.join("etc/motto.j2"), 0o644, "{{ config.motto }}\n")?;
    Ok(tree)
}

fn describe(scene: &Scene, version: &str) -> Outcome {
    let directory = scene.path().join(format!("shop-{version}"));
    let service = |id: &str, after: &str| {
        format!(
            "[service.{id}]\npackage = \"{GROUP}:{id}\"\nversion = \"{version}\"\n{after}\n\
             settings = {{ motto = \"motto {version}\" }}\n\n"
        )
    };
    let text = format!(
        "[deployment]\ngroup = \"{GROUP}\"\nid = \"shop\"\nversion = \"{version}\"\n\n{}{}[role.all]\nservices = [\"ledger\", \"till\"]\n",
        service("ledger", ""),
        service("till", "after = [\"ledger\"]")
    );
    scene.write(directory.join("deployment.toml"), 0o644, text)?;
    let environment = "cell = \"dev\"\nuser = \"shop\"\n\n[host.here]\nroles = [\"all\"]\n";
    scene.write(directory.join("env/dev.toml"), 0o644, environment)?;
    Ok(())
}

fn copy(scene: &Scene, from: &Path, to: &Path) -> Outcome {
    scene.run(Command::new("cp").arg("-a").arg(from).arg(to))?.success()?;
    Ok(())
}
