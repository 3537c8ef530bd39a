//! Byte ranges: RFC 9110, section 14. One range is answered with a part; several, or one that is not understood,
//! with the whole, as the RFC allows.

use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::RANGE;

/// Which bytes a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of them.
    Whole,
    /// This part, which lies inside the file and is not empty.
    Part(Range<u64>),
    /// 416: a part that the file does not have.
    Unsatisfiable,
}

/// Reads the `Range` header for a file of `size` bytes.
pub(super) fn wanted(headers: &HeaderMap, size: u64) -> Wanted {
    let mut values = headers.get_all(RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Wanted::Whole };
    value.to_str().ok().and_then(single_range).map_or(Wanted::Whole, |asked| place(&asked, size))
}

enum Asked {
    /// From a first position to a last one, both counted in.
    Between(u64, u64),
    /// As many bytes from the end.
    Suffix(u64),
}

fn single_range(value: &str) -> Option<Asked> {
    let (unit, list) = value.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut ranges = list.split(',').map(|r| r.trim_matches([' ', '\t'])).filter(|r| !r.is_empty());
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return None };
    match range.split_once('-')? {
        ("", suffix) => Some(Asked::Suffix(number(suffix)?)),
        (first, "") => Some(Asked::Between(number(first)?, u64::MAX)),
        (first, end) => {
            let (first, end) = (number(first)?, number(end)?);
            (first <= end).then_some(Asked::Between(first, end))
        }
    }
}

/// Reads digits. What is too large for a number lies beyond any file.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn place(asked: &Asked, size: u64) -> Wanted {
    let part = match *asked {
        Asked::Between(first, last) => first..last.saturating_add(1).min(size),
        Asked::Suffix(length) => size.saturating_sub(length)..size,
    };
    if part.is_empty() { Wanted::Unsatisfiable } else { Wanted::Part(part) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn of(value: &'static str, size: u64) -> Wanted {
        wanted(&HeaderMap::from_iter([(RANGE, HeaderValue::from_static(value))]), size)
    }

    #[test]
    fn one_range_is_a_part_of_the_file() {
        let cases = [
            ("bytes=0-0", 0..1),
            ("bytes=0-9", 0..10),
            ("bytes=90-99", 90..100),
            ("bytes=90-", 90..100),
            ("bytes=-10", 90..100),
            ("bytes=-1000", 0..100),
            ("bytes=90-1000", 90..100),
            ("bytes=0-99999999999999999999999", 0..100),
            ("bytes=-99999999999999999999999", 0..100),
            ("bytes=, 1-2 ,", 1..3),
            ("Bytes=1-2", 1..3),
        ];
        for (value, part) in cases {
            assert_eq!(of(value, 100), Wanted::Part(part), "{value}");
        }
    }

    #[test]
    fn a_range_beyond_the_end_is_unsatisfiable() {
        for value in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of(value, 100), Wanted::Unsatisfiable, "{value}");
        }
        assert_eq!(of("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(of("bytes=-5", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn several_ranges_and_what_is_not_understood_get_the_whole() {
        for value in [
            "bytes=0-1,3-4",
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes 0-1",
            "lines=0-1",
            "0-1",
        ] {
            assert_eq!(of(value, 100), Wanted::Whole, "{value}");
        }
        let twice =
            HeaderMap::from_iter(["bytes=0-1", "bytes=2-3"].map(|v| (RANGE, HeaderValue::from_static(v))));
        assert_eq!(wanted(&twice, 100), Wanted::Whole);
    }
}
