//! What a repository has of a package: the half of `info` that asks the signed metadata.

use std::collections::BTreeMap;

use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{Group, Label, Version};
use copkg_spec::repository::PackageEntry;
use serde::Serialize;

use super::Context;
use super::search::shown;
use crate::host::Prefix;
use crate::metadata::Keeping;
use crate::repository::{Listed, Network, RepositoryError, Resolver, Wanted};

/// What a repository has of one package.
#[derive(Debug, Serialize)]
struct Document {
    repository: String,
    group: Group,
    id: Label,
    #[serde(flatten)]
    entry: PackageEntry,
    versions: Vec<Row>,
}

/// One version.
#[derive(Debug, Serialize)]
struct Row {
    version: Version,
    files: Vec<File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    yanked: Option<String>,
}

/// Its file for one platform.
#[derive(Debug, Serialize)]
struct File {
    platform: copkg_spec::platform::Platform,
    digest: copkg_spec::digest::Digest,
    bytes: u64,
}

/// Shows what the repository that knows the package has of it: of a whole coordinate this version alone.
pub(super) fn run(
    context: &mut Context,
    prefix: &Prefix,
    wanted: &Wanted,
    network: Network,
) -> Result<Exit, Failure> {
    let sources = context.sources();
    let asking = context.asking(prefix, network, Keeping::Durable);
    let listed = {
        let mut tell = |text: String| context.report.note(text);
        Resolver::new(&sources, asking, &mut tell).list(wanted.group(), wanted.id())?
    };
    let asked = sources.for_group(wanted.group());
    let asked = asked.iter().map(|source| source.repository().first.base.to_string()).collect();
    let not_found = || RepositoryError::NotFound { package: wanted.clone(), asked };
    let document =
        listed.map(|listed| document(listed, wanted)).filter(|document| !document.versions.is_empty());
    let document = document.ok_or_else(not_found)?;
    context.report.data(&document, || document.text());
    Ok(Exit::Ok)
}

fn document(listed: Listed, wanted: &Wanted) -> Document {
    let Listed { repository, entry, group } = listed;
    let only = match wanted {
        Wanted::Exactly(package) => Some(package.version().clone()),
        Wanted::Channel { channel, .. } => entry.channels.get(channel).cloned(),
        Wanted::Newest { .. } => None,
    };
    let mut versions: BTreeMap<Version, Row> = BTreeMap::new();
    for (package, target, custom) in group.package_targets() {
        let version = package.coordinate.version();
        let is_wanted = package.coordinate.id() == wanted.id()
            && only.as_ref().is_none_or(|only| only == version)
            && (only.is_some() || !matches!(wanted, Wanted::Channel { .. }));
        if is_wanted {
            let row = versions.entry(version.clone()).or_insert_with(|| Row {
                version: version.clone(),
                files: Vec::new(),
                yanked: custom.yanked,
            });
            row.files.push(File { platform: package.platform, digest: custom.digest, bytes: target.length });
        }
    }
    Document {
        repository,
        group: wanted.group().clone(),
        id: wanted.id().clone(),
        entry,
        versions: versions.into_values().rev().collect(),
    }
}

impl Document {
    fn text(&self) -> String {
        let Self { repository, group, id, entry, .. } = self;
        let mut lines = vec![format!("{group}:{id}  in {repository}")];
        lines.extend(entry.description.iter().map(|text| format!("  {}", shown(text))));
        let channels = |version: &Version| {
            let newest = entry.newest.iter().filter(|newest| *newest == version).map(|_| "newest".to_owned());
            let named = entry.channels.iter().filter(|(_, named)| *named == version);
            newest.chain(named.map(|(channel, _)| format!("@{channel}"))).collect::<Vec<_>>().join(" ")
        };
        for Row { version, files, yanked } in &self.versions {
            let platforms: Vec<String> = files.iter().map(|file| file.platform.to_string()).collect();
            let yanked = yanked.iter().map(|reason| format!("  yanked: {}", shown(reason)));
            let line = format!("  {version}  {}  {}", platforms.join(" "), channels(version));
            lines.push(format!("{}{}", line.trim_end(), yanked.collect::<String>()));
        }
        lines.join("\n")
    }
}
