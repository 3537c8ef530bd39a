//! The first line of a script, `#!`: `script-interpreter`, `script-line-ends`.
//!
//! The kernel takes the interpreter by its whole path. Those of the host are where every Linux has them; anything else was there
//! on the machine that made the script, such as the `python` of a virtual environment in each of its console scripts.

use copkg_spec::index::EntryPath;

use super::{Finding, Rule};

/// How much of a file the kernel reads for it.
pub(super) const LINE_BYTES: usize = 256;

const OF_THE_HOST: [&str; 5] = ["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/bin/"];

/// Returns what is wrong with the first line of the script that begins with `head`.
pub(super) fn check(path: &EntryPath, head: &[u8]) -> Option<Finding> {
    let line = head.strip_prefix(b"#!")?;
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = &line[..line.len().min(LINE_BYTES)];
    if line.contains(&b'\r') {
        let message = "its first line ends in a carriage return, which the kernel takes for a part of the interpreter's name: \
                       save it with Unix line ends (`sed -i 's/\\r$//'`)";
        return Some(Finding::at(path, Rule::ScriptLineEnds, message));
    }
    let line = String::from_utf8_lossy(line);
    let interpreter = line.split_whitespace().next()?;
    if OF_THE_HOST.iter().any(|directory| interpreter.starts_with(directory)) {
        return None;
    }
    let message = format!(
        "its interpreter {interpreter} is neither in the package nor where a host has its own: let [service] exec name both \
         (`exec = \"python3 $SOFTWARE_DIR/{path}\"`), or write `#!/usr/bin/env {}`",
        interpreter.rsplit('/').next().unwrap_or(interpreter)
    );
    Some(Finding::at(path, Rule::ScriptInterpreter, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_of_the_host_passes_and_any_other_is_found() {
        let path: EntryPath = "bin/tool".parse().unwrap();
        let rule = |head: &[u8]| check(&path, head).map(|finding| finding.rule);
        for head in [
            &b"#!/bin/sh\n"[..],
            b"#! /usr/bin/env -S python3 -u\n",
            b"#!/usr/bin/perl",
            b"text",
            b"#!\n",
            b"",
        ] {
            assert_eq!(rule(head), None, "{}", String::from_utf8_lossy(head));
        }
        for head in
            [&b"#!/home/me/venv/bin/python3.11\n"[..], b"#!venv/bin/python\n", b"#!/opt/tool/bin/ruby -w\n"]
        {
            assert_eq!(rule(head), Some(Rule::ScriptInterpreter), "{}", String::from_utf8_lossy(head));
        }
        assert_eq!(rule(b"#!/bin/sh\r\necho\r\n"), Some(Rule::ScriptLineEnds));
        assert_eq!(rule(b"#!/bin/sh\necho\r\n"), None);
    }
}
