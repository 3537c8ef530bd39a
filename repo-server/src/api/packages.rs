//! The listing by group and id: `/api/v1/packages`.

use axum::extract::{Path, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;
use copkg_spec::coordinate::{Group, Label};
use serde::Serialize;

use super::{Problem, State, document};
use crate::catalogue::{self, GroupListing};

#[derive(Serialize)]
struct AllGroups {
    groups: Vec<GroupListing>,
}

pub(super) async fn all(Shared(state): Shared<State>, headers: HeaderMap) -> Result<Response, Problem> {
    let groups = catalogue::groups(&state.storage).await?;
    Ok(document::answer(&headers, &AllGroups { groups }))
}

pub(super) async fn group(
    Shared(state): Shared<State>,
    Path(group): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let group: Group = group.parse().map_err(|e| Problem::bad_name(&e))?;
    let listing = catalogue::group_listing(&state.storage, group.clone()).await?;
    let missing =
        || Problem::not_found("group_not_found", format!("this repository has no package of {group}"));
    Ok(document::answer(&headers, &listing.ok_or_else(missing)?))
}

pub(super) async fn package(
    Shared(state): Shared<State>,
    Path((group, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let group: Group = group.parse().map_err(|e| Problem::bad_name(&e))?;
    let id: Label = id.parse().map_err(|e| Problem::bad_name(&e))?;
    let listing = catalogue::package_listing(&state.storage, group.clone(), id.clone()).await?;
    let missing =
        || Problem::not_found("package_not_found", format!("this repository has no version of {group}:{id}"));
    Ok(document::answer(&headers, &listing.ok_or_else(missing)?))
}
