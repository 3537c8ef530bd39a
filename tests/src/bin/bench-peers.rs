//! `cargo bench-peers`: installs, builds and upgrades beside those who do the same, and beside the floor.
//!
//! Needs root (each installation gets a fresh ext4 image), and for the full corpora pip, npm and the registries. `--reduced` makes
//! small ones of this project instead and takes a minute or two: for CI, where it prints ratios and never judges them.

use std::fs;
use std::io::{Write as _, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use copkg_tests::peers::contest::{Course, Record, hold};
use copkg_tests::peers::corpus::{Corpora, Corpus, full, reduced};
use copkg_tests::peers::figures::Spread;
use copkg_tests::peers::ours::Workshop;
use copkg_tests::peers::table::{megabytes, of_contest, of_upgrades};
use copkg_tests::peers::{Result, build, have, linked, noop, others, plot, shaped, upgrade};

/// Measure installs, builds and upgrades beside their peers
#[derive(Debug, Parser)]
struct Options {
    /// Small corpora made of this project, one round
    #[arg(long)]
    reduced: bool,
    /// How many rounds
    #[arg(long, value_name = "NUMBER")]
    rounds: Option<usize>,
    /// Which corpora are installed: svc, many, large; all without it
    #[arg(long = "corpus", value_name = "NAME")]
    corpora: Vec<String>,
    /// What is measured; all without it
    #[arg(long = "only", value_name = "PART")]
    parts: Vec<Part>,
    /// Where the full corpora are kept
    #[arg(long, value_name = "DIR", default_value = "/var/tmp/copkg-corpora")]
    keep: PathBuf,
    /// Where everything else is made, and removed again
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    directory: PathBuf,
    /// Where the plot goes
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// One part of the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Installations, on fresh images.
    Install,
    /// Builds beside tar and zstd.
    Build,
    /// Bytes and requests of upgrades.
    Upgrade,
    /// Upgrades of which one file in a hundred has changed, on fresh images.
    Linked,
    /// Upgrades over a line of 100 Mbit/s.
    Shaped,
    /// Commands that find nothing to do.
    Noop,
}

fn main() -> ExitCode {
    match bench(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says a line of a table.
fn say(line: &str) {
    // A reader that went away (`| head`) is no error of ours.
    let _ = writeln!(stdout(), "{line}");
}

/// Says how far it is.
fn note(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

fn bench(options: &Options) -> Result<()> {
    let directory = tempfile::Builder::new().prefix("bench-peers-").tempdir_in(&options.directory)?;
    let work = directory.path();
    let corpora = if options.reduced {
        reduced(&work.join("corpora"))?
    } else {
        fs::create_dir_all(&options.keep)?;
        full(&options.keep)?
    };
    let workshop = Workshop::open(&work.join("workshop"))?;
    let asked = |part| options.parts.is_empty() || options.parts.contains(&part);
    if asked(Part::Install) {
        install(options, &workshop, &corpora, work)?;
    }
    if asked(Part::Build) {
        builds(options, &workshop, &corpora, work)?;
    }
    if asked(Part::Upgrade) {
        upgrades(&workshop, &corpora, work)?;
    }
    if asked(Part::Linked) {
        upgrades_by_links(options, &workshop, &corpora, work)?;
    }
    if asked(Part::Shaped) {
        upgrades_over_a_line(options, &workshop, &corpora, work)?;
    }
    if asked(Part::Noop) {
        noops(options, &workshop, work)?;
    }
    Ok(())
}

impl Options {
    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.reduced { 1 } else { 5 })
    }

    fn wants(&self, corpus: &Corpus) -> bool {
        self.corpora.is_empty() || self.corpora.iter().any(|name| name == corpus.name)
    }
}

fn install(options: &Options, workshop: &Workshop, corpora: &Corpora, work: &std::path::Path) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        say("skipped: installations: each needs a fresh ext4 image, which only root can mount");
        return Ok(());
    }
    let server = workshop.serve()?;
    let mut contests: Vec<(Corpus, Vec<Record>)> = Vec::new();
    for corpus in corpora.trees.iter().filter(|corpus| options.wants(corpus)) {
        note(&format!("{}: making packages", corpus.name));
        let (made, images) = (work.join(format!("peers-{}", corpus.name)), work.join("images"));
        fs::create_dir_all(&made)?;
        fs::create_dir_all(&images)?;
        let mut contestants = others::floor(corpus)?;
        contestants.extend(workshop.contestants(corpus, server.url())?);
        let peers = others::peers(corpus, &made);
        for absent in &peers.absent {
            say(&format!("skipped: {}: {}", corpus.name, absent.lines().next().unwrap_or_default()));
            note(absent);
        }
        contestants.extend(peers.contestants);
        let course = Course {
            images: &images,
            // Twice for those who keep a store beside, and an inode and a block for each file.
            image_bytes: 3 * corpus.size.bytes + corpus.size.files * 32_768 + (512 << 20),
            rounds: options.rounds(),
            files: corpus.size.files,
        };
        let records = hold(&contestants, &course, note)?;
        say("");
        for line in of_contest(corpus, &records) {
            say(&line);
        }
        contests.push((corpus.clone(), records));
        drop(contestants);
        fs::remove_dir_all(&made)?;
    }
    if let Some(file) = &options.plot {
        fs::write(file, plot::svg(&contests))?;
    }
    Ok(())
}

