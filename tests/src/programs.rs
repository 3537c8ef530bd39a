//! Finds the three programs: they lie where cargo put the test or the quickstart that asks.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The names of the three programs.
pub const NAMES: [&str; 3] = ["pkgbuild", "pkginstall", "repo-server"];

/// The directory with the three programs.
#[derive(Debug, Clone)]
pub struct Programs {
    directory: PathBuf,
}

/// The programs are not where they should be.
#[derive(Debug, thiserror::Error)]
pub enum ProgramsError {
    /// The operating system does not say what runs.
    #[error("cannot tell where this program lies")]
    Here(#[source] std::io::Error),
    /// One was not built.
    #[error("{path} is not there: `cargo build --workspace --bins` makes it")]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
}

impl Programs {
    /// Returns the directory into which cargo builds, by where the running program lies.
    ///
    /// # Errors
    /// When the operating system does not say where that is.
    pub fn directory_of_this_build() -> Result<PathBuf, ProgramsError> {
        let here = env::current_exe().map_err(ProgramsError::Here)?;
        let directory = here.parent().unwrap_or(Path::new("/"));
        // A test lies one directory deeper than a program.
        let directory =
            if directory.ends_with("deps") { directory.parent().unwrap_or(directory) } else { directory };
        Ok(directory.to_owned())
    }

    /// Finds the programs of this build.
    ///
    /// # Errors
    /// When one of them was not built.
    pub fn find() -> Result<Self, ProgramsError> {
        let directory = Self::directory_of_this_build()?;
        for name in NAMES {
            let path = directory.join(name);
            if !path.is_file() {
                return Err(ProgramsError::Missing { path });
            }
        }
        Ok(Self { directory })
    }

    /// Copies a program into a directory, by another process: a file that this one writes cannot be executed while a child that a test
    /// beside this one forked has it open ("Text file busy").
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn copy(&self, name: &str, directory: &Path) -> io::Result<()> {
        let copied = Command::new("cp").arg(self.path(name)).arg(directory).status()?;
        if copied.success() { Ok(()) } else { Err(io::Error::other(format!("cp of {name}: {copied}"))) }
    }

    /// Returns their directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the path of one of them.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Returns a `PATH` that has the programs before everything else.
    pub fn search_path(&self) -> String {
        let rest = env::var("PATH").unwrap_or_default();
        format!("{}:{rest}", self.directory.display())
    }
}

/// Tells whether a command is one of the three programs, which users call by name.
pub fn is_ours(program: &Path) -> bool {
    program.file_name().is_some_and(|name| NAMES.iter().any(|ours| name == *ours))
}

/// Returns the directory of the project.
pub fn project() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}
