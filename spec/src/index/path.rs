//! Paths of entries and targets of symbolic links, each of which has passed the archive policy.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::coordinate::serde_as_text;
use crate::policy::{self, Refused, Rule};

/// A relative path inside a package or a runtime directory that the archive policy accepts.
///
/// Ordered component by component, so that a directory comes right before what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntryPath(Box<str>);

impl EntryPath {
    /// Parses a path as it comes from an archive or a file system.
    ///
    /// # Errors
    /// Names the rule that the path breaks.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refused> {
        let text = policy::check_path_text(bytes).map_err(|rule| Refused::new(bytes, rule))?;
        Ok(Self(text.into()))
    }

    /// Returns the path with `/` between its components.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the components from left to right.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// Returns the directory that holds the entry, `None` at the top of the package.
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }

    /// Returns the last component.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// Compares with a text as if it were a path.
    ///
    /// Byte by byte, with `/` before every other: no component is empty, and none has a byte as low. A package is sorted and
    /// searched by this, so it must not look for components.
    pub(crate) fn cmp_text(&self, other: &str) -> Ordering {
        let (a, b) = (self.0.as_bytes(), other.as_bytes());
        let at = shared(a, b);
        let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        match (a.get(at), b.get(at)) {
            (Some(a), Some(b)) => rank(a).cmp(&rank(b)),
            _ => a.len().cmp(&b.len()),
        }
    }
}

/// Returns how many bytes two texts begin with alike: neighbours in a tree share most of their path, so eight at a time.
fn shared(a: &[u8], b: &[u8]) -> usize {
    let (eights, _) = a.as_chunks::<8>();
    let same = eights.iter().zip(b.as_chunks::<8>().0).take_while(|(a, b)| a == b).count() * 8;
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

impl Ord for EntryPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_text(&other.0)
    }
}

impl PartialOrd for EntryPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for EntryPath {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        Self::from_bytes(text.as_bytes())
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

serde_as_text!(EntryPath);

/// The target of a symbolic link: relative, and of characters that a path may have.
///
/// Whether it stays inside the package is decided with all entries at hand.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LinkTarget(Box<str>);

impl LinkTarget {
    /// Parses a target as it comes from an archive or a file system.
    ///
    /// # Errors
    /// Names the rule that the target breaks.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Rule> {
        if bytes.first() == Some(&b'/') {
            return Err(Rule::LinkAbsolute);
        }
        let nested = |rule| Rule::LinkTarget(Box::new(rule));
        let text = policy::check_characters(bytes).map_err(nested)?;
        policy::check_components(text, |_| Ok(())).map_err(nested)?;
        Ok(Self(text.into()))
    }

    /// Returns the target with `/` between its components.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkTarget {
    type Err = Rule;

    fn from_str(text: &str) -> Result<Self, Rule> {
        Self::from_bytes(text.as_bytes())
    }
}

impl fmt::Display for LinkTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

serde_as_text!(LinkTarget);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn paths_are_ordered_by_their_components(a in "([ab!-]{1,9}/){0,3}[ab!-]{1,9}", b in "([ab!-]{1,9}/){0,3}[ab!-]{1,9}") {
            let (a, b): (EntryPath, EntryPath) = (a.parse().unwrap(), b.parse().unwrap());
            prop_assert_eq!(a.cmp(&b), a.components().cmp(b.components()));
            // What begins alike over many bytes.
            let long = |path: &EntryPath| EntryPath(format!("a/long/way/down/to/{path}").into());
            prop_assert_eq!(long(&a).cmp(&long(&b)), a.cmp(&b));
        }
    }
}
