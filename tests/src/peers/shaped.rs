//! Upgrades over a slow line: how much sooner they end than an installation of everything.
//!
//! The line is the loopback of a network name space of its own, which `tc` (tbf) shapes; server and host are both on it. Needs root,
//! for that and for the fresh image that each installation gets.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use copkg_spec::digest::Digest;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::contest::sync;
use super::corpus::Pair;
use super::image::Image;
use super::ours::{GROUP, Workshop};
use super::{Result, run};

/// How fast the line is, for `tc`.
const RATE: &str = "100mbit";

/// What a pair took in each round.
#[derive(Debug, Clone, Default)]
pub struct Shaped {
    /// How much of the bytes of the new version the old one does not have as whole files, from 0 to 1.
    pub changed: f64,
    /// The new version on a host that has nothing.
    pub whole: Vec<Duration>,
    /// From the old version, by frames alone.
    pub frames: Vec<Duration>,
    /// From the old version, by the patch that was published.
    pub patch: Vec<Duration>,
}

/// Upgrades a pair over the line, `rounds` times in each way; `work` is for images.
///
/// # Errors
/// When there is no such line, or an installation fails.
pub fn measure(workshop: &Workshop, pair: &Pair, work: &Path, rounds: usize) -> Result<Shaped> {
    let line = Line::open()?;
    let changed = changed(pair)?;
    let [frames, patched] = ["", "-patched"].map(|kind| format!("line-{}{kind}", pair.new.name));
    for (id, options) in [(&frames, &[][..]), (&patched, &["--patches", "1", "--key", "bench.key"])] {
        for (corpus, version) in [(&pair.old, "1"), (&pair.new, "2")] {
            workshop.publish_with(&workshop.package(corpus, id, version)?, options)?;
        }
    }
    let mut shaped = Shaped { changed, ..Shaped::default() };
    line.on_it(|| {
        let server = workshop.serve()?;
        let bytes = 4 * pair.new.size.bytes + pair.new.size.files * 32_768 + (512 << 20);
        let once = |id: &str, before: Option<&Path>| -> Result<Duration> {
            let image = Image::fresh(work, bytes)?;
            let prefix = image.path().join("host");
            workshop.trust(&prefix)?;
            if let Some(old) = before {
                run(workshop.host(&prefix).arg("install").arg(old))?;
            }
            sync(image.path())?;
            let coordinate = format!("{GROUP}:{id}:2");
            run(workshop.host(&prefix).args(["install", &coordinate, "--repo", server.url()]))
        };
        let [old, old_patched] = [&frames, &patched].map(|id| workshop.package(&pair.old, id, "1"));
        let (old, old_patched) = (old?, old_patched?);
        for _ in 0..rounds {
            shaped.whole.push(once(&frames, None)?);
            shaped.frames.push(once(&frames, Some(&old))?);
            shaped.patch.push(once(&patched, Some(&old_patched))?);
        }
        Ok(())
    })?;
    Ok(shaped)
}

/// Returns how much of the bytes of the new version is in files that the old one does not have.
#[allow(clippy::cast_precision_loss, reason = "a share of some hundred megabytes")]
fn changed(pair: &Pair) -> Result<f64> {
    let there: HashSet<Digest> = files(&pair.old.tree)?.into_iter().map(|(digest, _)| digest).collect();
    let new = files(&pair.new.tree)?;
    let sum = |files: &mut dyn Iterator<Item = &(Digest, u64)>| files.map(|(_, size)| size).sum::<u64>();
    let missing = sum(&mut new.iter().filter(|(digest, _)| !there.contains(digest)));
    Ok(missing as f64 / sum(&mut new.iter()).max(1) as f64)
}

fn files(top: &Path) -> Result<Vec<(Digest, u64)>> {
    let (mut found, mut open) = (Vec::new(), vec![top.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                found.push((Digest::of_reader(File::open(entry.path())?)?, entry.metadata()?.len()));
            }
        }
    }
    Ok(found)
}

/// A network name space with nothing in it but a slow loopback; gone when it is dropped.
struct Line {
    name: String,
}

impl Line {
    fn open() -> Result<Self> {
        let name = format!("copkg-bench-{}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let line = Self { name };
        line.run("ip", &["link", "set", "lo", "up"])?;
        // The queue holds what a router of a slow line would.
        let shape =
            ["qdisc", "add", "dev", "lo", "root", "tbf", "rate", RATE, "burst", "256kb", "latency", "50ms"];
        line.run("tc", &shape)?;
        Ok(line)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        run(Command::new("ip").args(["netns", "exec", &self.name, program]).args(arguments)).map(drop)
    }

    /// Does `work` on a thread whose commands are on the line.
    fn on_it(&self, work: impl FnOnce() -> Result<()> + Send) -> Result<()> {
        let place = PathBuf::from("/run/netns").join(&self.name);
        let inside = || -> Result<()> {
            let space = File::open(place)?;
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?;
            work()
        };
        thread::scope(|scope| scope.spawn(inside).join().unwrap_or_else(|bug| std::panic::resume_unwind(bug)))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = run(Command::new("ip").args(["netns", "delete", &self.name]));
    }
}
