//! A host with a root of its own, a store, and a bare machine beside it, on which the same names have other numbers.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use copkg_spec::age::Identity;
use copkg_tests::execution::Execution;
use copkg_tests::scene::Scene;
use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The name of the host.
pub(crate) const HOST: &str = "web1";

/// The recovery identity of all worlds.
const IDENTITY: [u8; 32] = [42; 32];

const PASSWD: &str =
    "root:x:0:0::/:/bin/sh\nfirst:x:4101:4101::/:\nsecond:x:4102:4102::/:\nthird:x:4103:4103::/:\n";
const GROUP: &str = "root:x:0:\nfirst:x:4101:\nsecond:x:4102:\nthird:x:4103:\nshared:x:4201:\n";

/// The world.
pub(crate) struct World {
    pub(crate) scene: Scene,
    /// What `host init` said of the host's key.
    pub(crate) key: String,
}

impl World {
    /// Makes the root, the identity, the configuration, and watches /srv.
    pub(crate) fn new() -> Result<Self> {
        let scene = Scene::new()?;
        scene.write("root/etc/passwd", 0o644, PASSWD)?;
        scene.write("root/etc/group", 0o644, GROUP)?;
        scene.write("identity", 0o600, Identity::from_bytes(IDENTITY).to_text().as_bytes())?;
        let recipient = Identity::from_bytes(IDENTITY).recipient().to_string();
        let init = ["host", "init", "store", "--recipient", &recipient, "--name", HOST, "--json"];
        let document = scene.pkginstall(init)?.success()?.json()?;
        let key = document["host_key"].as_str().unwrap_or_default().to_owned();
        let world = Self { scene, key };
        world.host(["watch", "/srv"])?.success()?;
        Ok(world)
    }

    /// Makes one with some files below /srv.
    pub(crate) fn with_files() -> Result<Self> {
        let world = Self::new()?;
        for number in 0..6 {
            world.write(&format!("srv/data/{number}"), &format!("content {number}\n").repeat(200))?;
        }
        world.write("srv/deep/er/file", "deep")?;
        Ok(world)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scene.path().join(name)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path("root")
    }

    /// Writes a file of the host.
    pub(crate) fn write(&self, path: &str, content: &str) -> Result<()> {
        self.scene.write(Path::new("root").join(path), 0o644, content)?;
        Ok(())
    }

    /// Runs `pkginstall host`.
    pub(crate) fn host<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<Execution> {
        let arguments: Vec<S> = arguments.into_iter().collect();
        let words = [OsStr::new("host")].into_iter().chain(arguments.iter().map(AsRef::as_ref));
        Ok(self.scene.pkginstall(words)?)
    }

    /// Returns the words that push the root.
    pub(crate) fn push_words(&self) -> Vec<String> {
        ["push", "--json", "--root", &self.root().to_string_lossy()].map(str::to_owned).to_vec()
    }

    /// Pushes the root and returns what was said.
    pub(crate) fn push(&self) -> Result<Value> {
        Ok(self.host(self.push_words())?.success()?.json()?)
    }

    /// Makes an empty root with other numbers for the same names, and a number of the host that is somebody else's here.
    pub(crate) fn bare(&self, name: &str, passwd: &str, group: &str) -> Result<PathBuf> {
        self.scene.write(format!("{name}/etc/passwd"), 0o644, passwd)?;
        self.scene.write(format!("{name}/etc/group"), 0o644, group)?;
        Ok(self.path(name))
    }

    /// Returns the words that rebuild the host below `root`, on a machine that knows the identity and the host's key alone.
    pub(crate) fn rebuild_words(&self, root: &Path) -> Vec<String> {
        let root = root.to_string_lossy().into_owned();
        let words = [
            "rebuild",
            HOST,
            "--from",
            "store",
            "--identity",
            "identity",
            "--host-key",
            &self.key,
            "--yes",
            "--json",
            "--root",
        ];
        words.into_iter().map(str::to_owned).chain([root]).collect()
    }

    /// Rebuilds the host below `root`.
    pub(crate) fn rebuild(&self, root: &Path) -> Result<Execution> {
        self.host(self.rebuild_words(root))
    }
}

/// Runs the script that makes and lists trees.
pub(crate) fn tree(words: &[&OsStr]) -> Result<Execution> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts/tree.py");
    Ok(Execution::of(Command::new("python3").arg(script).args(words))?)
}

/// Lists what can be seen below `top`, with the names of `root`.
pub(crate) fn listed(top: &Path, root: &Path) -> Result<Value> {
    Ok(tree(&["list".as_ref(), top.as_os_str(), root.as_os_str()])?.success()?.json()?)
}

/// Returns the content of all files below a directory, by path.
pub(crate) fn contents(top: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![top.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with(".copkg-rebuild") {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else {
                let content = fs::read(&path).unwrap_or_default();
                found.push((path.strip_prefix(top).unwrap_or(&path).to_owned(), content));
            }
        }
    }
    found.sort();
    found
}
