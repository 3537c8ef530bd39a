//! The plot: one group of bars for each corpus, seconds until everything is on the disk, the floor as a line across.

use std::fmt::Write as _;

use super::contest::Record;
use super::corpus::Corpus;
use super::figures::Spread;
use super::table::megabytes;

const WIDTH: f64 = 760.0;
const LABELS: f64 = 190.0;
const BAR: f64 = 18.0;
const GAP: f64 = 46.0;

/// Draws an SVG that reads in light and dark.
pub fn svg(contests: &[(Corpus, Vec<Record>)]) -> String {
    let mut body = String::new();
    let mut top = 10.0;
    for (corpus, records) in contests {
        top = contest(&mut body, corpus, records, top);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>Seconds until an installation is on the disk</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

fn contest(body: &mut String, corpus: &Corpus, records: &[Record], top: f64) -> f64 {
    let seconds = |record: &Record| Spread::of(record.times.iter().map(|time| time.durable().as_secs_f64()));
    let most = records.iter().map(|record| seconds(record).most).fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - LABELS - 70.0) / most;
    let head =
        format!("{}: {} files, {:.0} MB", corpus.name, corpus.size.files, megabytes(corpus.size.bytes));
    let _ = writeln!(body, "<text x=\"10\" y=\"{}\" font-weight=\"bold\">{head}</text>", top + 14.0);
    let mut y = top + 24.0;
    for record in records {
        let spread = seconds(record);
        let (length, middle) = (spread.median * scale, y + BAR * 0.7);
        let colour = match record.name {
            name if name.starts_with("copkg") => "#0b6e4f",
            name if name.starts_with("floor") => "#999",
            _ => "#4a6fa5",
        };
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text><rect x=\"{LABELS}\" y=\"{y}\" width=\"{length:.1}\" \
             height=\"{}\" fill=\"{colour}\"/><path d=\"M{:.1} {}H{:.1}\" stroke=\"#000\"/><text x=\"{:.1}\" y=\"{middle}\">{:.2} s</text>",
            LABELS - 8.0,
            record.name,
            BAR - 4.0,
            LABELS + spread.least * scale,
            y + BAR / 2.0 - 2.0,
            LABELS + spread.most * scale,
            LABELS + spread.most * scale + 6.0,
            spread.median
        );
        y += BAR;
    }
    if let Some(floor) = records.iter().find(|record| record.name == "floor, durable") {
        let x = LABELS + seconds(floor).median * scale;
        let _ = writeln!(
            body,
            "<path d=\"M{x:.1} {}V{y}\" stroke=\"#c33\" stroke-dasharray=\"4 3\"/>",
            top + 20.0
        );
    }
    y + GAP - BAR
}
