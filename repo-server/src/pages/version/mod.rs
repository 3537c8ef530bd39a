//! The page of a version: everything that its package file says of itself, and how it differs from the one before.

mod contract;
mod difference;
mod facts;
mod patches;

use askama::Template;
use axum::extract::{Path, Query as Asked, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use copkg_spec::coordinate::{Group, Label, Version};
use copkg_spec::index::Entry;
use copkg_spec::platform::Platform;
use copkg_spec::repository::ceremony::Speakers;
use serde::Deserialize;

use super::group::{rule, speakers};
use super::site::Site;
use super::text::{counted, line, number, size};
use super::{PageError, Pages, page_of};
use crate::details::{Details, Provenance, Sbom};
use crate::overview::{FileOf, VersionFiles, patches_to};
use crate::published::Package;
use crate::search::{channels_of, kind_name};
use contract::Key;
use difference::Difference;
pub(super) use facts::Fact;
use patches::Patch;

/// How many files one page lists.
const LISTED: usize = 250;

#[derive(Deserialize)]
pub(super) struct Wanted {
    platform: Option<String>,
    files: Option<usize>,
}

#[derive(Template)]
#[template(path = "version.html")]
struct VersionPage {
    site: Site,
    group: String,
    id: String,
    version: String,
    description: Option<String>,
    is_newest: bool,
    newest: Option<String>,
    channels: Vec<String>,
    prerelease: bool,
    kind: &'static str,
    yanked: Option<String>,
    platforms: Vec<String>,
    platform: String,
    fingerprint: String,
    damaged: Option<String>,
    file: Vec<Fact>,
    patches: Vec<Patch>,
    rule: String,
    signers: Vec<Signer>,
    release_note: Option<String>,
    contract: Vec<Fact>,
    keys: Vec<Key>,
    difference: Option<Difference>,
    files: Vec<FileRow>,
    files_shown: String,
    first: bool,
    next: Option<usize>,
    sbom: Option<ShownSbom>,
    provenance: Option<ShownProvenance>,
}

struct Signer {
    key: String,
    speaks: bool,
    word: &'static str,
}

struct FileRow {
    mode: &'static str,
    size: String,
    path: String,
    target: Option<String>,
}

struct ShownSbom {
    summary: String,
    link: String,
    components: Vec<Part>,
}

struct Part {
    name: String,
    version: String,
    license: String,
}

struct ShownProvenance {
    facts: Vec<Fact>,
    link: String,
}

pub(super) async fn page(
    Shared(pages): Shared<Pages>,
    Path((group, id, version)): Path<(String, String, String)>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Response {
    let site = pages.site(&headers);
    match version_page(&pages, site.clone(), (&group, &id, &version), wanted).await {
        Ok(page) => page_of(&headers, StatusCode::OK, &page),
        Err(error) => error.answer(&pages, site, &headers).await,
    }
}

async fn version_page(
    pages: &Pages,
    site: Site,
    (group, id, version): (&str, &str, &str),
    wanted: Wanted,
) -> Result<VersionPage, PageError> {
    let (group, id, version): (Group, Label, Version) = (group.parse()?, id.parse()?, version.parse()?);
    let missing = || PageError::no_package("There is no such version", format!("{group}:{id}:{version}"));
    let package = pages.published.package(&group, &id).await?.ok_or_else(missing)?;
    let place = package.versions.iter().position(|found| found.version == version).ok_or_else(missing)?;
    let found = &package.versions[place];
    let file = chosen(found, wanted.platform.as_deref()).ok_or_else(|| {
        PageError::no_package("There is no such file", format!("{group}:{id}:{version} for that platform"))
    })?;
    let details = pages.published.details.of(file).await;
    let damaged = details.as_ref().err().map(|error| line(&error.to_string()));
    let details = details.ok();
    let details = details.as_deref();
    let speakers = speakers(&package.head, &group);
    let difference = match details {
        Some(details) => before(pages, &package, place, file, details).await,
        None => None,
    };
    let skipped = wanted.files.unwrap_or_default();
    let api = format!("/api/v1/packages/{group}/{id}/{version}/{}", file.package.platform);
    let mut page = VersionPage {
        site,
        description: about(details, |about| about.description.as_deref()),
        is_newest: package.entry.newest.as_ref() == Some(&version),
        newest: package.entry.newest.as_ref().map(ToString::to_string),
        channels: channels_of(&package.entry, &version).map(|channel| format!("@{channel}")).collect(),
        prerelease: version.is_prerelease(),
        kind: kind_name(file.kind),
        yanked: file.yanked.as_deref().map(line),
        platforms: found.platforms().map(Platform::to_string).collect(),
        platform: file.package.platform.to_string(),
        fingerprint: package.head.fingerprint().to_string(),
        damaged,
        file: facts::of_file(file, details),
        patches: patches::shown(&patches_to(&package.content, file, &package.versions[place + 1..]), file),
        rule: rule(speakers.as_ref()),
        signers: details.map(|details| signers(details, speakers.as_ref())).unwrap_or_default(),
        release_note: about(details, |about| about.release_note.as_deref()),
        contract: details.map(contract::facts).unwrap_or_default(),
        keys: details.map(contract::keys).unwrap_or_default(),
        difference,
        files: Vec::new(),
        files_shown: String::new(),
        first: skipped == 0,
        next: None,
        sbom: details.and_then(|details| sbom(details, &api)),
        provenance: details.and_then(|details| provenance(details, &api)),
        group: group.to_string(),
        id: id.to_string(),
        version: version.to_string(),
    };
    if let Some(details) = details {
        page.list_files(&details.entries, skipped);
    }
    Ok(page)
}

impl VersionPage {
    fn list_files(&mut self, entries: &[Entry], skipped: usize) {
        let shown = entries.iter().skip(skipped).take(LISTED);
        self.files = shown.map(FileRow::of).collect();
        let end = skipped.saturating_add(self.files.len());
        self.next = (end < entries.len()).then_some(end);
        let total = counted(entries.len(), "entry", "entries");
        self.files_shown = if self.files.len() == entries.len() {
            format!("{total} in the package")
        } else {
            format!("Entries {} to {} of {total}", number(skipped as u64 + 1), number(end as u64))
        };
    }
}

fn chosen<'a>(version: &'a VersionFiles, platform: Option<&str>) -> Option<&'a FileOf> {
    match platform {
        None => version.files.first(),
        Some(name) => version.files.iter().find(|file| file.package.platform.to_string() == name),
    }
}

