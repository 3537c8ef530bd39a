//! Tables: columns as wide as their widest cell, and a header for people.
//!
//! The header is a note: it goes to standard error, so that what a script reads is rows and nothing else.

use copkg_spec::command::Report;

/// Lays `rows` out in columns under `headers`, and notes the header. A column without any cell is left out.
pub(super) fn table(report: &mut Report, headers: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headers.len()).map(width).collect();
    let shown: Vec<usize> = (0..headers.len()).filter(|&column| widths[column] > 0).collect();
    let line = |cells: &dyn Fn(usize) -> String| {
        let cells =
            shown.iter().map(|&at| format!("{:w$}", cells(at), w = widths[at].max(headers[at].len())));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    if !rows.is_empty() && !report.is_json() {
        report.note(line(&|at| headers[at].to_owned()));
    }
    rows.iter().map(|row| line(&|at| row[at].clone())).collect()
}
