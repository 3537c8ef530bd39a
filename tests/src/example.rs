//! The packages of `examples/`, and how a tree to build comes from each.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use crate::execution::{Execution, line_of};
use crate::programs::project;

/// A package of `examples/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Example {
    /// The smallest recipe.
    HelloService,
    /// Redis from its source code.
    Redis,
    /// A web application with its framework.
    PythonWeb,
    /// One package, several platforms.
    MultiPlatform,
}

/// An example cannot be built on this machine.
#[derive(Debug, thiserror::Error)]
pub enum ExampleError {
    /// A program that its build uses is not there.
    #[error("{example} needs {program}, which is not on this machine")]
    NoProgram {
        /// The example.
        example: &'static str,
        /// What it needs.
        program: &'static str,
    },
    /// The download failed, or what came is not what was meant.
    #[error("cannot get the source code: {said}")]
    NoSource {
        /// What the script said.
        said: String,
    },
    /// Something on the disk is in the way.
    #[error("cannot make the tree of {example}")]
    Tree {
        /// The example.
        example: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Example {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::HelloService, Self::Redis, Self::PythonWeb, Self::MultiPlatform];

    /// Returns its directory below `examples/`, which is its id too.
    pub fn name(self) -> &'static str {
        match self {
            Self::HelloService => "hello-service",
            Self::Redis => "redis",
            Self::PythonWeb => "python-web",
            Self::MultiPlatform => "multi-platform",
        }
    }

    /// Returns the service coordinate that it is started as.
    pub fn service(self) -> &'static str {
        match self {
            Self::HelloService => "1.hello.dev.local",
            Self::Redis => "1.redis.dev.local",
            Self::PythonWeb => "1.guestbook.dev.local",
            Self::MultiPlatform => "1.greeter.dev.local",
        }
    }

    /// Returns the command that makes its tree in `into`.
    pub fn fetch(self, into: &Path) -> Command {
        let here = project().join("examples").join(self.name());
        if self == Self::Redis {
            let mut fetch = Command::new(here.join("fetch.py"));
            fetch.arg(into);
            return fetch;
        }
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(here).arg(into);
        copy
    }

    /// Makes its tree in `into`, which is not there yet, and says how.
    ///
    /// # Errors
    /// When this machine lacks what its build needs, or its source code cannot be had.
    pub fn prepare(self, into: &Path) -> Result<Execution, ExampleError> {
        self.check_machine()?;
        let example = self.name();
        let tree = |source| ExampleError::Tree { example, source };
        let mut command = self.fetch(into);
        let done = Execution::of(&mut command).map_err(tree)?;
        if done.is_success() {
            return Ok(done);
        }
        if self == Self::Redis {
            return Err(ExampleError::NoSource { said: done.err.trim().replace('\n', " ") });
        }
        Err(tree(io::Error::other(format!("{}: {}", line_of(&command), done.err.trim()))))
    }

    /// Returns the version in the recipe of a tree that [`Self::prepare`] made.
    ///
    /// # Errors
    /// When there is no recipe.
    pub fn coordinate(self, tree: &Path) -> Result<String, ExampleError> {
        let recipe = fs::read_to_string(tree.join("package.toml"));
        let recipe = recipe.map_err(|source| ExampleError::Tree { example: self.name(), source })?;
        let version = recipe.lines().find_map(|line| line.strip_prefix("version = "));
        Ok(format!("org.copkg.examples:{}:{}", self.name(), version.unwrap_or_default().trim_matches('"')))
    }

    /// Tells whether this machine has what its build and its service need.
    ///
    /// # Errors
    /// Names what is missing.
    pub fn check_machine(self) -> Result<(), ExampleError> {
        let needs: &[(&'static str, &[&str])] = match self {
            Self::HelloService => &[("Python 3", &["python3", "--version"])],
            Self::Redis => &[
                ("Python 3", &["python3", "--version"]),
                ("make", &["make", "--version"]),
                ("cc", &["cc", "--version"]),
            ],
            Self::PythonWeb => &[("Python's pip", &["python3", "-m", "pip", "--version"])],
            Self::MultiPlatform => &[("cc", &["cc", "--version"]), ("Python 3", &["python3", "--version"])],
        };
        let runs = |words: &[&str]| {
            Execution::of(Command::new(words[0]).args(&words[1..])).is_ok_and(|e| e.is_success())
        };
        let missing = needs.iter().find(|(_, words)| !runs(words));
        missing.map_or(Ok(()), |(program, _)| Err(ExampleError::NoProgram { example: self.name(), program }))
    }
}
