//! Looks over a package that is there, with the allowances of the recipe that it was built from.

use std::collections::BTreeMap;
use std::path::Path;

use copkg_spec::archive::Contents;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::index::Entry;
use copkg_spec::recipe::Recipe;
use thiserror::Error;

use super::{OpenPackage, PackageError};
use crate::collect::{Collected, Content, Node, named_by};
use crate::lint::{self, Finding, LintError, Subject};
use crate::provenance::Provenance;

/// Unpacks the package at `path` into the empty directory `scratch` and looks it over.
///
/// # Errors
/// When it is no whole package, or cannot be unpacked.
pub fn lint(path: &Path, scratch: &Path) -> Result<Vec<Finding>, PackageLintError> {
    let package = OpenPackage::without_trust(path)?;
    let contents = package.contents().clone();
    package.unpack(scratch)?;
    let tree = tree_of(&contents, scratch);
    let recipe = recipe_of(&contents);
    let named = recipe.as_ref().and_then(|recipe| recipe.service.as_ref()).and_then(named_by);
    let manifest = contents.manifest();
    let coordinate = manifest.coordinate();
    let subject = Subject {
        tree: &tree,
        kind: manifest.kind(),
        version: coordinate.version(),
        platform: manifest.platform(),
        service: manifest.service(),
        named: named.as_ref(),
        build_prefixes: &[],
    };
    let allowances = recipe.map(|recipe| recipe.allowances).unwrap_or_default();
    Ok(lint::lint(subject, &allowances)?)
}

fn tree_of(contents: &Contents, root: &Path) -> Collected {
    let node = |entry: &Entry| match entry {
        Entry::Directory { .. } => Node::Directory { found_mode: 0o755 },
        Entry::File { path, mode, size, .. } => Node::File {
            content: Content::File(root.join(path.as_str())),
            size: *size,
            mode: *mode,
            found_mode: mode.bits(),
        },
        Entry::Symlink { target, .. } => Node::Symlink { target: target.clone() },
    };
    let nodes: BTreeMap<_, _> =
        contents.index().entries().iter().map(|entry| (entry.path().clone(), node(entry))).collect();
    Collected::of(nodes)
}

/// Returns the package's own recipe; none for a package of another builder.
fn recipe_of(contents: &Contents) -> Option<Recipe> {
    let provenance = contents.provenance().and_then(|bytes| Provenance::parse(bytes).ok())?;
    Recipe::parse(&provenance.recipe).ok()
}

/// Says why a package cannot be looked over.
#[derive(Debug, Error)]
pub enum PackageLintError {
    /// It is no whole package.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The lint cannot look.
    #[error(transparent)]
    Lint(#[from] LintError),
}

impl PackageLintError {
    fn inner(&self) -> &dyn Explain {
        match self {
            Self::Package(error) => error,
            Self::Lint(error) => error,
        }
    }
}

impl Explain for PackageLintError {
    fn exit(&self) -> Exit {
        self.inner().exit()
    }

    fn code(&self) -> &'static str {
        self.inner().code()
    }

    fn hint(&self) -> Option<String> {
        self.inner().hint()
    }
}
