//! Where a process comes from, as far as `/proc` tells: when it began, and which directories it names.
//!
//! Evidence for people, not proof: a number in a file that nobody else vouches for never becomes a signal because of it.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::{SignedDuration, Timestamp};

use super::{ProcessError, ProcessIdentity};

/// The unit of start times in `/proc`: `USER_HZ` is 100 on every platform that we know.
pub(crate) const TICKS_PER_SECOND: u64 = 100;

impl ProcessIdentity {
    /// Returns when the process began by the host's clock, to a second or so: a clock that was set since is off by as much.
    ///
    /// # Errors
    /// When `/proc/stat` cannot be read.
    pub(crate) fn began(&self) -> Result<Option<Timestamp>, ProcessError> {
        let path = "/proc/stat";
        let text =
            fs::read_to_string(path).map_err(|source| ProcessError::Proc { path: path.into(), source })?;
        let booted = text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
        let Some(booted) = booted.and_then(|seconds| Timestamp::from_second(seconds).ok()) else {
            return Ok(None);
        };
        let milliseconds = i64::try_from(self.start_time() * 1000 / TICKS_PER_SECOND).unwrap_or(i64::MAX);
        Ok(booted.checked_add(SignedDuration::from_millis(milliseconds)).ok())
    }
}

/// Tells whether the process with the number `pid` works in one of `directories`, runs a program from there, or was
/// given one of them as an argument or in its environment.
pub(crate) fn names_one_of(pid: u32, directories: &[&Utf8Path]) -> bool {
    let links =
        ["cwd", "exe"].into_iter().filter_map(|link| fs::read_link(format!("/proc/{pid}/{link}")).ok());
    if links.into_iter().any(|path| directories.iter().any(|directory| path.starts_with(directory))) {
        return true;
    }
    let words =
        ["cmdline", "environ"].into_iter().filter_map(|file| fs::read(format!("/proc/{pid}/{file}")).ok());
    words.into_iter().any(|text| directories.iter().any(|directory| mentions(&text, directory)))
}

/// Returns what lies below `directory` that the process with the number `pid` runs: its program, or its first argument
/// that does.
pub(crate) fn runs_below(pid: u32, directory: &Utf8Path) -> Option<Utf8PathBuf> {
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok();
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let arguments =
        arguments.split(|&byte| byte == 0).map(|word| Path::new(std::ffi::OsStr::from_bytes(word)));
    let paths = program.into_iter().chain(arguments.map(Path::to_owned));
    paths.filter_map(|path| Utf8PathBuf::from_path_buf(path).ok()).find(|path| path.starts_with(directory))
}

/// Finds `directory` in a list of words, where its name ends: `/run/1` is not in `/run/10`.
fn mentions(text: &[u8], directory: &Utf8Path) -> bool {
    let name = directory.as_str().as_bytes();
    let ends = |at: usize| {
        text.get(at + name.len()).is_none_or(|next| !next.is_ascii_alphanumeric() && *next != b'.')
    };
    !name.is_empty() && text.windows(name.len()).enumerate().any(|(at, found)| found == name && ends(at))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::{Child, Command, Stdio};

    use super::*;

    #[test]
    fn a_process_began_between_the_boot_and_now() {
        let us = ProcessIdentity::of(std::process::id()).unwrap().unwrap();
        let began = us.began().unwrap().unwrap();
        let age = Timestamp::now().duration_since(began);
        assert!(age.as_secs() >= -2 && age.as_secs() < 3600, "{age:?}");
    }

    #[test]
    fn a_directory_is_named_by_its_whole_name() {
        let directory = Utf8Path::new("/p/runtime/1.web.prod.osl");
        assert!(mentions(b"--runtime-dir=/p/runtime/1.web.prod.osl\0x", directory));
        assert!(mentions(b"A=/p/runtime/1.web.prod.osl/data", directory));
        assert!(!mentions(b"/p/runtime/1.web.prod.oslo", directory));
        assert!(!mentions(b"/p/runtime/1.web.prod", directory));
    }

    fn shell() -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo; read end"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        shell
    }

    /// Starts a program, and returns when it runs: what it was given can be seen a moment after its process.
    fn running(command: &mut Command) -> Child {
        let mut child = command.spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        child
    }

    #[test]
    fn a_process_names_the_directory_that_it_works_in_and_those_that_it_was_given() {
        let directory = tempfile::tempdir().unwrap();
        let here = Utf8Path::from_path(directory.path()).unwrap();
        let mut inside = running(shell().current_dir(here));
        let mut told = running(shell().env("WHERE", here.join("data")).current_dir("/"));
        let (seen_inside, seen_told) = (names_one_of(inside.id(), &[here]), names_one_of(told.id(), &[here]));
        let other = names_one_of(inside.id(), &[Utf8Path::new("/nowhere")]);
        for child in [&mut inside, &mut told] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(seen_inside && seen_told && !other);
    }
}
