//! The page of a package: how to install it, its README, its channels and versions.

use askama::Template;
use axum::extract::{Path, Query as Asked, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use copkg_spec::coordinate::{Group, Label, Version};
use copkg_spec::manifest::{About, Kind};
use copkg_spec::platform::Platform;
use futures_util::future::join_all;
use serde::Deserialize;

use super::site::Site;
use super::text::{counted, day, line, size};
use super::version::Fact;
use super::{PageError, Pages, markdown, page_of};
use crate::details::{Details, Readme};
use crate::overview::VersionFiles;
use crate::published::Package;
use crate::search::{channels_of, kind_name};

/// How many versions one page lists.
const LISTED: usize = 25;

#[derive(Deserialize)]
pub(super) struct Wanted {
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "package.html")]
struct PackagePage {
    site: Site,
    group: String,
    id: String,
    description: Option<String>,
    newest: Option<String>,
    kind: &'static str,
    platforms: Vec<String>,
    license: Option<String>,
    readme: Option<ShownReadme>,
    no_readme: String,
    total: String,
    versions: Vec<VersionRow>,
    first: bool,
    next: Option<String>,
    install: String,
    fingerprint: String,
    start: Option<String>,
    channels: Vec<(String, String)>,
    facts: Vec<Fact>,
}

struct ShownReadme {
    name: String,
    html: String,
    cut: bool,
}

struct VersionRow {
    version: String,
    yanked: Option<String>,
    newest: bool,
    channels: Vec<String>,
    prerelease: bool,
    platforms: Vec<String>,
    size: String,
    stored: Option<(String, String)>,
}

pub(super) async fn page(
    Shared(pages): Shared<Pages>,
    Path((group, id)): Path<(String, String)>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Response {
    let site = pages.site(&headers);
    match package_page(&pages, site.clone(), &group, &id, wanted).await {
        Ok(page) => page_of(&headers, StatusCode::OK, &page),
        Err(error) => error.answer(&pages, site, &headers).await,
    }
}

async fn package_page(
    pages: &Pages,
    site: Site,
    group: &str,
    id: &str,
    wanted: Wanted,
) -> Result<PackagePage, PageError> {
    let (group, id): (Group, Label) = (group.parse()?, id.parse()?);
    let before: Option<Version> = wanted.before.as_deref().map(str::parse).transpose()?;
    let missing = || PageError::no_package("There is no such package", format!("{group}:{id}"));
    let package = pages.published.package(&group, &id).await?.ok_or_else(missing)?;
    let shown = package.shown();
    let details = match shown.files.first() {
        Some(file) => pages.published.details.of(file).await.map_err(|error| error.to_string()),
        None => Err("it has no files".to_owned()),
    };
    let (about, readme, no_readme) = match &details {
        Ok(details) => (
            details.manifest.about().clone(),
            details.readme.as_ref().map(ShownReadme::of),
            "This package brings no README.".to_owned(),
        ),
        Err(why) => (About::default(), None, format!("The newest version cannot be shown: {}.", line(why))),
    };
    let rest: Vec<&VersionFiles> = package
        .versions
        .iter()
        .filter(|version| before.as_ref().is_none_or(|before| version.version < *before))
        .collect();
    let more = rest.len() > LISTED;
    let rest = &rest[..rest.len().min(LISTED)];
    let versions = join_all(rest.iter().map(|version| row(pages, &package, version))).await;
    Ok(PackagePage {
        site,
        description: package.entry.description.as_deref().map(line),
        newest: package.entry.newest.as_ref().map(ToString::to_string),
        kind: kind_name(shown.files.first().map_or(Kind::Service, |file| file.kind)),
        platforms: shown.platforms().map(Platform::to_string).collect(),
        license: about.license.as_deref().map(line),
        readme,
        no_readme,
        total: counted(package.versions.len(), "version", "versions"),
        next: versions.last().filter(|_| more).map(|last| last.version.clone()),
        versions,
        first: before.is_none(),
        install: install(&package, &group, &id),
        fingerprint: package.head.fingerprint().to_string(),
        start: details.as_ref().ok().and_then(|details| start(details, &group, &id)),
        channels: package
            .entry
            .channels
            .iter()
            .map(|(name, to)| (name.to_string(), to.to_string()))
            .collect(),
        facts: about_facts(&about),
        group: group.to_string(),
        id: id.to_string(),
    })
}

impl Package {
    /// Returns the version that the page of the package is about: what its name alone leads to, or else the highest.
    pub(crate) fn shown(&self) -> &VersionFiles {
        let newest =
            self.versions.iter().find(|version| Some(&version.version) == self.entry.newest.as_ref());
        newest.unwrap_or(&self.versions[0])
    }
}

async fn row(pages: &Pages, package: &Package, version: &VersionFiles) -> VersionRow {
    let stored = match version.files.first() {
        // A store that does not answer leaves a field empty.
        Some(file) => pages.published.details.stored(file).await.ok().flatten(),
        None => None,
    };
    VersionRow {
        version: version.version.to_string(),
        yanked: version.yanked().map(line),
        newest: package.entry.newest.as_ref() == Some(&version.version),
        channels: channels_of(&package.entry, &version.version)
            .map(|channel| format!("@{channel}"))
            .collect(),
        prerelease: version.version.is_prerelease(),
        platforms: version.platforms().map(Platform::to_string).collect(),
        size: size(version.files.iter().map(|file| file.length).max().unwrap_or_default()),
        stored: stored.map(|time| (time.to_string(), day(time))),
    }
}

/// Returns the shortest command that installs the package.
fn install(package: &Package, group: &Group, id: &Label) -> String {
    match (&package.entry.newest, package.entry.channels.keys().next()) {
        (Some(_), _) => format!("pkginstall install {group}:{id}"),
        (None, Some(channel)) => format!("pkginstall install {group}:{id}@{channel}"),
        (None, None) => format!("pkginstall install {group}:{id}:{}", package.shown().version),
    }
}

/// Returns how a service is started once it is installed.
fn start(details: &Details, group: &Group, id: &Label) -> Option<String> {
    let service = details.manifest.service()?;
    let needed = service.parameters.iter().filter(|parameter| parameter.default.is_none());
    let needed: Vec<String> = needed.map(|parameter| format!("--{}=…", parameter.name)).collect();
    let parameters = if needed.is_empty() { String::new() } else { format!(" -- {}", needed.join(" ")) };
    let name: String = id.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.trim_start_matches(|c: char| c.is_ascii_digit());
    let name = if name.is_empty() { "service" } else { name };
    let version = details.manifest.coordinate().version().clone();
    Some(format!("pkginstall start {group}:{id}:{version} \\\n  --as 1.{name}.dev.local{parameters}"))
}

/// Lists what people want to know.
pub(super) fn about_facts(about: &About) -> Vec<Fact> {
    let text = |name: &str, text: &Option<String>| text.as_deref().map(|text| Fact::text(name, line(text)));
    let homepage = about.homepage.as_deref().map(|address| Fact::address("Homepage", address));
    [text("License", &about.license), homepage, text("Maintainer", &about.maintainer)]
        .into_iter()
        .flatten()
        .collect()
}

impl ShownReadme {
    fn of(readme: &Readme) -> Self {
        let html = if readme.is_markdown() {
            markdown::to_html(&readme.text)
        } else {
            markdown::plain_to_html(&readme.text)
        };
        Self { name: readme.name.clone(), html, cut: readme.is_cut }
    }
}
