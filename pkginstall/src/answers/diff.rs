//! How two generations of a service differ: files of the package, configuration, parameters.

use std::collections::{BTreeMap, BTreeSet};

use copkg_spec::command::Failure;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::index::{Entry, EntryPath};
use serde::Serialize;

use crate::configure::{Rendered, unified};
use crate::generation::{Generation, Generations, Number};
use crate::host::Prefix;
use crate::receipts;
use crate::service::ServiceError;

/// What is different between two generations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The service.
    pub service: ServiceCoordinate,
    /// The one side.
    pub from: Number,
    /// The other side.
    pub to: Number,
    /// The package of the one side, and that of the other.
    pub packages: [PackageCoordinate; 2],
    /// Whether they are the same bytes.
    pub same_package: bool,
    /// The files of the package.
    pub files: Vec<FileChange>,
    /// The files of the rendered configuration.
    pub configuration: Vec<ConfigurationChange>,
    /// Parameters that only the one side has.
    pub parameters_removed: Vec<String>,
    /// Parameters that only the other side has.
    pub parameters_added: Vec<String>,
}

/// A file that is different.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FileChange {
    /// Where.
    pub path: EntryPath,
    /// `added`, `removed` or `changed`.
    pub change: &'static str,
}

/// A file of the rendered configuration that is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigurationChange {
    /// Where, and whether it was added, removed or changed.
    #[serde(flatten)]
    pub file: FileChange,
    /// The lines, as a unified diff. Not of what may hold a secret, and not of what is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// Compares two generations of `service`.
///
/// # Errors
/// When one is missing, or the package of one is not installed any more.
pub fn compare(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    from: Number,
    to: Number,
) -> Result<Comparison, Failure> {
    let generations = Generations::of(prefix, service);
    let (one, other) = (generations.read(from)?, generations.read(to)?);
    let same_package = one.digest == other.digest;
    let files = if same_package {
        Vec::new()
    } else {
        differences(&files_of(prefix, &one)?, &files_of(prefix, &other)?)
    };
    let only = |here: &Generation, there: &Generation| -> Vec<String> {
        let there: BTreeSet<&String> = there.parameters.iter().collect();
        here.parameters.iter().filter(|parameter| !there.contains(parameter)).cloned().collect()
    };
    Ok(Comparison {
        service: service.clone(),
        from,
        to,
        same_package,
        files,
        configuration: configuration(&generations, &one, &other)?,
        parameters_removed: only(&one, &other),
        parameters_added: only(&other, &one),
        packages: [one.package, other.package],
    })
}

type Files = BTreeMap<EntryPath, String>;

fn files_of(prefix: &Prefix, generation: &Generation) -> Result<Files, Failure> {
    let package = &generation.package;
    let receipt = receipts::read(prefix, package)?.filter(|receipt| receipt.digest == generation.digest);
    let receipt = receipt.ok_or_else(|| ServiceError::NotInstalled { package: package.clone() })?;
    let contents = receipts::contents(prefix, &receipt)?;
    let described = contents.index().entries().iter().filter_map(|entry| match entry {
        Entry::File { path, mode, sha256, .. } => Some((path.clone(), format!("{:o} {sha256}", mode.bits()))),
        Entry::Symlink { path, target } => Some((path.clone(), format!("-> {target}"))),
        Entry::Directory { .. } => None,
    });
    Ok(described.collect())
}

fn configuration(
    generations: &Generations,
    one: &Generation,
    other: &Generation,
) -> Result<Vec<ConfigurationChange>, ServiceError> {
    let digests = |generation: &Generation| -> Files {
        let text = |(path, digest): (&EntryPath, &Digest)| (path.clone(), digest.to_string());
        generation.configuration.iter().map(text).collect()
    };
    let read = |generation: &Generation| Rendered::read_from(&generations.etc(generation.number));
    let (before, after) = (read(one)?, read(other)?);
    let changes = differences(&digests(one), &digests(other)).into_iter().map(|file| {
        let diff = unified(&file.path, before.files.get(&file.path), after.files.get(&file.path));
        ConfigurationChange { file, diff }
    });
    Ok(changes.collect())
}

fn differences(one: &Files, other: &Files) -> Vec<FileChange> {
    let paths: BTreeSet<&EntryPath> = one.keys().chain(other.keys()).collect();
    let changes = paths.into_iter().filter_map(|path| {
        let change = match (one.get(path), other.get(path)) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(one), Some(other)) if one != other => "changed",
            _ => return None,
        };
        Some(FileChange { path: path.clone(), change })
    });
    changes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_removed_and_changed_is_told_apart() {
        let files = |names: &[(&str, &str)]| -> Files {
            names.iter().map(|(path, text)| (path.parse().unwrap(), (*text).to_owned())).collect()
        };
        let one = files(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let other = files(&[("b", "2"), ("c", "1"), ("d", "1")]);
        let told: Vec<String> =
            differences(&one, &other).iter().map(|c| format!("{} {}", c.change, c.path)).collect();
        assert_eq!(told, ["removed a", "changed b", "added d"]);
    }
}
