//! Values with units on the command line: `30s`, `8KiB`.

use std::net::SocketAddr;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;

/// Parses a time span such as `500ms`, `30s` or `5m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and a unit, e.g. 500ms, 30s or 5m".to_owned();
    let span: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(span).map_err(|_| wrong())
}

/// Parses a size such as `512`, `8KiB` or `1MB`.
pub(super) fn size(text: &str) -> Result<ByteSize, String> {
    text.parse().map_err(|_| "write a number and a unit, e.g. 512, 8KiB or 1MB".to_owned())
}

/// Parses an address to listen on.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let example = match text.trim_start_matches(':').parse::<u16>() {
        Ok(port) => format!("127.0.0.1:{port} for this machine, 0.0.0.0:{port} for all"),
        Err(_) => "an IP address and a port, such as 127.0.0.1:8080 or [::]:8080".into(),
    };
    text.parse().map_err(|_| format!("write {example}"))
}

/// Parses the address of a web site.
pub(super) fn web_address(text: &str) -> Result<String, String> {
    let wrong = || "write it as https://packages.example.com".to_owned();
    let url: reqwest::Url = text.parse().map_err(|_| wrong())?;
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
        return Err(wrong());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for text in ["30", "", "-5s", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_to_listen_on_has_a_host_and_a_port() {
        assert!(socket_address("127.0.0.1:0").is_ok() && socket_address("[::]:80").is_ok());
        for text in ["8000", ":8000"] {
            assert_eq!(
                socket_address(text),
                Err("write 127.0.0.1:8000 for this machine, 0.0.0.0:8000 for all".into())
            );
        }
        assert!(socket_address("localhost").unwrap_err().contains("such as 127.0.0.1:8080"));
    }

    #[test]
    fn a_web_address_has_a_scheme_and_a_host_and_nothing_behind_its_path() {
        assert_eq!(web_address("https://a.example/").unwrap(), "https://a.example");
        for text in ["a.example", "ftp://a", "https://a?b", "https://a#b", "https://me@a", ""] {
            assert!(web_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_is_in_bytes_unless_it_says_otherwise() {
        assert_eq!(size("512").unwrap().as_u64(), 512);
        assert_eq!(size("8KiB").unwrap().as_u64(), 8192);
        assert!(size("-1").is_err());
        assert!(size("large").is_err());
    }
}
