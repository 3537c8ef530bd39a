//! `pkginstall logs`.

use std::io::{self, Write as _};
use std::thread;
use std::time::Duration;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::ServiceCoordinate;
use serde::Serialize;

use super::Context;
use super::select::{Selector, select};
use super::start::at_site;
use crate::host::Effect;
use crate::service::{self, Follow, LogFile, Rotated, ServiceError, When};

/// How often a followed file is looked at.
const POLL: Duration = Duration::from_millis(200);

/// A longer line is shown in pieces, so that memory is bounded.
const LONGEST_LINE: usize = 64 << 10;

/// The arguments of `logs`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Logs {
    /// The services, or patterns of services such as *.web.prod.*
    #[arg(value_name = "SERVICE", required_unless_present_any = ["rotate", "all"], conflicts_with = "all")]
    services: Vec<Selector>,
    /// All services of the prefix
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    reading: Reading,
    /// Show nothing; put aside what has grown too large, as the recipe says; of all services if none is named
    #[arg(long, conflicts_with_all = ["follow", "lines"])]
    rotate: bool,
    /// Put it aside whatever its size
    #[arg(long, requires = "rotate")]
    force: bool,
    /// Only say what would be put aside and removed
    #[arg(long, requires = "rotate")]
    dry_run: bool,
}

/// How much of the logs is read.
#[derive(Debug, Args)]
pub(super) struct Reading {
    /// Print what is written from now on, too
    #[arg(short, long, conflicts_with = "json")]
    follow: bool,
    /// How many lines to begin with
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    lines: usize,
}

#[derive(Serialize)]
struct Document {
    files: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    log: LogFile,
    lines: Vec<String>,
}

impl Logs {
    /// Tells whether logs are put aside, and not only read.
    pub(super) fn rotates(&self) -> bool {
        self.rotate
    }
}

pub(super) fn run(args: &Logs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let services = select(&args.services, context)?;
    if args.rotate {
        let when = if args.force { When::Now } else { When::TooLarge };
        return rotate(&services, when, Effect::of_dry_run(args.dry_run), context);
    }
    let mut files = Vec::new();
    for name in &services {
        match service::find_logs(&prefix, name) {
            // Of all services there may be one that has not written anything yet.
            Err(ServiceError::NeverStarted { .. }) if args.all => {}
            found => files.extend(found?.into_iter().map(|log| (String::new(), log))),
        }
    }
    print(&args.reading, context, files)
}

/// Prints logs, each with what stands before the name of its service where there are several.
pub(super) fn print(
    reading: &Reading,
    context: &mut Context<'_>,
    logs: Vec<(String, LogFile)>,
) -> Result<Exit, Failure> {
    let several = logs.len() > 1;
    let mut printers: Vec<Printer> =
        logs.iter().map(|(before, log)| Printer::new(before, log, several)).collect();
    let files: Vec<LogFile> = logs.into_iter().map(|(_, log)| log).collect();
    if context.report.is_json() {
        return document(reading, context, files);
    }
    let shown = show(reading, context, &files, &mut printers);
    match shown {
        // The reader went away, as `head` does, or its disk is full: the report says so.
        Err(_) if context.report.has_lost_output() => Ok(Exit::Ok),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(Exit::Ok),
    }
}

fn rotate(
    services: &[ServiceCoordinate],
    when: When,
    effect: Effect,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut all: Vec<Rotated> = Vec::new();
    for name in services {
        all.extend(at_site(context, |site| service::rotate(site, name, when, effect))?);
    }
    let changed = effect == Effect::Real && !all.is_empty();
    let document = serde_json::json!({ "changed": changed, "rotated": all });
    context.report.data(&document, || all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    Ok(Exit::Ok)
}

fn show(
    reading: &Reading,
    context: &mut Context<'_>,
    files: &[LogFile],
    printers: &mut [Printer],
) -> Result<(), ServiceError> {
    let mut followed: Vec<Follow> = Vec::new();
    for (log, printer) in files.iter().zip(printers.iter_mut()) {
        followed.push(service::tail(log, reading.lines, &mut |bytes| printer.print(bytes, context))?);
        printer.end(context).map_err(|source| ServiceError::Log { path: log.path.clone(), source })?;
    }
    if reading.follow { follow(context, &mut followed, printers) } else { Ok(()) }
}

/// Goes on until the reader goes away, or someone ends us.
fn follow(
    context: &mut Context<'_>,
    followed: &mut [Follow],
    printers: &mut [Printer],
) -> Result<(), ServiceError> {
    loop {
        let mut anything = false;
        for (file, printer) in followed.iter_mut().zip(printers.iter_mut()) {
            anything |= service::follow(file, &mut |bytes| printer.print(bytes, context))?;
        }
        if !anything {
            thread::sleep(POLL);
        }
    }
}

fn document(reading: &Reading, context: &mut Context<'_>, files: Vec<LogFile>) -> Result<Exit, Failure> {
    let mut document = Document { files: Vec::new() };
    for log in files {
        let mut bytes = Vec::new();
        service::tail(&log, reading.lines, &mut |block| bytes.write_all(block))?;
        let lines = String::from_utf8_lossy(&bytes).lines().map(ToOwned::to_owned).collect();
        document.files.push(Shown { log, lines });
    }
    context.report.data(&document, String::new);
    Ok(Exit::Ok)
}

/// Prints the bytes of one file: as they are, or line by line with a name before each.
struct Printer {
    name: Option<String>,
    line: Vec<u8>,
}

impl Printer {
    fn new(before: &str, log: &LogFile, several: bool) -> Self {
        let parent = log.path.parent().and_then(|parent| parent.file_name()).unwrap_or_default();
        let file = log.path.file_name().unwrap_or_default();
        let name = several.then(|| format!("{before}{} {parent}/{file} | ", log.service));
        Self { name, line: Vec::new() }
    }

    fn print(&mut self, bytes: &[u8], context: &mut Context<'_>) -> io::Result<()> {
        if self.name.is_none() {
            return context.report.raw(bytes);
        }
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.ends_with(b"\n") || self.line.len() >= LONGEST_LINE {
                self.end(context)?;
            }
        }
        Ok(())
    }

    /// Prints a line that has not ended, so that it does not wait for its end.
    fn end(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let Some(name) = &self.name else { return Ok(()) };
        if self.line.is_empty() {
            return Ok(());
        }
        if !self.line.ends_with(b"\n") {
            self.line.push(b'\n');
        }
        let line = std::mem::take(&mut self.line);
        context.report.raw(&[name.as_bytes(), &line].concat())
    }
}
