//! Files with variables: where they lie, and what stands in them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{ConditionError, Variable, Written, check_value};
use crate::coordinate::serde_as_text;
use crate::index::EntryPath;

/// The most that such a file may have.
pub const ENV_FILE_BYTES: u64 = 64 * 1024;

/// The directory of the runtime directory that they lie in.
const DIRECTORY: &str = "etc/";

/// A file with variables, by its path in the runtime directory: `etc/web.env`, or `-etc/web.env` where it may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    path: EntryPath,
    is_optional: bool,
}

impl EnvFile {
    /// Returns the path below the runtime directory.
    pub fn path(&self) -> &EntryPath {
        &self.path
    }

    /// Tells whether it may be missing.
    pub fn is_optional(&self) -> bool {
        self.is_optional
    }
}

const WHAT: &str = "file with variables";

impl FromStr for EnvFile {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let (name, is_optional) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        if !name.starts_with(DIRECTORY) {
            let name = name.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("web.env");
            let why = format!("it lies below etc/ of the runtime directory, as in \"etc/{name}\"");
            return Err(ConditionError::new(WHAT, text, why));
        }
        let path = EntryPath::from_bytes(name.as_bytes())
            .map_err(|refused| ConditionError::new(WHAT, text, refused.to_string()))?;
        Ok(Self { path, is_optional })
    }
}

impl fmt::Display for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_optional { "-" } else { "" }, self.path)
    }
}

serde_as_text!(EnvFile);

pub(super) fn written(value: &Written) -> Result<Vec<EnvFile>, ConditionError> {
    let texts: Vec<&str> = match value {
        Written::List(texts) => texts.iter().map(String::as_str).collect(),
        Written::Text(text) => text.split(',').filter(|text| !text.is_empty()).collect(),
        other => {
            return Err(ConditionError::new(WHAT, other, "it is a list of paths, as in [\"etc/web.env\"]"));
        }
    };
    let files = texts.into_iter().map(str::parse).collect::<Result<Vec<EnvFile>, _>>()?;
    match files.iter().enumerate().find(|(n, file)| files[..*n].iter().any(|other| other.path == file.path)) {
        Some((_, twice)) => Err(ConditionError::new(WHAT, twice, "it is there twice")),
        None => Ok(files),
    }
}

/// What is wrong with a line of a file with variables. The value is not shown: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {why}")]
pub struct EnvFileError {
    /// From 1.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
}

/// Reads the variables of a file. Of one that is set twice the last counts.
///
/// A line is `NAME=VALUE`, empty, or a comment, which begins with `#` or `;`. Blanks around the line and around the value do not count. A
/// value may stand between two `"` or two `'`, which are not part of it. Nothing else has a meaning: no backslash, no `$`.
///
/// # Errors
/// The first line that is something else.
pub fn parse_env_file(text: &str) -> Result<BTreeMap<Variable, String>, EnvFileError> {
    let mut variables = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let error = |why: String| EnvFileError { line: number + 1, why };
        let (name, value) = line.split_once('=').ok_or_else(|| error(no_assignment(line)))?;
        let variable: Variable =
            name.parse().map_err(|wrong: ConditionError| error(wrong_name(name, &wrong)))?;
        let value = unquoted(value.trim()).map_err(error)?;
        check_value(value).map_err(error)?;
        variables.insert(variable, value.to_owned());
    }
    Ok(variables)
}

/// A line without `=` may be a secret that belongs elsewhere.
fn no_assignment(line: &str) -> String {
    let hint = if line.starts_with("export ") { "; leave out \"export\"" } else { "" };
    format!("it is no NAME=VALUE and no comment{hint}")
}

fn wrong_name(name: &str, wrong: &ConditionError) -> String {
    match name.strip_prefix("export ") {
        Some(rest) => format!("it is no shell script: write {}=VALUE without \"export\"", rest.trim()),
        None => wrong.to_string(),
    }
}

fn unquoted(value: &str) -> Result<&str, String> {
    for quote in ['"', '\''] {
        let Some(rest) = value.strip_prefix(quote) else { continue };
        return match rest.strip_suffix(quote) {
            Some(inner) => Ok(inner),
            None => Err(format!("its value begins with {quote} and does not end with it")),
        };
    }
    Ok(value)
}
