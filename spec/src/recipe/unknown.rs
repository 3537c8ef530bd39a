//! Unknown keys: refused with the table, the line, and the key that was probably meant.
//!
//! Comes after the TOML parser and before serde, whose own message knows neither the table nor a likely key. What is
//! known comes from the JSON Schema, so that the list exists once.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::place::Place;

/// Finds the first key of `root` that `schema` does not know.
pub(super) fn check(root: &DeTable<'_>, schema: &Value) -> Result<(), (Place, Problem)> {
    let schema = Schema { root: schema, here: schema };
    check_table(root, schema, &Place::top())
}

/// A part of the JSON Schema, with the root that its references lead into.
#[derive(Clone, Copy)]
struct Schema<'s> {
    root: &'s Value,
    here: &'s Value,
}

impl<'s> Schema<'s> {
    fn at(self, here: &'s Value) -> Self {
        // An optional part is `anyOf: [part, null]`; a named one is `$ref: "#/$defs/Part"`.
        let here = here.get("anyOf").and_then(|options| options.get(0)).unwrap_or(here);
        let target = here.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
        Self { root: self.root, here: target.and_then(|path| self.root.pointer(path)).unwrap_or(here) }
    }

    fn items(self) -> Option<Self> {
        self.here.get("items").map(|items| self.at(items))
    }

    /// Returns the part for `key`; for a table of the author's own keys every key has one.
    fn property(self, key: &str) -> Result<Option<Self>, Vec<String>> {
        let Some(properties) = self.here.get("properties").and_then(Value::as_object) else {
            return Ok(None);
        };
        match properties.get(key) {
            Some(part) => Ok(Some(self.at(part))),
            None => Err(properties.keys().cloned().collect()),
        }
    }
}

fn check_table(table: &DeTable<'_>, schema: Schema<'_>, here: &Place) -> Result<(), (Place, Problem)> {
    // In the order of the text, so that the first mistake is reported first.
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let place = here.key(key.get_ref());
        match schema.property(key.get_ref()) {
            Ok(Some(part)) => check_value(value.get_ref(), part, &place)?,
            Ok(None) => {}
            Err(known) => return Err((place, Problem::unknown_key(key.get_ref(), known))),
        }
    }
    Ok(())
}

fn check_value(value: &DeValue<'_>, schema: Schema<'_>, here: &Place) -> Result<(), (Place, Problem)> {
    match (value, schema.items()) {
        (DeValue::Table(table), _) => check_table(table, schema, here),
        (DeValue::Array(items), Some(part)) => {
            let mut numbered = items.iter().enumerate();
            numbered.try_for_each(|(n, item)| check_value(item.get_ref(), part, &here.item(n)))
        }
        _ => Ok(()),
    }
}
