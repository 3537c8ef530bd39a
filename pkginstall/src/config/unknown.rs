//! Unknown keys: refused with their line and the setting that was probably meant.
//!
//! Comes before the file is read as a configuration: a misspelt setting that is silently ignored is the worst default.

use camino::Utf8Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;

const TOP: &[&str] =
    &["backend", "fetch", "keep_data_days", "lock_timeout_seconds", "prefix", "repositories", "services"];
const SERVICE: &[&str] = &["backend"];
const FETCH: &[&str] = &[
    "attempts",
    "connect_timeout_seconds",
    "frame_cache_mib",
    "least_bytes_per_second",
    "longest_pause_seconds",
    "rate_window_seconds",
    "silence_timeout_seconds",
];
const REPOSITORY: &[&str] =
    &["auth", "groups", "mirrors", "root", "timeout_seconds", "url", "witnesses", "witnesses_needed"];
const MIRROR: &[&str] = &["auth", "timeout_seconds", "url"];
const AUTH: &[&str] = &["password_env", "password_file", "token_env", "token_file", "user"];

/// Finds the first key of `text` that is no setting.
pub(super) fn check(path: &Utf8Path, text: &str) -> Result<(), ConfigError> {
    let parsed = DeTable::parse(text)
        .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
    let check = |table: &DeTable<'_>, name: &str, known| check_table(path, text, table, name, known);
    let root = parsed.get_ref();
    check(root, "", TOP)?;
    if let Some(fetch) = table(root, "fetch") {
        check(fetch, "fetch.", FETCH)?;
    }
    for (name, service) in table(root, "services").into_iter().flat_map(DeTable::iter) {
        let DeValue::Table(service) = service.get_ref() else { continue };
        check(service, &format!("services.{:?}.", name.get_ref()), SERVICE)?;
    }
    for (name, repository) in table(root, "repositories").into_iter().flat_map(DeTable::iter) {
        let DeValue::Table(repository) = repository.get_ref() else { continue };
        let name = format!("repositories.{}.", name.get_ref());
        check(repository, &name, REPOSITORY)?;
        if let Some(auth) = table(repository, "auth") {
            check(auth, &format!("{name}auth."), AUTH)?;
        }
        for mirror in tables(repository, "mirrors") {
            check(mirror, &format!("{name}mirrors."), MIRROR)?;
            if let Some(auth) = table(mirror, "auth") {
                check(auth, &format!("{name}mirrors.auth."), AUTH)?;
            }
        }
    }
    Ok(())
}

fn table<'t, 's>(parent: &'t DeTable<'s>, key: &str) -> Option<&'t DeTable<'s>> {
    match parent.get(key)?.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

fn tables<'t, 's>(parent: &'t DeTable<'s>, key: &str) -> Vec<&'t DeTable<'s>> {
    let Some(DeValue::Array(items)) = parent.get(key).map(Spanned::get_ref) else { return Vec::new() };
    let table = |item: &'t Spanned<DeValue<'s>>| match item.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    };
    items.iter().filter_map(table).collect()
}

fn check_table(
    path: &Utf8Path,
    text: &str,
    table: &DeTable<'_>,
    name: &str,
    known: &'static [&'static str],
) -> Result<(), ConfigError> {
    let unknown = table.iter().map(|(key, _)| key).filter(|key| !known.contains(&key.get_ref().as_ref()));
    let Some(key) = unknown.min_by_key(|key| key.span().start) else { return Ok(()) };
    let before = text.get(..key.span().start).unwrap_or_default();
    Err(ConfigError::UnknownKey {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        table: name.to_owned(),
        key: key.get_ref().to_string(),
        meant: meant(key.get_ref(), known),
        known: known.to_vec(),
    })
}

/// A misspelling of a third of the letters at most.
fn meant(key: &str, known: &[&'static str]) -> Option<String> {
    let distance = |word: &&&str| strsim::osa_distance(key, word);
    let nearest = known.iter().min_by_key(distance)?;
    (distance(&nearest) <= (key.len() / 3).max(1)).then(|| (*nearest).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use copkg_spec::command::Failure;

    fn says(text: &str) -> String {
        Failure::from(check(Utf8Path::new("/etc/copkg/config.toml"), text).unwrap_err()).to_string()
    }

    #[test]
    fn a_misspelt_setting_is_refused_with_the_one_that_was_meant() {
        insta::assert_snapshot!(says("# ours\nprefx = \"/srv\"\n"), @r#"
        error: /etc/copkg/config.toml:2: prefx is not a setting
          hint: did you mean "prefix"?
        "#);
        insta::assert_snapshot!(says("[repositories.main]\nulr = \"https://example.com\"\n"), @r#"
        error: /etc/copkg/config.toml:2: repositories.main.ulr is not a setting
          hint: did you mean "url"?
        "#);
        insta::assert_snapshot!(says("[fetch]\ncolour = 1\n"), @r"
        error: /etc/copkg/config.toml:2: fetch.colour is not a setting
          hint: there are: attempts, connect_timeout_seconds, frame_cache_mib, least_bytes_per_second, longest_pause_seconds, rate_window_seconds, silence_timeout_seconds
        ");
    }

    #[test]
    fn every_setting_is_known() {
        let text = "prefix = \"/p\"\nlock_timeout_seconds = 1\n[fetch]\nattempts = 1\n[repositories.a]\nurl = \"u\"\n\
                    groups = []\n\
                    mirrors = [\"v\", { url = \"w\", timeout_seconds = 1 }]\nroot = \"\"\ntimeout_seconds = 1\nwitnesses = []\nwitnesses_needed = 1\n[repositories.a.auth]\nuser = \"u\"\npassword_env = \"P\"\n";
        check(Utf8Path::new("x"), text).unwrap();
    }
}
