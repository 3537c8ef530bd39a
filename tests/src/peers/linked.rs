//! An upgrade of which one file in a hundred has changed, durable, from a file on the host: by links, by copies and afresh, beside what
//! linking a tree takes without any verification.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::contest::{Contestant, Course, Durable, Record, hold};
use super::corpus::Corpus;
use super::ours::{GROUP, LEVEL, Workshop};
use super::{Result, run};

/// Of so many files one is another one in the new version.
const ONE_OF: usize = 100;

/// Our upgrade.
pub const BY_LINKS: &str = "copkg, by links";
/// An installation of the new version where nothing is.
pub const AFRESH: &str = "copkg, afresh";
/// The same links, made without looking.
pub const BARE_LINKS: &str = "cp -al, sync -f";

/// What upgrades of one corpus took.
#[derive(Debug)]
pub struct Linked {
    /// Everybody's times.
    pub records: Vec<Record>,
    /// How many bytes of the disk our upgrade took.
    pub taken: u64,
    /// The bytes of files that had changed.
    pub changed: u64,
}

/// Measures upgrades of `corpus`.
///
/// # Errors
/// When a package cannot be built, or an upgrade fails.
pub fn measure(
    workshop: &Workshop,
    corpus: &Corpus,
    (work, rounds): (&Path, usize),
    say: impl FnMut(&str),
) -> Result<Linked> {
    let old = workshop.package(corpus, corpus.name, "1")?;
    let (new, changed) = new_version(workshop, corpus, &old, work)?;
    let images = work.join("images");
    fs::create_dir_all(&images)?;
    let host = |image: &Path| image.join("host");
    let install = |image: &Path, package: &Path, more: &[&str]| -> Result<Duration> {
        run(workshop.host(&host(image)).arg("install").arg(package).args(more))
    };
    let before = |image: &Path| -> Result<()> {
        workshop.trust(&host(image))?;
        install(image, &old, &[]).map(drop)
    };
    let taken = std::cell::Cell::new(0);
    let by_links = |image: &Path| -> Result<Duration> {
        let free = free_bytes(image)?;
        let took = install(image, &new, &[])?;
        taken.set(free.saturating_sub(free_bytes(image)?));
        Ok(took)
    };
    let bare = |image: &Path| -> Result<Duration> {
        let tree = host(image).join("software").join(GROUP.replace('.', "/")).join(corpus.name);
        let script = "cp -al \"$1\" \"$2\" && sync -f \"$2\"";
        run(Command::new("sh").args(["-c", script, "sh"]).arg(tree.join("1")).arg(image.join("linked")))
    };
    let contestants = [
        Contestant {
            name: BY_LINKS,
            durable: Durable::Yes,
            prepare: Box::new(before),
            install: Box::new(by_links),
        },
        Contestant {
            name: "copkg, by copies",
            durable: Durable::Yes,
            prepare: Box::new(before),
            install: Box::new(|image| install(image, &new, &["--link-mode", "copy"])),
        },
        Contestant {
            name: AFRESH,
            durable: Durable::Yes,
            prepare: Box::new(|image| workshop.trust(&host(image))),
            install: Box::new(|image| install(image, &new, &[])),
        },
        Contestant {
            name: BARE_LINKS,
            durable: Durable::Yes,
            prepare: Box::new(before),
            install: Box::new(bare),
        },
    ];
    let course = Course {
        images: &images,
        image_bytes: 3 * corpus.size.bytes + corpus.size.files * 32_768 + (512 << 20),
        rounds,
        files: corpus.size.files,
    };
    let records = hold(&contestants, &course, say)?;
    drop(contestants);
    Ok(Linked { records, taken: taken.get(), changed })
}

/// Builds a version of which some files are longer, and returns it with the bytes of those files.
fn new_version(workshop: &Workshop, corpus: &Corpus, old: &Path, work: &Path) -> Result<(PathBuf, u64)> {
    let recipe = workshop.recipe(corpus, corpus.name, "1")?;
    let tree = work.join(format!("changed-{}", corpus.name));
    run(Command::new("cp").arg("-a").arg(&recipe).arg(&tree))?;
    let recipe = fs::read_to_string(tree.join("package.toml"))?;
    fs::write(tree.join("package.toml"), recipe.replace("version = \"1\"", "version = \"2\""))?;
    let (mut open, mut files) = (vec![tree.join("files")], Vec::new());
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else if entry.file_type()?.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    let mut changed = 0;
    for file in files.iter().step_by(ONE_OF) {
        fs::OpenOptions::new().append(true).open(file)?.write_all(b"\nchanged\n")?;
        changed += fs::metadata(file)?.len();
    }
    let out = work.join("packages");
    let mut build = workshop.command("pkgbuild");
    build.arg("build").arg(&tree).args(["--key", "bench.key", "--level", LEVEL, "--source-date", "2"]);
    run(build.arg("--against").arg(old).arg("--out").arg(&out))?;
    fs::remove_dir_all(tree)?;
    Ok((out.join(format!("{}-2-any.copkg", corpus.name)), changed))
}

fn free_bytes(path: &Path) -> Result<u64> {
    super::contest::sync(path)?;
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bfree * found.f_frsize)
}
