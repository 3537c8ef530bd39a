//! The log: what the server does, on standard error, as text or as JSON lines.
//!
//! Standard output stays for data. `RUST_LOG` is not read; `--log` and `COPKG_LOG` are.

use std::io::{IsTerminal as _, stderr};

use clap::ValueEnum;
use thiserror::Error;
use tracing_subscriber::EnvFilter;

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Says why a text is no log filter.
#[derive(Debug, Error)]
#[error("it is a level (error, warn, info, debug, trace) or target=level, joined by commas: {0}")]
pub struct FilterError(String);

/// Checks that `text` is a filter, e.g. `info` or `warn,repo_server=debug`.
///
/// # Errors
/// When it is not.
pub fn check_filter(text: &str) -> Result<String, FilterError> {
    EnvFilter::try_new(text).map_err(|e| FilterError(e.to_string()))?;
    Ok(text.to_owned())
}

/// Starts the log of this process. A second start changes nothing.
pub fn start(format: Format, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_default();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let _ = match format {
        Format::Text => builder.with_ansi(stderr().is_terminal()).try_init(),
        Format::Json => {
            builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
    };
}

/// Writes an error with all its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
