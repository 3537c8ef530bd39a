//! Bytes as text: names and link targets of a file system, which need not be UTF-8.

use std::fmt;
use std::str::FromStr;

use crate::coordinate::{CoordinateError, serde_as_text};

/// Any bytes, written as text: UTF-8 as it is, a backslash as `\\`, and every other byte as `\x` and two digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteText(Vec<u8>);

impl ByteText {
    /// Takes the bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ByteText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(&chunk.valid().replace('\\', "\\\\"))?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ByteText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl FromStr for ByteText {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let error = || {
            CoordinateError::new(
                "text of bytes",
                text,
                "it has \\\\ and \\xHH alone, and \\xHH only where it must",
            )
        };
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\\') {
            bytes.extend_from_slice(before.as_bytes());
            if let Some(after) = after.strip_prefix('\\') {
                bytes.push(b'\\');
                rest = after;
            } else {
                let digits = after.strip_prefix('x').and_then(|after| after.get(..2)).ok_or_else(error)?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|_| error())?);
                rest = &after[3..];
            }
        }
        bytes.extend_from_slice(rest.as_bytes());
        let read = Self(bytes);
        // One text for the same bytes: what is compared as text is the same.
        if read.to_string() == text { Ok(read) } else { Err(error()) }
    }
}

serde_as_text!(ByteText);
