//! What may be set: a name, a type, limits and a default.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::destination::broken_endpoint;
use super::filters::{bytes_of, milliseconds_of};
use super::{SecretReference, SettingError, SettingValue};
use crate::coordinate::{CoordinateError, serde_as_text};

/// The name of a setting: `[a-z][a-z0-9_]*`, at most 63 long. A template writes it `config.NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SettingName(String);

serde_as_text!(SettingName);

impl SettingName {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SettingName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for SettingName {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let first = text.starts_with(|c: char| c.is_ascii_lowercase());
        let rest = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if first && rest && text.len() <= 63 {
            return Ok(Self(text.to_owned()));
        }
        let why = "it has a-z, 0-9 and '_', a letter first, and at most 63 of them";
        Err(CoordinateError::new("name of a setting", text, why))
    }
}

/// The type of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SettingKind {
    /// A text on one line.
    String,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list of texts.
    List,
    /// A length of time: `250ms`, `30s`, `1h30m`.
    Duration,
    /// A number of bytes: `512`, `64KiB`, `1GiB`.
    Size,
    /// A secret, by reference.
    Secret,
    /// An address outside of the service: `HOST:PORT`, or a URL with a host.
    Endpoint,
}

/// A declared setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: SettingKind,
    /// Its value when none is set. Without one it must be set, unless it is optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<SettingValue>,
    /// Whether it may have no value: a template then sees `none`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// The least: of a number; of a length of time in milliseconds; of a size in bytes; of a text in characters; of a list
    /// in items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The most, in the same units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// The only texts that it may be, or that a list may hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Setting {
    /// Tells whether its value must not be shown.
    pub fn is_secret(&self) -> bool {
        self.kind == SettingKind::Secret
    }

    /// Reads a value as a command line writes it: a list has commas.
    ///
    /// # Errors
    /// When it is none for this setting.
    pub fn parse(&self, name: &SettingName, text: &str) -> Result<SettingValue, SettingError> {
        let value = match self.kind {
            SettingKind::Integer => text.parse().map(SettingValue::Integer).ok(),
            SettingKind::Boolean => text.parse().map(SettingValue::Boolean).ok(),
            SettingKind::List if text.is_empty() => Some(SettingValue::List(Vec::new())),
            SettingKind::List => {
                Some(SettingValue::List(text.split(',').map(|item| item.trim().to_owned()).collect()))
            }
            _ => None,
        };
        let value = value.unwrap_or_else(|| SettingValue::Text(text.to_owned()));
        self.check(name, &value).map(|()| value)
    }

    /// Checks a value against type and limits.
    ///
    /// # Errors
    /// When it breaks one.
    pub fn check(&self, name: &SettingName, value: &SettingValue) -> Result<(), SettingError> {
        self.broken_rule(value).map_or(Ok(()), |why| {
            let shown =
                if self.is_secret() { "what was given".into() } else { format!("{:?}", value.to_string()) };
            Err(SettingError { name: name.to_string(), shown, why })
        })
    }

    fn broken_rule(&self, value: &SettingValue) -> Option<String> {
        let (measure, unit) = match self.measure(value) {
            Ok(measured) => measured,
            Err(why) => return Some(why),
        };
        let texts: &[String] = match value {
            SettingValue::Text(text) => std::slice::from_ref(text),
            SettingValue::List(items) => items,
            _ => &[],
        };
        if texts.iter().any(|text| text.chars().any(char::is_control)) {
            return Some("it has a control character, or several lines".into());
        }
        if !self.choices.is_empty() && texts.iter().any(|text| !self.choices.contains(text)) {
            return Some(format!("it is one of {}", self.choices.join(", ")));
        }
        match (self.min, self.max) {
            (Some(min), _) if measure.is_some_and(|measure| measure < min) => {
                Some(format!("the least is {min}{unit}"))
            }
            (_, Some(max)) if measure.is_some_and(|measure| measure > max) => {
                Some(format!("the most is {max}{unit}"))
            }
            _ => None,
        }
    }

    /// Returns what the limits are about, and its unit.
    fn measure(&self, value: &SettingValue) -> Result<(Option<i64>, &'static str), String> {
        let count = |count: usize| Some(i64::try_from(count).unwrap_or(i64::MAX));
        match (self.kind, value) {
            (SettingKind::Integer, SettingValue::Integer(number)) => Ok((Some(*number), "")),
            (SettingKind::Boolean, SettingValue::Boolean(_)) => Ok((None, "")),
            (SettingKind::String, SettingValue::Text(text)) => {
                Ok((count(text.chars().count()), " characters"))
            }
            (SettingKind::List, SettingValue::List(items)) => Ok((count(items.len()), " items")),
            (SettingKind::Duration, SettingValue::Text(text)) => Ok((Some(milliseconds_of(text)?), " ms")),
            (SettingKind::Size, SettingValue::Text(text)) => Ok((Some(bytes_of(text)?), " bytes")),
            (SettingKind::Size, SettingValue::Integer(bytes)) if *bytes >= 0 => Ok((Some(*bytes), " bytes")),
            (SettingKind::Secret, SettingValue::Text(text)) => {
                text.parse::<SecretReference>().map(|_| (None, ""))
            }
            (SettingKind::Endpoint, SettingValue::Text(text)) => {
                broken_endpoint(text).map_or(Ok((None, "")), Err)
            }
            (SettingKind::Secret, _) => Err("a secret is given by reference".into()),
            (kind, value) => Err(format!("it is {}, and not {}", value.shape(), kind.noun())),
        }
    }

    /// Checks the declaration itself.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn check_declaration(&self, name: &SettingName) -> Result<(), String> {
        if self.min.zip(self.max).is_some_and(|(min, max)| min > max) {
            return Err("the least is more than the most".into());
        }
        let has_limits = self.min.is_some() || self.max.is_some();
        let limitless =
            matches!(self.kind, SettingKind::Boolean | SettingKind::Secret | SettingKind::Endpoint);
        if limitless && has_limits {
            return Err(format!("{} has no limits", self.kind.noun()));
        }
        let has_texts = matches!(self.kind, SettingKind::String | SettingKind::List);
        if !has_texts && !self.choices.is_empty() {
            return Err(format!("{} has no choices", self.kind.noun()));
        }
        if self.is_secret() && self.default.is_some() {
            return Err("a secret has no default: a package is no place for one, nor for where one is".into());
        }
        if self.optional && self.default.is_some() {
            return Err("with a default it is never without a value: leave `optional` out".into());
        }
        let checked = self.default.as_ref().map_or(Ok(()), |default| self.check(name, default));
        checked.map_err(|error| format!("its default breaks its own rule: {}", error.why))
    }
}

