//! `pkginstall repo list`: the repositories of all configuration files, and what is kept of them.

use copkg_spec::command::Exit;
use serde_json::{Value, json};

use super::Context;
use crate::config;
use crate::metadata::{self, Kept};
use crate::repository::{Repository, Witnesses};

pub(super) fn list(context: &mut Context) -> Exit {
    let values: Vec<_> = context.settings.repositories.values().cloned().collect();
    // Without a prefix nothing is kept, and what is configured can be listed all the same.
    let prefix = context.prefix().ok();
    let kept = |repository: &Repository| {
        let prefix = prefix.as_ref().filter(|_| repository.root.is_some())?;
        Some(metadata::kept(prefix, &repository.name))
    };
    let rows: Vec<_> = values.iter().map(|entry| (entry, kept(&entry.value))).collect();
    let documents: Vec<Value> = rows.iter().map(|(entry, kept)| row(entry, kept.as_ref())).collect();
    context.report.data(&json!({ "repositories": documents }), || {
        rows.iter().map(|(entry, kept)| text(entry, kept.as_ref())).collect()
    });
    Exit::Ok
}

fn row(entry: &config::Value<Repository>, kept: Option<&Kept>) -> Value {
    let repository = &entry.value;
    let mirrors: Vec<String> = repository.mirrors.iter().map(|mirror| mirror.base.to_string()).collect();
    json!({
        "name": repository.name,
        "url": repository.first.base.to_string(),
        "groups": repository.groups,
        "mirrors": mirrors,
        "credentials": repository.first.auth.is_some(),
        "root": repository.root,
        "witnesses": repository.witnesses.as_ref().map(witnesses_document),
        "kept": kept,
        "origin": entry.origin,
    })
}

fn witnesses_document(witnesses: &Witnesses) -> Value {
    json!({ "keys": witnesses.keys(), "needed": witnesses.needed() })
}

fn text(entry: &config::Value<Repository>, kept: Option<&Kept>) -> String {
    let repository = &entry.value;
    let groups: Vec<String> = repository.groups.iter().map(ToString::to_string).collect();
    let groups = if groups.is_empty() { String::new() } else { format!("  for {}", groups.join(", ")) };
    let mut lines =
        vec![format!("{}  {}{groups}  ({})", repository.name, repository.first.base, entry.origin)];
    lines.extend(repository.mirrors.iter().map(|mirror| format!("  mirror     {}", mirror.base)));
    match &repository.root {
        Some(root) => lines.push(format!("  root       {root}")),
        None => lines.push("  root       not pinned: a plain directory".to_owned()),
    }
    lines.extend(repository.witnesses.iter().map(|witnesses| format!("  witnesses  {witnesses}")));
    lines.extend(kept.map(|kept| match (kept.refreshed, kept.head, kept.expires) {
        (Some(refreshed), Some(head), Some(expires)) => {
            format!(
                "  refreshed  {}, head {head}, good until {expires}",
                refreshed.strftime("%Y-%m-%dT%H:%M:%SZ")
            )
        }
        _ => "  refreshed  never".to_owned(),
    }));
    let log = kept.and_then(|kept| kept.log);
    lines.extend(log.map(|log| format!("  log        {} entries, root {}", log.size, log.root)));
    lines.join("\n") + "\n"
}
