//! What checks said: as a table, as a document, and as `JUnit` XML for a CI server.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::durable::{self, Existing};
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use thiserror::Error;

use super::super::Context;
use super::super::table::table;
use crate::deploy::{CheckOutcome, CheckResult};

/// Says that the results cannot be written.
#[derive(Debug, Error)]
#[error("cannot write the results to {path}")]
struct ResultsUnwritable {
    path: Utf8PathBuf,
    #[source]
    source: io::Error,
}

impl Explain for ResultsUnwritable {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        "results_unwritable"
    }
}

/// Lays the results out, a line each.
pub(super) fn lines(context: &mut Context<'_>, results: &[CheckResult]) -> Vec<String> {
    let row = |result: &CheckResult| {
        let (outcome, why) = match &result.outcome {
            CheckOutcome::Passed => ("passed", String::new()),
            CheckOutcome::Failed { why } => ("failed", why.clone()),
            CheckOutcome::Tolerated { why, reason } => ("tolerated", format!("{why} (tolerated: {reason})")),
        };
        vec![result.kind.word().to_owned(), result.name.clone(), outcome.to_owned(), why]
    };
    let rows: Vec<Vec<String>> = results.iter().map(row).collect();
    table(context.report, &["CHECK", "NAME", "OUTCOME", "WHY"], &rows)
}

/// Writes the results as `JUnit` XML, where a file is given.
pub(super) fn write_junit(
    file: Option<&Utf8Path>,
    suite: &str,
    results: &[CheckResult],
) -> Result<(), Failure> {
    let Some(path) = file else { return Ok(()) };
    let failed = |source| ResultsUnwritable { path: path.to_owned(), source };
    let text = junit(suite, results).map_err(failed)?;
    Ok(durable::write(path.as_std_path(), 0o644, Existing::Replace, &text).map_err(failed)?)
}

/// Returns the results as `JUnit` XML. What is tolerated is skipped there, with both reasons.
fn junit(suite: &str, results: &[CheckResult]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let count = |is: &dyn Fn(&CheckOutcome) -> bool| {
        results.iter().filter(|result| is(&result.outcome)).count().to_string()
    };
    let failures = count(&|outcome| matches!(outcome, CheckOutcome::Failed { .. }));
    let skipped = count(&|outcome| matches!(outcome, CheckOutcome::Tolerated { .. }));
    let tests = results.len().to_string();
    let numbers = [("tests", tests.as_str()), ("failures", failures.as_str()), ("errors", "0")];
    writer.write_event(Event::Start(BytesStart::new("testsuites").with_attributes(numbers)))?;
    let named = [("name", suite), ("skipped", skipped.as_str())].into_iter().chain(numbers);
    writer.write_event(Event::Start(BytesStart::new("testsuite").with_attributes(named)))?;
    for result in results {
        let (kind, took) = (result.kind.word(), format!("{:.3}", result.took.as_secs_f64()));
        let about = [("classname", kind), ("name", result.name.as_str()), ("time", took.as_str())];
        writer.write_event(Event::Start(BytesStart::new("testcase").with_attributes(about)))?;
        match &result.outcome {
            CheckOutcome::Passed => {}
            CheckOutcome::Failed { why } => said(&mut writer, "failure", why, why)?,
            CheckOutcome::Tolerated { why, reason } => said(&mut writer, "skipped", reason, why)?,
        }
        writer.write_event(Event::End(BytesEnd::new("testcase")))?;
    }
    writer.write_event(Event::End(BytesEnd::new("testsuite")))?;
    writer.write_event(Event::End(BytesEnd::new("testsuites")))?;
    Ok(writer.into_inner())
}

fn said(writer: &mut Writer<Vec<u8>>, element: &str, message: &str, text: &str) -> io::Result<()> {
    // XML has no place for control characters, and what a command said may have some.
    let printable = |text: &str| -> String {
        text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
    };
    let start =
        BytesStart::new(element).with_attributes([("message", printable(message).as_str())]).into_owned();
    writer.write_event(Event::Start(start))?;
    writer.write_event(Event::Text(BytesText::new(&printable(text))))?;
    writer.write_event(Event::End(BytesEnd::new(element)))
}
