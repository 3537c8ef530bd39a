//! `pkginstall config show`: the settings of pkginstall itself.

use copkg_spec::command::Exit;
use serde_json::{Value as Json, json};

use super::super::Context;
use crate::config::{Origin, Settings, Value};
use crate::repository::{Auth, Repository};

pub(super) fn run(origin: Origins, context: &mut Context<'_>) -> Exit {
    let rows = rows(&context.settings);
    let settings: Vec<Json> = rows
        .iter()
        .map(|(name, value, from)| {
            let mut row = json!({ "name": name, "value": value });
            if origin == Origins::Shown {
                row["origin"] = json!(from);
            }
            row
        })
        .collect();
    context.report.data(&json!({ "settings": settings }), || {
        let line = |(name, value, from): &(String, Json, Origin)| match origin {
            Origins::Shown => format!("{name} = {value}  # {from}"),
            Origins::Hidden => format!("{name} = {value}"),
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Exit::Ok
}

/// Whether it is shown where each value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origins {
    Shown,
    Hidden,
}

fn rows(settings: &Settings) -> Vec<(String, Json, Origin)> {
    fn row<T: serde::Serialize>(name: &str, value: &Value<T>) -> (String, Json, Origin) {
        (name.to_owned(), json!(value.value), value.origin.clone())
    }
    let fetch = &settings.fetch;
    let mut rows: Vec<_> = settings.prefix.iter().map(|prefix| row("prefix", prefix)).collect();
    rows.extend([
        row("lock_timeout_seconds", &settings.lock_timeout_seconds),
        row("keep_data_days", &settings.keep_data_days),
        row("backend", &settings.backend),
        row("fetch.attempts", &fetch.attempts),
        row("fetch.connect_timeout_seconds", &fetch.connect_timeout_seconds),
        row("fetch.silence_timeout_seconds", &fetch.silence_timeout_seconds),
        row("fetch.longest_pause_seconds", &fetch.longest_pause_seconds),
        row("fetch.least_bytes_per_second", &fetch.least_bytes_per_second),
        row("fetch.rate_window_seconds", &fetch.rate_window_seconds),
        row("fetch.frame_cache_mib", &fetch.frame_cache_mib),
    ]);
    let services = settings.services.iter();
    rows.extend(services.map(|(service, value)| row(&format!("services.{service:?}.backend"), value)));
    for Value { value, origin } in settings.repositories.values() {
        rows.extend(repository(value).into_iter().map(|(name, json)| (name, json, origin.clone())));
    }
    rows
}

fn repository(repository: &Repository) -> Vec<(String, Json)> {
    let name = |key: &str| format!("repositories.{}.{key}", repository.name);
    let mut rows = vec![(name("url"), json!(repository.first.base.to_string()))];
    if !repository.groups.is_empty() {
        rows.push((name("groups"), json!(repository.groups)));
    }
    if let Some(root) = &repository.root {
        rows.push((name("root"), json!(root)));
    }
    if !repository.mirrors.is_empty() {
        let mirrors: Vec<_> = repository.mirrors.iter().map(|mirror| mirror.base.to_string()).collect();
        rows.push((name("mirrors"), json!(mirrors)));
    }
    if let Some(timeout) = repository.first.timeout {
        rows.push((name("timeout_seconds"), json!(timeout.as_secs())));
    }
    // Where a secret is kept, never the secret.
    match &repository.first.auth {
        Some(Auth::Basic { user, password }) => {
            rows.push((name("auth.user"), json!(user)));
            rows.push((name("auth.password"), json!(password.to_string())));
        }
        Some(Auth::Bearer { token }) => rows.push((name("auth.token"), json!(token.to_string()))),
        None => {}
    }
    rows
}