impl SettingKind {
    fn noun(self) -> &'static str {
        match self {
            Self::String => "a text",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::List => "a list of texts",
            Self::Duration => "a length of time such as \"30s\"",
            Self::Size => "a size such as \"64MiB\"",
            Self::Secret => "a secret",
            Self::Endpoint => "an endpoint such as \"db.example.com:5432\"",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(kind: SettingKind) -> Setting {
        Setting {
            kind,
            default: None,
            optional: false,
            min: None,
            max: None,
            choices: Vec::new(),
            description: None,
        }
    }

    fn why(setting: &Setting, text: &str) -> Option<String> {
        setting.parse(&"x".parse().unwrap(), text).err().map(|error| error.why)
    }

    #[test]
    fn a_value_must_have_its_type() {
        assert_eq!(why(&setting(SettingKind::Integer), "7"), None);
        assert_eq!(
            why(&setting(SettingKind::Integer), "7x").unwrap(),
            "it is a text, and not a whole number"
        );
        assert_eq!(why(&setting(SettingKind::Boolean), "true"), None);
        assert!(why(&setting(SettingKind::Boolean), "yes").is_some());
        assert_eq!(why(&setting(SettingKind::Duration), "1m30s"), None);
        assert!(why(&setting(SettingKind::Duration), "90").is_some());
        assert_eq!(why(&setting(SettingKind::Size), "64MiB"), None);
        assert!(why(&setting(SettingKind::Size), "64 bananas").is_some());
        assert_eq!(why(&setting(SettingKind::List), "a, b"), None);
        assert!(why(&setting(SettingKind::String), "a\nb").is_some());
    }

    #[test]
    fn a_value_must_keep_to_the_limits() {
        let ports = Setting { min: Some(1024), max: Some(65535), ..setting(SettingKind::Integer) };
        assert_eq!(why(&ports, "80").unwrap(), "the least is 1024");
        assert_eq!(why(&ports, "70000").unwrap(), "the most is 65535");
        let modes = Setting { choices: vec!["a".into(), "b".into()], ..setting(SettingKind::String) };
        assert_eq!(why(&modes, "c").unwrap(), "it is one of a, b");
        let wait = Setting { max: Some(60_000), ..setting(SettingKind::Duration) };
        assert_eq!(why(&wait, "2m").unwrap(), "the most is 60000 ms");
    }

    #[test]
    fn a_secret_is_a_reference_and_never_repeated() {
        let secret = setting(SettingKind::Secret);
        assert_eq!(why(&secret, "env:PASSWORD"), None);
        let error = secret.parse(&"password".parse().unwrap(), "hunter2").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn a_declaration_must_make_sense() {
        let declared = |setting: Setting| setting.check_declaration(&"x".parse().unwrap());
        let of = |default: SettingValue| Some(default);
        declared(Setting { default: of(SettingValue::Integer(3)), ..setting(SettingKind::Integer) }).unwrap();
        for wrong in [
            Setting { min: Some(2), max: Some(1), ..setting(SettingKind::Integer) },
            Setting { max: Some(1), ..setting(SettingKind::Boolean) },
            Setting { choices: vec!["a".into()], ..setting(SettingKind::Integer) },
            Setting { default: of(SettingValue::Text("env:X".into())), ..setting(SettingKind::Secret) },
            Setting { default: of(SettingValue::Integer(3)), max: Some(2), ..setting(SettingKind::Integer) },
            Setting {
                default: of(SettingValue::Integer(3)),
                optional: true,
                ..setting(SettingKind::Integer)
            },
        ] {
            assert!(declared(wrong.clone()).is_err(), "{wrong:?}");
        }
    }
}
