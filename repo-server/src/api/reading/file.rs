//! One version of a package, and one file of it with what it says of itself.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use copkg_spec::coordinate::{Group, Label, Version};
use copkg_spec::platform::Platform;
use copkg_spec::repository::ceremony::{Speakers, speakers_for};
use serde::Deserialize;
use utoipa::IntoParams;

use super::documents::{
    EntriesDocument, EntryItem, FileDocument, FileItem, PatchItem, SignerItem, VersionDocument,
};
use super::names::{FilePath, NamedVersion, VersionPath};
use super::{Asked, checked_limit};
use crate::api::{Problem, State, document};
use crate::details::Details;
use crate::overview::{FileOf, VersionFiles, patches_to};
use crate::published::Package;
use crate::search::channels_of;

/// One version of a package
#[utoipa::path(
    get, path = "/api/v1/packages/{group}/{id}/{version}", tag = "reading", params(VersionPath),
    responses((status = 200, body = VersionDocument), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn version(
    Shared(state): Shared<State>,
    Path(path): Path<VersionPath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let named = path.parse()?;
    let (package, place) = find(&state, &named).await?;
    let (group, id, version) = named;
    let found = &package.versions[place];
    let older = &package.versions[place + 1..];
    let patches = found.files.iter().flat_map(|file| patches_to(&package.content, file, older));
    Ok(document::answer(
        &headers,
        &VersionDocument {
            yanked: found.yanked().map(str::to_owned),
            channels: channels_of(&package.entry, &version).map(ToString::to_string).collect(),
            files: found.files.iter().map(FileItem::from).collect(),
            patches: patches.map(|patch| PatchItem::from(&patch)).collect(),
            group: group.to_string(),
            id: id.to_string(),
            version: version.to_string(),
        },
    ))
}

/// One file of a version, with its manifest and its signers
#[utoipa::path(
    get, path = "/api/v1/packages/{group}/{id}/{version}/{platform}", tag = "reading", params(FilePath),
    responses((status = 200, body = FileDocument), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn file(
    Shared(state): Shared<State>,
    Path(path): Path<FilePath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (package, file, details) = read(&state, &path).await?;
    let group = file.package.coordinate.group();
    let speakers = package.head.registrar().find_map(|(_, role)| speakers_for(role, group).ok().flatten());
    Ok(document::answer(
        &headers,
        &FileDocument {
            yanked: file.yanked.clone(),
            stored: details.stored.map(|time| time.to_string()),
            manifest: serde_json::from_slice(&details.manifest_bytes).unwrap_or_default(),
            signers: signers(&details, speakers.as_ref()),
            has_sbom: details.sbom.is_some(),
            has_provenance: details.provenance.is_some(),
            readme: details.readme.as_ref().map(|readme| readme.name.clone()),
            file: FileItem::from(&file),
        },
    ))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// How many entries a page has at most; 100 without it.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Where the page begins: `next` of the page before.
    #[param(pattern = "^[0-9]{1,7}$")]
    cursor: Option<String>,
}

/// The entries of a package file: paths, modes, sizes, digests
#[utoipa::path(
    get, path = "/api/v1/packages/{group}/{id}/{version}/{platform}/entries", tag = "reading", params(FilePath, Wanted),
    responses((status = 200, body = EntriesDocument), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn entries(
    Shared(state): Shared<State>,
    Path(path): Path<FilePath>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let limit = checked_limit(wanted.limit)?;
    let skipped: Option<usize> = wanted
        .cursor
        .map(|cursor| cursor.parse().map_err(|_| Problem::from(crate::search::CursorError)))
        .transpose()?;
    let skipped = skipped.unwrap_or_default();
    let (_, _, details) = read(&state, &path).await?;
    let entries: Vec<EntryItem> =
        details.entries.iter().skip(skipped).take(limit).map(EntryItem::from).collect();
    let end = skipped.saturating_add(entries.len());
    let next = (end < details.entries.len()).then(|| end.to_string());
    let total = details.entries.len() as u64;
    Ok(document::answer(&headers, &EntriesDocument { entries, total, next }))
}

/// The SBOM of a package file, as it is
#[utoipa::path(
    get, path = "/api/v1/packages/{group}/{id}/{version}/{platform}/sbom", tag = "reading", params(FilePath),
    responses(
        (status = 200, body = Object, content_type = "application/vnd.cyclonedx+json"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn sbom(
    Shared(state): Shared<State>,
    Path(path): Path<FilePath>,
) -> Result<Response, Problem> {
    let (_, _, details) = read(&state, &path).await?;
    let missing = || Problem::not_found("no_sbom", "the package has no SBOM");
    let sbom = details.sbom.clone().ok_or_else(missing)?;
    Ok(attachment("application/vnd.cyclonedx+json", sbom))
}

/// The provenance of a package file, as it is: one in-toto statement a line
#[utoipa::path(
    get, path = "/api/v1/packages/{group}/{id}/{version}/{platform}/provenance", tag = "reading", params(FilePath),
    responses(
        (status = 200, body = String, content_type = "application/vnd.in-toto+jsonl"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn provenance(
    Shared(state): Shared<State>,
    Path(path): Path<FilePath>,
) -> Result<Response, Problem> {
    let (_, _, details) = read(&state, &path).await?;
    let missing = || Problem::not_found("no_provenance", "the package has no provenance");
    let provenance = details.provenance.clone().ok_or_else(missing)?;
    Ok(attachment("application/vnd.in-toto+jsonl", provenance))
}

/// Hands out what a publisher wrote, as something that a browser does not show.
fn attachment(kind: &'static str, bytes: Vec<u8>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    (headers, Body::from(bytes)).into_response()
}

async fn find(state: &State, (group, id, version): &NamedVersion) -> Result<(Package, usize), Problem> {
    let package = state.published()?.package(group, id).await?;
    let missing = || no_version(group, id, version);
    let package = package.ok_or_else(missing)?;
    let place = package.versions.iter().position(|found| found.version == *version).ok_or_else(missing)?;
    Ok((package, place))
}

fn no_version(group: &Group, id: &Label, version: &Version) -> Problem {
    Problem::not_found("version_not_found", format!("this repository has no {group}:{id}:{version}"))
}

async fn read(state: &State, path: &FilePath) -> Result<(Package, FileOf, Arc<Details>), Problem> {
    let (named, platform) = path.parse()?;
    let (package, place) = find(state, &named).await?;
    let file = file_for(&package.versions[place], &platform)?.clone();
    let details = state.published()?.details.of(&file).await?;
    Ok((package, file, details))
}

fn file_for<'a>(version: &'a VersionFiles, platform: &Platform) -> Result<&'a FileOf, Problem> {
    let missing = || {
        let detail = format!("this repository has no {} for {platform}", version.version);
        Problem::not_found("platform_not_found", detail)
    };
    version.files.iter().find(|file| file.package.platform == *platform).ok_or_else(missing)
}

fn signers(details: &Details, speakers: Option<&Speakers>) -> Vec<SignerItem> {
    let speaks = |id: &copkg_spec::keys::KeyId| {
        let mut keys = speakers.iter().flat_map(|speakers| speakers.keys());
        keys.any(|key| key.id() == *id && details.is_signed_by(key))
    };
    let signer = |signature: &copkg_spec::keys::Signature| SignerItem {
        key: signature.key().to_string(),
        speaks: speaks(signature.key()),
    };
    details.signatures.iter().map(signer).collect()
}
