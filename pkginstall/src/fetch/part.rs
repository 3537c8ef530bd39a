//! What tells that two answers are of the same file, as far as a server's word goes.

use copkg_spec::http::strong_validator;
use reqwest::blocking::Response;
use reqwest::header::{ETAG, HeaderName, HeaderValue, LAST_MODIFIED};

/// A strong `ETag`, else the date.
pub(super) fn validator(response: &Response) -> Option<HeaderValue> {
    let get = |name: HeaderName| response.headers().get(name).cloned();
    strong_validator(get(ETAG), get(LAST_MODIFIED))
}
