//! A metadata file: content and signatures. Parsed it is a [`Document`], which nobody vouches for; only the keys that
//! speak for its role make it [`Verified`].

use std::collections::BTreeSet;
use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::authority::{Authority, Signature};
use super::error::Rule;
use super::json::{self, NotCanonical};
use super::key::KeyId;
use super::limits::FILE_SIGNATURES;
use super::name::Version;
use super::time::Time;

/// The version of the specification that we write.
const SPEC_VERSION: &str = "1.0.34";

/// What a metadata file says.
pub trait Content: Serialize + DeserializeOwned {
    /// The kind, as `_type` says it.
    const TYPE: &'static str;

    /// Returns the version.
    fn version(&self) -> Version;

    /// Returns the moment from which it counts no more.
    fn expires(&self) -> Time;
}

/// A metadata file that nobody vouches for: well-formed, its signatures not verified.
#[derive(Debug, Clone)]
pub struct Document<T> {
    bytes: Vec<u8>,
    file: RawFile,
    payload: Vec<u8>,
    content: T,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct RawFile {
    signatures: Vec<Signature>,
    signed: Value,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl<T: Content> Document<T> {
    /// Parses a file, and keeps its bytes as they are.
    ///
    /// # Errors
    /// When it is not metadata of this kind.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, MalformedError> {
        let value = json::parse(&bytes).map_err(MalformedError::Syntax)?;
        let file: RawFile = serde_json::from_value(value).map_err(MalformedError::Shape)?;
        file.check_signatures()?;
        let payload = json::encode(&file.signed)?;
        let content = content_of(file.signed.clone())?;
        Ok(Self { bytes, file, payload, content })
    }

    /// Writes a file without signatures.
    ///
    /// # Errors
    /// When the content holds a number that is not an integer.
    pub fn new(content: T) -> Result<Self, MalformedError> {
        let mut signed = serde_json::to_value(&content).map_err(MalformedError::Shape)?;
        if let Value::Object(members) = &mut signed {
            members.insert("_type".to_owned(), T::TYPE.into());
            members.insert("spec_version".to_owned(), SPEC_VERSION.into());
        }
        let payload = json::encode(&signed)?;
        let file = RawFile { signatures: Vec::new(), signed, other: Map::new() };
        let mut document = Self { bytes: Vec::new(), file, payload, content };
        document.write()?;
        Ok(document)
    }

    /// Adds a signature, in place of one of the same key. What is signed stays as it is.
    ///
    /// # Errors
    /// Never for a file that was parsed or made here.
    pub fn add_signature(&mut self, signature: Signature) -> Result<(), MalformedError> {
        self.file.signatures.retain(|other| other.keyid != signature.keyid);
        self.file.signatures.push(signature);
        self.file.signatures.sort_by(|a, b| a.keyid.cmp(&b.keyid));
        self.write()
    }

    /// Keeps the signatures of these keys alone, e.g. those that were found right.
    ///
    /// # Errors
    /// Never for a file that was parsed or made here.
    pub fn retain_signatures(&mut self, keys: &[&KeyId]) -> Result<(), MalformedError> {
        let count = self.file.signatures.len();
        self.file.signatures.retain(|signature| keys.contains(&&signature.keyid));
        if self.file.signatures.len() == count { Ok(()) } else { self.write() }
    }

    /// Returns what is signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the signatures, of which none is verified.
    pub fn signatures(&self) -> &[Signature] {
        &self.file.signatures
    }

    /// Returns the file's bytes: those that were parsed, unless a signature was added.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the content that nobody vouches for, to be shown or signed.
    pub fn unverified(&self) -> &T {
        &self.content
    }

    /// Checks that enough of the keys that speak for the role signed it.
    ///
    /// # Errors
    /// When too few did.
    pub fn verify(self, authority: Authority<'_>) -> Result<Verified<T>, Rule> {
        self.check(authority)?;
        Ok(Verified(self))
    }

    /// As [`Self::verify`], for a root, which its predecessor's keys and its own must have signed.
    pub(super) fn check(&self, authority: Authority<'_>) -> Result<(), Rule> {
        authority.check(&self.payload, &self.file.signatures)
    }

    fn write(&mut self) -> Result<(), MalformedError> {
        let value = serde_json::to_value(&self.file).map_err(MalformedError::Shape)?;
        self.bytes = serde_json::to_vec(&value).map_err(MalformedError::Shape)?;
        Ok(())
    }
}

impl RawFile {
    /// 4.2: "The keyid MUST be unique in the "signatures" array".
    fn check_signatures(&self) -> Result<(), MalformedError> {
        if self.signatures.len() > FILE_SIGNATURES {
            return Err(MalformedError::TooManySignatures(self.signatures.len()));
        }
        let ids: BTreeSet<_> = self.signatures.iter().map(|signature| &signature.keyid).collect();
        if ids.len() == self.signatures.len() { Ok(()) } else { Err(MalformedError::SignedTwice) }
    }
}

/// Reads the content, after kind and version of the specification are known to be ours.
fn content_of<T: Content>(mut signed: Value) -> Result<T, MalformedError> {
    let mut take = |name| match signed.as_object_mut().and_then(|members| members.remove(name)) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let (kind, spec_version) = (take("_type"), take("spec_version"));
    if kind != T::TYPE {
        return Err(MalformedError::Kind { expected: T::TYPE, found: kind });
    }
    if spec_version != "1" && !spec_version.starts_with("1.") {
        return Err(MalformedError::SpecVersion(spec_version));
    }
    serde_json::from_value(signed).map_err(MalformedError::Shape)
}

/// A metadata file that the keys of its role vouch for. Only [`Document::verify`] makes one.
///
/// ```compile_fail
/// # use copkg_spec::tuf::{Document, Root, Verified};
/// # fn f(document: Document<Root>) -> Verified<Root> {
/// Verified(document)
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Verified<T>(Document<T>);

impl<T> Verified<T> {
    /// Returns the file's bytes as they were received.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Returns what it says, without the bytes.
    pub fn into_content(self) -> T {
        self.0.content
    }
}

impl<T: Content> Verified<T> {
    /// Checks it for another authority.
    pub(super) fn check(&self, authority: Authority<'_>) -> Result<(), Rule> {
        self.0.check(authority)
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.content
    }
}

/// Says why bytes are not metadata of the kind that was asked for.
#[derive(Debug, Error)]
pub enum MalformedError {
    /// They are not JSON, or JSON that two readers could understand differently.
    #[error("it is not JSON as it is signed")]
    Syntax(#[source] serde_json::Error),
    /// They hold a number that cannot be signed.
    #[error("it cannot be signed")]
    NotCanonical(#[from] NotCanonical),
    /// A field is missing, or is not what it should be.
    #[error("a field is missing, or is not what it should be")]
    Shape(#[source] serde_json::Error),
    /// They are another kind of metadata.
    #[error("it is of type {found:?}, not {expected}")]
    Kind {
        /// What was asked for.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// They follow a specification that we do not know.
    #[error("it follows version {0:?} of the specification, not 1.x")]
    SpecVersion(String),
    /// A key signs twice.
    #[error("a key signs twice")]
    SignedTwice,
    /// There are too many signatures.
    #[error("it has {0} signatures, the limit is {FILE_SIGNATURES}")]
    TooManySignatures(usize),
}
