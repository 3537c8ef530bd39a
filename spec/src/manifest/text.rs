//! The texts of a manifest: none has control characters, whichever key it has and whether this program knows it or not.
//!
//! They end in terminals, pages, units and scripts of hosts. Comes when a manifest is parsed, before anything reads it.

use serde_json::Value;

use super::ManifestError;

/// The keys whose texts may have several lines.
const LINES: [&str; 5] = ["description", "homepage", "license", "maintainer", "release_note"];

/// Checks every text and every key of the manifest `bytes`, which are JSON.
pub(super) fn check(manifest: &Value) -> Result<(), ManifestError> {
    check_value("", manifest)
}

fn check_value(key: &str, value: &Value) -> Result<(), ManifestError> {
    match value {
        Value::String(text) if LINES.contains(&key) => check_text(key, &text.replace(['\n', '\t'], " ")),
        Value::String(text) => check_text(key, text),
        Value::Array(items) => items.iter().try_for_each(|item| check_value(key, item)),
        Value::Object(members) => members.iter().try_for_each(|(key, member)| {
            check_text(key, key)?;
            check_value(key, member)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn check_text(key: &str, text: &str) -> Result<(), ManifestError> {
    if text.chars().any(char::is_control) {
        return Err(ManifestError::ControlCharacter(key.escape_debug().to_string()));
    }
    Ok(())
}
