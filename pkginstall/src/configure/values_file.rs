//! The file in which the values of one service are set: TOML, one key a setting, written by `config set` or by hand.
//!
//! It lies with the records of the service, where only the owner of the prefix writes. It holds no secret, only where
//! secrets are.

use std::collections::BTreeMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::configuration::SettingValue;
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::recipe::line_at;
use toml::Spanned;
use toml_edit::{DocumentMut, Item};

use super::ConfigureError;
use crate::host::{Effect, Prefix};
use crate::text_file;

/// Returns the file in which the values of `service` are set. It need not be there.
pub fn values_file(prefix: &Prefix, service: &ServiceCoordinate) -> Utf8PathBuf {
    prefix.service_state(service).join("values.toml")
}

/// A value as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) value: SettingValue,
    /// From 1.
    pub(super) line: usize,
}

/// Reads what is set.
pub(super) fn read(
    prefix: &Prefix,
    service: &ServiceCoordinate,
) -> Result<BTreeMap<String, Written>, ConfigureError> {
    let path = values_file(prefix, service);
    parse(&path, &text_file::read(&path)?.unwrap_or_default())
}

/// Reads values from a file that must be there, each with its line.
///
/// # Errors
/// When it cannot be read or is no TOML of values.
pub(crate) fn read_values(
    path: &Utf8Path,
) -> Result<BTreeMap<String, (SettingValue, usize)>, ConfigureError> {
    let text = fs::read_to_string(path).map_err(ConfigureError::file("read", path))?;
    let written = parse(path, &text)?.into_iter();
    Ok(written.map(|(key, Written { value, line })| (key, (value, line))).collect())
}

fn parse(path: &Utf8Path, text: &str) -> Result<BTreeMap<String, Written>, ConfigureError> {
    let line_at = |offset: usize| line_at(text, offset);
    let parsed: Result<BTreeMap<Spanned<String>, SettingValue>, _> = toml::from_str(text);
    let parsed = parsed.map_err(|error| ConfigureError::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line_at(span.start)),
        why: error.message().to_owned(),
    })?;
    let written = parsed.into_iter().map(|(key, value)| {
        let line = line_at(key.span().start);
        (key.into_inner(), Written { value, line })
    });
    Ok(written.collect())
}

/// Reads the file as it is; `None` where there is none.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read_text(
    prefix: &Prefix,
    service: &ServiceCoordinate,
) -> Result<Option<String>, ConfigureError> {
    Ok(text_file::read(&values_file(prefix, service))?)
}

/// Makes `text` the file, durably and in one step; `None` removes it.
///
/// # Errors
/// When the file system refuses; it is then as it was.
pub(crate) fn replace(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    text: Option<&str>,
) -> Result<(), ConfigureError> {
    Ok(text_file::put(&values_file(prefix, service), text)?)
}

/// A change to one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Assignment {
    /// It is set.
    Set(String, SettingValue),
    /// It is not set any more.
    Unset(String),
}

/// Changes values, durably and in one step. Comments stay. Tells whether the file is another now, or would be.
///
/// # Errors
/// When the file cannot be read or written; it is then as it was.
pub(super) fn set(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    assignments: &[Assignment],
    effect: Effect,
) -> Result<bool, ConfigureError> {
    let path = values_file(prefix, service);
    let before = text_file::read(&path)?.unwrap_or_default();
    let mut document: DocumentMut = before.parse().map_err(|error: toml_edit::TomlError| {
        ConfigureError::Syntax { path: path.clone(), line: 1, why: error.message().to_owned() }
    })?;
    for assignment in assignments {
        match assignment {
            Assignment::Set(key, value) => document[key.as_str()] = item(value),
            Assignment::Unset(key) => {
                document.remove(key);
            }
        }
    }
    let after = document.to_string();
    Ok(text_file::replace(&path, &before, &after, effect)?)
}

fn item(value: &SettingValue) -> Item {
    match value {
        SettingValue::Boolean(value) => toml_edit::value(*value),
        SettingValue::Integer(value) => toml_edit::value(*value),
        SettingValue::Text(value) => toml_edit::value(value),
        SettingValue::List(values) => toml_edit::value(values.iter().collect::<toml_edit::Array>()),
    }
}
