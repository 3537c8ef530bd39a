//! The report: the only place that prints. Data goes to the first stream, everything else to the second.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::plain::{plain, plain_json};
use super::{Color, Exit, Failure, Options, said};

/// The version of the JSON documents. A field may be added without raising it; none is removed or changed.
const SCHEMA_VERSION: u32 = 1;

/// Where a report goes.
#[allow(missing_debug_implementations, reason = "streams have nothing to show")]
pub struct Streams {
    /// Standard output: data only.
    pub out: Box<dyn Write + Send>,
    /// Standard error: notes, progress, failures.
    pub err: Box<dyn Write + Send>,
    /// Whether standard error is a terminal that takes colour.
    pub err_is_terminal: bool,
}

/// Tells the user what happened, as text or as JSON.
#[allow(missing_debug_implementations, reason = "streams have nothing to show")]
pub struct Report {
    options: Options,
    streams: Streams,
    /// Why some of the data did not reach standard output.
    lost: Option<io::Error>,
}

impl Report {
    /// Reports to `streams` as `options` ask.
    pub fn new(options: Options, streams: Streams) -> Self {
        Self { options, streams, lost: None }
    }

    /// Returns how it reports.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Tells whether the data is one JSON document.
    pub fn is_json(&self) -> bool {
        self.options.json
    }

    /// Tells whether a progress bar may be shown.
    pub fn shows_progress(&self) -> bool {
        let options = &self.options;
        self.streams.err_is_terminal && !options.no_progress && !options.json && options.quiet == 0
    }

    /// Says something that most users want to know. Silent with `--quiet`.
    pub fn note(&mut self, text: impl AsRef<str>) {
        if self.options.quiet == 0 {
            self.say(&plain(text.as_ref()));
        }
    }

    /// Says something that `--verbose` asks for.
    pub fn detail(&mut self, text: impl AsRef<str>) {
        if self.options.verbose > 0 {
            self.say(&plain(text.as_ref()));
        }
    }

    /// Warns, even with `--quiet`.
    pub fn warn(&mut self, text: impl AsRef<str>) {
        let label = self.paint("\x1b[1;33m", "warning:");
        self.say(&format!("{label} {}", plain(text.as_ref())));
    }

    /// Prints a command's data: `document` with `--json`, else the lines of `text`.
    ///
    /// `document` must be a JSON object; `schema_version` is added to it.
    pub fn data(&mut self, document: &impl Serialize, text: impl FnOnce() -> String) {
        if self.options.json {
            let document = serde_json::to_value(document).unwrap_or(Value::Null);
            self.print_document(document);
        } else {
            let text = text();
            if !text.is_empty() {
                let end = if text.ends_with('\n') { "" } else { "\n" };
                self.print(&format!("{}{end}", plain(&text)));
            }
        }
    }

    /// Passes raw bytes on to standard output, for `logs` and the like.
    ///
    /// # Errors
    /// When the stream refuses, so that a follower can end. [`Self::end`] says why.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.streams.out.write_all(bytes).and_then(|()| self.streams.out.flush());
        if let Err(error) = &written
            && self.lost.is_none()
        {
            let number = error.raw_os_error();
            self.lost = Some(number.map_or_else(|| error.kind().into(), io::Error::from_raw_os_error));
        }
        written
    }

    /// Tells whether some of the data did not reach standard output.
    pub fn has_lost_output(&self) -> bool {
        self.lost.is_some()
    }

    /// Ends the command, and returns the code that it exits with. Every command ends here.
    ///
    /// Output that nobody got is a failure, whatever the command did: a script must not take a part for the whole. A full
    /// disk is said; a reader that went away (`| head`) knows.
    pub fn end(mut self, exit: Exit) -> Exit {
        let Some(error) = self.lost.take() else { return exit };
        if error.kind() != io::ErrorKind::BrokenPipe {
            let label = self.paint("\x1b[1;31m", "error:");
            let done = if exit == Exit::Ok {
                "\n  hint: what the command does is done; only its output is lost"
            } else {
                ""
            };
            self.say(&format!("{label} cannot write the output\n  cause: {}{done}", said(&error)));
        }
        match exit {
            Exit::Ok | Exit::Stopped | Exit::Unknown => Exit::Failure,
            failed => failed,
        }
    }

    /// Reports a failure and returns the exit code that goes with it.
    pub fn fail(&mut self, failure: &Failure) -> Exit {
        if self.options.json {
            self.print_document(json!({ "error": failure }));
        }
        let label = self.paint("\x1b[1;31m", "error:");
        let text = failure.to_string();
        self.say(&plain(&text).replacen("error:", &label, 1));
        failure.exit
    }

    fn print_document(&mut self, mut document: Value) {
        if let Value::Object(members) = &mut document {
            members.insert("schema_version".into(), SCHEMA_VERSION.into());
        }
        let text = serde_json::to_string_pretty(&document).unwrap_or_default();
        self.print(&format!("{}\n", plain_json(&text)));
    }

    /// Prints to standard output. That it did not arrive is told at the end: what the command does, it does all the same.
    fn print(&mut self, text: &str) {
        let _ = self.raw(text.as_bytes());
    }

    fn say(&mut self, text: &str) {
        let _ = writeln!(self.streams.err, "{text}");
    }

    fn paint(&self, style: &str, text: &str) -> String {
        let paint = match self.options.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => self.streams.err_is_terminal,
        };
        if paint { format!("{style}{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A stream that refuses everything, for this reason.
    struct Refusing(io::ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What was said, shared with the test.
    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<u8>>>);

    impl Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().map_or(Ok(0), |mut said| said.write(bytes))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn ended(refusal: io::ErrorKind, exit: Exit) -> (Exit, String) {
        let said = Said::default();
        let streams =
            Streams { out: Box::new(Refusing(refusal)), err: Box::new(said.clone()), err_is_terminal: false };
        let mut report = Report::new(Options::default(), streams);
        report.data(&json!({}), || "data".into());
        let exit = report.end(exit);
        let said = said.0.lock().map(|said| String::from_utf8_lossy(&said).into_owned());
        (exit, said.unwrap_or_default())
    }

    #[test]
    fn output_that_a_full_disk_refuses_is_a_failure_that_is_said() {
        let (exit, said) = ended(io::ErrorKind::StorageFull, Exit::Ok);
        assert_eq!(exit, Exit::Failure);
        assert!(said.starts_with("error: cannot write the output\n  cause: no storage space"), "{said}");
        assert!(said.contains("only its output is lost"), "{said}");
    }

    #[test]
    fn a_reader_that_went_away_is_a_failure_that_nobody_needs_to_hear_of() {
        assert_eq!(ended(io::ErrorKind::BrokenPipe, Exit::Ok), (Exit::Failure, String::new()));
    }

    #[test]
    fn a_command_that_failed_keeps_its_code() {
        assert_eq!(ended(io::ErrorKind::StorageFull, Exit::Trust).0, Exit::Trust);
        assert_eq!(ended(io::ErrorKind::StorageFull, Exit::Stopped).0, Exit::Failure);
    }
}
