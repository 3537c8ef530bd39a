//! Building and publishing a revision: by `pkgbuild`, which lies beside this program and has the publisher's steps.
//!
//! It speaks JSON. Its errors are passed on as they are, with their code and exit code.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{Label, PackageCoordinate, Version};
use copkg_spec::digest::Digest;
use copkg_spec::manifest::About;
use copkg_spec::recipe::FILE_NAME;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ContentError;
use crate::beside;
use crate::file_error::FileError;
use crate::interrupt;

/// How often it is asked whether it has ended, or a signal has come.
const LOOK: Duration = Duration::from_millis(20);

/// `pkgbuild`, and what signs.
#[derive(Debug)]
pub struct PkgbuildRunner {
    program: Utf8PathBuf,
    keys: Vec<Utf8PathBuf>,
    passphrase_file: Option<Utf8PathBuf>,
}

/// What a revision is to be.
#[derive(Debug)]
pub struct RevisionDraft<'a> {
    /// Its name.
    pub package: PackageCoordinate,
    /// What the revision before says of itself.
    pub about: About,
    /// Who made it.
    pub author: String,
    /// What is new in it.
    pub message: Option<&'a str>,
    /// When, in seconds since 1970.
    pub time: u64,
    /// The directory with the files in `tree`.
    pub directory: &'a Utf8Path,
}

/// A revision that was built and signed.
#[derive(Debug, Clone, Deserialize)]
pub struct BuiltRevision {
    /// The package file.
    pub file: Utf8PathBuf,
    /// The digest of the package.
    pub digest: Digest,
}

/// Where a revision is published, and which channels lead to it.
#[derive(Debug)]
pub struct PushTarget {
    /// The URL of the repository.
    pub repository: String,
    /// The root that it is trusted by, where the host has pinned it.
    pub root: Option<String>,
    /// Each channel, and where it must lead until then.
    pub channels: Vec<(Label, Option<Version>)>,
}

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushedState {
    /// The revision is published.
    Published,
    /// It waits for signatures.
    Pending {
        /// The proposal.
        proposal: String,
        /// Who must still sign.
        missing: Vec<String>,
    },
}

/// The texts are variables: nothing in them is replaced.
#[derive(Serialize)]
struct Recipe<'a> {
    vars: BTreeMap<&'static str, &'a str>,
    package: BTreeMap<&'static str, Cow<'a, str>>,
    contents: [RecipeContents; 1],
}

