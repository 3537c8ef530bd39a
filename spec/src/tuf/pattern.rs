//! Patterns of target paths: which paths a delegation speaks for.

use crate::coordinate::{CoordinateError, text_type};

use super::limits::PATTERN_BYTES;

/// A pattern of target paths: `*` stands for any characters but `/`, `?` for one that is not `/`.
///
/// TUF 4.5: "A path separator in a path SHOULD NOT be matched by a wildcard in the PATHPATTERN." Everything else stands
/// for itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern(String);
text_type!(PathPattern);

impl PathPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        if text.is_empty() || text.len() > PATTERN_BYTES {
            let why = format!("it has 1 to {PATTERN_BYTES} bytes");
            return Err(CoordinateError::new("path pattern", text, why));
        }
        Ok(Self(text.to_owned()))
    }

    /// Tells whether the pattern speaks for `path`.
    pub fn matches(&self, path: &str) -> bool {
        let mut patterns = self.0.split('/');
        let mut components = path.split('/');
        loop {
            match (patterns.next(), components.next()) {
                (None, None) => return true,
                (Some(pattern), Some(component)) if matches_component(pattern, component) => {}
                _ => return false,
            }
        }
    }
}

/// Matches without a separator in either.
///
/// One mark is enough: when a later `*` is reached, what the earlier one took never needs to change. So there is no
/// recursion, and a hostile pattern costs at most the product of the lengths, which are limited.
fn matches_component(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut mark = None;
    loop {
        match (pattern.next(), text.clone().next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                mark = Some((pattern.clone(), text.clone()));
                continue;
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                text.next();
                continue;
            }
            _ => {}
        }
        // No further this way: the last `*` takes one character more.
        let Some((after, taken)) = &mut mark else { return false };
        if taken.next().is_none() {
            return false;
        }
        (pattern, text) = (after.clone(), taken.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        PathPattern::parse(pattern).expect("it is a pattern").matches(path)
    }

    #[test]
    fn the_examples_of_the_specification_hold() {
        assert!(matches("targets/*.tgz", "targets/foo.tgz"));
        assert!(!matches("targets/*.tgz", "targets/foo.txt"));
        assert!(matches("foo-version-?.tgz", "foo-version-a.tgz"));
        assert!(!matches("foo-version-?.tgz", "foo-version-alpha.tgz"));
        assert!(matches("*.tgz", "bar.tgz"));
        assert!(!matches("*.tgz", "targets/foo.tgz"));
        assert!(matches("foo.tgz", "foo.tgz"));
    }

    #[test]
    fn a_wildcard_never_matches_a_separator() {
        assert!(!matches("*", "a/b"));
        assert!(!matches("a?b", "a/b"));
        assert!(!matches("*/*", "a/b/c"));
        assert!(matches("*/*", "/b"));
        assert!(matches("a*c*e", "abcde"));
        assert!(matches("**", ""));
        assert!(matches("?", "ä"));
        assert!(!matches("[ab]", "a"));
        assert!(!matches("a", "ab"));
        assert!(!matches("ab", "a"));
    }

    #[test]
    fn a_hostile_pattern_costs_little() {
        let pattern = "*a".repeat(PATTERN_BYTES / 2);
        assert!(!matches(&pattern, &"a".repeat(500)));
        assert!(matches(&pattern, &"a".repeat(600)));
    }
}
