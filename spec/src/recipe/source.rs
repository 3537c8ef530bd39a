//! `[[source]]`: where the source comes from.

use std::fmt;
use std::str::FromStr;

use super::Located;
use super::context::Context;
use super::error::Problem;
use super::raw;
use crate::configuration::SecretReference;
use crate::digest::Digest;
use crate::index::EntryPath;
use crate::pattern::Patterns;

/// One source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it comes from.
    pub origin: Origin,
    /// What is left out of it.
    pub excludes: Patterns,
    /// Patch files, relative to the recipe, in the order in which they are applied.
    pub patches: Vec<EntryPath>,
    /// The subdirectory of the source directory that it goes to; `None` is the source directory itself.
    pub dst: Option<EntryPath>,
}

/// Where a source comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A directory or a file beside the recipe.
    Path(RelativePath),
    /// A file that is fetched.
    Url {
        /// From where.
        url: String,
        /// What it must be.
        sha256: Digest,
        /// What is done with it.
        unpack: Unpack,
        /// Who asks for it.
        auth: Option<SourceAuth>,
    },
    /// A commit of a git repository.
    Git {
        /// The repository, as git understands it; a relative path is relative to the recipe.
        repository: String,
        /// The commit.
        commit: Commit,
        /// Who asks for it.
        auth: Option<SourceAuth>,
    },
}

/// Who asks for a source. It goes to the host of its address, and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceAuth {
    /// A bearer token.
    Token {
        /// Where it is kept.
        token: SecretReference,
    },
    /// HTTP Basic.
    User {
        /// The user.
        user: String,
        /// Where the password is kept.
        password: SecretReference,
    },
}

/// What is done with a fetched file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpack {
    /// It is kept as it is, under the last component of its URL.
    Keep,
    /// It is a tar archive and is unpacked, without its first directories.
    Tar {
        /// How many leading directories are dropped.
        strip: u8,
    },
}

/// A relative path that may start with `..`, such as `.` or `../lib`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelativePath(String);

