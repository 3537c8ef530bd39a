//! Has systemd's own tool look over what was written: whether it is right, and how much it lets a service do.

use std::io;
use std::path::Path;
use std::process::Command;

use camino::Utf8Path;
use serde::Serialize;

use super::Manager;

/// What `systemd-analyze` says of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "verdict")]
pub enum Verdict {
    /// Nothing is wrong.
    Fine {
        /// The exposure from 0.0, none, to 10.0, all, as a text; `None` for a target, and where the tool is older than 250.
        #[serde(skip_serializing_if = "Option::is_none")]
        exposure: Option<String>,
    },
    /// Something is.
    Wrong {
        /// What the tool says.
        messages: Vec<String>,
        /// Whether systemd can load the unit all the same.
        loads: bool,
    },
    /// The tool is not there.
    Unknown,
}

/// Looks over the file of a unit.
pub(super) fn look_over(unit: &Utf8Path, manager: Manager) -> io::Result<Verdict> {
    let user = (manager == Manager::User).then_some("--user");
    // That of a user wants a runtime directory, which a session would have; where there is none it finds nothing in it.
    let runtime = tempfile::tempdir()?;
    let verify = Command::new("systemd-analyze")
        .arg("verify")
        .args(user)
        .arg("--man=no")
        .arg(unit)
        .env("XDG_RUNTIME_DIR", runtime.path())
        .output();
    let verify = match verify {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Verdict::Unknown),
        output => output?,
    };
    let said = String::from_utf8_lossy(&verify.stderr).into_owned();
    // It loads what the unit refers to, and has something to say of that too.
    let name = unit.file_name().unwrap_or_default();
    let messages: Vec<String> = said.lines().filter(|line| line.contains(name)).map(str::to_owned).collect();
    if !verify.status.success() || !messages.is_empty() {
        let all = said.lines().map(str::to_owned).collect();
        let messages = if messages.is_empty() { all } else { messages };
        return Ok(Verdict::Wrong { messages, loads: verify.status.success() });
    }
    let exposure = if name.ends_with(".service") { exposure(unit, user, runtime.path())? } else { None };
    Ok(Verdict::Fine { exposure })
}

fn exposure(unit: &Utf8Path, user: Option<&str>, runtime: &Path) -> io::Result<Option<String>> {
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .args(user)
        .arg(unit)
        .env("XDG_RUNTIME_DIR", runtime)
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let level =
        said.lines().find_map(|line| line.split_once("Overall exposure level for ")?.1.split_once(": "));
    Ok(level.and_then(|(_, level)| level.split(' ').next().map(str::to_owned)))
}
