//! Entity tags: what a store knows about the bytes of a file without reading them.

use std::fmt;

use copkg_spec::digest::Digest;

/// A strong entity tag with its quotes, e.g. `"2f-18a"`.
///
/// It is the tag of the store. A directory makes it from inode, time of the last change and size: any write, rename
/// over it or restored time stamp gives another one, and no byte is read for it. An object store makes its own from
/// the content. A digest of the content would cost a read of the whole file, or trust in a head that may not
/// match its body; where it is known anyway, from signed metadata, it is the tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag(String);

impl EntityTag {
    /// Takes the tag of a store, with quotes or without; `None` when it is weak or cannot stand in a header.
    pub fn of_store(text: &str) -> Option<Self> {
        let opaque = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        let fits = |b: u8| b == b'!' || (b'#'..=b'~').contains(&b);
        (!text.starts_with("W/") && opaque.bytes().all(fits)).then(|| Self(format!("\"{opaque}\"")))
    }

    /// Makes the tag of a file whose digest is known.
    pub fn of_digest(digest: &Digest) -> Self {
        Self(format!("\"{digest}\""))
    }

    /// Returns the tag with its quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_quotes_whether_the_store_wrote_them_or_not() {
        assert_eq!(EntityTag::of_store("\"a-1\"").unwrap().as_str(), "\"a-1\"");
        assert_eq!(EntityTag::of_store("a-1").unwrap().as_str(), "\"a-1\"");
    }

    #[test]
    fn a_weak_tag_and_one_that_breaks_the_header_are_none() {
        for text in ["W/\"a\"", "a\"b", "a b", "a\r\nb"] {
            assert_eq!(EntityTag::of_store(text), None, "{text:?}");
        }
    }
}
