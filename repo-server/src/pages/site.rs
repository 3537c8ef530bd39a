//! What all pages share: the name of the site, its address, and the files that a page refers to.

use axum::http::{HeaderMap, header};
use copkg_spec::digest::Digest;

/// The style, compiled in.
pub(super) const STYLE: &str = include_str!("../../templates/style.css");
/// The icon, compiled in.
pub(super) const ICON: &str = include_str!("../../templates/icon.svg");

/// What all pages share.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// The host, as people know it.
    pub(super) name: String,
    /// The address of the repository, without a slash at the end.
    pub(super) url: String,
    /// Where the style is. Its name has its digest, so that it is fetched once.
    pub(super) style: String,
    /// Where the icon is.
    pub(super) icon: String,
    /// The version of this program.
    pub(super) version: &'static str,
}

impl Site {
    /// Describes the site as the client of a request sees it, or as `--public-url` says.
    pub(super) fn of(headers: &HeaderMap, public_url: Option<&str>) -> Self {
        let url = public_url.map_or_else(|| address(headers), |url| url.trim_end_matches('/').to_owned());
        let name = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest).to_owned();
        Self { name, url, style: style_path(), icon: icon_path(), version: env!("CARGO_PKG_VERSION") }
    }
}

/// Returns the path of the style.
pub(super) fn style_path() -> String {
    format!("/assets/style-{}.css", Digest::of(STYLE.as_bytes()).short())
}

/// Returns the path of the icon.
pub(super) fn icon_path() -> String {
    format!("/assets/icon-{}.svg", Digest::of(ICON.as_bytes()).short())
}

/// Returns the address that the client used. What it sends is shown only to itself, and only when it can be a host.
pub(crate) fn address(headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let is_host = |host: &&str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']' | b'_');
        !host.is_empty() && host.len() <= 255 && host.bytes().all(fits)
    };
    let host = text("host").filter(is_host).unwrap_or("localhost");
    let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn site(host: &'static str, public: Option<&str>) -> Site {
        Site::of(&HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]), public)
    }

    #[test]
    fn the_address_is_the_one_that_the_client_used_unless_it_is_given() {
        assert_eq!(site("packages.example.com:8443", None).url, "http://packages.example.com:8443");
        assert_eq!(site("<script>", None).url, "http://localhost");
        assert_eq!(site("inner", Some("https://packages.example.com/")).name, "packages.example.com");
    }

    #[test]
    fn the_style_is_below_ten_kilobytes() {
        assert!(STYLE.len() < 10_000, "{} bytes", STYLE.len());
    }
}