#[derive(Serialize)]
struct RecipeContents {
    src: &'static str,
    dst: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl PkgbuildRunner {
    /// Finds `pkgbuild` beside this program or in the path.
    ///
    /// # Errors
    /// When there is none, or no key to sign with.
    pub fn find(
        program: Option<&Utf8Path>,
        path: Option<&str>,
        keys: Vec<Utf8PathBuf>,
        passphrase_file: Option<Utf8PathBuf>,
    ) -> Result<Self, ContentError> {
        if keys.is_empty() {
            return Err(ContentError::NoKey);
        }
        let program = beside::find("pkgbuild", program, path).ok_or(ContentError::NoPkgbuild)?;
        Ok(Self { program, keys, passphrase_file })
    }

    /// Builds and signs a revision.
    ///
    /// # Errors
    /// When `pkgbuild` refuses the tree, the message or a key.
    pub fn build(&self, draft: &RevisionDraft<'_>) -> Result<BuiltRevision, Failure> {
        let recipe = draft.directory.join(FILE_NAME);
        let text = recipe_of(draft).map_err(ContentError::Recipe)?;
        fs::write(&recipe, text).map_err(FileError::at("write", &recipe)).map_err(ContentError::from)?;
        let date = draft.time.to_string();
        let (directory, out) = (draft.directory.as_str(), draft.directory.as_str());
        let words = ["build", directory, "--out", out, "--source-date", &date, "--no-cache"];
        let document = self.run(&words)?;
        let built = serde_json::from_value(document).map_err(|source| ContentError::Answer { source })?;
        Ok(built)
    }

    /// Publishes a revision, in the commit that moves the channels. What is published already stays as it is.
    ///
    /// # Errors
    /// When the repository refuses or cannot be reached.
    pub fn publish(&self, file: &Utf8Path, target: &PushTarget) -> Result<PushedState, Failure> {
        let mut words = vec!["publish", file.as_str(), "--repo", &target.repository];
        words.extend(target.root.iter().flat_map(|root| ["--root", root]));
        let channels: Vec<String> = target
            .channels
            .iter()
            .map(|(channel, from)| match from {
                Some(from) => format!("{channel}={from}"),
                None => channel.to_string(),
            })
            .collect();
        words.extend(channels.iter().flat_map(|channel| ["--promote", channel]));
        let document = self.run(&words)?;
        if document["state"] != "pending" {
            return Ok(PushedState::Published);
        }
        let missing = document["missing_signatures"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(PushedState::Pending {
            proposal: document["proposal"].as_str().unwrap_or_default().to_owned(),
            missing: missing.iter().map(missing_text).collect(),
        })
    }

    /// Runs a command that signs, and returns its document. It may ask at the terminal for the passphrase of a key.
    fn run(&self, words: &[&str]) -> Result<Value, Failure> {
        let failed = |source| ContentError::from(FileError::at("run", &self.program)(source));
        let (mut out, mut err) =
            (tempfile::tempfile().map_err(failed)?, tempfile::tempfile().map_err(failed)?);
        let mut command = Command::new(&self.program);
        command.args(words);
        for key in &self.keys {
            command.args(["--key", key.as_str()]);
        }
        if let Some(file) = &self.passphrase_file {
            command.args(["--passphrase-file", file.as_str()]);
        }
        command.arg("--json").stdin(Stdio::null());
        command.stdout(out.try_clone().map_err(failed)?).stderr(err.try_clone().map_err(failed)?);
        let ended = wait(&mut command).map_err(failed)?;
        let (said, complained) = (read(&mut out).map_err(failed)?, read(&mut err).map_err(failed)?);
        interrupt::check().map_err(ContentError::from)?;
        let document: Value = serde_json::from_str(&said).unwrap_or_default();
        if ended.success() { Ok(document) } else { Err(failure(ended, &document, &complained)) }
    }
}

fn recipe_of(draft: &RevisionDraft<'_>) -> Result<String, toml::ser::Error> {
    let RevisionDraft { package, about, author, message, .. } = draft;
    let texts = [
        ("description", about.description.as_deref()),
        ("license", about.license.as_deref()),
        ("homepage", about.homepage.as_deref()),
        ("maintainer", Some(author.as_str())),
        ("release_note", *message),
    ];
    let vars: BTreeMap<&'static str, &str> =
        texts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
    let names = [
        ("group", package.group().as_str()),
        ("id", package.id().as_str()),
        ("version", package.version().as_str()),
        ("kind", "content"),
    ];
    let names = names.map(|(name, text)| (name, Cow::Borrowed(text)));
    let texts = vars.keys().map(|name| (*name, Cow::Owned(format!("${{vars.{name}}}"))));
    let package = names.into_iter().chain(texts).collect();
    let contents = [RecipeContents { src: "tree", dst: ".", kind: "tree" }];
    toml::to_string(&Recipe { vars, package, contents })
}

/// Runs a command to its end; passes a signal on to it, and waits on.
fn wait(command: &mut Command) -> io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    let mut told = false;
    loop {
        if let Some(ended) = child.try_wait()? {
            return Ok(ended);
        }
        if !told && interrupt::is_interrupted() {
            // It is there while it was not waited for.
            let pid = i32::try_from(child.id()).map(Pid::from_raw).map_err(io::Error::other)?;
            kill(pid, Signal::SIGTERM)?;
            told = true;
        }
        thread::sleep(LOOK);
    }
}

fn read(file: &mut fs::File) -> io::Result<String> {
    use std::io::{Read as _, Seek as _};
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Passes on what `pkgbuild` says of its failure.
fn failure(ended: ExitStatus, document: &Value, complained: &str) -> Failure {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let error = &document["error"];
    let exit = ended.code().and_then(|code| u8::try_from(code).ok()).map_or(Exit::Failure, Exit::of_code);
    let (Some(code), Some(message)) = (text(&error["code"]), text(&error["message"])) else {
        let output = complained.trim().to_owned();
        return ContentError::PkgbuildFailed { how: beside::how(ended), output }.into();
    };
    let causes = error["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
    Failure {
        exit,
        code,
        message,
        causes: causes.iter().filter_map(text).collect(),
        hint: text(&error["hint"]),
    }
}

/// Says who must still sign a role.
fn missing_text(missing: &Value) -> String {
    let count = |name: &str| missing[name].as_array().map_or(0, Vec::len);
    let may = missing["may"].as_array().map(Vec::as_slice).unwrap_or_default();
    let may: Vec<&str> =
        may.iter().filter_map(Value::as_str).map(|key| key.get(..12).unwrap_or(key)).collect();
    let role = missing["role"].as_str().unwrap_or_default();
    format!("{role} has {} of {}, may still sign: {}", count("have"), missing["need"], may.join(", "))
}