fn about(
    details: Option<&Details>,
    field: impl Fn(&copkg_spec::manifest::About) -> Option<&str>,
) -> Option<String> {
    field(details?.manifest.about()).map(line)
}

/// Compares with the next lower version that has a file for the same platform.
async fn before(
    pages: &Pages,
    package: &Package,
    place: usize,
    file: &FileOf,
    details: &Details,
) -> Option<Difference> {
    let same = |old: &&FileOf| old.package.platform == file.package.platform;
    let lower = package.versions[place + 1..].iter();
    let old = lower
        .filter(|version| version.yanked().is_none())
        .find_map(|version| version.files.iter().find(same))?;
    let old_details = pages.published.details.of(old).await.ok()?;
    Some(Difference::between(old.package.coordinate.version(), &old_details.entries, &details.entries))
}

fn signers(details: &Details, speakers: Option<&Speakers>) -> Vec<Signer> {
    let keys = || speakers.iter().flat_map(|speakers| speakers.keys());
    let signer = |signature: &copkg_spec::keys::Signature| {
        let key = keys().find(|key| key.id() == *signature.key());
        let speaks = key.is_some_and(|key| details.is_signed_by(key));
        let word = if key.is_some() { "wrong signature" } else { "another key" };
        Signer { key: signature.key().to_string(), speaks, word }
    };
    details.signatures.iter().map(signer).collect()
}

impl FileRow {
    fn of(entry: &Entry) -> Self {
        let path = line(entry.path().as_str());
        match entry {
            Entry::Directory { .. } => {
                Self { mode: "d 0755", size: String::new(), path: format!("{path}/"), target: None }
            }
            Entry::File { mode, size: bytes, .. } => {
                let mode = if mode.bits() == 0o755 { "- 0755" } else { "- 0644" };
                Self { mode, size: size(*bytes), path, target: None }
            }
            Entry::Symlink { target, .. } => {
                Self { mode: "l 0777", size: String::new(), path, target: Some(line(target.as_str())) }
            }
        }
    }
}

fn sbom(details: &Details, api: &str) -> Option<ShownSbom> {
    let link = format!("{api}/sbom");
    details.sbom.as_ref()?;
    let Some(Sbom { format, count, components }) = details.sbom_summary() else {
        return Some(ShownSbom {
            summary: "It has an SBOM in a form that is not shown here.".to_owned(),
            link,
            components: vec![],
        });
    };
    let part = |part: crate::details::Component| Part {
        name: line(&part.name),
        version: line(&part.version),
        license: line(&part.license),
    };
    let summary =
        format!("{}, listed in CycloneDX {}.", counted(count, "component", "components"), line(&format));
    Some(ShownSbom { summary, link, components: components.into_iter().map(part).collect() })
}

fn provenance(details: &Details, api: &str) -> Option<ShownProvenance> {
    let link = format!("{api}/provenance");
    details.provenance.as_ref()?;
    let Some(Provenance { builder, build_type, predicate, materials, .. }) = details.provenance_summary()
    else {
        return Some(ShownProvenance { facts: Vec::new(), link });
    };
    let named = [("Builder", builder), ("Build type", build_type), ("Statement", predicate)];
    let materials = materials.into_iter().map(|material| ("Made from", material));
    let facts = named.into_iter().chain(materials).filter(|(_, text)| !text.is_empty());
    Some(ShownProvenance { facts: facts.map(|(name, text)| Fact::text(name, line(&text))).collect(), link })
}
