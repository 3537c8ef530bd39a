//! Packs and signs a prepared tree into a temporary file, and puts that into its place. The last step of a build.

use std::fs;
use std::io::{self, BufWriter, Read, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use copkg_spec::archive::{Attachments, PackOptions, PackPlan, Packed, Packer};
use copkg_spec::durable::{self, Existing};
use copkg_spec::index::{Entry, EntryPath, Index};
use copkg_spec::limits::ATTACHMENT_BYTES;
use copkg_spec::manifest::{About, Compressed, Draft, Kind};
use copkg_spec::recipe::Package;
use tempfile::NamedTempFile;

use super::{BuildError, Plan, Prepared, Work};
use crate::collect::{Collected, Content};
use crate::provenance::Provenance;
use crate::recipe_file::RecipeFile;
use crate::source::{Digests, GatherError, Gathered};

/// A package that is built and has no place yet.
#[derive(Debug)]
pub struct Built {
    file: NamedTempFile,
    /// What was packed.
    pub packed: Packed,
    /// Whether every file that was read was listed with the source.
    pub origin: Origin,
}

/// Where the files of a package came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From what was listed as the source, and nowhere else.
    Listed,
    /// From elsewhere too: through a link that the recipe names, or out of what a script made.
    Elsewhere,
}

/// A package in its place.
#[derive(Debug)]
pub struct Finished {
    /// Where it is.
    pub path: PathBuf,
    /// What was packed.
    pub packed: Packed,
}

