//! Feeds and badges over HTTP.

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use copkg_spec::coordinate::{Group, Label};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Problem, State};
use crate::badges::{Badge, Tone};
use crate::feeds::Feed;
use crate::overview::{Change, Overview, What};
use crate::pages::{Event, typed};
use crate::published::Published;

/// How many entries a feed has.
const ENTRIES: usize = 50;
/// How many versions the feed of a package has.
const VERSIONS: usize = 20;

/// The media type of a feed.
const ATOM: &str = "application/atom+xml; charset=utf-8";

/// Returns the routes, each with its description.
pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(many))
        .routes(routes!(package))
        .routes(routes!(newest))
        .routes(routes!(channel))
}

/// The feed of the repository, `all.atom`, or of a group, `GROUP.atom`
#[utoipa::path(
    get, path = "/feeds/{name}", tag = "watching",
    params(
        ("name" = String, Path, description = "`all.atom`, or a group and `.atom`", pattern = "^(all|[a-z0-9][a-z0-9_-]{0,20}(\\.[a-z0-9][a-z0-9_-]{0,20}){0,3})\\.atom$")
    ),
    responses((status = 200, description = "An Atom feed", body = String, content_type = "application/atom+xml"), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn many(
    Shared(state): Shared<State>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let name = name.strip_suffix(".atom").ok_or_else(no_feed)?;
    let published = state.published()?;
    let overview = published.overviews.current().await.ok_or_else(no_feed)?;
    let group: Option<Group> = if name == "all" { None } else { Some(name.parse()?) };
    if group.as_ref().is_some_and(|group| overview.index.group(group).is_none()) {
        return Err(Problem::not_found(
            "group_not_found",
            format!("this repository has no package of {name}"),
        ));
    }
    let changes =
        overview.changes.iter().filter(|change| group.as_ref().is_none_or(|group| change.group == *group));
    let events = changes.take(ENTRIES).map(|change| event(&overview, change)).collect();
    let title = group.as_ref().map_or("New in this repository".to_owned(), |group| format!("New in {group}"));
    Ok(feed(&state, &headers, &overview, format!("/feeds/{name}.atom"), title, events))
}

/// The feed of a package, `GROUP/ID.atom`: its newest versions
#[utoipa::path(
    get, path = "/feeds/{group}/{name}", tag = "watching",
    params(
        ("group" = String, Path, description = "The group", pattern = "^[a-z0-9][a-z0-9_-]{0,20}(\\.[a-z0-9][a-z0-9_-]{0,20}){0,3}$"),
        ("name" = String, Path, description = "An id and `.atom`", pattern = "^[a-z0-9][a-z0-9_-]{0,62}\\.atom$")
    ),
    responses((status = 200, description = "An Atom feed", body = String, content_type = "application/atom+xml"), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn package(
    Shared(state): Shared<State>,
    Path((group, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: Label = name.strip_suffix(".atom").ok_or_else(no_feed)?.parse()?;
    let group: Group = group.parse()?;
    let published = state.published()?;
    let overview = published.overviews.current().await.ok_or_else(no_feed)?;
    let events = versions(published, &overview, &group, &id).await?;
    let path = format!("/feeds/{group}/{id}.atom");
    Ok(feed(&state, &headers, &overview, path, format!("Versions of {group}:{id}"), events))
}

async fn versions(
    published: &Published,
    overview: &Overview,
    group: &Group,
    id: &Label,
) -> Result<Vec<Event>, Problem> {
    let missing =
        || Problem::not_found("package_not_found", format!("this repository has no version of {group}:{id}"));
    let package = published.package(group, id).await?.ok_or_else(missing)?;
    let mut found: Vec<Change> = Vec::new();
    for version in package.versions.iter().take(VERSIONS) {
        let stored = match version.files.first() {
            Some(file) => published.details.stored(file).await?,
            None => None,
        };
        found.push(Change {
            commit: package.head.commit(),
            time: stored.unwrap_or_else(|| package.head.time()),
            group: group.clone(),
            id: id.clone(),
            version: version.version.clone(),
            what: version.yanked().map_or(What::Published, |reason| What::Yanked(reason.to_owned())),
        });
    }
    found.sort_by_key(|change| std::cmp::Reverse(change.time));
    Ok(found.iter().map(|change| event(overview, change)).collect())
}

fn event(overview: &Overview, change: &Change) -> Event {
    let row = overview.index.package(&change.group, &change.id);
    Event::new(change, row.and_then(|row| row.entry().description.as_deref()))
}

fn feed(
    state: &State,
    headers: &HeaderMap,
    overview: &Overview,
    path: String,
    title: String,
    events: Vec<Event>,
) -> Response {
    let url = state.url(headers);
    let head = &overview.head;
    let feed = Feed::new((url, path), title, head.fingerprint(), head.time(), events);
    rendered(headers, ATOM, &feed)
}

/// The badge of a package, `GROUP/ID.svg`: its newest version
#[utoipa::path(
    get, path = "/badges/{group}/{name}", tag = "watching",
    params(
        ("group" = String, Path, description = "The group", pattern = "^[a-z0-9][a-z0-9_-]{0,20}(\\.[a-z0-9][a-z0-9_-]{0,20}){0,3}$"),
        ("name" = String, Path, description = "An id and `.svg`", pattern = "^[a-z0-9][a-z0-9_-]{0,62}\\.svg$")
    ),
    responses((status = 200, description = "A picture", body = String, content_type = "image/svg+xml"), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn newest(
    Shared(state): Shared<State>,
    Path((group, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: Label = name.strip_suffix(".svg").ok_or_else(no_badge)?.parse()?;
    badge(&state, &headers, &group.parse()?, &id, None).await
}

/// The badge of a channel, `GROUP/ID/CHANNEL.svg`: where it leads
#[utoipa::path(
    get, path = "/badges/{group}/{id}/{name}", tag = "watching",
    params(
        ("group" = String, Path, description = "The group", pattern = "^[a-z0-9][a-z0-9_-]{0,20}(\\.[a-z0-9][a-z0-9_-]{0,20}){0,3}$"),
        ("id" = String, Path, description = "The id", pattern = "^[a-z0-9][a-z0-9_-]{0,62}$"),
        ("name" = String, Path, description = "A channel and `.svg`", pattern = "^[a-z0-9][a-z0-9_-]{0,62}\\.svg$")
    ),
    responses((status = 200, description = "A picture", body = String, content_type = "image/svg+xml"), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
async fn channel(
    Shared(state): Shared<State>,
    Path((group, id, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let channel: Label = name.strip_suffix(".svg").ok_or_else(no_badge)?.parse()?;
    badge(&state, &headers, &group.parse()?, &id.parse()?, Some(&channel)).await
}

async fn badge(
    state: &State,
    headers: &HeaderMap,
    group: &Group,
    id: &Label,
    channel: Option<&Label>,
) -> Result<Response, Problem> {
    let overview = state.published()?.overviews.current().await.ok_or_else(no_badge)?;
    let missing =
        || Problem::not_found("package_not_found", format!("this repository has no version of {group}:{id}"));
    let entry = overview.index.package(group, id).ok_or_else(missing)?.entry();
    let (label, version) = match channel {
        Some(channel) => (format!("{id}@{channel}"), entry.channels.get(channel)),
        None => (id.to_string(), entry.newest.as_ref()),
    };
    let badge = match version {
        Some(version) => Badge::new(&label, version.as_str(), Tone::Version),
        None => Badge::new(&label, "none", Tone::Nothing),
    };
    Ok(rendered(headers, "image/svg+xml", &badge))
}

fn rendered(headers: &HeaderMap, kind: &'static str, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => typed(headers, StatusCode::OK, kind, text),
        Err(error) => {
            tracing::error!(%error, "a feed or badge cannot be made");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "it cannot be made").into_response()
        }
    }
}

fn no_feed() -> Problem {
    Problem::not_found("feed_not_found", "feeds are all.atom, GROUP.atom and GROUP/ID.atom")
}

fn no_badge() -> Problem {
    Problem::not_found("badge_not_found", "badges are GROUP/ID.svg and GROUP/ID/CHANNEL.svg")
}
