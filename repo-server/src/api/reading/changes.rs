//! What happened lately: `/api/v1/changes`.

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use copkg_spec::coordinate::{Group, Label};
use serde::Deserialize;
use utoipa::IntoParams;

use super::documents::{ChangeItem, ChangesDocument};
use super::{Asked, checked_limit, ending};
use crate::api::{Problem, State, document};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only of this group.
    #[param(max_length = 127, pattern = "^[a-z0-9][a-z0-9_-]{0,20}(\\.[a-z0-9][a-z0-9_-]{0,20}){0,3}$")]
    group: Option<String>,
    /// Only of packages with this id.
    #[param(max_length = 63, pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")]
    id: Option<String>,
    /// How many items there are at most; 100 without it.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// What happened lately
#[utoipa::path(
    get, path = "/api/v1/changes", tag = "reading", params(Wanted),
    responses((status = 200, body = ChangesDocument), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn changes(
    Shared(state): Shared<State>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let group: Option<Group> = wanted.group.as_deref().map(str::parse).transpose()?;
    let id: Option<Label> = wanted.id.as_deref().map(str::parse).transpose()?;
    let limit = checked_limit(wanted.limit)?;
    let overview = state.published()?.overviews.current().await.ok_or_else(ending)?;
    let wanted = overview.changes.iter().filter(|change| {
        group.as_ref().is_none_or(|group| change.group == *group)
            && id.as_ref().is_none_or(|id| change.id == *id)
    });
    let items = wanted.take(limit).map(|change| ChangeItem::from(&**change)).collect();
    Ok(document::answer(&headers, &ChangesDocument { items }))
}
