//! What is asked for: which bytes of a file, and how, so that a server that dislikes one way is asked in the next.

use data_encoding::HEXLOWER;

/// How bytes are asked for, the best way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manner {
    /// From a byte to another: `bytes=5-9`.
    Bounded,
    /// From a byte on: `bytes=5-`. Some servers refuse an end that is beyond that of the file.
    Open,
    /// All of the file, of which the beginning is skipped. Every server can do that.
    Whole,
}

impl Manner {
    /// Returns the next way to ask, if there is one.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Bounded => Some(Self::Open),
            Self::Open => Some(Self::Whole),
            Self::Whole => None,
        }
    }
}

/// Which bytes of a file are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The first byte.
    pub from: u64,
    /// The byte after the last; nothing means the end of the file.
    pub to: Option<u64>,
    /// The length of the file, where an earlier answer said it.
    pub length: Option<u64>,
    /// How they are asked for.
    pub manner: Manner,
    /// Whether the file is only asked for if it is another one than is held already.
    pub unless_held: bool,
}

impl Asked {
    /// Returns the value of `Range`; nothing where the whole file is asked for.
    pub fn range(&self) -> Option<String> {
        let from = self.from;
        match self.end() {
            _ if self.manner == Manner::Whole || self.unless_held => None,
            None if from == 0 => None,
            Some(end) if self.manner == Manner::Bounded => Some(format!("bytes={from}-{}", end - 1)),
            _ => Some(format!("bytes={from}-")),
        }
    }

    /// Returns where to end, if that is before the end of the file as far as it is known.
    fn end(&self) -> Option<u64> {
        let is_short = |end: &u64| *end > self.from && self.length.is_none_or(|length| *end < length);
        self.to.filter(|end| *end < u64::MAX).filter(is_short)
    }

    /// Returns the next way to ask that makes another request than this one.
    pub(super) fn another_manner(&self) -> Option<Manner> {
        let mut asked = *self;
        while let Some(manner) = asked.manner.next() {
            asked.manner = manner;
            if asked.range() != self.range() {
                return Some(manner);
            }
        }
        None
    }
}

/// Tells whether the last part of a path begins with a SHA-256, as that of a target does: then whatever is there can only be the one
/// file, whatever a server's validators say.
pub fn names_its_digest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let digest = name.split_once('.').map(|(digest, _)| digest);
    digest.is_some_and(|digest| digest.len() == 64 && HEXLOWER.decode(digest.as_bytes()).is_ok())
}

/// Tells whether a file below `metadata/` or `tlog/` moves: what is there may be another file tomorrow, or may be there at all. It is
/// asked for with `Cache-Control: no-cache`, so that no cache on the way answers of its own accord. Everything else keeps its name.
pub fn revalidates(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name == "timestamp.json" || name == "checkpoint" || name.ends_with(".root.json")
}

/// Returns what tells a version of a file from another byte by byte: a strong `ETag`, else `Last-Modified`. A weak one says nothing
/// about bytes (RFC 9110, 8.8.1).
pub fn strong_validator<V: AsRef<[u8]>>(etag: Option<V>, last_modified: Option<V>) -> Option<V> {
    etag.filter(|etag| !etag.as_ref().starts_with(b"W/")).or(last_modified)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked =
        Asked { from: 5, to: Some(9), length: Some(20), manner: Manner::Bounded, unless_held: false };

    #[test]
    fn an_end_is_named_only_where_it_is_before_that_of_the_file() {
        let range = |asked: Asked| asked.range().unwrap_or_default();
        assert_eq!(range(ASKED), "bytes=5-8");
        assert_eq!(range(Asked { length: None, ..ASKED }), "bytes=5-8");
        assert_eq!(range(Asked { to: Some(20), ..ASKED }), "bytes=5-");
        assert_eq!(range(Asked { to: Some(u64::MAX), length: None, ..ASKED }), "bytes=5-");
        assert_eq!(range(Asked { to: None, ..ASKED }), "bytes=5-");
        assert_eq!(range(Asked { to: Some(5), ..ASKED }), "bytes=5-");
        assert_eq!(range(Asked { from: 0, to: None, ..ASKED }), "");
        assert_eq!(range(Asked { from: 0, ..ASKED }), "bytes=0-8");
        assert_eq!(range(Asked { manner: Manner::Open, ..ASKED }), "bytes=5-");
        assert_eq!(range(Asked { manner: Manner::Whole, ..ASKED }), "");
        assert_eq!(range(Asked { unless_held: true, ..ASKED }), "");
    }

    #[test]
    fn the_next_way_to_ask_makes_another_request() {
        assert_eq!(ASKED.another_manner(), Some(Manner::Open));
        assert_eq!(Asked { to: None, ..ASKED }.another_manner(), Some(Manner::Whole));
        assert_eq!(Asked { manner: Manner::Whole, ..ASKED }.another_manner(), None);
        assert_eq!(Asked { from: 0, to: None, ..ASKED }.another_manner(), None);
    }

    #[test]
    fn the_address_of_a_target_holds_its_digest() {
        let digest = "ab".repeat(32);
        assert!(names_its_digest(&format!("/targets/95/com.example/web/1/{digest}.web-1-any.copkg")));
        for path in ["/targets/web-1-any.copkg", &digest, &format!("/{digest}.d/web"), "/", ""] {
            assert!(!names_its_digest(path), "{path}");
        }
    }

    #[test]
    fn what_moves_is_asked_for_anew() {
        for path in ["metadata/timestamp.json", "metadata/2.root.json", "tlog/checkpoint"] {
            assert!(revalidates(path), "{path}");
        }
        for path in
            ["metadata/2.snapshot.json", "metadata/1.com.example.json", "tlog/tile/0/000", "targets/a"]
        {
            assert!(!revalidates(path), "{path}");
        }
    }

    #[test]
    fn a_weak_tag_says_nothing_about_bytes() {
        assert_eq!(strong_validator(Some("\"a\""), Some("date")), Some("\"a\""));
        assert_eq!(strong_validator(Some("W/\"a\""), Some("date")), Some("date"));
        assert_eq!(strong_validator(Some("W/\"a\""), None), None);
    }
}