impl RelativePath {
    /// The directory of the recipe itself.
    pub fn here() -> Self {
        Self(".".to_owned())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RelativePath {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.is_empty() || text.starts_with('/') {
            return Err(Problem::value("source path", text, "it is relative to the directory of the recipe"));
        }
        if text.chars().any(char::is_control) {
            return Err(Problem::value("source path", text, "it has a control character"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The full hash of a git commit: 40 or 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit(String);

impl Commit {
    /// Returns the hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Commit {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let hexadecimal = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hexadecimal && (text.len() == 40 || text.len() == 64) {
            return Ok(Self(text.to_owned()));
        }
        let why = "write the full hash, 40 or 64 lower-case hexadecimal digits; a branch or a tag can move";
        Err(Problem::value("git commit", text, why))
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

const SCHEMES: [&str; 3] = ["https://", "http://", "file://"];
const TAR_ENDINGS: [&str; 9] =
    [".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst", ".tzst"];

impl Source {
    /// The directory of the recipe, for a recipe without `[[source]]`.
    pub(super) fn beside_the_recipe() -> Self {
        let origin = Origin::Path(RelativePath::here());
        Self { origin, excludes: Patterns::default(), patches: Vec::new(), dst: None }
    }

    pub(super) fn resolve(raw: &raw::Source, at: &Context) -> Result<Self, Located> {
        let dst = raw.dst.as_deref().filter(|dst| *dst != ".");
        let excludes =
            Patterns::new(&raw.excludes).or_else(|error| at.key("excludes").fail(Problem::from(error)))?;
        Ok(Self {
            origin: origin(raw, at)?,
            excludes,
            patches: at.key("patches").parse_each(&raw.patches)?,
            dst: at.key("dst").parse_option(dst)?,
        })
    }
}

fn origin(raw: &raw::Source, at: &Context) -> Result<Origin, Located> {
    let only = |key: &str, there: bool, owner: &str| {
        if there { at.key(key).fail(Problem::keys(format!("{key} goes with {owner}"))) } else { Ok(()) }
    };
    let of_url =
        [("sha256", raw.sha256.is_some()), ("unpack", raw.unpack.is_some()), ("strip", raw.strip.is_some())];
    if raw.url.is_none() {
        of_url.into_iter().try_for_each(|(key, there)| only(key, there, "url"))?;
    }
    if raw.git.is_none() {
        only("commit", raw.commit.is_some(), "git")?;
    }
    if raw.url.is_none() && raw.git.is_none() {
        only("auth", raw.auth.is_some(), "url and git")?;
    }
    match (&raw.path, &raw.url, &raw.git) {
        (Some(path), None, None) => Ok(Origin::Path(at.key("path").parse(path)?)),
        (None, Some(url), None) => url_origin(url, raw, at),
        (None, None, Some(repository)) => git_origin(repository, raw, at),
        _ => at.fail(Problem::keys("a source has exactly one of path, url and git")),
    }
}

/// Reads who asks for a source at `address`.
fn auth(address: &str, raw: &raw::Source, at: &Context) -> Result<Option<SourceAuth>, Located> {
    let Some(raw) = &raw.auth else { return Ok(None) };
    let at = at.key("auth");
    let is_http = ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme));
    if !is_http {
        return at.fail(Problem::keys(
            "auth is for https:// and http://; for ssh git takes the key of your agent",
        ));
    }
    match (&raw.token, &raw.user, &raw.password) {
        (Some(token), None, None) => Ok(Some(SourceAuth::Token { token: secret(token, &at.key("token"))? })),
        (None, Some(user), Some(password)) => {
            let user = at.key("user").required_text(user.clone())?;
            if user.chars().any(|c| c == ':' || c.is_control()) {
                return at.key("user").fail(Problem::keys("a user name has no ':' and no control character"));
            }
            Ok(Some(SourceAuth::User { user, password: secret(password, &at.key("password"))? }))
        }
        _ => at.fail(Problem::keys("auth has either token, or user and password")),
    }
}

/// Reads where a secret is kept. What is given instead may be the secret: it is not repeated.
fn secret(text: &str, at: &Context) -> Result<SecretReference, Located> {
    match text.parse() {
        Ok(SecretReference::Credential(_)) | Err(_) => {
            at.fail(Problem::keys("a secret is given by reference: env:NAME or file:/PATH"))
        }
        Ok(reference) => Ok(reference),
    }
}

fn url_origin(url: &str, raw: &raw::Source, at: &Context) -> Result<Origin, Located> {
    at.key("url").address("source URL", url)?;
    if !SCHEMES.iter().any(|scheme| url.starts_with(scheme))
        || url.chars().any(|c| c.is_control() || c == ' ')
    {
        return at.key("url").fail(Problem::value(
            "source URL",
            url,
            "it starts with https://, http:// or file://",
        ));
    }
    let Some(sha256) = &raw.sha256 else {
        return at.key("url").fail(Problem::keys("a url needs its sha256: what is fetched must be known"));
    };
    let named_so = TAR_ENDINGS.iter().any(|ending| url.ends_with(ending));
    let unpack = match (raw.unpack.unwrap_or(named_so), raw.strip) {
        (true, strip) => Unpack::Tar { strip: strip.unwrap_or(0) },
        (false, None) => Unpack::Keep,
        (false, Some(_)) => {
            return at.key("strip").fail(Problem::keys("strip needs an archive that is unpacked"));
        }
    };
    Ok(Origin::Url {
        url: url.to_owned(),
        sha256: at.key("sha256").parse(sha256)?,
        unpack,
        auth: auth(url, raw, at)?,
    })
}

fn git_origin(repository: &str, raw: &raw::Source, at: &Context) -> Result<Origin, Located> {
    at.key("git").address("git repository", repository)?;
    // git takes a leading dash for an option and `ext::` for a command.
    if repository.is_empty() || repository.starts_with('-') || repository.contains("::") {
        return at.key("git").fail(Problem::value("git repository", repository, "write its URL or path"));
    }
    let Some(commit) = &raw.commit else {
        return at.key("git").fail(Problem::keys("git needs a commit: what is built must be known"));
    };
    let commit = at.key("commit").parse(commit)?;
    Ok(Origin::Git { repository: repository.to_owned(), commit, auth: auth(repository, raw, at)? })
}
