//! The contest: everybody installs the same corpus in turn, each time on a fresh file system, round after round.
//!
//! What a round of one costs the others in noise it costs all alike; ratios are taken within a round.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, openat, syncfs};

use super::image::Image;
use super::{Result, size_of};

/// Whether what was installed is on the disk when the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// It is.
    Yes,
    /// It is not: what a `syncfs` costs afterwards is measured as well.
    No,
}

/// Prepares a fresh file system for an installation; not measured.
pub type Prepare<'c> = Box<dyn Fn(&Path) -> Result<()> + 'c>;
/// Installs below a directory, and returns how long that took.
pub type Install<'c> = Box<dyn Fn(&Path) -> Result<Duration> + 'c>;

/// One who installs a corpus.
pub struct Contestant<'c> {
    /// How tables call it.
    pub name: &'static str,
    /// Whether it waits for the disk.
    pub durable: Durable,
    /// What comes before.
    pub prepare: Prepare<'c>,
    /// What is measured.
    pub install: Install<'c>,
}

/// What one installation took.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// From the start of the command to its end.
    pub command: Duration,
    /// For the disk afterwards; nothing for the durable.
    pub sync: Duration,
    /// How much of the processors' work meanwhile was somebody else's, from 0 to 1.
    pub others: f64,
}

impl Time {
    /// Returns the time until everything is on the disk.
    pub fn durable(&self) -> Duration {
        self.command + self.sync
    }
}

/// What a contestant took in each round.
#[derive(Debug, Clone)]
pub struct Record {
    /// The contestant.
    pub name: &'static str,
    /// Whether it waits for the disk.
    pub durable: Durable,
    /// By round.
    pub times: Vec<Time>,
}

/// Where and how often is measured.
#[derive(Debug, Clone, Copy)]
pub struct Course<'c> {
    /// Where images are made.
    pub images: &'c Path,
    /// How large each is, in bytes.
    pub image_bytes: u64,
    /// How many rounds there are.
    pub rounds: usize,
    /// How many files must be there after each installation, at least.
    pub files: u64,
}

/// Lets everybody install in turn.
///
/// # Errors
/// When an installation fails, or leaves fewer files than it should.
pub fn hold(
    contestants: &[Contestant<'_>],
    course: &Course<'_>,
    mut say: impl FnMut(&str),
) -> Result<Vec<Record>> {
    let empty = |contestant: &Contestant<'_>| Record {
        name: contestant.name,
        durable: contestant.durable,
        times: Vec::new(),
    };
    let mut records: Vec<Record> = contestants.iter().map(empty).collect();
    for round in 1..=course.rounds {
        for (contestant, record) in contestants.iter().zip(&mut records) {
            let time = once(contestant, course).map_err(|error| format!("{}: {error}", contestant.name))?;
            let (command, sync) = (time.command.as_secs_f64(), time.sync.as_secs_f64());
            let others = time.others * 100.0;
            say(&format!(
                "round {round}: {:<28} {command:7.3} s, sync {sync:6.3} s, others {others:3.0} %",
                record.name
            ));
            record.times.push(time);
        }
    }
    Ok(records)
}

fn once(contestant: &Contestant<'_>, course: &Course<'_>) -> Result<Time> {
    let image = Image::fresh(course.images, course.image_bytes)?;
    (contestant.prepare)(image.path())?;
    sync(image.path())?;
    let before = Work::now()?;
    let command = (contestant.install)(image.path())?;
    let others = before.share_of_others()?;
    let began = Instant::now();
    if contestant.durable == Durable::No {
        sync(image.path())?;
    }
    let sync = if contestant.durable == Durable::No { began.elapsed() } else { Duration::ZERO };
    let found = size_of(image.path())?.files;
    if found < course.files {
        return Err(format!("it left {found} files of {}", course.files).into());
    }
    Ok(Time { command, sync, others })
}

/// Waits until everything on the file system of `path` is on the disk.
pub(super) fn sync(path: &Path) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(syncfs(openat(CWD, path, flags, Mode::empty())?)?)
}

/// How much the processors worked since the machine began, in ticks: in all, and for us and what we started.
#[derive(Debug, Clone, Copy)]
struct Work {
    all: u64,
    ours: u64,
}

impl Work {
    fn now() -> Result<Self> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().unwrap_or_default();
        let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
        // All but idle and iowait, which are the fourth and fifth; guests are counted in user already.
        let all =
            fields.iter().take(8).enumerate().filter(|(at, _)| !matches!(at, 3 | 4)).map(|(_, n)| n).sum();
        let own = std::fs::read_to_string("/proc/self/stat")?;
        let own = own.rsplit_once(')').map_or("", |(_, rest)| rest);
        // utime, stime and those of children that have ended.
        let ours = own.split_whitespace().skip(11).take(4).filter_map(|n| n.parse::<u64>().ok()).sum();
        Ok(Self { all, ours })
    }

    #[allow(clippy::cast_precision_loss, reason = "ticks of some minutes")]
    fn share_of_others(self) -> Result<f64> {
        let now = Self::now()?;
        let (all, ours) = (now.all - self.all, now.ours - self.ours);
        Ok(if all == 0 { 0.0 } else { all.saturating_sub(ours) as f64 / all as f64 })
    }
}
