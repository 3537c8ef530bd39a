//! What came out of a contest, as a table for people and for `docs/performance.md`.

use super::contest::{Durable, Record};
use super::corpus::Corpus;
use super::figures::Spread;
use super::linked::{AFRESH, BARE_LINKS, Linked};

/// The name of the measure of all.
const FLOOR: &str = "floor, durable";
/// Our own name.
const OURS: &str = "copkg";

/// Returns the lines of the table of one corpus: seconds until everything is on the disk, and how that compares with the floor and
/// with us, in the same round.
pub fn of_contest(corpus: &Corpus, records: &[Record]) -> Vec<String> {
    let mut lines = vec![
        format!(
            "| {} ({} files, {:.0} MB) | seconds | until durable | of the floor | of ours | others' work |",
            corpus.name,
            corpus.size.files,
            megabytes(corpus.size.bytes)
        ),
        "| --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    lines.extend(records.iter().map(|record| line(record, records)));
    lines
}

fn line(record: &Record, all: &[Record]) -> String {
    let command = Spread::of(record.times.iter().map(|time| time.command.as_secs_f64()));
    let durable = Spread::of(record.times.iter().map(|time| time.durable().as_secs_f64()));
    let others = Spread::of(record.times.iter().map(|time| time.others * 100.0));
    let until = match record.durable {
        Durable::Yes => "the same".to_owned(),
        Durable::No => spread(durable),
    };
    format!(
        "| {} | {} | {until} | {} | {} | {:.0} % |",
        // A pipe would end the column.
        record.name.replace('|', "\\|"),
        spread(command),
        ratio(record, all, FLOOR),
        ratio(record, all, OURS),
        others.median
    )
}

/// Returns the lines of the table of upgrades of one corpus.
pub fn of_upgrades(corpus: &Corpus, linked: &Linked) -> Vec<String> {
    let ratio = |to| linked.records.first().and_then(|ours| ratio_of(ours, &linked.records, to));
    let shown = |ratio: Option<f64>, goal: f64| {
        ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2} (goal {goal:.2})"))
    };
    let of = |record: &Record| spread(Spread::of(record.times.iter().map(|time| time.command.as_secs_f64())));
    let mut lines = vec![
        format!("| upgrade of {} ({} files, one in 100 changed) | seconds |", corpus.name, corpus.size.files),
        "| --- | --- |".to_owned(),
    ];
    lines.extend(linked.records.iter().map(|record| format!("| {} | {} |", record.name, of(record))));
    let goal = if corpus.name == "many" { 0.35 } else { 0.33 };
    lines.push(format!("| by links, of afresh | {} |", shown(ratio(AFRESH), goal)));
    lines.push(format!("| by links, of cp -al and sync -f | {} |", shown(ratio(BARE_LINKS), 0.65)));
    lines.push(format!(
        "| disk taken, beside the files that changed | {:.2} MB, {:.2} MB |",
        megabytes(linked.taken),
        megabytes(linked.changed)
    ));
    lines
}

/// Returns the median of the ratios of the rounds, until durable.
pub fn ratio_of(record: &Record, all: &[Record], to: &str) -> Option<f64> {
    let other = all.iter().find(|other| other.name == to)?;
    let ratios = record.times.iter().zip(&other.times);
    let ratios = ratios.map(|(own, other)| own.durable().as_secs_f64() / other.durable().as_secs_f64());
    Some(Spread::of(ratios).median)
}

fn ratio(record: &Record, all: &[Record], to: &str) -> String {
    ratio_of(record, all, to).map_or_else(String::new, |ratio| format!("{ratio:.2}"))
}

fn spread(of: Spread) -> String {
    format!("{:.2} ({:.2}–{:.2})", of.median, of.least, of.most)
}

/// Returns bytes as megabytes.
#[allow(clippy::cast_precision_loss, reason = "for people to read")]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
