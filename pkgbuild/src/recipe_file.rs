//! Reads a recipe from the directory of a source tree. Before it: nothing. After it: its sources are gathered.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::index::EntryPath;
use copkg_spec::recipe::{FILE_NAME, Recipe, RecipeError, RelativePath};
use thiserror::Error;

/// A recipe, its text, and the directory that its relative paths start from.
#[derive(Debug, Clone)]
pub struct RecipeFile {
    /// What the text says.
    pub recipe: Recipe,
    /// The text, kept for the provenance.
    pub text: String,
    /// Where the recipe is.
    pub directory: PathBuf,
    /// Files of the package that no source has: the lock of a deployment.
    pub generated: Vec<GeneratedFile>,
}

/// A file of a package that no source has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Where it goes.
    pub path: EntryPath,
    /// What it holds.
    pub text: String,
}

impl RecipeFile {
    /// Reads `package.toml` in `directory`.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is not a recipe.
    pub fn read(directory: &Path) -> Result<Self, RecipeFileError> {
        let path = directory.join(FILE_NAME);
        let text = fs::read_to_string(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => RecipeFileError::Missing { directory: directory.to_owned() },
            _ => RecipeFileError::Read { path: path.clone(), source },
        })?;
        Self::parse(text, directory).map_err(|source| RecipeFileError::Recipe { path, source })
    }

    /// Returns where a path of the recipe leads.
    pub fn resolve(&self, path: &RelativePath) -> PathBuf {
        // A lone "." would show in every message.
        if path.as_str() == "." { self.directory.clone() } else { self.directory.join(path.as_str()) }
    }

    /// Takes the text of a recipe whose relative paths start from `directory`.
    ///
    /// # Errors
    /// When it is not a recipe.
    pub fn parse(text: String, directory: &Path) -> Result<Self, RecipeError> {
        let recipe = Recipe::parse(&text)?;
        Ok(Self { recipe, text, directory: directory.to_owned(), generated: Vec::new() })
    }
}

/// Says why there is no recipe.
#[derive(Debug, Error)]
pub enum RecipeFileError {
    /// There is none.
    #[error("there is no {FILE_NAME} in {directory}", directory = directory.display())]
    Missing {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not a recipe.
    #[error("{path} is not a recipe", path = path.display())]
    Recipe {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: RecipeError,
    },
}

impl Explain for RecipeFileError {
    fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. } => Exit::NotFound,
            Self::Read { .. } => Exit::Failure,
            Self::Recipe { source, .. } => source.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "no_recipe",
            Self::Read { .. } => "recipe_unreadable",
            Self::Recipe { source, .. } => source.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => {
                Some("write one with `pkgbuild init`, or name the directory that has it".into())
            }
            Self::Read { .. } => None,
            Self::Recipe { source, .. } => source.hint(),
        }
    }
}
