//! What the repository is, its groups, and the versions of a package.

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use copkg_spec::coordinate::{Group, Label, Version};

use super::documents::{GroupItem, RepositoryDocument, VersionItem};
use super::{GroupDocument, GroupsDocument, PackageDocument, checked_limit, ending};
use crate::api::packages::Wanted;
use crate::api::{Problem, State, document};
use crate::published::Published;

/// What the repository is
#[utoipa::path(
    get, path = "/api/v1/repository", tag = "reading",
    responses((status = 200, body = RepositoryDocument), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn repository(
    Shared(state): Shared<State>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let overview = state.published()?.overviews.current().await.ok_or_else(ending)?;
    let totals = overview.index.totals();
    Ok(document::answer(
        &headers,
        &RepositoryDocument {
            fingerprint: overview.head.fingerprint().to_string(),
            commit: overview.head.commit().number(),
            time: overview.head.time().to_string(),
            groups: totals.groups as u64,
            packages: totals.packages as u64,
            versions: totals.versions as u64,
        },
    ))
}

/// Lists groups.
pub(crate) async fn groups(published: &Published, wanted: &Wanted) -> Result<GroupsDocument, Problem> {
    let limit = checked_limit(wanted.limit)?;
    // With a mark before it, so that no number is a cursor.
    let name = |cursor: &str| cursor.strip_prefix('~').unwrap_or_default().parse::<Group>();
    let after: Option<Group> = wanted.cursor.as_deref().map(name).transpose()?;
    let overview = published.overviews.current().await.ok_or_else(ending)?;
    let behind =
        overview.index.groups().filter(|(group, _)| after.as_ref().is_none_or(|after| *group > after));
    let mut groups: Vec<GroupItem> = behind
        .take(limit + 1)
        .map(|(group, rows)| GroupItem {
            group: group.to_string(),
            ids: rows.iter().map(|row| row.id().to_string()).collect(),
        })
        .collect();
    let next = cut(&mut groups, limit, |last| format!("~{}", last.group));
    Ok(GroupsDocument { groups, next })
}

/// Lists the packages of a group; `None` when it has none.
pub(crate) async fn group(
    published: &Published,
    group: &Group,
    wanted: &Wanted,
) -> Result<Option<GroupDocument>, Problem> {
    let limit = checked_limit(wanted.limit)?;
    let after: Option<Label> = wanted.cursor.as_deref().map(str::parse).transpose()?;
    let overview = published.overviews.current().await.ok_or_else(ending)?;
    let Some(rows) = overview.index.group(group) else { return Ok(None) };
    let mut ids: Vec<String> = match &after {
        Some(after) => rows.behind(after).take(limit + 1).map(|row| row.id().to_string()).collect(),
        None => rows.iter().take(limit + 1).map(|row| row.id().to_string()).collect(),
    };
    let next = cut(&mut ids, limit, String::clone);
    Ok(Some(GroupDocument { group: group.to_string(), ids, next }))
}

/// Lists the versions of a package; `None` when it has none.
pub(crate) async fn package(
    published: &Published,
    group: &Group,
    id: &Label,
    wanted: &Wanted,
) -> Result<Option<PackageDocument>, Problem> {
    let limit = checked_limit(wanted.limit)?;
    let after: Option<Version> = wanted.cursor.as_deref().map(str::parse).transpose()?;
    let Some(package) = published.package(group, id).await? else { return Ok(None) };
    let behind = package.versions.iter().rev();
    let behind = behind.filter(|version| after.as_ref().is_none_or(|after| version.version > *after));
    let mut versions: Vec<VersionItem> = behind.take(limit + 1).map(VersionItem::from).collect();
    let next = cut(&mut versions, limit, |last| last.version.clone());
    let channels =
        package.entry.channels.iter().map(|(name, to)| (name.to_string(), to.to_string())).collect();
    Ok(Some(PackageDocument {
        group: group.to_string(),
        id: id.to_string(),
        newest: package.entry.newest.as_ref().map(ToString::to_string),
        description: package.entry.description.clone(),
        channels: Some(channels),
        versions,
        next,
    }))
}

/// Cuts a list that has one item more than asked for, and returns the cursor behind its last item.
fn cut<T>(items: &mut Vec<T>, limit: usize, name: impl Fn(&T) -> String) -> Option<String> {
    let more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| more).map(name)
}