pub(super) fn pack<R: Read + Send>(
    file: &RecipeFile,
    plan: &Plan,
    prepared: &Prepared,
    open: impl Fn(&EntryPath) -> io::Result<R> + Sync,
    work: &Work,
) -> Result<Built, BuildError> {
    let package = &file.recipe.package;
    if package.kind == Kind::Service && prepared.collection.service.is_none() {
        return Err(BuildError::NoScripts);
    }
    let sbom = sbom(package, prepared)?;
    let tree = &prepared.collection.tree;
    // What is not packed is read now; packing computes the digests of the rest.
    let mut digests = digest_rest(prepared)?;
    let pack_plan = PackPlan {
        draft: draft(package, plan, prepared),
        attachments: Attachments { sbom: sbom.as_deref(), provenance: None },
        keys: &plan.keys,
        options: PackOptions { level: plan.level, threads: plan.threads },
    };
    let scratch = tempfile::tempfile_in(work.path()).map_err(|source| unwritable(work.path(), source))?;
    let out = NamedTempFile::new_in(work.path()).map_err(|source| unwritable(work.path(), source))?;
    let mut writer = BufWriter::with_capacity(256 << 10, out.as_file());
    let against = plan.against.as_ref();
    let provenance = |payload: &Compressed, index: &Index| {
        note_packed(tree, index, &mut digests);
        let provenance = Provenance {
            recipe: file.text.clone(),
            platform: plan.platform.clone(),
            level: plan.level,
            date: prepared.date.clone(),
            materials: prepared.gathered.materials(&digests)?,
            against: against.map(|earlier| earlier.material.clone()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        // The statement holds strings and whole numbers, which always have a canonical form.
        provenance.to_statement(&package.coordinate, payload).ok()
    };
    let with_earlier =
        Packer::new(pack_plan).earlier(plan.earlier.as_ref()).dates(against.map(|earlier| &earlier.dates));
    let packed = with_earlier.pack(tree.entries(), open, provenance, scratch, &mut writer)?;
    writer.flush().map_err(|source| unwritable(out.path(), source))?;
    drop(writer);
    Ok(Built { file: out, packed, origin: origin(prepared, package) })
}

/// Computes the digests of those files of a source in place that are not packed.
fn digest_rest(prepared: &Prepared) -> Result<Digests, BuildError> {
    let mut is_packed = vec![false; prepared.gathered.in_place.as_ref().map_or(0, |it| it.found().len())];
    for (_, content) in prepared.collection.tree.files() {
        if let Content::Listed(number) = content {
            is_packed[*number] = true;
        }
    }
    Ok(prepared.gathered.digest_rest(|number| is_packed[number]).map_err(GatherError::from)?)
}

/// Notes the digests of the files of a source in place that were packed.
fn note_packed(tree: &Collected, index: &Index, digests: &mut Digests) {
    let files = index.entries().iter().filter_map(|entry| match entry {
        Entry::File { sha256, .. } => Some(sha256),
        Entry::Directory { .. } | Entry::Symlink { .. } => None,
    });
    // Both are in the order of the package.
    for ((_, content), sha256) in tree.files().zip(files) {
        if let Content::Listed(number) = content {
            digests[*number] = Some(*sha256);
        }
    }
}

fn origin(prepared: &Prepared, package: &Package) -> Origin {
    let Gathered { root, in_place, .. } = &prepared.gathered;
    let is_listed = |name: &EntryPath| {
        in_place.as_ref().is_some_and(|it| it.listed().number(&root.join(name.as_str())).is_some())
    };
    let mut contents = prepared.collection.tree.files().map(|(_, content)| content);
    let only_listed = contents.all(|content| !matches!(content, Content::File(_)));
    if only_listed && package.sbom.iter().all(is_listed) { Origin::Listed } else { Origin::Elsewhere }
}

fn unwritable(path: &Path, source: io::Error) -> BuildError {
    BuildError::Write { path: path.to_owned(), source }
}

fn draft(package: &Package, plan: &Plan, prepared: &Prepared) -> Draft {
    Draft {
        coordinate: package.coordinate.clone(),
        kind: package.kind,
        platform: plan.platform.clone(),
        source_date: prepared.date.seconds(),
        about: About {
            description: package.description.clone(),
            license: package.license.clone(),
            homepage: package.homepage.clone(),
            maintainer: package.maintainer.clone(),
            release_note: package.release_note.clone(),
        },
        service: prepared.collection.service.clone(),
    }
}

/// Reads the SBOM that the recipe names, which must at least be JSON.
fn sbom(package: &Package, prepared: &Prepared) -> Result<Option<Vec<u8>>, BuildError> {
    let Some(name) = &package.sbom else { return Ok(None) };
    let path = prepared.gathered.root.join(name.as_str());
    let read = |source| BuildError::SbomRead { path: path.clone(), source };
    let length = fs::metadata(&path).map_err(read)?.len();
    if length > ATTACHMENT_BYTES {
        return Err(read(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has {length} bytes"))));
    }
    let bytes = fs::read(&path).map_err(read)?;
    serde_json::from_slice::<serde::de::IgnoredAny>(&bytes)
        .map_err(|source| BuildError::SbomSyntax { path: path.clone(), source })?;
    Ok(Some(bytes))
}

/// Tells whether a rename may do: one that is mounted twice refuses it all the same.
fn is_on_one_file_system(a: &Path, b: &Path) -> io::Result<bool> {
    Ok(fs::metadata(a)?.dev() == fs::metadata(b)?.dev())
}

impl Built {
    /// Returns where the package is for now.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Puts the package into `directory` under its own name, durably, in the place of one that is there.
    ///
    /// # Errors
    /// When the directory cannot be made or written to. What was there is then still there.
    pub fn finish(self, directory: &Path) -> Result<Finished, BuildError> {
        let manifest = &self.packed.manifest;
        let path = directory.join(manifest.coordinate().file_name(manifest.platform()));
        let write = |source| unwritable(&path, source);
        durable::create_dir_all(directory).map_err(write)?;
        let mut built = self.file.reopen().map_err(write)?;
        let placed = match is_on_one_file_system(self.file.path(), directory) {
            Ok(true) => durable::place(self.file, &path, 0o644, Existing::Replace),
            Ok(false) => Err(io::ErrorKind::CrossesDevices.into()),
            Err(error) => Err(error),
        };
        match placed {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                // From file to file, so that the kernel copies.
                durable::write_with(&path, 0o644, Existing::Replace, write, |file| {
                    io::copy(&mut built, file).map(drop).map_err(write)
                })?;
            }
            placed => placed.map_err(write)?,
        }
        Ok(Finished { path, packed: self.packed })
    }
}
