//! A host with a service whose two versions cannot read each other's data.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
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

[[contents]]
src = "etc"

[service]
exec = "bin/server"
settle = "50ms"

[service.health]
healthy_for = "100ms"
interval = "50ms"

[service.config.motto]
type = "string"
default = "old"

[[service.templates]]
src = "etc/motto.j2"
dst = "motto"
"#;

/// Serves only data of its own version; the first one makes it.
const SERVER: &str = r#"#!/bin/sh
cd "$COPKG_RUNTIME_DIR" || exit 8
[ -e data/format ] || echo VERSION >data/format
[ "$(cat data/format)" = VERSION ] || exit 9
exec sleep NAP
"#;

/// Writes what it then owns up to, and ends.
const FAILING: &str =
    "#!/bin/sh\ncd \"$COPKG_RUNTIME_DIR\" || exit 8\necho $$ >>data/late && echo $$ >>log/late\nexit 9\n";

const MIGRATE: &str = r#"#!/bin/sh
cd "$COPKG_RUNTIME_DIR" || exit 8
echo half >data/format
cp data/entries data/entries.new && mv data/entries.new data/entries
echo VERSION >data/format
"#;

/// What the service stores beside its format: it must be there whatever happens.
const ENTRIES: &str = "one\ntwo\nthree\n";

/// Version 1 runs with data and an edited configuration, version 2 is installed, and version 3, which writes and fails.
pub(crate) struct World {
    pub(crate) scene: Scene,
    /// What the service executes in the end, which nothing else on this machine does.
    nap: String,
}

/// Tells the worlds of one test program apart.
static WORLDS: AtomicU32 = AtomicU32::new(0);

impl World {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        Self::on(Scene::new()?)
    }

    pub(crate) fn on(scene: Scene) -> Result<Self, Box<dyn Error>> {
        scene.trust()?;
        let number = WORLDS.fetch_add(1, Ordering::SeqCst);
        let nap = format!("600.{}{number:03}", std::process::id());
        for version in ["1", "2", "3"] {
            let file = scene.build(&tree(&scene, version, &nap)?)?;
            scene.pkginstall([Path::new("install"), &file])?.success()?;
        }
        let world = Self { scene, nap };
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

    /// Returns the processes of the service, by their command line.
    pub(crate) fn processes(&self) -> Vec<u32> {
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

    /// Returns a command line that kills the service as a crash would.
    pub(crate) fn killer(&self) -> String {
        format!("pkill -KILL -f '^sleep {}$'", self.nap)
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
        let rendered = fs::read_to_string(state.join("generations").join(&current).join("etc/motto"))?;
        assert_eq!(read("etc/motto"), rendered, "{moment}: generation {current} has its own configuration");
        assert!(!state.join("change.json").exists(), "{moment}: the change is not closed");
        self.check_late(moment)?;
        Ok(version.to_owned())
    }

    /// Checks that whatever a failed version wrote is in a named place.
    fn check_late(&self, moment: &str) -> Outcome {
        let Ok(owned_up) = fs::read_to_string(self.runtime().join("log/late")) else { return Ok(()) };
        let history = self.pkginstall(&["history", SERVICE, "--json"])?.success()?.json()?;
        let asides = history["set_aside"].as_array().cloned().unwrap_or_default();
        let paths = asides.iter().filter_map(|aside| Some(PathBuf::from(aside["path"].as_str()?)));
        let mut written = fs::read_to_string(self.runtime().join("data/late")).unwrap_or_default();
        for path in paths {
            written += &fs::read_to_string(path.join("late")).unwrap_or_default();
        }
        for line in owned_up.lines() {
            assert!(written.lines().any(|one| one == line), "{moment}: {line} is lost: {history}");
        }
        Ok(())
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

fn tree(scene: &Scene, version: &str, nap: &str) -> Result<PathBuf, Box<dyn Error>> {
    let tree = scene.path().join(format!("ledger-{version}"));
    let text = |text: &str| text.replace("VERSION", version).replace("NAP", nap);
    let write = |path: &str, mode, contents: &str| scene.write(tree.join(path), mode, text(contents));
    write("package.toml", 0o644, RECIPE)?;
    write("bin/server", 0o755, if version == "3" { FAILING } else { SERVER })?;
    write("script.d/migrate", 0o755, MIGRATE)?;
    write("script.d/reload", 0o755, "#!/bin/sh\nexit 0\n")?;
    write("etc/motto.j2", 0o644, "{{ config.motto }}\n")?;
    Ok(tree)
}

fn copy(scene: &Scene, from: &Path, to: &Path) -> Outcome {
    scene.run(Command::new("cp").arg("-a").arg(from).arg(to))?.success()?;
    Ok(())
}

/// Says on standard error what was measured, whatever becomes of the test's own output.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "measured: {text}");
}

/// Asks a service again and again, as its clients do, and counts.
pub(crate) struct Asked {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<(u32, u32)>,
}

impl Asked {
    pub(crate) fn begin(answers: impl Fn() -> bool + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut asked, mut failed) = (0, 0);
            while !stopped.load(Ordering::SeqCst) {
                asked += 1;
                failed += u32::from(!answers());
            }
            (asked, failed)
        });
        Self { stop, thread }
    }

    /// How often it was asked, and how often it did not answer.
    pub(crate) fn end(self) -> (u32, u32) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap_or((0, u32::MAX))
    }
}
