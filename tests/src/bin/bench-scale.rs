//! `cargo bench-scale`: what repositories of 1,000, 100,000 and 1,000,000 versions cost a host, a publisher and the server.
//!
//! Each repository has 500 groups and is made by the library (`generated`), opened by a real server, and measured over HTTP
//! on loopback. The table goes to standard output, as `docs/operations.md` has it. `--versions 1000` measures one.

use std::io::{Write as _, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use copkg_spec::repository::Registrar;
use copkg_spec::tuf::Time;
use copkg_tests::generated::{Generated, Result, Scale, Shape, generate};
use copkg_tests::programs::Programs;
use copkg_tests::repository::Repository;
use copkg_tests::scale::{Asking, Client, Cost, peak_memory, publish, search, searchable};

/// Measure repositories of several sizes
#[derive(Debug, Parser)]
struct Options {
    /// How many versions; several times for several repositories
    #[arg(long, value_name = "NUMBER", default_values_t = [1000, 100_000, 1_000_000])]
    versions: Vec<usize>,
    /// How many groups they are in
    #[arg(long, default_value_t = 500)]
    groups: usize,
    /// How many publishes and searches are timed
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Where the repositories are made, and removed again
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    directory: PathBuf,
}

/// What one size costs.
struct Row {
    versions: usize,
    made: Duration,
    first_start: Duration,
    start: Duration,
    ready: Duration,
    cold: Cost,
    again: Cost,
    resigned: Cost,
    publish: Duration,
    fields: Duration,
    words: Duration,
    memory_kib: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let _ = say(
        "| versions | made in | first start | start | searched after | cold | again | signed again | publish | fields | words | memory |",
    );
    let _ = say("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for versions in &options.versions {
        match measure(&options, *versions) {
            // A reader that went away (`| head`) is no error of ours.
            Ok(row) => drop(say(&line(&row))),
            Err(error) => {
                let _ = writeln!(stderr(), "{versions} versions: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(stdout(), "{line}")
}

fn measure(options: &Options, versions: usize) -> Result<Row> {
    let directory = tempfile::Builder::new().prefix("bench-scale-").tempdir_in(&options.directory)?;
    let programs = Programs::find()?;
    let began = Instant::now();
    let made = generate(&directory.path().join("store"), &scale(options.groups, versions), now()?)?;
    let made_in = began.elapsed();
    let serve = || -> Result<(Repository, Duration)> {
        let began = Instant::now();
        let server =
            Repository::serve(&programs.path("repo-server"), &made.store, &directory.path().join("log"))?;
        Ok((server, began.elapsed()))
    };
    let (server, first_start) = serve()?;
    drop(server);
    let (server, start) = serve()?;
    // The first search waits until every group was read.
    let ready = searchable(&server)?;
    let [cold, again, resigned] = client(&server, &made)?;
    let publish = median(options.rounds, |round| publish(&server, &made, round, now()?))?;
    let fields = median(options.rounds, |round| {
        let group = round % options.groups;
        found(&server, &format!("group:com.example.team{group:04}+kind:content+platform:any"))
    })?;
    let words = median(options.rounds, |round| {
        let words = ["requests+answers", "takes+service", "team+answers"];
        found(&server, words[round % words.len()])
    })?;
    let memory_kib = peak_memory(server.pid())?;
    let made = made_in;
    Ok(Row {
        versions,
        made,
        first_start,
        start,
        ready,
        cold,
        again,
        resigned,
        publish,
        fields,
        words,
        memory_kib,
    })
}

/// Times a search that finds something: one that finds nothing shows nothing.
fn found(server: &Repository, query: &str) -> Result<Duration> {
    match search(server, query)? {
        (_, 0) => Err(format!("{query} finds nothing").into()),
        (took, _) => Ok(took),
    }
}

/// Divides the versions among the groups: up to 20 versions of a package. The registrar is in 16 parts.
fn scale(groups: usize, versions: usize) -> Scale {
    let each = versions.div_ceil(groups).max(1);
    let shape = Shape { packages: each.div_ceil(20), versions: each.min(20) };
    Scale { groups, shape, registrar: Registrar::Sixteen, with_bytes: 1 }
}

/// What a host fetches with nothing, again right after, and after the timestamp was signed again.
fn client(server: &Repository, made: &Generated) -> Result<[Cost; 3]> {
    let mut client = Client::new(server, made.fingerprint);
    let mut cost = |asking| client.resolve(&made.package, now()?, asking);
    Ok([cost(Asking::Unless)?, cost(Asking::Unless)?, cost(Asking::Anyway)?])
}

fn median(rounds: usize, mut once: impl FnMut(usize) -> Result<Duration>) -> Result<Duration> {
    let mut times = (0..rounds).map(&mut once).collect::<Result<Vec<_>>>()?;
    times.sort();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

fn now() -> Result<Time> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(Time::from_unix_seconds(i64::try_from(seconds)?).ok_or("the calendar ends")?)
}

fn line(row: &Row) -> String {
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let cost = |cost: &Cost| format!("{} B in {} requests", cost.bytes, cost.requests);
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} MiB |",
        row.versions,
        seconds(row.made),
        seconds(row.first_start),
        seconds(row.start),
        seconds(row.ready),
        cost(&row.cold),
        cost(&row.again),
        cost(&row.resigned),
        millis(row.publish),
        millis(row.fields),
        millis(row.words),
        row.memory_kib / 1024
    )
}
