//! `run/start.pid`, which the start script writes, and `run/start.stat`, in which a good one says who that was.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::directory::RunFile;
use super::{RuntimeDirectory, RuntimeError};
use crate::process::{BootId, ProcessIdentity};

/// The PIDs, one a line.
const PIDS: &str = "start.pid";
/// `PID START BOOT`, one a line: the identities of these.
const IDENTITIES: &str = "start.stat";

/// What the start script wrote down.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RecordedPids {
    /// The numbers of `run/start.pid`, in their order.
    pub pids: Vec<u32>,
    /// When `run/start.pid` was written, to the second.
    pub modified: Timestamp,
    /// The account that wrote `run/start.pid`.
    pub writer: u32,
    /// Who they were, for those of `run/start.stat`.
    pub identities: BTreeMap<u32, ProcessIdentity>,
}

impl RecordedPids {
    /// Reads the files; `None` when there is no `run/start.pid`.
    ///
    /// # Errors
    /// When it cannot be read or is no list of numbers.
    pub fn read(runtime: &RuntimeDirectory) -> Result<Option<Self>, RuntimeError> {
        let Some(RunFile { text, modified, writer }) = runtime.read_run(PIDS)? else { return Ok(None) };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let parse = |line: &str| {
            line.parse().map_err(|_| RuntimeError::Pid {
                path: runtime.path().join("run").join(PIDS),
                line: line.chars().take(40).collect(),
            })
        };
        let pids = lines.map(parse).collect::<Result<_, _>>()?;
        let identities = runtime.read_run(IDENTITIES)?.map(|file| file.text).unwrap_or_default();
        let identities = identities.lines().filter_map(identity).collect();
        Ok(Some(Self { pids, modified, writer, identities }))
    }

    /// Writes the files for `processes`, as a start script would.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(runtime: &RuntimeDirectory, processes: &[ProcessIdentity]) -> Result<(), RuntimeError> {
        let (mut pids, mut identities) = (String::new(), String::new());
        for process in processes {
            let _ = writeln!(pids, "{}", process.pid());
            let (pid, start, boot) = (process.pid(), process.start_time(), process.boot().as_str());
            let _ = writeln!(identities, "{pid} {start} {boot}");
        }
        runtime.write_run(IDENTITIES, identities.as_bytes())?;
        runtime.write_run(PIDS, pids.as_bytes())
    }

    /// Removes the files; tells whether `run/start.pid` was there.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn remove(runtime: &RuntimeDirectory) -> Result<bool, RuntimeError> {
        let was_there = runtime.remove_run(PIDS)?;
        runtime.remove_run(IDENTITIES)?;
        Ok(was_there)
    }
}

fn identity(line: &str) -> Option<(u32, ProcessIdentity)> {
    let mut words = line.split_ascii_whitespace();
    let pid = words.next()?.parse().ok()?;
    let start_time = words.next()?.parse().ok()?;
    let boot = BootId::recorded(words.next()?);
    Some((pid, ProcessIdentity::recorded(pid, start_time, boot)))
}
