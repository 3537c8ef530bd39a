//! The clocks: what they say when metadata has expired, so that a person knows which of them is wrong.

use copkg_spec::tuf::Time;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Clocks that differ by less are taken to agree, in seconds.
const AGREEMENT: i64 = 300;

/// What this host's clock says, and what the server's does. The server's is not believed; it only helps to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// This host's, when the refresh began.
    pub ours: Time,
    /// The server's, where it said.
    pub server: Option<Time>,
}

impl Clocks {
    /// Says whose fault it is that metadata which ended at `ended` came.
    pub(super) fn explain(&self, ended: Time) -> String {
        let both = match self.server {
            Some(server) => format!(
                "your clock says {}, the server's clock says {server}, the metadata ended {ended}",
                self.ours
            ),
            None => format!("your clock says {}, the metadata ended {ended}", self.ours),
        };
        format!("{both}: {}", self.advice(ended))
    }

    fn advice(&self, ended: Time) -> &'static str {
        let Some(server) = self.server else {
            return "if your clock is right, run it online, or ask the repository's owner to sign again";
        };
        let apart = self.ours.unix_seconds().abs_diff(server.unix_seconds());
        if apart <= AGREEMENT.unsigned_abs() {
            "the repository is no longer signed, or somebody holds back its news; ask its owner, or use another mirror"
        } else if server < ended {
            "set this host's clock, which is probably wrong"
        } else {
            "the clocks disagree; set the wrong one, then ask the repository's owner to sign again"
        }
    }
}

/// Reads a `Date` of HTTP.
pub(super) fn parse(date: &str) -> Option<Time> {
    let zoned = DateTimeParser::new().parse_timestamp(date).ok()?;
    Time::from_unix_seconds(zoned.as_second())
}

/// Takes the moment of this host's clock.
pub(super) fn time(now: Timestamp) -> Option<Time> {
    Time::from_unix_seconds(now.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_wrong_is_named() {
        let at = |text: &str| text.parse::<Time>().unwrap();
        let clocks = |ours, server: Option<&str>| Clocks { ours: at(ours), server: server.and_then(parse) };
        let said = [
            clocks("2030-01-01T00:00:00Z", Some("Wed, 02 May 2029 12:00:00 GMT")),
            clocks("2030-01-01T00:00:00Z", Some("Tue, 01 Jan 2030 00:01:00 GMT")),
            clocks("2030-01-01T00:00:00Z", Some("Wed, 01 Jan 2031 00:01:00 GMT")),
            clocks("2030-01-01T00:00:00Z", None),
        ]
        .map(|clocks| clocks.explain(at("2029-05-03T00:00:00Z")));
        insta::assert_snapshot!(said.join("\n"));
    }
}
