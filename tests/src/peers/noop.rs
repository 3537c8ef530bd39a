//! Commands that find nothing to do: `--version`, an install of what is there, `list` of many packages, `status` of many services.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::figures::Spread;
use super::ours::{GROUP, Workshop};
use super::{Result, run};
use crate::generated::{key, packed};

/// How often each command is run.
const RUNS: usize = 15;
/// The number of the key that signs the small packages.
const KEY: u32 = 77;

/// What one command takes, in milliseconds.
#[derive(Debug, Clone)]
pub struct Noop {
    /// The command, as people call it.
    pub command: String,
    /// In milliseconds.
    pub millis: Spread,
}

/// Measures on hosts with some packages and services, and with many.
///
/// # Errors
/// When a command fails.
pub fn measure(
    workshop: &Workshop,
    work: &Path,
    packages: [usize; 2],
    services: [usize; 2],
) -> Result<Vec<Noop>> {
    let mut found = Vec::new();
    for program in ["pkgbuild", "pkginstall", "repo-server"] {
        let version = || run(workshop.command(program).arg("--version"));
        found.push(timed(format!("{program} --version"), version)?);
    }
    for count in packages {
        let prefix = work.join(format!("host-{count}"));
        let directory = packages_in(work, count)?;
        run(workshop.host(&prefix).args(["trust", "add", GROUP, &key(KEY).public().to_string()]))?;
        run(workshop.host(&prefix).arg("install").arg(&directory))?;
        let list = || run(workshop.host(&prefix).arg("list"));
        found.push(timed(format!("list of {count} packages"), list)?);
        let one = directory.join(format!("{}.copkg", 0));
        let again = || run(workshop.host(&prefix).arg("install").arg(&one));
        found.push(timed(format!("install of what is there, beside {count} packages"), again)?);
    }
    for count in services {
        let prefix = work.join(format!("services-{count}"));
        start(workshop, work, &prefix, count)?;
        let status = || run(workshop.host(&prefix).arg("status"));
        let timed = timed(format!("status of {count} services"), status);
        run(workshop.host(&prefix).args(["stop", "*.*.*.*"]))?;
        found.push(timed?);
    }
    Ok(found)
}

fn timed(command: String, once: impl Fn() -> Result<Duration>) -> Result<Noop> {
    // What the first run brings into memory, the others find there.
    once()?;
    let took = (0..RUNS).map(|_| once()).collect::<Result<Vec<_>>>()?;
    Ok(Noop { command, millis: Spread::of(took.iter().map(|time| time.as_secs_f64() * 1e3)) })
}

/// Makes small signed packages in a directory.
fn packages_in(work: &Path, count: usize) -> Result<PathBuf> {
    let directory = work.join(format!("packages-{count}"));
    fs::create_dir_all(&directory)?;
    let key = key(KEY);
    for number in 0..count {
        let coordinate = format!("{GROUP}:package-{number}:1").parse()?;
        fs::write(directory.join(format!("{number}.copkg")), packed(&coordinate, &key)?.0)?;
    }
    Ok(directory)
}

fn start(workshop: &Workshop, work: &Path, prefix: &Path, count: usize) -> Result<()> {
    let recipe = work.join("sleeper");
    fs::create_dir_all(recipe.join("bin"))?;
    let text = format!(
        "[package]\ngroup = \"{GROUP}\"\nid = \"sleeper\"\nversion = \"1\"\n\n[[contents]]\nsrc = \"bin\"\n\n[service]\nexec = \"bin/sleeper\"\n"
    );
    fs::write(recipe.join("package.toml"), text)?;
    fs::write(recipe.join("bin/sleeper"), "#!/bin/sh\nexec sleep 3600\n")?;
    run(std::process::Command::new("chmod").arg("755").arg(recipe.join("bin/sleeper")))?;
    let out = work.join("sleeper-out");
    if !out.exists() {
        fs::create_dir_all(&out)?;
        run(&mut workshop.build(&recipe, &out))?;
    }
    workshop.trust(prefix)?;
    run(workshop.host(prefix).arg("install").arg(&out))?;
    let coordinate = format!("{GROUP}:sleeper:1");
    for number in 0..count {
        let service = format!("{number}.sleeper.bench.local");
        run(workshop.host(prefix).args(["start", &coordinate, "--as", &service]))?;
    }
    Ok(())
}
