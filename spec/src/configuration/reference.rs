//! Secrets by reference: where one is kept, never what it is.

use std::fmt;
use std::str::FromStr;

use camino::Utf8PathBuf;

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretReference {
    /// In a file, at an absolute path. One end of line at its end does not count.
    File(Utf8PathBuf),
    /// In a variable of the environment that the command is run with.
    Environment(String),
    /// A systemd credential: the file of that name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// What a reference looks like, for messages.
const FORMS: &str = "a secret is given by reference: file:/PATH, env:NAME or credential:NAME";

impl FromStr for SecretReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').ok_or(FORMS)?;
        match kind {
            "file" if rest.starts_with('/') && !rest.split('/').any(|part| part == "..") => {
                Ok(Self::File(rest.into()))
            }
            "file" => Err("the file of a secret is an absolute path without `..`".into()),
            "env" if is_variable(rest) => Ok(Self::Environment(rest.into())),
            "env" => Err("a variable has letters, digits and '_', no digit first".into()),
            "credential" if is_file_name(rest) => Ok(Self::Credential(rest.into())),
            "credential" => Err("a credential is a file name: letters, digits and '. _ -'".into()),
            _ => Err(FORMS.into()),
        }
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{path}"),
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_file_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !text.is_empty() && text.len() <= 255 && text != "." && text != ".." && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::SecretReference;

    #[test]
    fn references_are_written_as_they_are_read() {
        for text in ["file:/run/secrets/web", "env:WEB_PASSWORD", "credential:web.password"] {
            assert_eq!(text.parse::<SecretReference>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_and_not_repeated() {
        for text in
            ["hunter2", "file:relative", "file:/a/../b", "env:1X", "env:", "credential:a/b", "credential:.."]
        {
            let why = text.parse::<SecretReference>().unwrap_err();
            assert!(!why.contains(text), "{why}");
        }
    }
}
