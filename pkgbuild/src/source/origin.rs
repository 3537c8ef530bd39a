//! One source: got from where it is, freed of what is left out, patched.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use copkg_spec::digest::Digest;
use copkg_spec::recipe::{Commit, Origin, Patterns, Source, SourceAuth, Unpack};
use serde::{Deserialize, Serialize};

use super::copy::{copy_file, copy_tree, digest_file};
use super::error::GatherError;
use super::fetch;
use super::git;
use super::git_tree;
use super::listing::{list, refuse_special};
use super::{Gathered, Workplace, excludes_of, list_source};
use crate::recipe_file::RecipeFile;
use crate::run::Tools;

/// What a source was, for the provenance: a SLSA resource descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    /// Where it came from; a path is relative to the recipe.
    pub uri: String,
    /// What it was.
    pub digest: MaterialDigest,
}

/// What a source was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MaterialDigest {
    /// The digest of a file.
    Sha256(Digest),
    /// The digest of a directory tree, as `docs/recipe.md` defines it.
    CopkgTree(Digest),
    /// A commit.
    GitCommit(String),
}

impl fmt::Display for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.digest {
            MaterialDigest::Sha256(digest) => write!(f, "{} (sha256 {})", self.uri, digest.short()),
            MaterialDigest::CopkgTree(digest) => write!(f, "{} (tree {})", self.uri, digest.short()),
            MaterialDigest::GitCommit(commit) => write!(f, "{} (commit {commit})", self.uri),
        }
    }
}

impl Material {
    /// Describes a path source that is a directory.
    pub(super) fn path(source: &Source, digest: Digest) -> Self {
        let path = match &source.origin {
            Origin::Path(path) => path.as_str(),
            Origin::Url { .. } | Origin::Git { .. } => ".",
        };
        Self { uri: format!("file:{path}"), digest: MaterialDigest::CopkgTree(digest) }
    }
}

/// Adds one source to what has been gathered.
pub(super) fn add(
    source: &Source,
    number: usize,
    file: &RecipeFile,
    place: Workplace<'_>,
    gathered: &mut Gathered,
) -> Result<(), GatherError> {
    let dst = match &source.dst {
        Some(dst) => gathered.root.join(dst.as_str()),
        None => gathered.root.clone(),
    };
    fs::create_dir_all(&dst).map_err(|source| GatherError::MakeDirectory { path: dst.clone(), source })?;
    let fresh = place.scratch.join(format!("origin-{number}"));
    let material = match &source.origin {
        Origin::Path(path) => from_path(source, &file.resolve(path), &dst, place)?,
        Origin::Url { url, sha256, unpack, auth } => {
            from_url(url, sha256, auth.as_ref(), *unpack, place, &fresh)?;
            move_in(&fresh, &source.excludes, &dst)?;
            Material { uri: url.clone(), digest: MaterialDigest::Sha256(*sha256) }
        }
        Origin::Git { repository, commit, auth } => {
            let checkout = git::Checkout {
                repository,
                commit,
                auth: auth.as_ref(),
                excludes: &source.excludes,
                recipe_directory: &file.directory,
                ambient: place.ambient,
            };
            let date = git::check_out(checkout, &fresh)?;
            gathered.date.get_or_insert(date);
            move_in(&fresh, &source.excludes, &dst)?;
            git_material(repository, commit)
        }
    };
    gathered.materials.push(material);
    source.patches.iter().try_for_each(|patch| {
        let path = file.directory.join(patch.as_str());
        apply(&path, &dst, place)?;
        let digest = MaterialDigest::Sha256(digest_file(&path)?);
        gathered.materials.push(Material { uri: format!("file:{patch}"), digest });
        Ok(())
    })
}

fn git_material(repository: &str, commit: &Commit) -> Material {
    let digest = MaterialDigest::GitCommit(commit.as_str().to_owned());
    Material { uri: format!("git+{repository}@{commit}"), digest }
}

fn from_path(
    source: &Source,
    path: &Path,
    dst: &Path,
    place: Workplace<'_>,
) -> Result<Material, GatherError> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => GatherError::Missing { path: path.to_owned() },
        _ => GatherError::Unreadable { path: path.to_owned(), source: error },
    })?;
    if metadata.is_dir() {
        let found = list_source(path, &excludes_of(source)?, place)?;
        refuse_special(&found)?;
        return Ok(Material::path(source, copy_tree(path, &found, dst)?));
    }
    let name = path.file_name().ok_or_else(|| GatherError::Missing { path: path.to_owned() })?;
    let mode = std::os::unix::fs::MetadataExt::mode(&metadata);
    let digest = copy_file(path, &dst.join(name), mode)?;
    let uri = Material::path(source, digest).uri;
    Ok(Material { uri, digest: MaterialDigest::Sha256(digest) })
}

fn from_url(
    url: &str,
    sha256: &Digest,
    auth: Option<&SourceAuth>,
    unpack: Unpack,
    place: Workplace<'_>,
    fresh: &Path,
) -> Result<(), GatherError> {
    let make = |source| GatherError::MakeDirectory { path: fresh.to_owned(), source };
    fs::create_dir(fresh).map_err(make)?;
    let file = fetch::fetch(url, sha256, auth, place)?;
    match unpack {
        Unpack::Keep => {
            let path = url.split(['?', '#']).next().unwrap_or(url);
            let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("download");
            copy_file(&file, &fresh.join(name), 0o644)?;
        }
        Unpack::Tar { strip } => {
            let strip = format!("--strip-components={strip}");
            let options = ["--no-same-owner", "--no-same-permissions", "-x", "-f"].map(AsRef::as_ref);
            let arguments = [strip.as_ref()].into_iter().chain(options).chain([file.as_os_str()]);
            Tools(place.ambient).run("tar", fresh, arguments, &[])?;
        }
    }
    Ok(())
}

/// Moves what was fetched to its place, without what is left out.
fn move_in(fresh: &Path, excludes: &Patterns, dst: &Path) -> Result<(), GatherError> {
    git_tree::check_filled(fresh, excludes)?;
    let found = list(fresh, |below| excludes.matches(&below.to_string_lossy()))?;
    refuse_special(&found)?;
    copy_tree(fresh, &found, dst)?;
    fs::remove_dir_all(fresh).map_err(|source| GatherError::MakeDirectory { path: fresh.to_owned(), source })
}

fn apply(patch: &Path, dst: &Path, place: Workplace<'_>) -> Result<(), GatherError> {
    if !patch.is_file() {
        return Err(GatherError::Missing { path: patch.to_owned() });
    }
    let options = ["-p1", "--batch", "--forward", "--no-backup-if-mismatch", "-i"].map(AsRef::as_ref);
    let arguments = options.into_iter().chain([patch.as_os_str()]);
    Tools(place.ambient)
        .run("patch", dst, arguments, &[])
        .map_err(|source| GatherError::Patch { path: patch.to_owned(), source })?;
    Ok(())
}
