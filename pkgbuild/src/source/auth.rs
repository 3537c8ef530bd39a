//! Who asks for a source: the secret is read where the recipe says it is kept, right before it is used.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::configuration::SecretReference;
use copkg_spec::recipe::SourceAuth;
use data_encoding::BASE64;
use reqwest::blocking::RequestBuilder;
use thiserror::Error;

use crate::surroundings::Ambient;

/// What is said to a server. It is shown nowhere.
pub(super) enum Credentials {
    Bearer(String),
    Basic { user: String, password: String },
}

impl Credentials {
    /// Reads the secret of `auth`.
    ///
    /// # Errors
    /// When it is not there, is empty, or every user may read its file.
    pub(super) fn read(auth: &SourceAuth, ambient: &Ambient) -> Result<Self, AuthError> {
        let secret = |reference: &SecretReference| {
            read(reference, ambient).map_err(|source| AuthError { from: reference.to_string(), source })
        };
        Ok(match auth {
            SourceAuth::Token { token } => Self::Bearer(secret(token)?),
            SourceAuth::User { user, password } => {
                Self::Basic { user: user.clone(), password: secret(password)? }
            }
        })
    }

    /// Adds them to a request.
    pub(super) fn add_to(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Bearer(token) => request.bearer_auth(token),
            Self::Basic { user, password } => request.basic_auth(user, Some(password)),
        }
    }

    /// Returns the variables that hand them to git, for the repository's own host: other users of the machine see the
    /// arguments of a process, and not its environment.
    pub(super) fn for_git(&self) -> Vec<(&'static str, OsString)> {
        let header = match self {
            Self::Bearer(token) => format!("Authorization: Bearer {token}"),
            Self::Basic { user, password } => {
                format!("Authorization: Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()))
            }
        };
        vec![
            ("GIT_CONFIG_COUNT", "2".into()),
            ("GIT_CONFIG_KEY_0", "http.extraHeader".into()),
            ("GIT_CONFIG_VALUE_0", header.into()),
            ("GIT_CONFIG_KEY_1", "http.followRedirects".into()),
            ("GIT_CONFIG_VALUE_1", OsStr::new("false").into()),
        ]
    }
}

fn read(reference: &SecretReference, ambient: &Ambient) -> io::Result<String> {
    let text = match reference {
        SecretReference::Environment(name) => {
            let value = ambient.variable(name).ok_or_else(|| io::Error::other("the variable is not set"))?;
            value.to_string_lossy().into_owned()
        }
        SecretReference::File(path) => {
            if fs::metadata(path)?.permissions().mode() & 0o004 != 0 {
                return Err(io::Error::other(format!("every user may read it; run `chmod 600 {path}`")));
            }
            fs::read_to_string(path)?
        }
        SecretReference::Credential(_) => return Err(io::Error::from(io::ErrorKind::Unsupported)),
    };
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() || line.chars().any(char::is_control) {
        return Err(io::Error::other("it is empty, or no text"));
    }
    Ok(line.to_owned())
}

/// A secret of a source cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the secret of a source from {from}")]
pub struct AuthError {
    from: String,
    #[source]
    source: io::Error,
}

impl Explain for AuthError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        "no_credentials"
    }

    fn hint(&self) -> Option<String> {
        Some("`auth` of [[source]] says where the secret is kept: set the variable, or write the file".into())
    }
}
