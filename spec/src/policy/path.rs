//! The rules for one path or one link target, whatever else is in the package.

use super::Rule;
use crate::limits::{COMPONENT_BYTES, PATH_BYTES, PATH_LEVELS};

/// Checks the text of an entry's path.
pub(crate) fn check_path_text(bytes: &[u8]) -> Result<&str, Rule> {
    let text = check_characters(bytes)?;
    if text.starts_with('/') {
        return Err(Rule::Absolute);
    }
    check_components(text, |component| if component == ".." { Err(Rule::Parent) } else { Ok(()) })?;
    Ok(text)
}

/// Checks the components of a relative path; `check_parent` decides on `..`.
pub(crate) fn check_components(
    text: &str,
    check_parent: impl Fn(&str) -> Result<(), Rule>,
) -> Result<(), Rule> {
    let mut levels = 0;
    for component in text.split('/') {
        levels += 1;
        match component {
            "" => return Err(Rule::EmptyComponent),
            "." => return Err(Rule::Dot),
            _ if component.len() > COMPONENT_BYTES => return Err(Rule::ComponentTooLong(component.len())),
            _ => check_parent(component)?,
        }
    }
    if levels > PATH_LEVELS { Err(Rule::TooDeep(levels)) } else { Ok(()) }
}

/// Checks length, encoding and characters: what holds for paths and for link targets alike.
pub(crate) fn check_characters(bytes: &[u8]) -> Result<&str, Rule> {
    if bytes.is_empty() {
        return Err(Rule::EmptyPath);
    }
    if bytes.len() > PATH_BYTES {
        return Err(Rule::PathTooLong(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Rule::NotUtf8)?;
    // Nearly all are like this.
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\') {
        return Ok(text);
    }
    match text.chars().find_map(broken_by) {
        Some(rule) => Err(rule),
        None => Ok(text),
    }
}

fn broken_by(c: char) -> Option<Rule> {
    match c {
        '\0' => Some(Rule::Nul),
        '\\' => Some(Rule::Backslash),
        // UAX #9: the characters that reorder what a terminal or a page shows.
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            Some(Rule::Bidi)
        }
        // Line and paragraph separators break a listing as a newline does.
        '\u{2028}' | '\u{2029}' => Some(Rule::Control),
        _ if c.is_control() => Some(Rule::Control),
        _ => None,
    }
}
