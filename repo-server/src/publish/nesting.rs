//! Whether two packages of different groups would be installed one inside the other: `a:b:c` and `a.b:c:1` share a path.

use copkg_spec::coordinate::{Group, Label, PackageCoordinate, Version};
use copkg_spec::repository::{GroupContent, GroupError};
use copkg_spec::tuf::TargetPath;

use super::PublishError;
use crate::repository::{Head, Repository};

/// Checks the coordinates that are new in `content` against all groups whose paths may meet theirs.
pub(super) async fn check(
    repository: &Repository,
    head: &Head,
    content: &GroupContent,
    before: Option<&GroupContent>,
) -> Result<(), PublishError> {
    for coordinate in new_coordinates(content, before) {
        for (group, id) in neighbours(&coordinate) {
            let Some(there) = repository.published(head, &group).await? else { continue };
            let theirs = there.package_targets().map(|(package, ..)| package.coordinate);
            for other in theirs.filter(|other| id.as_ref().is_none_or(|id| other.id() == id)) {
                coordinate.check_beside(&other).map_err(|conflict| PublishError::Group {
                    group: content.group().to_string(),
                    source: GroupError::Nesting(conflict),
                })?;
            }
        }
    }
    Ok(())
}

fn new_coordinates(content: &GroupContent, before: Option<&GroupContent>) -> Vec<PackageCoordinate> {
    let is_new = |path: &TargetPath| before.is_none_or(|before| before.target(path).is_none());
    let packages = content.package_targets();
    let mut new: Vec<_> = packages
        .filter(|(package, ..)| is_new(&package.path()))
        .map(|(package, ..)| package.coordinate)
        .collect();
    new.dedup();
    new
}

/// Returns the groups whose packages could lie inside this one's path or around it, each with the id that would.
fn neighbours(coordinate: &PackageCoordinate) -> Vec<(Group, Option<Label>)> {
    let mut found = Vec::new();
    let labels: Vec<&str> = coordinate.group().labels().collect();
    let group = |labels: &[&str]| labels.join(".").parse::<Group>().ok();
    // Around: the last labels of the group read as an id, or as an id and a version.
    for split in 1..=2_usize {
        let Some(cut) = labels.len().checked_sub(split).filter(|cut| *cut > 0) else { continue };
        if let (Some(outer), Ok(id)) = (group(&labels[..cut]), labels[cut].parse()) {
            found.push((outer, Some(id)));
        }
    }
    // Inside: id and version read as labels of a group, which a version with dots is not.
    let Some(version) = version_as_label(coordinate.version()) else { return found };
    let id = coordinate.id().as_str();
    if let Some(inner) = group(&[labels.as_slice(), &[id]].concat()) {
        found.push((inner, Some(version.clone())));
    }
    if let Some(deeper) = group(&[labels.as_slice(), &[id, version.as_str()]].concat()) {
        found.push((deeper, None));
    }
    found
}

fn version_as_label(version: &Version) -> Option<Label> {
    version.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_around_and_inside_of_a_package_are_found() {
        let found = |coordinate: &str| -> Vec<String> {
            let coordinate = coordinate.parse().unwrap();
            let named = neighbours(&coordinate).into_iter();
            named
                .map(|(group, id)| format!("{group} {}", id.map_or("*".into(), |id| id.to_string())))
                .collect()
        };
        assert_eq!(found("a.b.c:d:1.0"), ["a.b c", "a b"]);
        assert_eq!(found("a:b:c"), ["a.b c", "a.b.c *"]);
    }
}
