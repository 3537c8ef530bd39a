//! The page about the API: every request of the `OpenAPI` document, for people.

use askama::Template;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;

use super::site::Site;
use super::{Pages, page_of};

/// One request that the API takes.
#[derive(Debug, Clone)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: String,
    /// What it does.
    pub summary: String,
}

impl Route {
    /// Lists the requests of a document, by path.
    pub fn all(document: &OpenApi) -> Vec<Self> {
        let mut routes = Vec::new();
        for (path, item) in &document.paths.paths {
            let operations: [(&'static str, &Option<Operation>); 4] =
                [("GET", &item.get), ("POST", &item.post), ("PUT", &item.put), ("DELETE", &item.delete)];
            for (method, operation) in operations {
                let Some(operation) = operation else { continue };
                let summary = operation.summary.clone().unwrap_or_default();
                routes.push(Self { method, path: path.clone(), summary });
            }
        }
        routes
    }
}

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    site: Site,
    routes: std::sync::Arc<Vec<Route>>,
}

pub(super) async fn page(Shared(pages): Shared<Pages>, headers: HeaderMap) -> Response {
    let page = ApiPage { site: pages.site(&headers), routes: std::sync::Arc::clone(&pages.routes) };
    page_of(&headers, StatusCode::OK, &page)
}
