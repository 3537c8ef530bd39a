//! The report: the only place that prints. Data goes to the first stream, everything else to the second.

use std::io::Write;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Color, Exit, Failure, Options};

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
}

impl Report {
    /// Reports to `streams` as `options` ask.
    pub fn new(options: Options, streams: Streams) -> Self {
        Self { options, streams }
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
            self.say(text.as_ref());
        }
    }

    /// Says something that `--verbose` asks for.
    pub fn detail(&mut self, text: impl AsRef<str>) {
        if self.options.verbose > 0 {
            self.say(text.as_ref());
        }
    }

    /// Warns, even with `--quiet`.
    pub fn warn(&mut self, text: impl AsRef<str>) {
        let label = self.paint("\x1b[1;33m", "warning:");
        self.say(&format!("{label} {}", text.as_ref()));
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
                self.print(&format!("{text}{end}"));
            }
        }
    }

    /// Passes raw bytes on to standard output, for `logs` and the like.
    ///
    /// # Errors
    /// When the stream is closed, so that a follower can end.
    pub fn raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.streams.out.write_all(bytes)?;
        self.streams.out.flush()
    }

    /// Reports a failure and returns the exit code that goes with it.
    pub fn fail(&mut self, failure: &Failure) -> Exit {
        if self.options.json {
            self.print_document(json!({ "error": failure }));
        }
        let label = self.paint("\x1b[1;31m", "error:");
        let text = failure.to_string();
        self.say(&text.replacen("error:", &label, 1));
        failure.exit
    }

    fn print_document(&mut self, mut document: Value) {
        if let Value::Object(members) = &mut document {
            members.insert("schema_version".into(), SCHEMA_VERSION.into());
        }
        let text = serde_json::to_string_pretty(&document).unwrap_or_default();
        self.print(&format!("{text}\n"));
    }

    /// Prints to standard output. A reader that went away (`| head`) is no error of ours.
    fn print(&mut self, text: &str) {
        let _ = self.streams.out.write_all(text.as_bytes()).and_then(|()| self.streams.out.flush());
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
