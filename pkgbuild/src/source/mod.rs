//! Gathers the sources of a recipe into one directory. Before it: the recipe. After it: the build scripts run.
//!
//! Each source gives a [`Material`]: what it was and its digest, for the provenance.

mod auth;
mod copy;
mod date;
mod error;
mod fetch;
mod git;
mod git_tree;
mod in_place;
mod listing;
mod origin;

pub use auth::AuthError;
pub use copy::{CopyError, copy_tree};
pub(crate) use copy::{is_closed_by_umask, is_executable, is_private, open};
pub use date::{SourceDate, date_of_commit};
pub use error::GatherError;
pub use fetch::FetchError;
pub(crate) use git_tree::LFS_POINTER;
pub use git_tree::{IncompleteTree, Submodule};
pub use in_place::{Digests, InPlace};
pub use listing::{Found, FoundKind, ListError, Listed, Stamp, list};
pub use origin::{Material, MaterialDigest};

use std::path::{Path, PathBuf};

use copkg_spec::recipe::{Origin, Patterns, Source};

use crate::recipe_file::RecipeFile;
use crate::surroundings::Ambient;

/// What no source has: version control, and packages that were built in the source's own directory.
const NEVER: [&str; 5] = [".git", ".hg", ".svn", ".jj", "*.copkg"];

/// The sources of a recipe, in one directory.
#[derive(Debug, Clone)]
pub struct Gathered {
    /// The directory.
    pub root: PathBuf,
    /// What of it does not count: not empty only where the directory is the user's own.
    pub excludes: Patterns,
    /// What the sources were, in the order of the recipe; patches after their source. Nothing for one that is read in place.
    pub materials: Vec<Material>,
    /// The only source, where it is read where it is.
    pub in_place: Option<InPlace>,
    /// The date of the first source that is a git commit.
    pub date: Option<SourceDate>,
}

/// Where sources are put and what it takes to get them.
#[derive(Debug, Clone, Copy)]
pub struct Workplace<'a> {
    /// A directory that is thrown away afterwards.
    pub scratch: &'a Path,
    /// The process's surroundings.
    pub ambient: &'a Ambient,
}

/// Gathers the sources of `recipe` into `<scratch>/source`.
///
/// A recipe that only copies files out of its own directory is read where it is: nothing is copied.
///
/// # Errors
/// When a source cannot be had, or is not what the recipe says.
pub fn gather(file: &RecipeFile, place: Workplace<'_>) -> Result<Gathered, GatherError> {
    if let Some(path) = usable_in_place(file) {
        return in_place(file, path, place);
    }
    let root = place.scratch.join("source");
    std::fs::create_dir_all(&root)
        .map_err(|source| GatherError::MakeDirectory { path: root.clone(), source })?;
    let mut gathered =
        Gathered { root, excludes: Patterns::default(), materials: Vec::new(), in_place: None, date: None };
    for (number, source) in file.recipe.sources.iter().enumerate() {
        origin::add(source, number, file, place, &mut gathered)?;
    }
    Ok(gathered)
}

/// Returns the directory of a recipe that neither changes nor joins its sources.
fn usable_in_place(file: &RecipeFile) -> Option<PathBuf> {
    let recipe = &file.recipe;
    let [Source { origin: Origin::Path(path), patches, dst: None, .. }] = recipe.sources.as_slice() else {
        return None;
    };
    let path = file.resolve(path);
    (patches.is_empty() && recipe.build.scripts.is_empty() && path.is_dir()).then_some(path)
}

fn in_place(file: &RecipeFile, path: PathBuf, place: Workplace<'_>) -> Result<Gathered, GatherError> {
    let source = &file.recipe.sources[0];
    let excludes = excludes_of(source)?;
    let found = list_source(&path, &excludes, place)?;
    let in_place = InPlace::new(source.clone(), Listed::new(path.clone(), found));
    Ok(Gathered { root: path, excludes, materials: Vec::new(), in_place: Some(in_place), date: None })
}

/// Lists a directory of the user's, without what is left out and without the scratch directory if it lies inside.
///
/// Submodules of a git work tree must have been filled: an empty directory in the place of one is no source.
fn list_source(path: &Path, excludes: &Patterns, place: Workplace<'_>) -> Result<Vec<Found>, GatherError> {
    let scratch = place.scratch.strip_prefix(path).ok().map(Path::as_os_str);
    let found =
        list(path, |below| excludes.matches(&below.to_string_lossy()) || Some(below.as_os_str()) == scratch)?;
    git_tree::check_filled(path, excludes)?;
    Ok(found)
}

/// Adds what no source has to what the recipe excludes.
fn excludes_of(source: &Source) -> Result<Patterns, GatherError> {
    let own = source.excludes.texts().iter().map(String::as_str);
    let all: Vec<&str> = own.chain(NEVER).collect();
    Patterns::new(&all).map_err(|error| GatherError::Excludes(error.into()))
}
