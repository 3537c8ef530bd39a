//! A commit of a git repository, checked out without its history.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use copkg_spec::digest::Digest;
use copkg_spec::recipe::{Commit, Patterns, SourceAuth};

use super::auth::Credentials;
use super::date::SourceDate;
use super::error::GatherError;
use super::fetch::FetchError;
use super::git_tree::{self, Submodule};
use crate::run::{ToolError, Tools};
use crate::surroundings::Ambient;

/// The transports that a repository may be reached by; `ext` would run a command.
const PROTOCOLS: &str = "file:git:http:https:ssh";

/// A commit, and what it takes to get it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checkout<'a> {
    pub(super) repository: &'a str,
    pub(super) commit: &'a Commit,
    pub(super) auth: Option<&'a SourceAuth>,
    /// What of it does not matter.
    pub(super) excludes: &'a Patterns,
    pub(super) recipe_directory: &'a Path,
    pub(super) ambient: &'a Ambient,
}

/// Checks a commit out into the new directory `into`, and returns its date.
pub(super) fn check_out(checkout: Checkout<'_>, into: &Path) -> Result<SourceDate, GatherError> {
    let Checkout { repository, commit, auth, excludes, recipe_directory, ambient } = checkout;
    let git = Git { tools: Tools(ambient), store: store_of(repository, ambient, into), recipe_directory };
    let failed =
        |source| GatherError::Git { repository: repository.to_owned(), commit: commit.clone(), source };
    let make = |source| GatherError::MakeDirectory { path: into.to_owned(), source };
    fs::create_dir_all(into).map_err(make)?;
    if !git.has(commit) {
        let credentials =
            auth.map(|auth| Credentials::read(auth, ambient)).transpose().map_err(FetchError::from)?;
        git.fetch(repository, commit, credentials.as_ref()).map_err(failed)?;
    }
    let submodules = git.export(commit, into).map_err(failed)?;
    let date = git.date(commit).map_err(failed)?;
    if git.store.starts_with(into) {
        fs::remove_dir_all(&git.store).map_err(make)?;
    }
    git_tree::check(into, submodules, excludes)?;
    Ok(date)
}

/// Returns where the objects are kept: in the user's cache, so that they are fetched once.
fn store_of(repository: &str, ambient: &Ambient, into: &Path) -> PathBuf {
    let name = Digest::of(repository.as_bytes()).to_string();
    match ambient.cache() {
        Some(cache) if fs::create_dir_all(cache.join("git")).is_ok() => cache.join("git").join(name),
        _ => into.join(".git"),
    }
}

struct Git<'a> {
    tools: Tools<'a>,
    store: PathBuf,
    recipe_directory: &'a Path,
}

impl Git<'_> {
    fn run(&self, arguments: &[&OsStr], environment: &[(&str, &OsStr)]) -> Result<Vec<u8>, ToolError> {
        let mut store = OsString::from("--git-dir=");
        store.push(&self.store);
        let fixed = ["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"];
        let all =
            [store.as_os_str()].into_iter().chain(fixed.map(OsStr::new)).chain(arguments.iter().copied());
        let own = [("GIT_TERMINAL_PROMPT", OsStr::new("0")), ("GIT_ALLOW_PROTOCOL", OsStr::new(PROTOCOLS))];
        let environment: Vec<(&str, &OsStr)> = own.into_iter().chain(environment.iter().copied()).collect();
        self.tools.run("git", self.recipe_directory, all, &environment)
    }

    fn has(&self, commit: &Commit) -> bool {
        self.store.is_dir() && self.find(commit).is_ok()
    }

    fn find(&self, commit: &Commit) -> Result<(), ToolError> {
        self.run(&words(["cat-file", "-e", &format!("{commit}^{{commit}}")]), &[]).map(|_| ())
    }

    /// Fetches the commit: alone where the server allows it, else with all branches and tags.
    fn fetch(
        &self,
        repository: &str,
        commit: &Commit,
        credentials: Option<&Credentials>,
    ) -> Result<(), ToolError> {
        let variables = credentials.map(Credentials::for_git).unwrap_or_default();
        let variables: Vec<(&str, &OsStr)> =
            variables.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
        self.run(&words(["init", "--quiet", "--bare"]), &[])?;
        let alone = words(["fetch", "--quiet", "--no-tags", "--depth=1", "--", repository, commit.as_str()]);
        if self.run(&alone, &variables).is_ok() {
            return Ok(());
        }
        let everything = words([
            "fetch",
            "--quiet",
            "--",
            repository,
            "+refs/heads/*:refs/heads/*",
            "+refs/tags/*:refs/tags/*",
        ]);
        self.run(&everything, &variables)?;
        self.find(commit)
    }

    /// Writes the files of the commit, the same ones on every machine, and returns the submodules.
    ///
    /// No configuration of the user's or the machine's has a say: neither line ends, nor attributes, nor filters.
    fn export(&self, commit: &Commit, into: &Path) -> Result<Vec<Submodule>, ToolError> {
        let index = into.with_extension("index");
        let with_index = [
            ("GIT_INDEX_FILE", index.as_os_str()),
            ("GIT_WORK_TREE", into.as_os_str()),
            ("GIT_CONFIG_GLOBAL", OsStr::new("/dev/null")),
            ("GIT_CONFIG_NOSYSTEM", OsStr::new("1")),
            ("GIT_ATTR_NOSYSTEM", OsStr::new("1")),
            ("XDG_CONFIG_HOME", OsStr::new("/dev/null")),
            ("HOME", OsStr::new("/dev/null")),
        ];
        self.run(&words(["read-tree", commit.as_str()]), &with_index)?;
        let mut prefix = OsString::from("--prefix=");
        prefix.push(into);
        prefix.push("/");
        let arguments = [OsStr::new("checkout-index"), OsStr::new("--all"), OsStr::new("--force"), &prefix];
        self.run(&arguments, &with_index)?;
        let staged = self.run(&words(["ls-files", "--stage", "-z"]), &with_index)?;
        let gitmodules = fs::read_to_string(into.join(".gitmodules")).unwrap_or_default();
        // What is left of it is thrown away with the scratch directory.
        let _ = fs::remove_file(&index);
        Ok(git_tree::submodules(&staged, &gitmodules))
    }

    fn date(&self, commit: &Commit) -> Result<SourceDate, ToolError> {
        let output = self.run(&words(["show", "--no-patch", "--format=%ct", commit.as_str()]), &[])?;
        let seconds = String::from_utf8_lossy(&output).trim().parse().unwrap_or(0);
        Ok(SourceDate::of_commit(seconds, commit.as_str()))
    }
}

fn words<const N: usize>(words: [&str; N]) -> [&OsStr; N] {
    words.map(OsStr::new)
}
