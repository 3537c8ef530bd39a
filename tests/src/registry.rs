//! A repository with metadata: founded by `pkgbuild repo init`, served by a real `repo-server`, with keys in the scene's
//! directory.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::execution::Execution;
use crate::repository::Repository;
use crate::scene::{GROUP, Scene, SceneError};

/// The secret key of targets and the registrar, as the founding makes it.
pub const REGISTRAR: &str = "founding/keys/targets-1.key";

/// The secret key of root, as the founding makes it.
pub const ROOT: &str = "founding/keys/root-1.key";

/// A repository on a server that runs until this is dropped.
#[derive(Debug)]
pub struct Registry {
    server: Option<Repository>,
    fingerprint: String,
}

impl Scene {
    /// Founds a repository offline, takes it to a server and delegates the scene's group to `keys`.
    ///
    /// # Errors
    /// When a command of it fails.
    pub fn registry(&self, keys: &[&str], threshold: u32) -> Result<Registry, SceneError> {
        let founding = self.found()?;
        let registry = Registry {
            server: Some(self.serve_registry(&["online.key", "online2.key"])?),
            fingerprint: founding,
        };
        let threshold = threshold.to_string();
        let mut words =
            vec!["repo", "delegate", GROUP, "--threshold", &threshold, "--signing-key", REGISTRAR];
        for key in keys {
            words.extend(["--key", key]);
        }
        registry.pkgbuild(self, &words)?.success()?;
        Ok(registry)
    }

    /// Founds a repository and returns its fingerprint. Its keys are `online.key`, [`ROOT`] and [`REGISTRAR`];
    /// `online2.key` is there to take the place of the first.
    fn found(&self) -> Result<String, SceneError> {
        for name in ["online", "online2"] {
            self.pkgbuild(["keygen", name])?.success()?;
        }
        let init = ["repo", "init", "founding", "--online-key", "online.pub", "--json"];
        let document = self.pkgbuild(init)?.success()?.json()?;
        let store = self.store();
        let store = store.to_string_lossy();
        let init =
            ["init", "--store", &store, "--metadata", "founding/metadata", "--signing-key", "online.key"];
        self.run(&mut self.command("repo-server", init))?.success()?;
        Ok(document["fingerprint"].as_str().unwrap_or_default().to_owned())
    }

    fn store(&self) -> PathBuf {
        PathBuf::from(format!("file://{}", self.path().join("store").display()))
    }

    /// Serves the repository with these keys for snapshot and timestamp.
    ///
    /// # Errors
    /// When the server does not start.
    pub fn serve_registry(&self, keys: &[&str]) -> Result<Repository, SceneError> {
        let log = self.path().join("repo-server.log");
        let keys: Vec<PathBuf> = keys.iter().map(|key| self.path().join(key)).collect();
        let signing = keys.iter().flat_map(|key| ["--signing-key".as_ref(), key.as_os_str()]);
        let signing: Vec<&OsStr> = signing.collect();
        Ok(Repository::serve_with(
            &self.programs().path("repo-server"),
            &self.path().join("store"),
            &signing,
            &log,
        )?)
    }
}

impl Registry {
    /// Returns its URL.
    pub fn url(&self) -> &str {
        self.server.as_ref().map_or("", Repository::url)
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.server.as_ref().map_or(0, Repository::port)
    }

    /// Returns the fingerprint of its first root.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Ends the server.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Ends the server, and serves the same repository elsewhere with these keys.
    ///
    /// # Errors
    /// When the server does not start.
    pub fn restart(&mut self, scene: &Scene, keys: &[&str]) -> Result<(), SceneError> {
        // The store has one server at a time.
        self.server = None;
        self.server = Some(scene.serve_registry(keys)?);
        Ok(())
    }

    /// Returns a `pkgbuild` command on this repository.
    pub fn command(&self, scene: &Scene, words: &[&str]) -> Command {
        self.command_as(scene, words, Path::new("state"))
    }

    /// Returns one of a user with a state directory of his own.
    pub fn command_as(&self, scene: &Scene, words: &[&str], state: &Path) -> Command {
        let mut command = scene.command("pkgbuild", words);
        command.args(["--repo", self.url(), "--root", &self.fingerprint]);
        command.env("XDG_STATE_HOME", scene.path().join(state));
        command
    }

    /// Runs `pkgbuild` on this repository.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn pkgbuild(&self, scene: &Scene, words: &[&str]) -> Result<Execution, SceneError> {
        scene.run(&mut self.command(scene, words))
    }

    /// Publishes package files with these keys.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn publish(&self, scene: &Scene, files: &[&Path], keys: &[&str]) -> Result<Execution, SceneError> {
        let mut command = self.command(scene, &["publish", "--json"]);
        command.args(files);
        for key in keys {
            command.args(["--key", key]);
        }
        scene.run(&mut command)
    }
}
