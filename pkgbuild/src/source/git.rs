//! A commit of a git repository, checked out without its history.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use copkg_spec::digest::Digest;
use copkg_spec::recipe::Commit;

use super::date::SourceDate;
use super::error::GatherError;
use crate::run::{ToolError, Tools};
use crate::surroundings::Ambient;

/// The transports that a repository may be reached by; `ext` would run a command.
const PROTOCOLS: &str = "file:git:http:https:ssh";

/// Checks `commit` of `repository` out into the new directory `into`, and returns the commit's date.
pub(super) fn check_out(
    repository: &str,
    commit: &Commit,
    recipe_directory: &Path,
    ambient: &Ambient,
    into: &Path,
) -> Result<SourceDate, GatherError> {
    let git = Git { tools: Tools(ambient), store: store_of(repository, ambient, into), recipe_directory };
    let failed =
        |source| GatherError::Git { repository: repository.to_owned(), commit: commit.clone(), source };
    let make = |source| GatherError::MakeDirectory { path: into.to_owned(), source };
    fs::create_dir_all(into).map_err(make)?;
    git.ensure(repository, commit).map_err(failed)?;
    git.export(commit, into).map_err(failed)?;
    let date = git.date(commit).map_err(failed)?;
    if git.store.starts_with(into) {
        fs::remove_dir_all(&git.store).map_err(make)?;
    }
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
        // Neither line ends nor hooks of the user's configuration may change what is checked out.
        let fixed = ["-c", "core.autocrlf=false", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"];
        let all =
            [store.as_os_str()].into_iter().chain(fixed.map(OsStr::new)).chain(arguments.iter().copied());
        let own = [("GIT_TERMINAL_PROMPT", OsStr::new("0")), ("GIT_ALLOW_PROTOCOL", OsStr::new(PROTOCOLS))];
        let environment: Vec<(&str, &OsStr)> = own.into_iter().chain(environment.iter().copied()).collect();
        self.tools.run("git", self.recipe_directory, all, &environment)
    }

    /// Fetches the commit unless it is there: alone where the server allows it, else with all branches and tags.
    fn ensure(&self, repository: &str, commit: &Commit) -> Result<(), ToolError> {
        let object = format!("{commit}^{{commit}}");
        if self.store.is_dir() && self.run(&words(["cat-file", "-e", &object]), &[]).is_ok() {
            return Ok(());
        }
        self.run(&words(["init", "--quiet", "--bare"]), &[])?;
        let alone = words(["fetch", "--quiet", "--no-tags", "--depth=1", "--", repository, commit.as_str()]);
        if self.run(&alone, &[]).is_ok() {
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
        self.run(&everything, &[])?;
        self.run(&words(["cat-file", "-e", &object]), &[]).map(|_| ())
    }

    fn export(&self, commit: &Commit, into: &Path) -> Result<(), ToolError> {
        let index = into.with_extension("index");
        let with_index = [("GIT_INDEX_FILE", index.as_os_str()), ("GIT_WORK_TREE", into.as_os_str())];
        self.run(&words(["read-tree", commit.as_str()]), &with_index)?;
        let mut prefix = OsString::from("--prefix=");
        prefix.push(into);
        prefix.push("/");
        let arguments = [OsStr::new("checkout-index"), OsStr::new("--all"), OsStr::new("--force"), &prefix];
        self.run(&arguments, &with_index)?;
        // What is left of it is thrown away with the scratch directory.
        let _ = fs::remove_file(&index);
        Ok(())
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
