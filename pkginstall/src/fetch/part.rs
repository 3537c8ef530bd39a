//! Parts of a file: which bytes an answer has, and what tells that they are still of the same file.

use reqwest::blocking::Response;
use reqwest::header::{ETAG, HeaderName, HeaderValue, LAST_MODIFIED};

/// A strong `ETag`, else the date. A weak one says nothing about bytes (RFC 9110, 8.8.1).
pub(super) fn validator(response: &Response) -> Option<HeaderValue> {
    let get = |name: HeaderName| response.headers().get(name).cloned();
    get(ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/")).or_else(|| get(LAST_MODIFIED))
}

/// Reads `bytes <first>-<last>/<length>`: the first byte, and the length of the whole file where it is said.
pub(super) fn parse_content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, length) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _last) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, length.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_says_where_it_begins_and_how_long_the_file_is() {
        assert_eq!(parse_content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parse_content_range("bytes 5-9/*"), Some((5, None)));
        assert_eq!(parse_content_range("bytes */10"), None);
        assert_eq!(parse_content_range("pages 1-2/3"), None);
    }
}