fn builds(options: &Options, workshop: &Workshop, corpora: &Corpora, work: &std::path::Path) -> Result<()> {
    say(
        "\n| build | copkg, signed | tar, zstd -T0 | wall, of tar | size, of tar | unchanged | a fresh one is longer by |",
    );
    say("| --- | --- | --- | --- | --- | --- | --- |");
    for corpus in corpora.trees.iter().filter(|corpus| options.wants(corpus)) {
        let builds = build::measure(workshop, corpus, work, options.rounds().min(3))?;
        let of = |of: &dyn Fn(&build::Round) -> f64| Spread::of(builds.rounds.iter().map(of)).median;
        say(&format!(
            "| {} | {:.2} s, {:.1} MB | {:.2} s, {:.1} MB | {:.2} | {:.2} | {:.3} s | {:.0} times |",
            corpus.name,
            of(&|round| round.ours.as_secs_f64()),
            megabytes(builds.ours_bytes),
            of(&|round| round.tar.as_secs_f64()),
            megabytes(builds.tar_bytes),
            of(&|round| round.ours.as_secs_f64() / round.tar.as_secs_f64()),
            megabytes(builds.ours_bytes) / megabytes(builds.tar_bytes),
            of(&|round| round.unchanged.as_secs_f64()),
            of(&|round| round.ours.as_secs_f64() / round.unchanged.as_secs_f64()),
        ));
    }
    Ok(())
}

fn upgrades(workshop: &Workshop, corpora: &Corpora, work: &std::path::Path) -> Result<()> {
    let server = workshop.serve()?;
    say("\n| upgrade | archive | fetched | requests |");
    say("| --- | --- | --- | --- |");
    for pair in &corpora.pairs {
        let made = work.join(format!("upgrade-{}", pair.new.name));
        fs::create_dir_all(&made)?;
        for fetched in upgrade::measure(workshop, &server, pair, &made)? {
            let requests = fetched.requests.map_or("–".to_owned(), |requests| requests.to_string());
            say(&format!(
                "| {}: {} | {:.2} MB | {:.2} MB | {requests} |",
                pair.new.name,
                fetched.name,
                megabytes(fetched.archive),
                megabytes(fetched.bytes)
            ));
        }
        fs::remove_dir_all(&made)?;
    }
    Ok(())
}

fn upgrades_by_links(
    options: &Options,
    workshop: &Workshop,
    corpora: &Corpora,
    work: &std::path::Path,
) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        say("skipped: upgrades by links: each needs a fresh ext4 image, which only root can mount");
        return Ok(());
    }
    for corpus in corpora.trees.iter().filter(|corpus| options.wants(corpus)) {
        let made = work.join(format!("linked-{}", corpus.name));
        fs::create_dir_all(&made)?;
        let linked = linked::measure(workshop, corpus, (&made, options.rounds()), note)?;
        say("");
        for line in of_upgrades(corpus, &linked) {
            say(&line);
        }
        fs::remove_dir_all(&made)?;
    }
    Ok(())
}

fn upgrades_over_a_line(
    options: &Options,
    workshop: &Workshop,
    corpora: &Corpora,
    work: &std::path::Path,
) -> Result<()> {
    if !rustix::process::geteuid().is_root() || !have("tc") || !have("ip") {
        say(
            "skipped: upgrades over a line: shaping one needs root and the programs `ip` and `tc` (iproute2)",
        );
        return Ok(());
    }
    say(
        "\n| upgrade at 100 Mbit/s | changed | everything | by frames | times faster | by a patch | times faster |",
    );
    say("| --- | --- | --- | --- | --- | --- | --- |");
    for pair in corpora.small_steps.iter().filter(|pair| options.wants(&pair.new)) {
        let images = work.join("images");
        fs::create_dir_all(&images)?;
        let shaped = shaped::measure(workshop, pair, &images, options.rounds().min(3))?;
        let seconds = |took: &[Duration]| Spread::of(took.iter().map(Duration::as_secs_f64)).median;
        let [whole, frames, patch] = [&shaped.whole, &shaped.frames, &shaped.patch].map(|took| seconds(took));
        let (name, changed) = (pair.new.name, shaped.changed * 100.0);
        say(&format!(
            "| {name} | {changed:.0} % | {whole:.2} s | {frames:.2} s | {:.1} | {patch:.2} s | {:.1} |",
            whole / frames,
            whole / patch
        ));
    }
    Ok(())
}

fn noops(options: &Options, workshop: &Workshop, work: &std::path::Path) -> Result<()> {
    let (packages, services) = if options.reduced { ([10, 100], [2, 10]) } else { ([100, 1000], [10, 100]) };
    say("\n| command | milliseconds |");
    say("| --- | --- |");
    for noop in noop::measure(workshop, &work.join("noop"), packages, services)? {
        let Spread { least, median, most } = noop.millis;
        say(&format!("| {} | {median:.1} ({least:.1}–{most:.1}) |", noop.command));
    }
    Ok(())
}
