//! One token: what is told once to whom it is for, and what is kept of it.

use std::fmt;
use std::str::FromStr;

use copkg_spec::coordinate::Group;
use copkg_spec::digest::Digest;
use copkg_spec::trust::GroupPattern;
use copkg_spec::tuf::Time;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

/// How a token begins: what scanners for forgotten secrets look for.
const PREFIX: &str = "copkg_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// The public part of a token: names it in lists and logs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId(String);

/// Says why a text is no token, or no id of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretError {
    /// It is no id.
    #[error("the id of a token has {} lower-case hexadecimal digits", 2 * ID_BYTES)]
    Id,
    /// It is no token.
    #[error("a token is copkg_<id>_<secret>")]
    Secret,
}

impl FromStr for TokenId {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| SecretError::Id)?;
        if bytes.len() == ID_BYTES { Ok(Self(text.to_owned())) } else { Err(SecretError::Id) }
    }
}

impl TryFrom<String> for TokenId {
    type Error = SecretError;

    fn try_from(text: String) -> Result<Self, SecretError> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A whole token: whoever has it may read. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    id: TokenId,
    secret: String,
}

impl Secret {
    /// Makes a token of random bytes.
    pub fn from_random(random: &[u8; ID_BYTES + SECRET_BYTES]) -> Self {
        let (id, secret) = random.split_at(ID_BYTES);
        Self { id: TokenId(HEXLOWER.encode(id)), secret: HEXLOWER.encode(secret) }
    }

    /// Returns the public part.
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    /// Returns what is kept of it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.secret.as_bytes())
    }

    /// Returns the text that its holder sends.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.id)
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let parts = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let (id, secret) = parts.ok_or(SecretError::Secret)?;
        let id = id.parse().map_err(|_| SecretError::Secret)?;
        if secret.len() != 2 * SECRET_BYTES {
            return Err(SecretError::Secret);
        }
        Ok(Self { id, secret: secret.to_owned() })
    }
}

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The public part.
    pub id: TokenId,
    /// The SHA-256 of the secret.
    pub sha256: Digest,
    /// The groups that it opens; none stands for all.
    pub groups: Vec<GroupPattern>,
    /// When it was made.
    pub created: Time,
    /// From when on it opens nothing; never where there is no such time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// Who it is for, as whoever made it wrote.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Record {
    /// Tells whether `secret` is this token. As fast whatever it is compared with.
    pub fn is(&self, secret: &Secret) -> bool {
        self.sha256.as_bytes().ct_eq(secret.digest().as_bytes()).into()
    }

    /// Tells whether it still opens anything.
    pub fn is_current(&self, now: Time) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }

    /// Tells whether it opens every group.
    pub fn opens_all(&self) -> bool {
        self.groups.is_empty()
    }

    /// Tells whether it opens a group.
    pub fn opens(&self, group: &Group) -> bool {
        self.opens_all() || self.groups.iter().any(|pattern| pattern.matches(group))
    }
}
