//! Credentials: where they are kept. Never in a URL or in the configuration itself, and read only when they are used.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8PathBuf;

use super::{Place, RepositoryError};
use crate::fetch::Credentials;

/// A place that holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// A file whose first line it is.
    File(Utf8PathBuf),
    /// An environment variable.
    Variable(String),
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{path}"),
            Self::Variable(name) => write!(f, "${name}"),
        }
    }
}

/// How we say to a repository who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// HTTP Basic.
    Basic {
        /// The user.
        user: String,
        /// Where the password is.
        password: Secret,
    },
    /// A bearer token.
    Bearer {
        /// Where the token is.
        token: Secret,
    },
}

/// Says which, and never what the secret is.
impl std::fmt::Display for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Basic { user, password } => write!(f, "the user {user}, password in {password}"),
            Self::Bearer { token } => write!(f, "the token in {token}"),
        }
    }
}

impl Place {
    /// Reads the credentials of this place of the repository `name`, if it has any.
    ///
    /// # Errors
    /// When the file or the variable is not there, or every user may read the file.
    pub fn credentials(
        &self,
        name: &str,
        environment: &BTreeMap<String, String>,
    ) -> Result<Option<Credentials>, RepositoryError> {
        let read = |secret: &Secret| {
            secret.read(environment).map_err(|source| RepositoryError::Credentials {
                name: name.to_owned(),
                from: secret.to_string(),
                source,
            })
        };
        Ok(match &self.auth {
            None => None,
            Some(Auth::Basic { user, password }) => {
                Some(Credentials::Basic { user: user.clone(), password: read(password)? })
            }
            Some(Auth::Bearer { token }) => Some(Credentials::Bearer(read(token)?)),
        })
    }
}

impl Secret {
    fn read(&self, environment: &BTreeMap<String, String>) -> io::Result<String> {
        let text = match self {
            Self::Variable(name) => environment
                .get(name)
                .cloned()
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not set"))?,
            Self::File(path) => {
                let mode = std::fs::metadata(path)?.permissions().mode();
                if mode & 0o004 != 0 {
                    return Err(io::Error::other(format!("every user may read it; run `chmod 600 {path}`")));
                }
                std::fs::read_to_string(path)?
            }
        };
        let line = text.lines().next().unwrap_or_default().trim();
        if line.is_empty() { Err(io::Error::other("it is empty")) } else { Ok(line.to_owned()) }
    }
}
