//! The version of a new revision: a whole number, one more than the first number of the highest version there is.

use copkg_spec::coordinate::Version;

/// Returns the version that follows all of `published`: `1`, `2`, `3`; after `2.4.1` comes `3`.
///
/// # Errors
/// When numbers have an end.
pub fn next_version<'v>(
    published: impl IntoIterator<Item = &'v Version>,
) -> Result<Version, copkg_spec::coordinate::CoordinateError> {
    let first = |version: &Version| {
        let digits: String = version.as_str().chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().unwrap_or_default()
    };
    let highest = published.into_iter().map(first).max().unwrap_or_default();
    highest.saturating_add(1).to_string().parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_revision_is_numbered_after_all_others() {
        let next = |versions: &[&str]| {
            let versions: Vec<Version> = versions.iter().map(|text| text.parse().unwrap()).collect();
            next_version(&versions).unwrap().to_string()
        };
        assert_eq!(next(&[]), "1");
        assert_eq!(next(&["1", "2", "10", "9"]), "11");
        assert_eq!(next(&["2.4.1", "2.10"]), "3");
        assert_eq!(next(&["2025-11-30"]), "2026");
        let (old, new): (Version, Version) = ("2.4.1".parse().unwrap(), "3".parse().unwrap());
        assert!(new > old);
    }
}
