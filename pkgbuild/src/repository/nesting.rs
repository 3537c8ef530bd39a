//! Finds packages of a repository whose install path contains another one's, or lies inside it.

use std::fs;
use std::io;
use std::path::Path;

use copkg_spec::coordinate::{Group, Label, NestingConflict, PackageCoordinate, Version};

/// Checks `new` against every package in `targets` that could nest with it.
///
/// # Errors
/// When one nests, or the repository cannot be read.
pub(super) fn check(new: &PackageCoordinate, targets: &Path) -> io::Result<Result<(), NestingConflict>> {
    for shard in names(targets)? {
        let shard = targets.join(shard);
        for name in names(&shard)? {
            let Ok(group) = name.parse::<Group>() else { continue };
            if !may_nest(new, &group) {
                continue;
            }
            if let Err(conflict) = check_group(new, &group, &shard.join(&name))? {
                return Ok(Err(conflict));
            }
        }
    }
    Ok(Ok(()))
}

/// One install path contains another only when one package's group is the start of the other's path.
fn may_nest(new: &PackageCoordinate, group: &Group) -> bool {
    let (ours, theirs) = (format!("{}/", new.install_path()), format!("{}/", group.as_path()));
    ours.starts_with(&theirs) || theirs.starts_with(&format!("{}/", new.group().as_path()))
}

fn check_group(
    new: &PackageCoordinate,
    group: &Group,
    directory: &Path,
) -> io::Result<Result<(), NestingConflict>> {
    for id in names(directory)? {
        let Ok(label) = id.parse::<Label>() else { continue };
        for version in names(&directory.join(&id))? {
            let Ok(version) = version.parse::<Version>() else { continue };
            let there = PackageCoordinate::new(group.clone(), label.clone(), version);
            if let Err(conflict) = new.check_beside(&there) {
                return Ok(Err(conflict));
            }
        }
    }
    Ok(Ok(()))
}

/// Returns the names in a directory, sorted; none for one that is not there.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        result => result?,
    };
    let names: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.file_name())).collect();
    let mut names: Vec<String> = names?.into_iter().filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    Ok(names)
}
