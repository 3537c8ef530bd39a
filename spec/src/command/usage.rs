//! Arguments that make no command: help that was asked for, or a mistake, told as every other failure is.

use std::ffi::OsString;

use clap::error::ErrorKind;

use super::{Exit, Failure, Options, Report, Streams};

/// Prints the help or the version that was asked for, or says what is wrong with `arguments`.
///
/// The options were not understood either, so whether they ask for JSON is read off the words.
pub fn unparsed(arguments: &[OsString], error: &clap::Error, streams: Streams) -> Exit {
    let json = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    let mut report = Report::new(Options { json, ..Options::default() }, streams);
    let text = error.render().to_string();
    if !error.use_stderr() {
        let _ = report.raw(text.as_bytes());
        return report.end(Exit::Ok);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !json {
        report.note(text.trim_end());
        return Exit::Usage;
    }
    let message = text.trim_end().trim_start_matches("error: ").to_owned();
    let failure =
        Failure { exit: Exit::Usage, code: "usage".into(), message, causes: Vec::new(), hint: None };
    let exit = report.fail(&failure);
    report.end(exit)
}
