//! A test's own world: a scratch directory with a key, a package repository and a prefix, and the programs in it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::example::ExampleError;
use crate::execution::{Execution, NoDocument, UnexpectedEnd};
use crate::programs::{Programs, ProgramsError};
use crate::repository::{Repository, RepositoryError};

/// The group of the packages that tests make.
pub const GROUP: &str = "org.copkg.examples";

/// The world of one test; gone when it is dropped.
#[derive(Debug)]
pub struct Scene {
    programs: Programs,
    directory: TempDir,
    prefix: PathBuf,
}

/// A scene cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// The programs are missing.
    #[error(transparent)]
    Programs(#[from] ProgramsError),
    /// The disk is in the way.
    #[error("cannot prepare {path}")]
    Disk {
        /// What was being made.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A command ended in another way than the scene needs.
    #[error(transparent)]
    Command(#[from] UnexpectedEnd),
    /// The server does not run.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// A program said something else than a document.
    #[error(transparent)]
    Document(#[from] NoDocument),
    /// The example cannot be had.
    #[error(transparent)]
    Example(#[from] ExampleError),
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.make_writable();
    }
}

impl Scene {
    /// Makes a scratch directory with a publisher's key in it.
    ///
    /// # Errors
    /// When the programs are missing or there is no place.
    pub fn new() -> Result<Self, SceneError> {
        Self::below(&std::env::temp_dir())
    }

    /// Makes one for many or large files: in memory where there is room, since disks differ so much.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_room(bytes: u64) -> Result<Self, SceneError> {
        let memory = Path::new("/dev/shm");
        let free =
            rustix::fs::statvfs(memory).map_or(0, |found| found.f_bavail.saturating_mul(found.f_frsize));
        if free > bytes { Self::below(memory) } else { Self::new() }
    }

    fn below(place: &Path) -> Result<Self, SceneError> {
        let programs = Programs::find()?;
        let directory = tempfile::Builder::new().prefix("copkg-test-").tempdir_in(place);
        let directory = directory.map_err(|source| SceneError::Disk { path: place.into(), source })?;
        let prefix = directory.path().join("host");
        let scene = Self { programs, directory, prefix };
        scene.pkgbuild(["keygen", "publisher"])?.success()?;
        Ok(scene)
    }

    /// Gives our own account the write permission that installed files and directories do not have: nobody but root could remove
    /// them otherwise.
    pub fn make_writable(&self) {
        let mut command = Command::new("chmod");
        let _ = command.args(["-R", "u+rwX"]).arg(&self.prefix).stderr(Stdio::null()).status();
    }

    /// Moves the prefix elsewhere.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<PathBuf>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Returns the scratch directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the prefix.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// Returns the three programs.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Returns a command of one of the programs, in the scratch directory and with this scene's prefix.
    pub fn command<S: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(self.programs.path(program));
        command.args(arguments);
        self.at_home(&mut command);
        command
    }

    /// Gives a command this scene's directory, prefix and nobody's configuration.
    pub fn at_home(&self, command: &mut Command) {
        command.current_dir(self.path());
        command.env("PATH", self.programs.search_path());
        command.env("COPKG_PREFIX", &self.prefix).env("XDG_CONFIG_HOME", self.path().join("config"));
        command.env("XDG_STATE_HOME", self.path().join("state"));
    }

    /// Runs `pkgbuild`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn pkgbuild<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Execution, SceneError> {
        self.run(&mut self.command("pkgbuild", arguments))
    }

    /// Runs `pkginstall`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn pkginstall<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Execution, SceneError> {
        self.run(&mut self.command("pkginstall", arguments))
    }

    /// Runs any command.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, command: &mut Command) -> Result<Execution, SceneError> {
        let program = PathBuf::from(command.get_program());
        Execution::of(command).map_err(|source| SceneError::Disk { path: program, source })
    }

    /// Writes a file below the scratch directory, with the directories above it.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(
        &self,
        path: impl AsRef<Path>,
        mode: u32,
        content: impl AsRef<[u8]>,
    ) -> Result<PathBuf, SceneError> {
        let path = self.path().join(path);
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
            fs::write(&path, content.as_ref())?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))
        };
        write().map_err(|source| SceneError::Disk { path: path.clone(), source })?;
        Ok(path)
    }

    /// Writes the tree of a small package of kind `content`: some files, a directory in a directory, a link.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn small_tree(&self, name: &str, version: &str) -> Result<PathBuf, SceneError> {
        let recipe = format!(
            "[package]\ngroup = \"{GROUP}\"\nid = \"{name}\"\nversion = \"{version}\"\nkind = \"content\"\n\n\
             [[contents]]\nsrc = \"files\"\ndst = \".\"\ntype = \"tree\"\n\n\
             [[contents]]\nsrc = \"bin/run\"\ndst = \"current\"\ntype = \"symlink\"\n"
        );
        let tree = self.path().join(format!("{name}-{version}"));
        self.write(tree.join("package.toml"), 0o644, recipe)?;
        self.write(tree.join("files/bin/run"), 0o755, format!("#!/bin/sh\necho {name} {version}\n"))?;
        for number in 0..12 {
            let content = format!("{name} {version} {number}\n").repeat(1 + number * 40);
            self.write(tree.join(format!("files/share/{}/{number}.txt", number % 3)), 0o644, content)?;
        }
        Ok(tree)
    }

    /// Adds files to such a tree that every version has.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn add_same_files(&self, tree: &Path) -> Result<(), SceneError> {
        for number in 0..12 {
            self.write(tree.join(format!("files/same/{}/{number}", number % 4)), 0o644, number.to_string())?;
        }
        Ok(())
    }

    /// Builds and signs the package in `tree`; returns the file.
    ///
    /// # Errors
    /// When the build fails.
    pub fn build(&self, tree: &Path) -> Result<PathBuf, SceneError> {
        let output = tempfile::Builder::new().prefix("packages-").tempdir_in(self.path());
        let output = output.map_err(|source| SceneError::Disk { path: self.path().into(), source })?.keep();
        let words: [&OsStr; 6] = [
            "build".as_ref(),
            tree.as_ref(),
            "--key".as_ref(),
            "publisher.key".as_ref(),
            "--out".as_ref(),
            output.as_ref(),
        ];
        self.pkgbuild(words)?.success()?;
        only_file(&output).map_err(|source| SceneError::Disk { path: output, source })
    }

    /// Publishes a package file to the scene's repository.
    ///
    /// # Errors
    /// When it is refused.
    pub fn publish(&self, file: &Path) -> Result<(), SceneError> {
        let words: [&OsStr; 4] =
            ["publish".as_ref(), file.as_ref(), "--repo".as_ref(), "repository".as_ref()];
        self.pkgbuild(words)?.success()?;
        Ok(())
    }

    /// Pins the publisher's key on the scene's host.
    ///
    /// # Errors
    /// When the host refuses it.
    pub fn trust(&self) -> Result<(), SceneError> {
        self.pkginstall(["trust", "add", GROUP, "publisher.pub"])?.success()?;
        Ok(())
    }

    /// Serves the scene's repository.
    ///
    /// # Errors
    /// When the server does not start.
    pub fn serve(&self) -> Result<Repository, SceneError> {
        let (store, log) = (self.path().join("repository"), self.path().join("repo-server.log"));
        fs::create_dir_all(&store).map_err(|source| SceneError::Disk { path: store.clone(), source })?;
        Ok(Repository::serve(&self.programs.path("repo-server"), &store, &log)?)
    }

    /// Returns where a package is installed: the design's own words, not what `pkginstall` says.
    pub fn software(&self, coordinate: &str) -> PathBuf {
        let mut parts = coordinate.split(':');
        let group = parts.next().unwrap_or_default().replace('.', "/");
        parts.fold(self.prefix.join("software").join(group), |path, part| path.join(part))
    }

    /// Returns every path below the prefix that an installation left, sorted: the software, the receipts, the journal.
    pub fn traces(&self) -> Vec<String> {
        let places = ["software", ".copkg/receipts", ".copkg/journal"];
        let mut found: Vec<String> =
            places.iter().flat_map(|place| files_below(&self.prefix.join(place))).collect();
        found.sort();
        found
    }
}

/// Returns the files and links below a directory, and what is neither a file nor an empty directory of ours.
fn files_below(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// Returns the only file in a directory.
///
/// # Errors
/// When there is none.
pub fn only_file(directory: &Path) -> io::Result<PathBuf> {
    let mut entries = fs::read_dir(directory)?;
    entries.next().ok_or(io::ErrorKind::NotFound)?.map(|entry| entry.path())
}
