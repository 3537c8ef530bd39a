//! The shape of a description: every unknown key, missing key and value of the wrong type, all at once.
//!
//! Comes after the TOML parser and before serde, which stops at the first mistake. What is allowed comes from the JSON
//! Schema, so that it exists once; what passes here is read by serde without an error.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::recipe::{Context, Located, Problem};

/// Finds everything in `root` that `schema` does not allow.
pub(super) fn check(root: &DeTable<'_>, schema: &Value) -> Vec<Located> {
    let mut found = Vec::new();
    check_table(root, Part { root: schema, here: schema }, &Context::top(), &mut found);
    found
}

/// A part of the JSON Schema, with the root that its references lead into.
#[derive(Clone, Copy)]
struct Part<'s> {
    root: &'s Value,
    here: &'s Value,
}

impl<'s> Part<'s> {
    /// Returns a part below this one, a reference followed.
    fn at(self, here: &'s Value) -> Self {
        let target = here.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
        Self { root: self.root, here: target.and_then(|path| self.root.pointer(path)).unwrap_or(here) }
    }

    /// Returns what the value may be: each alternative of a type with several, else the part itself.
    fn alternatives(self) -> Vec<Self> {
        let options = self.here.get("anyOf").and_then(Value::as_array);
        match options {
            Some(options) => options.iter().flat_map(|option| self.at(option).alternatives()).collect(),
            None => vec![self],
        }
    }

    fn allows(self, name: &str) -> bool {
        match self.here.get("type") {
            Some(Value::String(only)) => only == name,
            Some(Value::Array(several)) => several.iter().any(|one| one == name),
            _ => self.choices().is_some() && name == "string",
        }
    }

    /// Returns the texts of an enumeration.
    fn choices(self) -> Option<Vec<&'s str>> {
        if let Some(plain) = self.here.get("enum").and_then(Value::as_array) {
            return Some(plain.iter().filter_map(Value::as_str).collect());
        }
        let described = self.here.get("oneOf")?.as_array()?;
        Some(described.iter().filter_map(|one| one.get("const")?.as_str()).collect())
    }

    fn property(self, key: &str) -> Result<Option<Self>, Vec<String>> {
        let Some(properties) = self.here.get("properties").and_then(Value::as_object) else {
            let each = self.here.get("additionalProperties").filter(|each| each.is_object());
            return Ok(each.map(|each| self.at(each)));
        };
        match properties.get(key) {
            Some(part) => Ok(Some(self.at(part))),
            None => Err(properties.keys().cloned().collect()),
        }
    }

    fn required(self) -> impl Iterator<Item = &'s str> {
        let keys = self.here.get("required").and_then(Value::as_array);
        keys.into_iter().flatten().filter_map(Value::as_str)
    }

    fn noun(self) -> &'static str {
        match self.here.get("type").and_then(|kind| kind.as_str().or_else(|| kind.get(0)?.as_str())) {
            Some("integer") => "a whole number",
            Some("boolean") => "true or false",
            Some("array") => "a list",
            Some("object") => "a table",
            Some("null") => "nothing",
            _ => "a text",
        }
    }
}

fn check_table(table: &DeTable<'_>, part: Part<'_>, here: &Context, found: &mut Vec<Located>) {
    for (key, value) in table {
        let at = here.key(key.get_ref());
        match part.property(key.get_ref()) {
            Ok(Some(part)) => check_value(value.get_ref(), part, &at, found),
            Ok(None) => {}
            Err(known) => found.push((at.place().clone(), Problem::unknown_key(key.get_ref(), known))),
        }
    }
    let missing = part.required().filter(|key| table.get(*key).is_none());
    found.extend(missing.map(|key| {
        let what = format!("it lacks the key `{key}`");
        (here.place().clone(), Problem::shape(&what))
    }));
}

fn check_value(value: &DeValue<'_>, part: Part<'_>, here: &Context, found: &mut Vec<Located>) {
    let alternatives = part.alternatives();
    let name = type_name(value);
    let Some(part) = alternatives.iter().copied().find(|part| part.allows(name)) else {
        let mut expected: Vec<&str> = alternatives.iter().map(|part| part.noun()).collect();
        expected.retain(|noun| *noun != "nothing");
        let what = format!("it is {}, and not {}", shown(value), expected.join(" or "));
        return found.push((here.place().clone(), Problem::keys(what)));
    };
    match value {
        DeValue::Table(table) => check_table(table, part, here, found),
        DeValue::Array(items) => {
            let Some(each) = part.here.get("items").map(|each| part.at(each)) else { return };
            let numbered = items.iter().enumerate();
            numbered.for_each(|(n, item)| check_value(item.get_ref(), each, &here.item(n), found));
        }
        DeValue::String(text) => {
            let choices = part.choices().filter(|choices| !choices.contains(&text.as_ref()));
            found.extend(choices.map(|choices| {
                let what = format!("there is no value {text:?}: it is one of {}", choices.join(", "));
                (here.place().clone(), Problem::keys(what))
            }));
        }
        DeValue::Integer(number) => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
            let limit = |key: &str| part.here.get(key).and_then(Value::as_i64);
            let (least, most) = (limit("minimum").unwrap_or(i64::MIN), limit("maximum").unwrap_or(i64::MAX));
            if !number.is_some_and(|number| (least..=most).contains(&number)) {
                let what = format!("it is a whole number from {least} to {most}");
                found.push((here.place().clone(), Problem::keys(what)));
            }
        }
        _ => {}
    }
}

/// Returns the name that JSON Schema has for the type of a value.
fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Datetime(_) => "date",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    }
}

fn shown(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
