//! Units: what a length of time and a size are as numbers, for limits and for templates.

use crate::recipe::Span;

/// The suffixes of sizes, and the bytes of each.
const SIZES: [(&str, i64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

/// Reads a length of time.
pub(crate) fn milliseconds_of(text: &str) -> Result<i64, String> {
    let span: Span = text.parse().map_err(|_| "write 30s, 5m, 1h30m or 250ms; the limit is a day")?;
    Ok(span.milliseconds().into())
}

/// Reads a number of bytes: `512`, `64KiB`, `1 GiB`.
pub(crate) fn bytes_of(text: &str) -> Result<i64, String> {
    let error = || "write a whole number of bytes, or of KiB, MiB, GiB, TiB, kB, MB or GB".to_owned();
    let suffix = SIZES.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)));
    let (number, unit) = suffix.unwrap_or((text, 1));
    let number = number.trim_end();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error());
    }
    number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in
            [("0", 0), ("512", 512), ("64KiB", 65536), ("1 GiB", 1 << 30), ("2MB", 2_000_000), ("7B", 7)]
        {
            assert_eq!(bytes_of(text), Ok(bytes), "{text}");
        }
        for text in ["", "KiB", "-1", "1.5GiB", "1 banana", "9999999999TiB", "+1"] {
            assert!(bytes_of(text).is_err(), "{text}");
        }
    }
}
