//! Collects what goes into the package. Before it: the scripts have run. After it: the lint looks at it, and it is packed.
//!
//! From the destination directory of the install script and from the recipe's contents to one tree, with modes that a
//! package may have, links that are direct, and the service's scripts in their place.

mod error;
mod gather;
mod links;
mod service;
mod tree;

pub use error::CollectError;
pub(crate) use links::destination;
pub use service::SCRIPTS;
pub(crate) use service::{find_script, named_by};
pub use tree::{Collected, Content, Node, Opened};

use std::path::Path;
use std::sync::Arc;

use copkg_spec::manifest::Service;
use copkg_spec::recipe::{Patterns, Recipe};

use crate::scripts::NamedFiles;
use crate::source::Listed;
use tree::Tree;

/// Where the parts of a package lie.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The source directory, which `[[contents]]` names.
    pub source: &'a Path,
    /// What of the source directory does not count.
    pub excludes: &'a Patterns,
    /// What is in it, where it was listed and nothing has run since.
    pub listed: Option<&'a Arc<Listed>>,
    /// What the install script filled, if there is one.
    pub destination: Option<&'a Path>,
}

/// A package's tree and how it runs.
#[derive(Debug)]
pub struct Collection {
    /// Everything that is packed.
    pub tree: Collected,
    /// What of the package the command line of its service names, if it has one.
    pub named: Option<NamedFiles>,
    /// How it runs; without one where a script is missing, which the lint reports.
    pub service: Option<Service>,
}

/// Collects the tree of `recipe`.
///
/// # Errors
/// When a part is missing, two parts want one place, or something is there that no package may hold.
pub fn collect(recipe: &Recipe, parts: Parts<'_>) -> Result<Collection, CollectError> {
    let mut tree = Tree::default();
    gather::add_destination(&mut tree, parts)?;
    for content in &recipe.contents {
        gather::add_content(&mut tree, content, parts)?;
    }
    gather::add_readme(&mut tree, recipe, parts)?;
    if tree.is_without_files() {
        return Err(CollectError::Empty);
    }
    if let Some(service) = &recipe.service {
        service::add_scripts(&mut tree, service)?;
    }
    let tree = links::make_direct(tree)?.with_listed(parts.listed.cloned());
    let service = recipe.service.as_ref().and_then(|service| service::contract(service, &tree));
    if let Some(service) = &service {
        service.check().map_err(CollectError::Contradiction)?;
        service::check_templates(service, &tree)?;
    }
    let named = recipe.service.as_ref().and_then(service::named_by);
    Ok(Collection { tree, named, service })
}
