//! A host to test on: a prefix of its own, a directory repository, a signing key, and the program as a process.

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use copkg_spec::archive::{Attachments, PackOptions, PackPlan, TreeEntry, TreeNode, pack};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::index::Mode;
use copkg_spec::keys::SecretKey;
use copkg_spec::manifest::{About, Draft, Kind};
use copkg_spec::platform::Platform;
use tempfile::TempDir;

/// When the packages of these tests were made: 2024-01-02 03:04:05 UTC.
pub(crate) const SOURCE_DATE: u64 = 1_704_164_645;

/// What a package of a test holds.
pub(crate) enum Node {
    Directory,
    File(&'static str),
    Program(&'static str),
    Link(&'static str),
}

/// A package in memory.
pub(crate) struct Package {
    pub(crate) coordinate: PackageCoordinate,
    pub(crate) platform: Platform,
    pub(crate) bytes: Vec<u8>,
}

/// Everything that one test needs, gone when it is dropped.
pub(crate) struct Host {
    directory: TempDir,
}

/// What every package holds when a test does not care.
pub(crate) const TREE: [(&str, Node); 5] = [
    ("bin", Node::Directory),
    ("bin/web", Node::Program("#!/bin/sh\necho web\n")),
    ("etc", Node::Directory),
    ("etc/web.conf", Node::File("port = 80\n")),
    ("web", Node::Link("bin/web")),
];

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub(crate) fn package(coordinate: &str) -> Package {
    package_of(coordinate, "any", &TREE, &[key(1)])
}

pub(crate) fn package_of(
    coordinate: &str,
    platform: &str,
    tree: &[(&str, Node)],
    keys: &[SecretKey],
) -> Package {
    let (coordinate, platform): (PackageCoordinate, Platform) =
        (coordinate.parse().unwrap(), platform.parse().unwrap());
    let draft = Draft {
        coordinate: coordinate.clone(),
        kind: Kind::Content,
        platform: platform.clone(),
        source_date: SOURCE_DATE,
        about: About { description: Some("A package of a test.".into()), ..About::default() },
        service: None,
    };
    let entries = tree.iter().map(|(path, node)| TreeEntry {
        path: path.parse().unwrap(),
        node: match node {
            Node::Directory => TreeNode::Directory,
            Node::File(text) => TreeNode::File { mode: Mode::Regular, size: text.len() as u64 },
            Node::Program(text) => TreeNode::File { mode: Mode::Executable, size: text.len() as u64 },
            Node::Link(target) => TreeNode::Symlink { target: target.parse().unwrap() },
        },
    });
    let content = |path: &copkg_spec::index::EntryPath| {
        let found = tree.iter().find(|(name, _)| *name == path.as_str()).unwrap();
        match found.1 {
            Node::File(text) | Node::Program(text) => Ok(Cursor::new(text.as_bytes())),
            _ => Err(std::io::ErrorKind::InvalidInput.into()),
        }
    };
    let options = PackOptions { level: 3, threads: NonZeroUsize::MIN };
    let plan = PackPlan { draft, attachments: Attachments::default(), keys, options };
    let mut bytes = Vec::new();
    let scratch = tempfile::tempfile().unwrap();
    pack(plan, entries.collect(), content, scratch, &mut bytes).unwrap();
    Package { coordinate, platform, bytes }
}

impl Host {
    /// A host that trusts key 1 for `com.example`.
    pub(crate) fn new() -> Self {
        let host = Self { directory: tempfile::tempdir().unwrap() };
        host.ok(&["trust", "add", "com.example", &key(1).public().to_string()]);
        host
    }

    /// A host that trusts nobody.
    pub(crate) fn bare() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    /// A path below the prefix.
    pub(crate) fn prefix(&self, below: &str) -> PathBuf {
        self.path("prefix").join(below)
    }

    pub(crate) fn repository(&self) -> String {
        self.path("repository").to_str().unwrap().to_owned()
    }

    /// Puts a package into the directory repository.
    pub(crate) fn publish(&self, package: &Package) {
        let target = package.coordinate.target_path(&package.platform);
        write(&self.path("repository/targets").join(target), &package.bytes);
    }

    /// Puts a package file into the working directory, and returns its path.
    pub(crate) fn file(&self, name: &str, package: &Package) -> String {
        let path = self.path(name);
        write(&path, &package.bytes);
        path.to_str().unwrap().to_owned()
    }

    /// The program with `arguments`, ready to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pkginstall"));
        command.args(arguments).current_dir(self.directory.path());
        command.env_clear().env("HOME", self.directory.path()).env("COPKG_PREFIX", self.path("prefix"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs what must succeed, and returns standard output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", self.text(&output.stderr));
        self.text(&output.stdout)
    }

    /// Runs what must succeed, and returns the JSON document.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        serde_json::from_str(&self.ok(&arguments)).unwrap()
    }

    /// Runs what must fail with this exit code, and returns standard error.
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = self.text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        text
    }

    /// Text without what differs from run to run.
    pub(crate) fn text(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace(self.directory.path().to_str().unwrap(), "[HOST]")
    }

    /// A path out of such a text.
    pub(crate) fn unmasked(&self, path: &str) -> PathBuf {
        path.replace("[HOST]", self.directory.path().to_str().unwrap()).into()
    }

    /// Everything below the software directory, sorted: what is installed and what was left behind.
    pub(crate) fn software(&self) -> Vec<String> {
        let root = self.prefix("software");
        let mut found = Vec::new();
        walk(&root, &mut found);
        let names = found.iter().map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
        let mut names: Vec<String> = names.filter(|name| name != ".staging").collect();
        names.sort();
        names
    }

    /// The names of the intents in the journal.
    pub(crate) fn journal(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.prefix(".copkg/journal"), &mut found);
        found.iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    }
}

/// What is installed is read-only, which keeps everybody but root from removing it.
impl Drop for Host {
    fn drop(&mut self) {
        make_writable(self.directory.path());
    }
}

/// Gives our own account the write permission that installed files and directories do not have.
pub(crate) fn make_writable(below: &Path) {
    let _ = Command::new("chmod").args(["-R", "u+rwX"]).arg(below).stderr(Stdio::null()).status();
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.symlink_metadata().unwrap().is_dir() {
            walk(&path, found);
        }
        found.push(path);
    }
}
