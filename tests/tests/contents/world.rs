//! A repository on a server with one content in it, and sites: prefixes that each follow a channel of it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use copkg_tests::execution::Execution;
use copkg_tests::registry::Registry;
use copkg_tests::scene::{GROUP, Scene};
use serde_json::Value;

use crate::Outcome;

/// The page that the first revision has.
pub(crate) const PAGE: &str = "<h1>one</h1>\n2\n3\n4\n5\n6\n7\n8\n9\n";

const RECIPE: &str = "[package]\ngroup = \"GROUP\"\nid = \"pages\"\nversion = \"1\"\nkind = \"content\"\nmaintainer = \"the founders\"\n\
                      release_note = \"the first\"\n\n[[contents]]\nsrc = \"tree\"\ndst = \".\"\ntype = \"tree\"\n";

/// A repository, and the machine of the tests.
pub(crate) struct World {
    pub(crate) scene: Scene,
    pub(crate) registry: Registry,
}

/// A host of its own, as far as copkg is concerned.
pub(crate) struct Site<'w> {
    world: &'w World,
    prefix: PathBuf,
}

impl World {
    /// Revision 1 is published, and `prod` and `other` lead to it.
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        Self::with_keys(&["publisher"], 1)
    }

    /// As [`Self::new`], with so many of these keys that must sign for the group.
    pub(crate) fn with_keys(keys: &[&str], threshold: u32) -> Result<Self, Box<dyn Error>> {
        let scene = Scene::new()?;
        for key in keys.iter().filter(|key| **key != "publisher") {
            scene.pkgbuild(["keygen", *key])?.success()?;
        }
        let public: Vec<String> = keys.iter().map(|key| format!("{key}.pub")).collect();
        let public: Vec<&str> = public.iter().map(String::as_str).collect();
        let registry = scene.registry(&public, threshold)?;
        let tree = scene.path().join("pages");
        scene.write(tree.join("package.toml"), 0o644, RECIPE.replace("GROUP", GROUP))?;
        scene.write(tree.join("tree/index.html"), 0o644, PAGE)?;
        scene.write(tree.join("tree/style/site.css"), 0o644, "h1 { color: red }\n")?;
        scene.write(tree.join("tree/picture"), 0o644, b"\0\x01picture")?;
        let file = scene.build(&tree)?;
        let world = Self { scene, registry };
        let mut command =
            world.registry.command(&world.scene, &["publish", "--promote", "prod", "--promote", "other"]);
        command.arg(file);
        for key in keys.iter().take(threshold as usize) {
            command.args(["--key", &format!("{key}.key")]);
        }
        world.scene.run(&mut command)?.success()?;
        Ok(world)
    }

    /// Makes a site that follows `channel` under the name `site`.
    pub(crate) fn site(&self, name: &str, channel: &str) -> Result<Site<'_>, Box<dyn Error>> {
        let site = self.host(name)?;
        site.ok(&["content", "add", "site", &format!("{GROUP}:pages@{channel}")])?;
        Ok(site)
    }

    /// Makes a host that knows the repository.
    pub(crate) fn host(&self, name: &str) -> Result<Site<'_>, Box<dyn Error>> {
        let site = Site { world: self, prefix: self.scene.path().join("sites").join(name) };
        site.ok(&["repo", "add", "main", self.registry.url(), "--root", self.registry.fingerprint()])?;
        Ok(site)
    }
}

impl Site<'_> {
    pub(crate) fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// Returns a command of this site.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.scene.command("pkginstall", arguments);
        command.env("COPKG_PREFIX", &self.prefix);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Execution, Box<dyn Error>> {
        Ok(self.world.scene.run(&mut self.command(&[arguments, &["--json"]].concat()))?)
    }

    /// Runs a command that must go well, and returns its document.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
        Ok(self.run(arguments)?.success()?.json()?)
    }

    /// Runs a command that must fail with `code`, and returns what it says of the failure.
    pub(crate) fn fails(&self, exit: i32, code: &str, arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
        let ended = self.run(arguments)?.expect_code(exit)?;
        let error = ended.json()?["error"].take();
        assert_eq!(error["code"], code, "{ended}");
        Ok(error)
    }

    /// Pushes with the publisher's key.
    pub(crate) fn push(&self, options: &[&str]) -> Result<Value, Box<dyn Error>> {
        self.ok(&[&["content", "push", "site", "--key", "publisher.key"], options].concat())
    }

    /// Begins to edit.
    pub(crate) fn edit(&self) -> Outcome {
        self.ok(&["content", "edit", "site", "--message", "new prices"])?;
        Ok(())
    }

    /// Makes a round of the agent that ends with `code`, and returns how the content stands.
    pub(crate) fn round(&self, code: i32) -> Result<String, Box<dyn Error>> {
        let said = self.run(&["agent", "--once", "--now"])?.expect_code(code)?.json()?;
        Ok(said["subscriptions"][0]["standing"].as_str().unwrap_or_default().to_owned())
    }

    /// Returns what a service would read.
    pub(crate) fn serves(&self, path: &str) -> String {
        fs::read_to_string(self.active().join(path)).unwrap_or_default()
    }

    pub(crate) fn active(&self) -> PathBuf {
        self.prefix.join("content/site/active")
    }

    /// Writes a file of the working copy.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Outcome {
        let path = self.prefix.join("content/site/edit").join(path);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        Ok(fs::write(path, content)?)
    }

    /// Returns the version of the revision, as `content status` says.
    pub(crate) fn revision(&self) -> Result<String, Box<dyn Error>> {
        let status = self.status()?;
        let package = status["revision"].as_str().unwrap_or_default();
        Ok(package.rsplit(':').next().unwrap_or_default().to_owned())
    }

    pub(crate) fn status(&self) -> Result<Value, Box<dyn Error>> {
        Ok(self.ok(&["content", "status", "site"])?["contents"][0].take())
    }
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        // Installed trees are read-only.
        let _ = Command::new("chmod").args(["-R", "u+rwX"]).arg(&self.prefix).status();
    }
}
