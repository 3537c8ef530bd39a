//! The listing by group and id: `/api/v1/packages`. Of a repository with metadata it lists what is signed, page by page; of a
//! plain directory it lists the files that are there, all at once.

use axum::extract::{Path, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;
use copkg_spec::coordinate::{Group, Label};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::reading::{self, Asked, GroupDocument, GroupsDocument, PackageDocument};
use super::{Problem, State, document};
use crate::catalogue::{self, GroupListing};

#[derive(Serialize)]
struct AllGroups {
    groups: Vec<GroupListing>,
}

/// Which part of a list is wanted.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// How many items a page has at most; 100 without it.
    pub(super) limit: Option<u32>,
    /// Where the page begins: `next` of the page before.
    pub(super) cursor: Option<String>,
}

/// Returns the routes, each with its description.
pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(all)).routes(routes!(group)).routes(routes!(package))
}

/// The groups with the ids of their packages
#[utoipa::path(
    get, path = "/api/v1/packages", tag = "reading", 
    params(("limit" = Option<u32>, Query, description = "How many items a page has at most; 100 without it", minimum = 1, maximum = 1000), ("cursor" = Option<String>, Query, description = "Where the page begins: `next` of the page before", pattern = "^~[a-z0-9][a-z0-9_-]{0,20}(\\.[a-z0-9][a-z0-9_-]{0,20}){0,3}$")),
    responses((status = 200, body = GroupsDocument), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn all(
    Shared(state): Shared<State>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(published) = &state.published {
        return Ok(document::answer(&headers, &reading::groups(published, &wanted).await?));
    }
    let groups = catalogue::groups(&state.storage).await?;
    Ok(document::answer(&headers, &AllGroups { groups }))
}

/// The packages of one group
#[utoipa::path(
    get, path = "/api/v1/packages/{group}", tag = "reading",
    params(
        ("group" = String, Path, description = "The group", max_length = 127, pattern = "^[a-z0-9][a-z0-9_-]{0,20}(\\.[a-z0-9][a-z0-9_-]{0,20}){0,3}$"),
        ("limit" = Option<u32>, Query, description = "How many items a page has at most; 100 without it", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "Where the page begins: `next` of the page before", pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")
    ),
    responses((status = 200, body = GroupDocument), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn group(
    Shared(state): Shared<State>,
    Path(group): Path<String>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let group: Group = group.parse()?;
    let missing =
        || Problem::not_found("group_not_found", format!("this repository has no package of {group}"));
    if let Some(published) = &state.published {
        let listing = reading::group(published, &group, &wanted).await?;
        return Ok(document::answer(&headers, &listing.ok_or_else(missing)?));
    }
    let listing = catalogue::group_listing(&state.storage, group.clone()).await?;
    Ok(document::answer(&headers, &listing.ok_or_else(missing)?))
}

/// The versions of one package
#[utoipa::path(
    get, path = "/api/v1/packages/{group}/{id}", tag = "reading",
    params(
        ("group" = String, Path, description = "The group", max_length = 127, pattern = "^[a-z0-9][a-z0-9_-]{0,20}(\\.[a-z0-9][a-z0-9_-]{0,20}){0,3}$"),
        ("id" = String, Path, description = "The id", max_length = 63, pattern = "^[a-z0-9][a-z0-9_-]{0,62}$"),
        ("limit" = Option<u32>, Query, description = "How many items a page has at most; 100 without it", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "Where the page begins: `next` of the page before", pattern = "^[0-9A-Za-z][0-9A-Za-z.+_~-]{0,63}$")
    ),
    responses((status = 200, body = PackageDocument), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn package(
    Shared(state): Shared<State>,
    Path((group, id)): Path<(String, String)>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (group, id): (Group, Label) = (group.parse()?, id.parse()?);
    let missing =
        || Problem::not_found("package_not_found", format!("this repository has no version of {group}:{id}"));
    if let Some(published) = &state.published {
        let listing = reading::package(published, &group, &id, &wanted).await?;
        return Ok(document::answer(&headers, &listing.ok_or_else(missing)?));
    }
    let listing = catalogue::package_listing(&state.storage, group.clone(), id.clone()).await?;
    Ok(document::answer(&headers, &listing.ok_or_else(missing)?))
}
