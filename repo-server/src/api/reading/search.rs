//! Search: `/api/v1/search`.

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use utoipa::IntoParams;

use super::documents::{SearchDocument, SearchItem};
use super::{Asked, checked_limit, ending};
use crate::api::{Problem, State, document};
use crate::search::{Cursor, Query};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Words, and fields with a value: `group:`, `id:`, `kind:`, `platform:`, `channel:`. A package has all of them.
    #[serde(default)]
    #[param(required = false, max_length = 200, example = "group:com.example web")]
    q: String,
    /// How many items a page has at most; 100 without it.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Where the page begins: `next` of the page before.
    #[param(pattern = "^[0-9]{1,3}~[a-z0-9._:-]{0,200}$")]
    cursor: Option<String>,
}

/// Find packages
#[utoipa::path(
    get, path = "/api/v1/search", tag = "reading", params(Wanted),
    responses((status = 200, body = SearchDocument), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn search(
    Shared(state): Shared<State>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query: Query = wanted.q.parse()?;
    let cursor: Option<Cursor> = wanted.cursor.as_deref().map(str::parse).transpose()?;
    let limit = checked_limit(wanted.limit)?;
    let overview = state.published()?.overviews.current().await.ok_or_else(ending)?;
    // It may take some milliseconds, which other requests need not wait for.
    let found = spawn_blocking(move || overview.index.search(&query, cursor.as_ref(), limit)).await;
    let found = found.map_err(|_| ending())?;
    let items = found.rows.iter().map(|row| SearchItem::from(&**row)).collect();
    let next = found.next.map(|cursor| cursor.to_string());
    Ok(document::answer(&headers, &SearchDocument { items, total: found.total as u64, next }))
}
