//! Our own packages and installations: built once with the programs of this build, installed from a file and over HTTP.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::contest::{Contestant, Durable};
use super::corpus::Corpus;
use super::{Result, run};
use crate::programs::Programs;
use crate::repository::Repository;

/// The group of the packages.
pub const GROUP: &str = "org.copkg.bench";
/// The level that everybody compresses with.
pub const LEVEL: &str = "3";

/// The programs, a key, and what they made.
#[derive(Debug)]
pub struct Workshop {
    programs: Programs,
    directory: PathBuf,
}

impl Workshop {
    /// Makes a key in an empty directory.
    ///
    /// # Errors
    /// When the programs were not built.
    pub fn open(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let workshop = Self { programs: Programs::find()?, directory: directory.to_owned() };
        if !directory.join("bench.key").exists() {
            run(workshop.command("pkgbuild").args(["keygen", "bench"]))?;
        }
        Ok(workshop)
    }

    /// Returns a command in the workshop, with nobody's configuration.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.path(program));
        command.current_dir(&self.directory).env_remove("COPKG_PREFIX").env_remove("COPKG_REPO");
        for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
            command.env(name, self.directory.join("home"));
        }
        command
    }

    /// Returns a `pkginstall` command below a prefix.
    pub fn host(&self, prefix: &Path) -> Command {
        let mut command = self.command("pkginstall");
        command.env("COPKG_PREFIX", prefix);
        command
    }

    /// Makes a host that trusts the packages.
    ///
    /// # Errors
    /// When the prefix cannot be made.
    pub fn trust(&self, prefix: &Path) -> Result<()> {
        run(self.host(prefix).args(["trust", "add", GROUP, "bench.pub"])).map(drop)
    }

    /// Writes the recipe of a corpus beside its tree, and returns its directory.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn recipe(&self, corpus: &Corpus, id: &str, version: &str) -> Result<PathBuf> {
        let directory = self.directory.join(format!("recipe-{}", corpus.name));
        fs::create_dir_all(&directory)?;
        let link = directory.join("files");
        if !link.exists() {
            // The recipe takes a tree below itself; a bind mount would do as well, a copy costs seconds once.
            copy_tree(&corpus.tree, &link)?;
        }
        let rules =
            ["missing-library", "unfound-library", "native-code", "script-interpreter", "private-file"];
        let allowances = rules
            .map(|rule| format!("{{ rule = \"{rule}\", reason = \"nothing of it is run\" }}"))
            .join(", ");
        let recipe = format!(
            "[package]\ngroup = \"{GROUP}\"\nid = \"{id}\"\nversion = \"{version}\"\nkind = \"content\"\n\n\
             [[contents]]\nsrc = \"files\"\ndst = \".\"\ntype = \"tree\"\n\n\
             [lint]\nallow = [{allowances}]\n"
        );
        fs::write(directory.join("package.toml"), recipe)?;
        Ok(directory)
    }

    /// Returns the command that builds and signs a recipe into `out`.
    pub fn build(&self, recipe: &Path, out: &Path) -> Command {
        let mut command = self.command("pkgbuild");
        command.arg("build").arg(recipe).args(["--key", "bench.key", "--level", LEVEL, "--source-date", "1"]);
        command.arg("--out").arg(out);
        command
    }

    /// Builds a corpus as a package, unless it is there.
    ///
    /// # Errors
    /// When the build fails.
    pub fn package(&self, corpus: &Corpus, id: &str, version: &str) -> Result<PathBuf> {
        let out = self.directory.join("packages");
        let file = out.join(format!("{id}-{version}-any.copkg"));
        if !file.exists() {
            fs::create_dir_all(&out)?;
            run(&mut self.build(&self.recipe(corpus, id, version)?, &out))?;
        }
        Ok(file)
    }

    /// Publishes a package to the plain directory that [`Self::serve`] serves.
    ///
    /// # Errors
    /// When it is refused.
    pub fn publish(&self, package: &Path) -> Result<()> {
        self.publish_with(package, &[])
    }

    /// As [`Self::publish`], with more options.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub fn publish_with(&self, package: &Path, options: &[&str]) -> Result<()> {
        let mut command = self.command("pkgbuild");
        command.arg("publish").arg(package).args(["--repo", "repository"]).args(options);
        run(&mut command).map(drop)
    }

    /// Serves what was published.
    ///
    /// # Errors
    /// When the server does not start.
    pub fn serve(&self) -> Result<Repository> {
        let store = self.directory.join("repository");
        fs::create_dir_all(&store)?;
        Ok(Repository::serve(&self.programs.path("repo-server"), &store, &self.directory.join("server.log"))?)
    }

    /// Lets us install a corpus from a file, and over HTTP from `url`.
    ///
    /// # Errors
    /// When the package cannot be built.
    pub fn contestants<'w>(&'w self, corpus: &Corpus, url: &str) -> Result<Vec<Contestant<'w>>> {
        let file = self.package(corpus, corpus.name, "1")?;
        self.publish(&file)?;
        let (coordinate, url) = (format!("{GROUP}:{}:1", corpus.name), url.to_owned());
        let from_file = move |image: &Path| -> Result<Duration> {
            run(self.host(&image.join("host")).arg("install").arg(&file))
        };
        let over_http = move |image: &Path| -> Result<Duration> {
            run(self.host(&image.join("host")).args(["install", &coordinate, "--repo", &url]))
        };
        let prepare = || Box::new(|image: &Path| self.trust(&image.join("host")));
        Ok(vec![
            Contestant {
                name: "copkg",
                durable: Durable::Yes,
                prepare: prepare(),
                install: Box::new(from_file),
            },
            Contestant {
                name: "copkg over HTTP",
                durable: Durable::Yes,
                prepare: prepare(),
                install: Box::new(over_http),
            },
        ])
    }
}

/// Copies a tree with hard links where the file system has them.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    run(Command::new("cp").args(["-a", "--link"]).arg(from).arg(to))
        .or_else(|_| run(Command::new("cp").arg("-a").arg(from).arg(to)))
        .map(drop)
}
