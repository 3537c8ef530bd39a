//! Exit codes, the same for every command.

use std::process::ExitCode;

/// How a command ended. `docs/commands.md` lists the codes for users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, or nothing to do.
    Ok,
    /// 1: it failed for a reason that no other code names.
    Failure,
    /// 2: the command was not understood; nothing was tried.
    Usage,
    /// 3: `status`: the service is stopped (as LSB).
    Stopped,
    /// 4: `status`: the state of the service is unknown (as LSB).
    Unknown,
    /// 5: what was asked for is not there.
    NotFound,
    /// 6: a signature, a key, a digest or the archive policy refused it.
    Trust,
    /// 7: something else is in its place.
    Conflict,
    /// 8: it may work when tried again: network, server, timeout.
    TryAgain,
    /// 9: another command holds the lock.
    Locked,
    /// 130: INT, TERM or HUP ended it, in order.
    Interrupted,
}

impl Exit {
    /// Every exit code.
    pub const ALL: [Self; 11] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::Stopped,
        Self::Unknown,
        Self::NotFound,
        Self::Trust,
        Self::Conflict,
        Self::TryAgain,
        Self::Locked,
        Self::Interrupted,
    ];

    /// Returns what it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done, or nothing to do",
            Self::Failure => "it failed for a reason that no other exit code names",
            Self::Usage => "the command was not understood; nothing was tried",
            Self::Stopped => "the service is stopped",
            Self::Unknown => "the state of the service is unknown",
            Self::NotFound => "what was requested does not exist",
            Self::Trust => "a signature, a key, a digest or the archive policy refused it",
            Self::Conflict => "something else is in its place",
            Self::TryAgain => "it may work when tried again: network, server, timeout",
            Self::Locked => "another command holds the lock",
            Self::Interrupted => "INT, TERM or HUP ended it, in order",
        }
    }

    /// Returns the number that the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Stopped => 3,
            Self::Unknown => 4,
            Self::NotFound => 5,
            Self::Trust => 6,
            Self::Conflict => 7,
            Self::TryAgain => 8,
            Self::Locked => 9,
            Self::Interrupted => 130,
        }
    }

    /// Returns the exit with this number: what another of our programs ended with. Any other number is a failure.
    pub fn of_code(code: u8) -> Self {
        let all = [
            Self::Ok,
            Self::Usage,
            Self::Stopped,
            Self::Unknown,
            Self::NotFound,
            Self::Trust,
            Self::Conflict,
            Self::TryAgain,
            Self::Locked,
            Self::Interrupted,
        ];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Failure)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_read_from_its_number_and_any_other_number_is_a_failure() {
        for code in [0, 2, 3, 4, 5, 6, 7, 8, 9, 130] {
            assert_eq!(Exit::of_code(code).code(), code);
        }
        assert_eq!([1, 42].map(Exit::of_code), [Exit::Failure; 2]);
    }
}
