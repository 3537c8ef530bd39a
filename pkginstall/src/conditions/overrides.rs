//! What a host says of one service's conditions: a TOML file with the keys of `[service]` in a recipe, written by `config set` or by hand.
//!
//! It lies with the records of the service, where only the owner of the prefix writes.

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::conditions::{ConditionError, ConditionName, Conditions, Written};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::recipe::line_at;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml_edit::{DocumentMut, Item, Table};

use super::ConditionsError;
use crate::host::{Effect, Prefix};
use crate::text_file;

/// Returns the file in which the host overrides conditions of `service`. It need not be there.
pub fn overrides_file(prefix: &Prefix, service: &ServiceCoordinate) -> Utf8PathBuf {
    prefix.service_state(service).join("overrides.toml")
}

/// A condition as the file has it, with its line, from 1.
pub(super) type Overridden = (ConditionName, Written, usize);

/// Reads what the host says, checked.
pub(super) fn read(
    prefix: &Prefix,
    service: &ServiceCoordinate,
) -> Result<(Conditions, Vec<Overridden>), ConditionsError> {
    let path = overrides_file(prefix, service);
    read_text(&path, &text_file::read(&path)?.unwrap_or_default())
}

/// Reads the text of the file at `path`, checked.
pub(super) fn read_text(
    path: &Utf8Path,
    text: &str,
) -> Result<(Conditions, Vec<Overridden>), ConditionsError> {
    let written = parse(path, text)?;
    let mut conditions = Conditions::default();
    for (name, value, line) in &written {
        let invalid = |source| ConditionsError::Invalid { place: format!("{path}, line {line}"), source };
        conditions.set(name, value).map_err(invalid)?;
    }
    Ok((conditions, written))
}

