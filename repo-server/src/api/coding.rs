//! Content codings: metadata goes out compressed to whoever takes it so (RFC 9110, 8.4; zstd: RFC 8878). Most of it is digests in
//! hexadecimal, which halves. Before it: [`super::served`] has the bytes of a file; after it: the answer, or
//! [`super::repeated`], which keeps it.

use axum::http::header::ACCEPT_ENCODING;
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;

/// The level: most answers are kept and given again. Its window is half of what clients have to grant (RFC 9659).
const LEVEL: i32 = 12;
/// From this length on, compressing is not done between other requests, in bytes.
const LARGE: usize = 16 << 10;

/// How the bytes of an answer are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Coding {
    /// As they are.
    Identity,
    /// As a zstd frame.
    Zstd,
}

impl Coding {
    /// The name in `Content-Encoding`.
    pub(super) const ZSTD: HeaderValue = HeaderValue::from_static("zstd");

    /// Chooses what a request takes: zstd where it is named and not refused (`q=0`), else the bytes as they are.
    pub(super) fn asked(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT_ENCODING);
        let mut listed = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
        if listed.any(takes_zstd) { Self::Zstd } else { Self::Identity }
    }
}

fn takes_zstd(item: &str) -> bool {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = parameters.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
    name.trim().eq_ignore_ascii_case("zstd") && weight > 0.0
}

/// Compresses bytes; nothing when that does not make them shorter.
pub(super) async fn compressed(bytes: &Bytes) -> Option<Bytes> {
    if bytes.len() < LARGE {
        return compress(bytes);
    }
    let bytes = bytes.clone();
    tokio::task::spawn_blocking(move || compress(&bytes)).await.ok().flatten()
}

fn compress(bytes: &[u8]) -> Option<Bytes> {
    let compressed = zstd::bulk::compress(bytes, LEVEL).ok()?;
    (compressed.len() < bytes.len()).then(|| compressed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(values: &[&'static str]) -> Coding {
        Coding::asked(&values.iter().map(|v| (ACCEPT_ENCODING, HeaderValue::from_static(v))).collect())
    }

    #[test]
    fn zstd_is_taken_where_it_is_named_and_not_refused() {
        for values in [&["zstd"][..], &["gzip, ZSTD"], &["gzip", "br;q=1.0, zstd;q=0.1"], &["zstd ; q=1"]] {
            assert_eq!(asked(values), Coding::Zstd, "{values:?}");
        }
        for values in
            [&[][..], &["identity"], &["gzip, br"], &["*"], &["zstd;q=0"], &["zstd;q=0.000"], &["zstdx"]]
        {
            assert_eq!(asked(values), Coding::Identity, "{values:?}");
        }
    }

    #[tokio::test]
    async fn what_does_not_get_shorter_stays_as_it_is() {
        assert_eq!(compressed(&Bytes::from_static(b"ab")).await, None);
        let long = Bytes::from("0123456789abcdef".repeat(LARGE));
        let short = compressed(&long).await.unwrap();
        assert!(short.len() < 1000);
        assert_eq!(zstd::bulk::decompress(&short, long.len()).unwrap(), long);
    }
}
