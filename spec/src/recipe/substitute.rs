//! Substitutions: `${package.version}` and `${vars.x}` in the strings of a recipe.
//!
//! Comes after the TOML parser and before serde, so that every string is covered by one rule: all of them but the
//! group, id and version of `[package]` and the values of `[vars]`. `$NAME` and `${NAME}`, without a dot, belong to
//! the shell; `$${a.b}` stands for the text `${a.b}`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::place::Place;

/// The keys of `[package]` that other strings may take over.
const PACKAGE_KEYS: [&str; 3] = ["group", "id", "version"];

/// Replaces every substitution in the strings of `root`.
pub(super) fn substitute_all(root: &mut DeTable<'_>) -> Result<(), (Place, Problem)> {
    let values = Values::of(root);
    let mut table = std::mem::take(root);
    let result = values.in_table(&mut table, &Place::top());
    *root = table;
    result
}

/// What may be substituted: `package.version` → `1.2.0`.
struct Values(BTreeMap<String, String>);

impl Values {
    fn of(root: &DeTable<'_>) -> Self {
        let strings = |table: &str| {
            let table = root.get(table).and_then(|value| value.get_ref().as_table());
            let entries = table.into_iter().flat_map(DeTable::iter);
            entries.filter_map(|(key, value)| {
                Some((key.get_ref().to_string(), value.get_ref().as_str()?.to_owned()))
            })
        };
        let package = strings("package").filter(|(key, _)| PACKAGE_KEYS.contains(&key.as_str()));
        let package = package.map(|(key, value)| (format!("package.{key}"), value));
        let vars = strings("vars").map(|(key, value)| (format!("vars.{key}"), value));
        Self(package.chain(vars).collect())
    }

    fn in_table(&self, table: &mut DeTable<'_>, here: &Place) -> Result<(), (Place, Problem)> {
        for (key, value) in table.iter_mut() {
            let place = here.key(key.get_ref());
            if !is_literal(&place) {
                self.in_value(value.get_mut(), &place)?;
            }
        }
        Ok(())
    }

    fn in_value(&self, value: &mut DeValue<'_>, here: &Place) -> Result<(), (Place, Problem)> {
        match value {
            DeValue::String(text) => {
                let replaced = self.in_text(text).map_err(|problem| (here.clone(), problem))?;
                if let Cow::Owned(replaced) = replaced {
                    *text = Cow::Owned(replaced);
                }
                Ok(())
            }
            DeValue::Array(items) => {
                let mut numbered = items.iter_mut().enumerate();
                numbered.try_for_each(|(n, item)| self.in_value(item.get_mut(), &here.item(n)))
            }
            DeValue::Table(table) => self.in_table(table, here),
            _ => Ok(()),
        }
    }

    fn in_text<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Problem> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(found) = Reference::find(rest) {
            out.push_str(&rest[..found.start]);
            out.push_str(&self.value_of(&found)?);
            rest = &rest[found.end..];
        }
        if rest.len() == text.len() {
            return Ok(Cow::Borrowed(text));
        }
        out.push_str(rest);
        Ok(Cow::Owned(out))
    }

    fn value_of(&self, reference: &Reference<'_>) -> Result<String, Problem> {
        if reference.escaped {
            return Ok(format!("${{{}}}", reference.name));
        }
        self.0.get(reference.name).cloned().ok_or_else(|| Problem::UnknownSubstitution {
            name: reference.name.to_owned(),
            known: self.0.keys().cloned().collect(),
        })
    }
}

/// Tells whether the string at `place` is taken as it is.
fn is_literal(place: &Place) -> bool {
    match place.names()[..] {
        ["vars", ..] => true,
        ["package", key] => PACKAGE_KEYS.contains(&key),
        _ => false,
    }
}

/// A `${name.name}` in a text.
struct Reference<'t> {
    name: &'t str,
    escaped: bool,
    start: usize,
    end: usize,
}

impl<'t> Reference<'t> {
    fn find(text: &'t str) -> Option<Self> {
        text.match_indices("${").find_map(|(at, _)| {
            let inner = &text[at + 2..];
            let name = &inner[..inner.find('}')?];
            let (table, key) = name.split_once('.')?;
            if !is_name(table) || !is_name(key) {
                return None;
            }
            let escaped = text[..at].ends_with('$');
            let start = if escaped { at - 1 } else { at };
            Some(Self { name, escaped, start, end: at + 3 + name.len() })
        })
    }
}

/// Tells whether `text` is a name: `[A-Za-z_][A-Za-z0-9_-]*`.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}