fn parse(path: &Utf8Path, text: &str) -> Result<Vec<Overridden>, ConditionsError> {
    let line_at = |offset: usize| line_at(text, offset);
    let syntax = |offset: usize, why: String| ConditionsError::Syntax {
        path: path.to_owned(),
        line: line_at(offset),
        why,
    };
    let root = DeTable::parse(text)
        .map_err(|error| syntax(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
    let mut found = Vec::new();
    let mut add = |name: String, value: &Spanned<DeValue<'_>>| {
        let line = line_at(value.span().start);
        let place = || format!("{path}, line {line}");
        let name = name.parse().map_err(|source| ConditionsError::Invalid { place: place(), source })?;
        let value = written(value.get_ref()).ok_or_else(|| {
            let what = "it is a number, a text, true or false, or a list of texts".to_owned();
            syntax(value.span().start, what)
        })?;
        found.push((name, value, line));
        Ok::<_, ConditionsError>(())
    };
    for (key, value) in root.get_ref() {
        match value.get_ref() {
            DeValue::Table(table) => {
                for (inner, value) in table {
                    add(format!("{}.{}", key.get_ref(), inner.get_ref()), value)?;
                }
            }
            _ => add(key.get_ref().to_string(), value)?,
        }
    }
    Ok(found)
}

fn written(value: &DeValue<'_>) -> Option<Written> {
    Some(match value {
        DeValue::Boolean(value) => Written::Boolean(*value),
        DeValue::Integer(number) => {
            Written::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()?)
        }
        DeValue::Float(number) => Written::Number(number.as_str().parse().ok()?),
        DeValue::String(text) => Written::Text(text.to_string()),
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            Written::List(texts.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// Overrides conditions that are written `NAME=VALUE`, durably and in one step. Comments stay. Tells whether the file is another now, or would be.
///
/// # Errors
/// When a condition does not exist, or a value is none for it. Nothing is set then.
pub fn assign_conditions(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    texts: &[&str],
    effect: Effect,
) -> Result<bool, ConditionsError> {
    let invalid = |source| ConditionsError::Invalid { place: "the command line".into(), source };
    let each = texts.iter().map(|text| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let name: ConditionName = name.parse().map_err(invalid)?;
        let value = name.value_of(value);
        Conditions::default().set(&name, &value).map_err(invalid)?;
        Ok((name, Some(value)))
    });
    change(prefix, service, each.collect::<Result<_, ConditionsError>>()?, effect)
}

/// Takes overrides back, so that the package's conditions count again. A name that is not set is no error.
///
/// # Errors
/// When a name is none, or the file cannot be read or written.
pub fn take_back_conditions(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    names: &[&str],
    effect: Effect,
) -> Result<bool, ConditionsError> {
    let invalid =
        |source: ConditionError| ConditionsError::Invalid { place: "the command line".into(), source };
    let each = names.iter().map(|name| Ok((name.parse().map_err(invalid)?, None)));
    change(prefix, service, each.collect::<Result<_, ConditionsError>>()?, effect)
}

fn change(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    changes: Vec<(ConditionName, Option<Written>)>,
    effect: Effect,
) -> Result<bool, ConditionsError> {
    if changes.is_empty() {
        return Ok(false);
    }
    let path = overrides_file(prefix, service);
    let before = text_file::read(&path)?.unwrap_or_default();
    parse(&path, &before)?;
    let mut document: DocumentMut = before.parse().map_err(|error: toml_edit::TomlError| {
        ConditionsError::Syntax { path: path.clone(), line: 1, why: error.message().to_owned() }
    })?;
    for (name, value) in changes {
        let (table, key) = name.keys();
        let within = match table {
            None => document.as_table_mut(),
            Some(table) => {
                let made = document.entry(table).or_insert_with(|| Item::Table(Table::new()));
                let Some(made) = made.as_table_mut() else {
                    let why = format!("write {table} as a table, [{table}]");
                    return Err(ConditionsError::Syntax { path, line: 1, why });
                };
                made
            }
        };
        match value {
            Some(value) => within[&key] = item(&value),
            None => {
                within.remove(&key);
            }
        }
    }
    let after = document.to_string();
    Ok(text_file::replace(&path, &before, &after, effect)?)
}

/// Returns a condition as TOML.
pub(super) fn item(value: &Written) -> Item {
    match value {
        Written::Boolean(value) => toml_edit::value(*value),
        Written::Integer(value) => toml_edit::value(*value),
        Written::Number(value) => toml_edit::value(*value),
        Written::Text(value) => toml_edit::value(value),
        Written::List(values) => toml_edit::value(values.iter().collect::<toml_edit::Array>()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use copkg_spec::durable;

    use super::*;

    #[test]
    fn overrides_are_kept_with_their_comments_and_read_with_their_lines() {
        let directory = tempfile::tempdir().unwrap();
        let prefix = Prefix::at(Utf8Path::from_path(directory.path()).unwrap()).unwrap();
        let service = "1.web.prod.osl".parse().unwrap();
        let state = prefix.service_state(&service);
        durable::create_dir_all(state.as_std_path()).unwrap();
        let path = overrides_file(&prefix, &service);
        fs::write(&path, "# why\numask = \"0077\" # ours\n\n[limits]\nnofile = 100\n").unwrap();
        let texts = ["limits.nofile=4096", "limits.cpu=0.5", "env.A=x y", "env_file=etc/a,-etc/b"];
        assert!(assign_conditions(&prefix, &service, &texts, Effect::DryRun).unwrap());
        assert!(assign_conditions(&prefix, &service, &texts, Effect::Real).unwrap());
        assert!(!assign_conditions(&prefix, &service, &texts, Effect::Real).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# why\numask = \"0077\" # ours\n"), "{text}");
        let (conditions, written) = read(&prefix, &service).unwrap();
        let shown: Vec<String> =
            conditions.list().iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            shown,
            ["limits.nofile=4096", "limits.cpu=0.5", "umask=0077", "env.A=x y", "env_file=etc/a,-etc/b"]
        );
        let umask = written.iter().find(|(name, ..)| *name == ConditionName::Umask).unwrap();
        assert_eq!(umask.2, 2);
        take_back_conditions(&prefix, &service, &["umask", "env.B"], Effect::Real).unwrap();
        assert!(read(&prefix, &service).unwrap().0.umask.is_none());
    }

    #[test]
    fn nonsense_in_the_file_is_named_with_its_line() {
        let said = |text: &str| match parse("o.toml".into(), text) {
            Err(error) => error.to_string(),
            Ok(written) => format!("{written:?}"),
        };
        assert!(
            said("umask = \"0077\"\n[limits]\nmemori = 1\n").starts_with("o.toml, line 3: "),
            "{}",
            said("[limits]\nmemori = 1\n")
        );
        assert!(said("[limits]\nmemori = 1\n").contains("did you mean limits.memory?"));
        assert!(said("umask = {}\nx").starts_with("o.toml, line 2: "));
        assert!(said("env = { A = [1] }").contains("it is a number, a text"));
    }
}
