//! Writes a first recipe for a source tree: commented, and such that it builds. Before it: nothing. After it: `build`.

mod cargo;
mod environment;
mod jar;
mod make;
mod node;
mod plain;
mod python;
mod source;
mod template;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{Group, Label};
use copkg_spec::durable::{self, Existing};
use copkg_spec::recipe::{FILE_NAME, Recipe, RecipeError};
use thiserror::Error;

use template::Draft;

/// What a source tree was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// A Rust crate with a program.
    Cargo,
    /// A Node package.
    Node,
    /// A Python project.
    Python,
    /// A virtual environment of Python.
    Environment,
    /// A Java program.
    Jar,
    /// Something with a makefile.
    Make,
    /// Pages for a web server.
    Site,
    /// Files that are packed as they are.
    Plain,
}

impl Flavour {
    /// Returns what it is called in a message.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cargo => "a Rust crate",
            Self::Node => "a Node package",
            Self::Python => "a Python project",
            Self::Environment => "a virtual environment of Python",
            Self::Jar => "a Java program",
            Self::Make => "a tree with a makefile",
            Self::Site => "a static site",
            Self::Plain => "a plain tree",
        }
    }
}

/// A recipe that was made up for a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstRecipe {
    /// What the tree was taken for.
    pub flavour: Flavour,
    /// Where the recipe goes.
    pub path: PathBuf,
    /// The recipe.
    pub text: String,
    /// What was found, a sentence each.
    pub found: Vec<String>,
}

/// Recognises one kind of tree.
type Look = fn(&Tree) -> Option<Draft>;

/// What the user says about the package; the tree says the rest.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// The group.
    pub group: Group,
    /// The id; the tree's own name when left out.
    pub id: Option<Label>,
}

/// Makes up a recipe for the tree in `directory`.
///
/// # Errors
/// When there is one already, or the tree cannot be read.
pub fn propose(directory: &Path, wishes: &Wishes) -> Result<FirstRecipe, InitError> {
    let path = directory.join(FILE_NAME);
    if fs::symlink_metadata(&path).is_ok() {
        return Err(InitError::Exists { path });
    }
    let tree = Tree::read(directory)?;
    let looks: [(Flavour, Look); 6] = [
        (Flavour::Environment, environment::look),
        (Flavour::Cargo, cargo::look),
        (Flavour::Node, node::look),
        (Flavour::Python, python::look),
        (Flavour::Jar, jar::look),
        (Flavour::Make, make::look),
    ];
    let found = looks.into_iter().find_map(|(flavour, look)| Some((flavour, look(&tree)?)));
    let plain = if tree.has("index.html") { Flavour::Site } else { Flavour::Plain };
    let (flavour, draft) = found.unwrap_or_else(|| (plain, plain::look(&tree)));
    let text = template::write(&draft, wishes, &tree.name);
    // A recipe that we wrote and cannot read would be our bug; say so rather than leave it behind.
    Recipe::parse(&text).map_err(InitError::Invalid)?;
    Ok(FirstRecipe { flavour, path, text, found: draft.notes })
}

/// Writes the recipe, unless one has appeared meanwhile.
///
/// # Errors
/// When there is one, or it cannot be written.
pub fn write(recipe: &FirstRecipe) -> Result<(), InitError> {
    let path = &recipe.path;
    durable::write(path, 0o644, Existing::Keep, recipe.text.as_bytes()).map_err(|source| {
        match source.kind() {
            io::ErrorKind::AlreadyExists => InitError::Exists { path: path.clone() },
            _ => InitError::Write { path: path.clone(), source },
        }
    })
}

/// The top of a source tree, as far as the names tell something.
struct Tree {
    directory: PathBuf,
    name: String,
    entries: Vec<String>,
}

impl Tree {
    fn read(directory: &Path) -> Result<Self, InitError> {
        let read = |source| InitError::Read { path: directory.to_owned(), source };
        let full = directory.canonicalize().map_err(read)?;
        let name = full.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut entries = Vec::new();
        for entry in fs::read_dir(directory).map_err(read)? {
            entries.push(entry.map_err(read)?.file_name().to_string_lossy().into_owned());
        }
        entries.sort();
        Ok(Self { directory: directory.to_owned(), name, entries })
    }

    fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry == name)
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.directory.join(name)).ok()
    }

    fn table(&self, name: &str) -> Option<toml::Table> {
        self.text(name)?.parse().ok()
    }
}

/// Says why there is no first recipe.
#[derive(Debug, Error)]
pub enum InitError {
    /// There is a recipe already.
    #[error("{path} is there already", path = path.display())]
    Exists {
        /// The recipe.
        path: PathBuf,
    },
    /// The tree cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The recipe cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The recipe.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What was made up is no recipe.
    #[error("the recipe made up for this tree is not valid; please report this")]
    Invalid(#[source] RecipeError),
}

impl Explain for InitError {
    fn exit(&self) -> Exit {
        match self {
            Self::Exists { .. } => Exit::Conflict,
            _ => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "recipe_exists",
            Self::Read { .. } => "source_unreadable",
            Self::Write { .. } => "recipe_unwritable",
            Self::Invalid(_) => "internal",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => Some("a recipe is never overwritten: edit it, or move it away".into()),
            _ => None,
        }
    }
}
