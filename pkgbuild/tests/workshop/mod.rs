//! A directory to build in, and the program as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A recipe of a package that is no service, with one file.
pub(crate) const CONTENT: &str = r#"
[package]
group = "com.example"
id = "notes"
version = "1.0.0"
kind = "content"

[[contents]]
src = "notes.txt"
"#;

/// A directory of its own, and a home directory beside it, for the cache; gone when the test ends.
pub(crate) struct Workshop {
    tree: TempDir,
    home: TempDir,
}

/// What the program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let directory = Self { tree: TempDir::new().unwrap(), home: TempDir::new().unwrap() };
        fs::create_dir(directory.path("tmp")).unwrap();
        directory
    }

    /// With the source of a small package.
    pub(crate) fn with_notes() -> Self {
        let workshop = Self::new();
        workshop.write("package.toml", CONTENT);
        workshop.write("notes.txt", "remember the milk\n");
        workshop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.tree.path().join(name)
    }

    /// Empties the cache.
    #[allow(dead_code, reason = "not every test program does")]
    pub(crate) fn forget(&self) {
        fs::remove_dir_all(self.home.path().join(".cache")).unwrap();
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.write(name, text);
        self.mode(name, 0o755);
        path
    }

    pub(crate) fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The program, run here, with nothing of the caller's environment that could matter.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pkgbuild"));
        command.args(arguments).current_dir(self.tree.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home.path()).env("TMPDIR", self.path("tmp"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.say(&self.command(arguments).output().unwrap())
    }

    /// Runs it, and it must work.
    pub(crate) fn works(&self, arguments: &[&str]) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
        said
    }

    /// Runs it, and it must fail; returns the exit code and what it said.
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_ne!(said.code, 0, "{arguments:?}: {said:?}");
        format!("exit code {}\n{}", said.code, said.err)
    }

    pub(crate) fn say(&self, output: &Output) -> Said {
        let text = |bytes: &[u8]| self.neutral(&String::from_utf8_lossy(bytes));
        Said {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// Puts names in the place of what differs from run to run.
    fn neutral(&self, text: &str) -> String {
        let text = text.replace(&self.tree.path().display().to_string(), "DIR");
        let text = text.replace(&self.home.path().display().to_string(), "HOME");
        let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        words
            .map(|word| {
                let name = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
                let end = &word[name.len()..];
                let hexadecimal = name.len() >= 12 && name.bytes().all(|b| b.is_ascii_hexdigit());
                if hexadecimal {
                    format!("[{} hex]{end}", name.len())
                } else if name.starts_with("pkgbuild-") && name.len() == 15 {
                    format!("pkgbuild-SCRATCH{end}")
                } else {
                    word.to_owned()
                }
            })
            .collect()
    }

    /// Nothing of a build may be left over, whatever happened.
    pub(crate) fn is_clean(&self) -> bool {
        names(&self.path("tmp")).is_empty()
            && !names(self.tree.path()).iter().any(|name| name.starts_with(".tmp"))
    }
}

/// The names in a directory, sorted.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Runs a tool that the test needs.
pub(crate) fn tool(directory: &Path, program: &str, arguments: &[impl AsRef<OsStr>]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C")])
        .envs([("GIT_AUTHOR_NAME", "A"), ("GIT_AUTHOR_EMAIL", "a@example.com")])
        .envs([("GIT_COMMITTER_NAME", "A"), ("GIT_COMMITTER_EMAIL", "a@example.com")])
        .envs([("GIT_AUTHOR_DATE", "1700000000 +0000"), ("GIT_COMMITTER_DATE", "1700000000 +0000")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
