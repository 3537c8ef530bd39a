//! Signatures over typed documents, and `signatures.json`, which holds those of a package.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{KeyId, PublicKey, SecretKey};
use crate::canonical;
use crate::command::{Exit, Explain};
use crate::limits::{SIGNATURES, SIGNATURES_BYTES};

/// The type of a package manifest, as it is signed.
const MANIFEST_TYPE: &str = "application/vnd.copkg.package.v1+json";
/// The type of what a patch says of itself, as it is signed.
const PATCH_TYPE: &str = "application/vnd.copkg.patch.v1+json";

/// The type of the verdict of a rehearsal, as it is signed.
const REHEARSAL_TYPE: &str = "application/vnd.copkg.rehearsal.v1+json";

/// The type of a host's snapshot, as it is signed.
const SNAPSHOT_TYPE: &str = "application/vnd.copkg.host-snapshot.v1+json";

/// A document to be signed, with its type.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    payload_type: &'a str,
    bytes: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Takes the bytes of a `package.json`.
    pub fn manifest(bytes: &'a [u8]) -> Self {
        Self { payload_type: MANIFEST_TYPE, bytes }
    }

    /// Takes the bytes of a `patch.json`.
    pub fn patch(bytes: &'a [u8]) -> Self {
        Self { payload_type: PATCH_TYPE, bytes }
    }

    /// Takes the canonical bytes of the verdict of a rehearsal.
    pub fn rehearsal(bytes: &'a [u8]) -> Self {
        Self { payload_type: REHEARSAL_TYPE, bytes }
    }

    /// Takes the canonical bytes of the document of a host's snapshot.
    pub fn snapshot(bytes: &'a [u8]) -> Self {
        Self { payload_type: SNAPSHOT_TYPE, bytes }
    }

    /// Returns what is really signed: `DSSEv1`, then length and text of the type and of the bytes, as DSSE 1.0 says.
    pub(super) fn pre_authentication_encoding(&self) -> Vec<u8> {
        let Self { payload_type, bytes } = self;
        let mut encoding =
            format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), bytes.len()).into_bytes();
        encoding.extend_from_slice(bytes);
        encoding
    }
}

/// One signature and the id of the key that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    key: KeyId,
    signature: ed25519_dalek::Signature,
}

impl Signature {
    pub(super) fn new(key: KeyId, signature: ed25519_dalek::Signature) -> Self {
        Self { key, signature }
    }

    /// Returns the id of the key that is said to have made it.
    pub fn key(&self) -> &KeyId {
        &self.key
    }

    /// Tells whether `key` made this signature of `payload`. Strict: no malleable or small-order forms.
    pub fn verifies(&self, key: &PublicKey, payload: &Payload<'_>) -> bool {
        key.id() == self.key
            && key.0.verify_strict(&payload.pre_authentication_encoding(), &self.signature).is_ok()
    }
}

/// The signatures of one package, at most one of each key, in the order of the key ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signatures(Vec<Signature>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    signatures: Vec<RawSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSignature {
    keyid: KeyId,
    sig: String,
}

impl Signatures {
    /// Signs `payload` with each of `keys`.
    pub fn sign<'k>(payload: &Payload<'_>, keys: impl IntoIterator<Item = &'k SecretKey>) -> Self {
        let mut signatures = Self::default();
        for key in keys {
            signatures.add(key.sign(payload));
        }
        signatures
    }

    /// Adds a signature, in place of one that the same key made before.
    pub fn add(&mut self, signature: Signature) {
        match self.0.binary_search_by(|other| other.key.cmp(&signature.key)) {
            Ok(at) => self.0[at] = signature,
            Err(at) => self.0.insert(at, signature),
        }
    }

    /// Returns the signatures in the order of their key ids.
    pub fn iter(&self) -> impl Iterator<Item = &Signature> {
        self.0.iter()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Parses the bytes of `signatures.json`.
    ///
    /// # Errors
    /// When they are not canonical JSON of the right shape, a key signs twice, or the order is another one.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignaturesError> {
        if bytes.len() as u64 > SIGNATURES_BYTES || !canonical::is_canonical(bytes) {
            return Err(SignaturesError::NotCanonical);
        }
        let file: RawFile = serde_json::from_slice(bytes).map_err(SignaturesError::Syntax)?;
        if file.signatures.len() > SIGNATURES {
            return Err(SignaturesError::TooMany(file.signatures.len()));
        }
        if file.signatures.windows(2).any(|pair| pair[0].keyid >= pair[1].keyid) {
            return Err(SignaturesError::Order);
        }
        file.signatures.into_iter().map(RawSignature::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Encodes the signatures as `signatures.json`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let signatures = self.0.iter().map(RawSignature::of).collect();
        // Strings alone always have a canonical form.
        canonical::to_vec(&RawFile { signatures }).unwrap_or_default()
    }
}

impl RawSignature {
    fn of(signature: &Signature) -> Self {
        Self { keyid: signature.key, sig: HEXLOWER.encode(&signature.signature.to_bytes()) }
    }

    fn parse(self) -> Result<Signature, SignaturesError> {
        let bytes = HEXLOWER.decode(self.sig.as_bytes()).map_err(|_| SignaturesError::Encoding)?;
        let signature =
            ed25519_dalek::Signature::from_slice(&bytes).map_err(|_| SignaturesError::Encoding)?;
        Ok(Signature::new(self.keyid, signature))
    }
}

/// Says why bytes are not the signatures of a package.
#[derive(Debug, Error)]
pub enum SignaturesError {
    /// They are not in the one form that the format has.
    #[error("the signatures are not canonical JSON")]
    NotCanonical,
    /// They are not of the right shape.
    #[error("the signatures are not what the format says")]
    Syntax(#[source] serde_json::Error),
    /// There are too many.
    #[error("the package has {0} signatures, the limit is {SIGNATURES}")]
    TooMany(usize),
    /// They are out of order, or a key signs twice.
    #[error("the signatures are not in the order of their keys, or a key signs twice")]
    Order,
    /// A signature is not 64 bytes in hexadecimal.
    #[error("a signature is not 128 lower-case hexadecimal digits")]
    Encoding,
}

impl Explain for SignaturesError {
    fn exit(&self) -> Exit {
        Exit::Trust
    }

    fn code(&self) -> &'static str {
        "malformed_signatures"
    }

    fn hint(&self) -> Option<String> {
        Some("the file is damaged or was made by another program; fetch it again".into())
    }
}
