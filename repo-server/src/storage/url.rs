//! The URL of a store, parsed at the edge.

use std::fmt;
use std::str::FromStr;

use camino::Utf8PathBuf;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use thiserror::Error;

/// Names a store. Each kind of storage is one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// `file:///path`: a directory of this machine, by its absolute path.
    Directory(Utf8PathBuf),
    /// `s3://bucket` or `s3://bucket/prefix`: a bucket, or the part of it below a prefix.
    Bucket {
        /// The bucket.
        bucket: String,
        /// What stands before each key, without slashes at its ends; may be empty.
        prefix: String,
    },
}

/// Says why a text is not the URL of a store.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreUrlError {
    /// There is no scheme: most likely a bare path.
    #[error("it has no scheme; a directory is written file:///path, a bucket s3://name")]
    NoScheme,
    /// No storage goes by this scheme.
    #[error("this version has no storage for {0:?}; it knows file:///path and s3://bucket")]
    UnknownScheme(String),
    /// A `file:` URL with a host, or a relative path.
    #[error("a file URL has three slashes and an absolute path: file:///path")]
    NotAbsolute,
    /// The name of a bucket breaks the rules for such names, or the prefix is no path.
    #[error("a bucket is s3://name or s3://name/prefix; a name has 3 to 63 of a-z, 0-9, '-' and '.'")]
    Bucket,
    /// A query or a fragment.
    #[error("a file URL has no {0:?}; write it as {encoded}", encoded = encode(*.0))]
    Reserved(char),
    /// The decoded path is not UTF-8, or holds a NUL.
    #[error("the path is not UTF-8 text")]
    Encoding,
}

/// What a path must not have as it is in a URL.
const RESERVED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#');

fn encode(c: char) -> String {
    utf8_percent_encode(&c.to_string(), RESERVED).to_string()
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(StoreUrlError::NoScheme)?;
        if scheme.eq_ignore_ascii_case("s3") {
            return bucket(rest);
        }
        if !scheme.eq_ignore_ascii_case("file") {
            return Err(StoreUrlError::UnknownScheme(format!("{scheme}://")));
        }
        if let Some(c) = rest.chars().find(|c| matches!(c, '?' | '#')) {
            return Err(StoreUrlError::Reserved(c));
        }
        if !rest.starts_with('/') {
            return Err(StoreUrlError::NotAbsolute);
        }
        let path = percent_decode_str(rest).decode_utf8().map_err(|_| StoreUrlError::Encoding)?;
        if path.contains('\0') {
            return Err(StoreUrlError::Encoding);
        }
        Ok(Self::Directory(path.into_owned().into()))
    }
}

fn bucket(text: &str) -> Result<StoreUrl, StoreUrlError> {
    let (bucket, prefix) = text.split_once('/').unwrap_or((text, ""));
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let prefix = prefix.trim_end_matches('/');
    let is_path =
        prefix.is_empty() || prefix.split('/').all(|part| !part.is_empty() && part.bytes().all(plain));
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(fits) || !is_path {
        return Err(StoreUrlError::Bucket);
    }
    Ok(StoreUrl::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// Tells what needs no encoding wherever a key is written.
fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "file://{}", utf8_percent_encode(path.as_str(), RESERVED)),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_spaces_and_unicode_survives_the_round_trip() {
        let url: StoreUrl = "file:///srv/my repo/%C3%BC%25".parse().unwrap();
        assert_eq!(url, StoreUrl::Directory("/srv/my repo/ü%".into()));
        assert_eq!(url.to_string().parse::<StoreUrl>().unwrap(), url);
    }

    #[test]
    fn a_bucket_may_have_a_prefix() {
        for text in ["s3://packages", "s3://packages/teams/web"] {
            assert_eq!(text.parse::<StoreUrl>().unwrap().to_string(), text);
        }
        let trailing: StoreUrl = "s3://packages/a/".parse().unwrap();
        assert_eq!(trailing.to_string(), "s3://packages/a");
    }

    #[test]
    fn a_url_that_names_no_store_is_refused_with_the_reason() {
        let said = |text: &str| format!("{text}: {}", text.parse::<StoreUrl>().unwrap_err());
        let texts = [
            "/srv/copkg",
            "gs://bucket",
            "s3://B",
            "s3://bucket//a",
            "s3://bucket/../a",
            "file://srv/copkg",
            "file:///a?b",
            "file:///%ff",
            "file:///%00",
        ];
        insta::assert_snapshot!(texts.map(said).join("\n"));
    }
}
