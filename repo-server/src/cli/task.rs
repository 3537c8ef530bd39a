//! What the subcommands share that do one thing and end: a runtime, the log on standard error, and failures of any step.

use std::future::Future;

use clap::Args;
use copkg_spec::command::{Exit, Explain, Failure, Options};
use thiserror::Error;
use tokio::runtime::Runtime;

use crate::logs;
use crate::storage::{Storage, StorageError, StoreUrl};

/// Says why a subcommand cannot run at all.
#[derive(Debug, Error)]
#[error("cannot start threads")]
pub(super) struct StartError(#[source] std::io::Error);

impl Explain for StartError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        "cannot_start"
    }
}

/// The store that a subcommand looks at, without taking it from a server that writes it.
#[derive(Debug, Args)]
pub(super) struct StoreOption {
    #[arg(help = "The store: a directory as file:///path, or a bucket as s3://name[/prefix]")]
    #[arg(long, value_name = "URL", env = "COPKG_STORE", hide_env_values = true)]
    store: StoreUrl,
}

impl StoreOption {
    /// Opens it.
    pub(super) fn open(&self) -> Result<Storage, StorageError> {
        Storage::open(&self.store)
    }
}

/// Runs a subcommand to its end.
pub(super) fn run<T>(
    options: &Options,
    task: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let filter = match (options.quiet, options.verbose) {
        (0, 0) => "warn",
        (0, 1) => "info",
        (0, _) => "debug",
        _ => "error",
    };
    logs::start(logs::Format::Text, filter);
    let runtime = Runtime::new().map_err(StartError)?;
    let result = runtime.block_on(task);
    // A read that hangs in the file system must not keep the process.
    runtime.shutdown_background();
    result
}
