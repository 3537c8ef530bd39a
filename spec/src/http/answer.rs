//! What an answer means for what was asked.

use std::time::Duration;

use super::pause::retry_after;
use super::request::{Asked, Manner};

/// What to do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Read its body, after so many bytes of it.
    Body {
        /// How many bytes come before the first that was asked for.
        skip: u64,
        /// The length of the whole file, where it is said.
        length: Option<u64>,
        /// Whether the body is a part of the file.
        is_part: bool,
    },
    /// Use what is held already: it is the newest.
    Unchanged,
    /// Ask again at once, in this way.
    Again(Manner),
    /// Ask again after a while, which the server may name.
    Later(Option<Duration>),
    /// Give up.
    Refused(Refusal),
}

/// Why an answer ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such file.
    NotFound,
    /// The server asks for credentials, or for other ones.
    Unauthorized,
    /// A proxy on the way asks for credentials, or for other ones.
    ProxyUnauthorized,
    /// The file is shorter than an earlier answer said, or than it must be.
    Shorter,
    /// No way to ask is answered with the file.
    Other,
}

impl Asked {
    /// Judges the head of an answer: its status, `Content-Range`, `Content-Length` and `Retry-After`.
    ///
    /// Servers that know no ranges, or not these, answer with the whole file, with an error, or with "not modified" to a condition
    /// that was not set: then the next way to ask is taken, and the last is a request that every server understands.
    pub fn judge(
        &self,
        status: u16,
        content_range: Option<&str>,
        content_length: Option<u64>,
        retry: Option<&str>,
    ) -> Answer {
        match status {
            200 => self.whole(content_length),
            206 => self.part(content_range),
            304 if self.unless_held => Answer::Unchanged,
            404 | 410 => Answer::Refused(Refusal::NotFound),
            401 | 403 => Answer::Refused(Refusal::Unauthorized),
            407 => Answer::Refused(Refusal::ProxyUnauthorized),
            _ if is_for_now(status) => Answer::Later(retry.and_then(retry_after)),
            // Whoever does not understand what was asked for may understand less.
            _ => self.otherwise(Refusal::Other),
        }
    }

    fn whole(&self, length: Option<u64>) -> Answer {
        let must_have = self.from.max(self.length.unwrap_or(0));
        if length.is_some_and(|length| length < must_have) {
            return Answer::Refused(Refusal::Shorter);
        }
        Answer::Body { skip: self.from, length, is_part: false }
    }

    fn part(&self, content_range: Option<&str>) -> Answer {
        let Some((first, length)) = content_range.and_then(parse_content_range) else {
            return self.otherwise(Refusal::Other);
        };
        if length.zip(self.length).is_some_and(|(found, known)| found < known) {
            return Answer::Refused(Refusal::Shorter);
        }
        match self.from.checked_sub(first) {
            Some(skip) => Answer::Body { skip, length, is_part: true },
            None => self.otherwise(Refusal::Other),
        }
    }

    fn otherwise(&self, refusal: Refusal) -> Answer {
        self.another_manner().map_or(Answer::Refused(refusal), Answer::Again)
    }
}

/// Reads `bytes <first>-<last>/<length>`: the first byte, and the length of the whole file where it is said.
pub fn parse_content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, length) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _last) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, length.trim().parse().ok()))
}

/// Tells whether a server may say something else than this status soon.
pub fn is_for_now(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Asked =
        Asked { from: 5, to: Some(9), length: None, manner: Manner::Bounded, unless_held: false };
    const WHOLE: Asked = Asked { from: 0, to: None, ..PART };

    fn judge(asked: Asked, status: u16) -> Answer {
        asked.judge(status, None, None, None)
    }

    #[test]
    fn a_content_range_says_where_it_begins_and_how_long_the_file_is() {
        assert_eq!(parse_content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parse_content_range("bytes 5-9/*"), Some((5, None)));
        assert_eq!(parse_content_range("bytes */10"), None);
        assert_eq!(parse_content_range("pages 1-2/3"), None);
    }

    #[test]
    fn a_server_that_refuses_a_range_is_asked_for_less_and_at_last_for_the_file() {
        for status in [304, 400, 405, 412, 416, 501] {
            let mut asked = PART;
            let mut ways = vec![asked.manner];
            while let Answer::Again(manner) = judge(asked, status) {
                asked.manner = manner;
                ways.push(manner);
            }
            assert_eq!(ways, [Manner::Bounded, Manner::Open, Manner::Whole], "{status}");
            assert_eq!(judge(asked, status), Answer::Refused(Refusal::Other), "{status}");
        }
    }

    #[test]
    fn a_part_is_taken_wherever_it_begins_before_what_was_asked_for() {
        let part = |range| PART.judge(206, Some(range), None, None);
        assert_eq!(part("bytes 5-8/20"), Answer::Body { skip: 0, length: Some(20), is_part: true });
        assert_eq!(part("bytes 0-19/20"), Answer::Body { skip: 5, length: Some(20), is_part: true });
        assert_eq!(part("bytes 6-8/20"), Answer::Again(Manner::Open));
        assert_eq!(judge(PART, 206), Answer::Again(Manner::Open), "a part without a place");
    }

    #[test]
    fn the_whole_file_is_an_answer_to_a_part_of_it() {
        let whole = |length| PART.judge(200, None, length, None);
        assert_eq!(whole(Some(20)), Answer::Body { skip: 5, length: Some(20), is_part: false });
        assert_eq!(whole(None), Answer::Body { skip: 5, length: None, is_part: false });
        assert_eq!(whole(Some(4)), Answer::Refused(Refusal::Shorter));
    }

    #[test]
    fn a_file_that_became_shorter_is_another_one() {
        let asked = Asked { length: Some(20), ..PART };
        assert_eq!(asked.judge(206, Some("bytes 5-8/19"), None, None), Answer::Refused(Refusal::Shorter));
        assert_eq!(asked.judge(200, None, Some(19), None), Answer::Refused(Refusal::Shorter));
    }

    #[test]
    fn what_no_retry_changes_is_told_from_what_may_pass() {
        for (status, refusal) in [
            (404, Refusal::NotFound),
            (410, Refusal::NotFound),
            (401, Refusal::Unauthorized),
            (403, Refusal::Unauthorized),
            (407, Refusal::ProxyUnauthorized),
            (400, Refusal::Other),
            (304, Refusal::Other),
            (204, Refusal::Other),
        ] {
            assert_eq!(judge(WHOLE, status), Answer::Refused(refusal), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(judge(WHOLE, status), Answer::Later(None), "{status}");
        }
        assert_eq!(WHOLE.judge(503, None, None, Some("7")), Answer::Later(Some(Duration::from_secs(7))));
        let held = Asked { unless_held: true, ..WHOLE };
        assert_eq!(judge(held, 304), Answer::Unchanged);
    }
}
