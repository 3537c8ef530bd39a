//! Labels and groups: the parts that package coordinates are made of.

use sha2::{Digest as _, Sha256};

use super::{CoordinateError, text_type};

/// The longest label, in bytes.
pub(super) const LABEL_MAX: usize = 63;
/// The longest group, dots counted in, in bytes.
pub(super) const GROUP_MAX: usize = 127;

/// One label: lower-case ASCII, `[a-z0-9]` first, then `[a-z0-9_-]`, 1 to 63 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);
text_type!(Label);

impl Label {
    /// Parses one label.
    ///
    /// # Errors
    /// Names the first rule of the grammar that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        check_label(text).map_err(|why| CoordinateError::new("label", text, why))?;
        Ok(Self(text.to_owned()))
    }
}

/// A group: labels joined by dots, at most 127 bytes, e.g. `com.comoyo`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(String);
text_type!(Group);

impl Group {
    /// Parses a dot-separated group.
    ///
    /// # Errors
    /// Names the first rule of the grammar that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        let error = |why: String| CoordinateError::new("group", text, why);
        if text.len() > GROUP_MAX {
            return Err(error(format!("it has {} bytes, the limit is {GROUP_MAX}", text.len())));
        }
        text.split('.').try_for_each(check_label).map_err(error)?;
        Ok(Self(text.to_owned()))
    }

    /// Returns the labels from left to right.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// Returns the group as a relative path: `com.comoyo` is `com/comoyo`.
    pub fn as_path(&self) -> String {
        self.0.replace('.', "/")
    }

    /// Returns the directory of this group in a repository, relative to its `targets`:
    /// `<first 2 hex of sha256(group)>/<group>`.
    pub fn target_dir(&self) -> String {
        format!("{:02x}/{self}", Sha256::digest(&self.0)[0])
    }
}

fn check_label(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("a label is empty".into());
    }
    if text.len() > LABEL_MAX {
        return Err(format!("a label has {} bytes, the limit is {LABEL_MAX}", text.len()));
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        return Err("a label starts with a lower-case letter or a digit".into());
    }
    match text.chars().find(|&c| !is_label_char(c)) {
        Some(c) if c.is_ascii_uppercase() => Err(format!("{c:?} is upper case; labels are lower case")),
        Some(c) => Err(format!("{c:?} is not allowed; a label has a-z, 0-9, '_' and '-'")),
        None => Ok(()),
    }
}

pub(super) fn is_label_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-'
}
