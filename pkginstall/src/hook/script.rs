//! How a script is run: by itself where the kernel can, else through the interpreter that its first line names.
//!
//! Old packages have `start.py` without the executable bit; they work unchanged.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use camino::Utf8Path;

/// The kernel reads no more of the first line either.
const FIRST_LINE: u64 = 256;

/// Returns the command that runs `script`, without arguments.
pub(crate) fn command(script: &Utf8Path) -> io::Result<Command> {
    let mut start = Vec::new();
    let file = File::open(script)?;
    let executable = file.metadata()?.permissions().mode() & 0o111 != 0;
    file.take(FIRST_LINE).read_to_end(&mut start)?;
    let interpreter = if start.starts_with(b"\x7fELF") { None } else { Some(interpreter(script, &start)) };
    let Some((program, argument)) = interpreter else { return Ok(Command::new(script)) };
    if Path::new(&program).is_absolute() && !Path::new(&program).exists() {
        let text = format!("its interpreter {} is not there", program.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    if executable && start.starts_with(b"#!") {
        return Ok(Command::new(script));
    }
    let mut command = Command::new(program);
    command.args(argument).arg(script);
    Ok(command)
}

/// Returns the words that run `script`; the script alone where it cannot be read.
pub(crate) fn words(script: &Utf8Path) -> Vec<String> {
    let Ok(command) = command(script) else { return vec![script.to_string()] };
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

/// The program and its one argument, as the kernel reads a first line; by the extension where there is none.
fn interpreter(script: &Utf8Path, start: &[u8]) -> (OsString, Option<OsString>) {
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    if let Some(line) = line.strip_prefix("#!").map(str::trim).filter(|line| !line.is_empty()) {
        let (program, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let argument = argument.trim();
        return (program.into(), (!argument.is_empty()).then(|| argument.into()));
    }
    match script.extension() {
        Some("py") => ("python3".into(), None),
        Some("pl") => ("perl".into(), None),
        Some("rb") => ("ruby".into(), None),
        _ => ("/bin/sh".into(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, text: &str, mode: u32) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let command = command(&path).unwrap();
        let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
        let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
        words.join(" ").replace(path.as_str(), name)
    }

    #[test]
    fn the_kernel_runs_what_it_can() {
        assert_eq!(shown("start", "#!/bin/sh\n", 0o755), "start");
        assert_eq!(shown("start", "\x7fELF\x02", 0o755), "start");
    }

    #[test]
    fn the_first_line_counts_without_the_executable_bit() {
        assert_eq!(shown("start.py", "#!/usr/bin/env python3\nx", 0o644), "/usr/bin/env python3 start.py");
        assert_eq!(shown("start", "#! /bin/sh -e -u \n", 0o644), "/bin/sh -e -u start");
    }

    #[test]
    fn the_extension_counts_without_a_first_line() {
        assert_eq!(shown("start.py", "import os\n", 0o755), "python3 start.py");
        assert_eq!(shown("start", "exit 0\n", 0o755), "/bin/sh start");
        assert_eq!(shown("start.sh", "", 0o644), "/bin/sh start.sh");
    }
}
