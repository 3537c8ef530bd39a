//! Looks for a version that would not be what its author meant by it.

use copkg_spec::coordinate::Version;

use super::{Finding, Rule};

/// Finds a word after a hyphen that no notation knows: the version then counts as a pre-release, and its name alone never leads to it.
pub(super) fn check(version: &Version) -> Option<Finding> {
    let word = version.unknown_word()?;
    let message = format!(
        "{version} counts as a pre-release, and so comes before the version without -{word}: write +{word} for a variant of a release"
    );
    Some(Finding::of_package(Rule::OddVersion, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_is_a_warning_and_what_notations_know_is_none() {
        let check = |text: &str| check(&text.parse().unwrap());
        let found = check("1.0.0-foo").unwrap();
        assert!(!found.stops() && found.text().contains("write +foo"), "{}", found.text());
        for text in ["1.0.0", "1.0.0-rc.1", "10.6.18-14", "31.1-jre", "1.0.0+foo"] {
            assert_eq!(check(text), None, "{text}");
        }
    }
}
