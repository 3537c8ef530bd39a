//! Puts aside what a service wrote when it has grown too large: compressed, dated, and removed when there is too much of it.
//!
//! The service keeps its file open and appends to it, so the file itself stays. What was put aside is cut off its beginning
//! in one step where the file system can (ext4, XFS), so that nothing is lost or there twice. Elsewhere it is emptied once
//! nothing more was written for a moment; a line written in the instant in between is lost. A crash between putting aside
//! and cutting off leaves the lines in both places.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::manifest::Rotation;
use jiff::Timestamp;
use rustix::fs::{FallocateFlags, fallocate, fstatvfs, ftruncate};
use rustix::io::Errno;
use serde::Serialize;

use super::{InstalledService, ServiceError, ServiceRecord, Site};
use crate::host::Effect;
use crate::runtime::{LogDirectory, RuntimeDirectory};

/// The zstd level: logs are written once and hardly read.
const LEVEL: i32 = 6;

/// When a file is put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// When it has grown to the size that the recipe says.
    TooLarge,
    /// Whatever its size, unless it is empty.
    Now,
}

/// What was done to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// The file.
    pub path: Utf8PathBuf,
    /// Where it was put aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aside: Option<Utf8PathBuf>,
    /// How many bytes.
    pub bytes: u64,
    /// What was put aside earlier and removed now.
    pub removed: Vec<Utf8PathBuf>,
}

impl fmt::Display for Rotated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.aside {
            Some(aside) => write!(f, "{}: {} bytes are in {aside}", self.path, self.bytes)?,
            None => write!(f, "{}", self.path)?,
        }
        match self.removed.len() {
            0 => Ok(()),
            removed => write!(f, "; removed {removed} older"),
        }
    }
}

/// Rotates what `service` writes to: the `.log` files of `console/`, and `log/console.log`. A dry run says what it would do.
///
/// # Errors
/// When a file cannot be read, or what is put aside cannot be written. Nothing is cut off then.
pub fn rotate(
    site: &mut Site<'_>,
    service: &ServiceCoordinate,
    when: When,
    effect: Effect,
) -> Result<Vec<Rotated>, ServiceError> {
    let Some(runtime) = RuntimeDirectory::open(site.prefix, service)? else {
        return Err(ServiceError::NeverStarted { service: service.clone() });
    };
    let rules = rules(site, service)?;
    let mut all = Vec::new();
    for directory in ["console", "log"] {
        let Some(logs) = LogDirectory::open(&runtime, directory)? else { continue };
        let is_log = |name: &str| Utf8Path::new(name).extension() == Some("log");
        let is_live = |name: &String| name == "console.log" || (directory == "console" && is_log(name));
        for name in logs.names()?.into_iter().filter(is_live) {
            let failed = |source| ServiceError::Log { path: logs.path().join(&name), source };
            let file = logs.open_to_change(&name)?;
            let length = file.metadata().map_err(failed)?.len();
            let due = length > 0 && (when == When::Now || length >= rules.max_bytes);
            let put = match (due, effect) {
                (false, _) => None,
                (true, Effect::DryRun) => Some((aside_name(&name, &rules, (site.clock)()), length)),
                (true, Effect::Real) => {
                    Some(put_aside(&logs, &name, &file, &rules, (site.clock)()).map_err(failed)?)
                }
            };
            let removed = remove_old(&logs, &name, &rules, (site.clock)(), effect)?;
            if put.is_some() || !removed.is_empty() {
                let (aside, bytes) =
                    put.map_or((None, 0), |(aside, bytes)| (Some(logs.path().join(aside)), bytes));
                all.push(Rotated { path: logs.path().join(&name), aside, bytes, removed });
            }
        }
    }
    Ok(all)
}

/// The rules of the package; the usual ones when it is gone.
fn rules(site: &Site<'_>, service: &ServiceCoordinate) -> Result<Rotation, ServiceError> {
    let record = ServiceRecord::read(site.prefix, service)?;
    let installed = record.and_then(|record| InstalledService::open(site.prefix, &record.package).ok());
    Ok(installed.and_then(|installed| installed.service.logs).unwrap_or_default())
}

fn aside_name(name: &str, rules: &Rotation, now: Timestamp) -> String {
    let ending = if rules.compress { ".zst" } else { "" };
    format!("{name}.{}{ending}", now.strftime("%Y%m%dT%H%M%S%fZ"))
}

fn put_aside(
    logs: &LogDirectory,
    name: &str,
    file: &File,
    rules: &Rotation,
    now: Timestamp,
) -> io::Result<(String, u64)> {
    let aside = aside_name(name, rules, now);
    let block = fstatvfs(file)?.f_bsize.max(4096);
    let size = file.metadata()?.len();
    // The kernel cuts whole blocks, and never all of a file.
    let whole = (size - 1) / block * block;
    if whole > 0 {
        let written = logs.make(&aside, |out| copy(file, whole, out, rules))?;
        match fallocate(file, FallocateFlags::COLLAPSE_RANGE, 0, whole) {
            Ok(()) => return Ok((aside, written)),
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // All of it, then, and nothing of it may be written meanwhile.
    let written = logs.make(&aside, |out| copy(file, u64::MAX, out, rules))?;
    ftruncate(file, 0)?;
    Ok((aside, written))
}

/// Copies the first `limit` bytes, or all until nothing more comes.
fn copy(mut file: &File, limit: u64, out: &mut File, rules: &Rotation) -> io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let mut source = file.take(limit);
    if !rules.compress {
        return io::copy(&mut source, out);
    }
    let mut encoder = zstd::Encoder::new(out, LEVEL)?;
    encoder.include_checksum(true)?;
    let copied = io::copy(&mut source, &mut encoder)?;
    encoder.finish()?.flush()?;
    Ok(copied)
}

/// Removes what was put aside of `name` and is too old, or too many.
fn remove_old(
    logs: &LogDirectory,
    name: &str,
    rules: &Rotation,
    now: Timestamp,
    effect: Effect,
) -> Result<Vec<Utf8PathBuf>, ServiceError> {
    let mut aside: Vec<(Timestamp, String)> = logs
        .names()?
        .into_iter()
        .filter_map(|file| Some((date_of(file.strip_prefix(name)?.strip_prefix('.')?)?, file)))
        .collect();
    aside.sort();
    aside.reverse();
    let keep = usize::try_from(rules.keep).unwrap_or(usize::MAX);
    let limit = jiff::SignedDuration::from_secs(rules.max_age_seconds.into());
    let mut removed = Vec::new();
    for (number, (date, file)) in aside.into_iter().enumerate() {
        let is_old = rules.max_age_seconds > 0 && now.duration_since(date) > limit;
        if number >= keep || is_old {
            if effect == Effect::Real {
                logs.remove(&file)?;
            }
            removed.push(logs.path().join(file));
        }
    }
    Ok(removed)
}

fn date_of(ending: &str) -> Option<Timestamp> {
    let digits = ending.strip_suffix(".zst").unwrap_or(ending).strip_suffix('Z')?;
    let parsed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S%f", digits).ok()?;
    parsed.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
