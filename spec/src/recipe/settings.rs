//! `[service.config]` and `[[service.templates]]`: what may be set, and what is rendered with it.

use std::collections::BTreeMap;

use super::context::Context;
use super::error::Problem;
use super::{Located, raw};
use crate::configuration::{Setting, SettingKind, SettingName, SettingValue, bytes_of, milliseconds_of};
use crate::index::EntryPath;
use crate::manifest::Template;

/// What the name of a template ends with, which its rendered file does not have.
const SUFFIX: &str = ".j2";

pub(crate) fn settings(
    raw: BTreeMap<String, raw::Setting>,
    at: &Context,
) -> Result<BTreeMap<SettingName, Setting>, Located> {
    raw.into_iter().map(|(name, raw)| setting(&name, raw, &at.key(&name))).collect()
}

pub(crate) fn setting(
    name: &str,
    raw: raw::Setting,
    at: &Context,
) -> Result<(SettingName, Setting), Located> {
    let name: SettingName = at.parse(name)?;
    let setting = Setting {
        kind: raw.kind,
        default: raw.default,
        optional: raw.optional,
        min: limit(raw.kind, raw.min, &at.key("min"))?,
        max: limit(raw.kind, raw.max, &at.key("max"))?,
        choices: raw.choices,
        description: at.key("description").text(raw.description)?,
    };
    match setting.check_declaration(&name) {
        Ok(()) => Ok((name, setting)),
        Err(why) => at.fail(Problem::keys(why)),
    }
}

/// A limit is written as a value of its type.
fn limit(kind: SettingKind, value: Option<SettingValue>, at: &Context) -> Result<Option<i64>, Located> {
    let wrong = |text: &str, why: String| at.fail(Problem::value("limit", text, why));
    match (kind, value) {
        (_, None) => Ok(None),
        (SettingKind::Duration, Some(SettingValue::Text(text))) => {
            milliseconds_of(&text).map(Some).or_else(|why| wrong(&text, why))
        }
        (SettingKind::Size, Some(SettingValue::Text(text))) => {
            bytes_of(&text).map(Some).or_else(|why| wrong(&text, why))
        }
        (SettingKind::Duration, Some(other)) => wrong(&other.to_string(), "it is written as \"30s\"".into()),
        (_, Some(SettingValue::Integer(number))) => Ok(Some(number)),
        (_, Some(other)) => wrong(&other.to_string(), "it is a whole number".into()),
    }
}

pub(super) fn templates(raw: &[raw::Template], at: &Context) -> Result<Vec<Template>, Located> {
    let mut templates: Vec<Template> = Vec::new();
    for (number, raw) in raw.iter().enumerate() {
        let at = at.item(number);
        let src: EntryPath = at.key("src").parse(&raw.src)?;
        let dst: EntryPath = match &raw.dst {
            Some(dst) => at.key("dst").parse(dst)?,
            None => at.key("src").parse(&rendered_name(src.as_str()))?,
        };
        let clash = |other: &Template| {
            let (one, other) = (dst.as_str(), other.dst.as_str());
            one == other || one.starts_with(&format!("{other}/")) || other.starts_with(&format!("{one}/"))
        };
        if templates.iter().any(clash) {
            return at.fail(Problem::Twice { what: "template for", name: dst.to_string() });
        }
        templates.push(Template { src, dst });
    }
    templates.sort();
    Ok(templates)
}

fn rendered_name(src: &str) -> String {
    let name = src.strip_prefix("etc/").unwrap_or(src);
    name.strip_suffix(SUFFIX).unwrap_or(name).to_owned()
}
