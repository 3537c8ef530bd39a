//! Glob patterns on paths: what is left out, and where a finding is allowed.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use thiserror::Error;

/// A text that is no glob.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a {what}: {why}")]
pub struct GlobError {
    /// What it should be.
    pub(crate) what: &'static str,
    /// What it is, or its beginning.
    pub(crate) text: String,
    /// The rule that it breaks.
    pub(crate) why: String,
}

impl GlobError {
    fn new(what: &'static str, text: &str, why: impl Into<String>) -> Self {
        Self { what, text: text.chars().take(100).collect(), why: why.into() }
    }
}

/// A list of globs on relative paths.
///
/// `*` and `?` stop at a slash, `**` does not; `[…]` and `{a,b}` are classes and alternatives. A pattern without a
/// slash matches a name at any depth, any other matches from the top. A slash at the end is ignored.
/// What lies below a directory that matches is matched too when the caller does not descend into it.
#[derive(Debug, Clone)]
pub struct Patterns {
    texts: Vec<String>,
    set: GlobSet,
}

impl Patterns {
    /// Compiles `texts`.
    ///
    /// # Errors
    /// Names the first pattern that is not a glob.
    pub fn new(texts: &[impl AsRef<str>]) -> Result<Self, GlobError> {
        let mut builder = GlobSetBuilder::new();
        for text in texts {
            builder.add(compile(text.as_ref())?);
        }
        let texts: Vec<String> = texts.iter().map(|text| text.as_ref().to_owned()).collect();
        let set =
            builder.build().map_err(|e| GlobError::new("list of globs", &texts.join(", "), e.to_string()))?;
        Ok(Self { texts, set })
    }

    /// Tells whether one of them matches `path`.
    pub fn matches(&self, path: &str) -> bool {
        !self.texts.is_empty() && self.set.is_match(path)
    }

    /// Tells whether one of them matches `path` or a directory that it is in.
    pub fn matches_below(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        !self.texts.is_empty() && ends.into_iter().any(|end| self.set.is_match(&path[..end]))
    }

    /// Returns the patterns as they were written.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}

impl Default for Patterns {
    fn default() -> Self {
        Self { texts: Vec::new(), set: GlobSet::empty() }
    }
}

impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Eq for Patterns {}

fn compile(text: &str) -> Result<globset::Glob, GlobError> {
    let pattern = text.strip_prefix("./").unwrap_or(text).trim_end_matches('/');
    if pattern.is_empty() || pattern.starts_with('/') {
        return Err(GlobError::new("glob", text, "it is relative and not empty"));
    }
    let anywhere = format!("**/{pattern}");
    let pattern = if pattern.contains('/') { pattern } else { &anywhere };
    let built = GlobBuilder::new(pattern).literal_separator(true).build();
    built.map_err(|error| GlobError::new("glob", text, error.kind().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Patterns {
        Patterns::new(texts).unwrap()
    }

    #[test]
    fn a_pattern_without_a_slash_matches_a_name_anywhere() {
        let patterns = patterns(&["*.pyc", "target/"]);
        assert!(patterns.matches("a/b/c.pyc"));
        assert!(patterns.matches("x/target"));
        assert!(!patterns.matches("target.rs"));
    }

    #[test]
    fn a_pattern_with_a_slash_matches_from_the_top() {
        let patterns = patterns(&["docs/*.md"]);
        assert!(patterns.matches("docs/a.md"));
        assert!(!patterns.matches("x/docs/a.md"));
        assert!(!patterns.matches("docs/x/a.md"));
    }

    #[test]
    fn what_lies_below_a_match_is_matched_below() {
        let patterns = patterns(&["node_modules"]);
        assert!(patterns.matches_below("web/node_modules/a/index.js"));
        assert!(!patterns.matches_below("web/src/index.js"));
    }

    #[test]
    fn an_absolute_pattern_is_refused() {
        assert!(Patterns::new(&["/etc"]).is_err());
        assert!(Patterns::new(&["a[b"]).is_err());
    }
}
