//! `/proc/PID/stat`: one line of fields, of which the second is a name in parentheses that may hold anything.

use std::fs;
use std::io;

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// One letter: `R`, `S`, `Z` …
    pub(super) state: char,
    pub(super) parent: u32,
    pub(super) session: u32,
    /// In ticks since boot.
    pub(super) start_time: u64,
}

impl Stat {
    /// Reads the fields of `pid`; `None` when there is no such process, as far as `/proc` shows.
    pub(super) fn read(pid: u32) -> io::Result<Option<Self>> {
        match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // The process ended between the opening and the reading.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Ok(None),
            // A name need not be UTF-8.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Self::read_bytes(pid),
            Err(error) => Err(error),
        }
    }

    fn read_bytes(pid: u32) -> io::Result<Option<Self>> {
        let bytes = fs::read(format!("/proc/{pid}/stat"))?;
        Ok(Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    /// Fields are counted after the last `)`: the name may hold parentheses, spaces and line ends.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        // proc(5) counts from 1, and the state is its field 3.
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Self {
            state: field(3)?.chars().next()?,
            parent: field(4)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            start_time: field(22)?.parse().ok()?,
        })
    }

    /// Tells whether the process has ended and only waits to be collected.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    const FIELDS: &str = "S 7 8 9 0 -1 4194304 95 0 0 0 0 0 0 0 20 0 1 0 4242 2621440 150";

    #[test]
    fn the_name_may_hold_parentheses_spaces_and_line_ends() {
        for name in ["sleep", "a b", ") Z 1 1 (", "x\n) R 9", ""] {
            let stat = Stat::parse(&format!("12 ({name}) {FIELDS}")).unwrap();
            assert_eq!(stat, Stat { state: 'S', parent: 7, session: 9, start_time: 4242 }, "{name:?}");
        }
    }

    #[test]
    fn a_line_that_is_cut_short_says_nothing() {
        assert_eq!(Stat::parse("12 (sleep) S 7 8"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn we_are_our_own_child_of_nobody() {
        let stat = Stat::read(std::process::id()).unwrap().unwrap();
        assert!(!stat.has_ended());
        assert!(stat.start_time > 0);
    }
}
