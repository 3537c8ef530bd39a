//! Objects of a store: named by a keyed hash of what they hold, compressed, and sealed with a key of their own.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{OBJECT_BYTES, SnapshotFormatError};
use crate::coordinate::{CoordinateError, serde_as_text};

const NONCE: usize = 12;
const LEVEL: i32 = 3;

/// What an object holds, which is also the folder that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// A part of a file.
    Frame,
    /// A part of a directory, of a long list, or the root of a snapshot.
    Tree,
}

impl ObjectKind {
    /// Returns the name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Frame => "frames",
            Self::Tree => "trees",
        }
    }
}

/// The name of an object: HMAC-SHA256 of its kind and content, with a key that only the host and whoever recovers it have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName([u8; 32]);

impl ObjectName {
    /// Takes the bytes of a name.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectName {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let error =
            || CoordinateError::new("name of an object", text, "it has 64 lower-case hexadecimal digits");
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| error())?;
        bytes.try_into().map(Self).map_err(|_| error())
    }
}

serde_as_text!(ObjectName);

/// An object: its kind and its name. As text, the path that it has below a host: `frames/ab/abcd…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// What it holds.
    pub kind: ObjectKind,
    /// Its name.
    pub name: ObjectName,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:02x}/{}", self.kind.folder(), self.name.0[0], self.name)
    }
}

impl FromStr for ObjectId {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let error = || CoordinateError::new("object", text, "it is frames/ab/abcd… or trees/ab/abcd…");
        let (folder, name) = text.split_once('/').ok_or_else(error)?;
        let kinds = [ObjectKind::Frame, ObjectKind::Tree];
        let kind = kinds.into_iter().find(|kind| kind.folder() == folder).ok_or_else(error)?;
        let name = name.split_once('/').ok_or_else(error)?.1.parse()?;
        let read = Self { kind, name };
        if read.to_string() == text { Ok(read) } else { Err(error()) }
    }
}

/// The id of an epoch: what tells its key from others, and nothing about it. 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochId(String);

impl fmt::Display for EpochId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EpochId {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let is_hex = text.len() == 32 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        let error =
            || CoordinateError::new("id of an epoch", text, "it has 32 lower-case hexadecimal digits");
        is_hex.then(|| Self(text.to_owned())).ok_or_else(error)
    }
}

serde_as_text!(EpochId);

/// The key of an epoch: names and seals every object of it. Wiped from memory when it is dropped.
pub struct EpochKey {
    secret: Zeroizing<[u8; 32]>,
    names: hmac::Key,
    seals: hmac::Key,
}

/// How the key is written in a file, and in what is wrapped to recipients.
const LABEL: &str = "copkg-epoch-key-1 ";

impl EpochKey {
    /// Makes the key of 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let secret = Zeroizing::new(bytes);
        let master = hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref());
        let derived = |purpose: &str| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&master, purpose.as_bytes()).as_ref())
        };
        Self { names: derived("copkg names 1"), seals: derived("copkg seals 1"), secret }
    }

    /// Reads what [`Self::to_text`] wrote; `None` where it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix(LABEL)?;
        let bytes = Zeroizing::new(HEXLOWER.decode(digits.as_bytes()).ok()?);
        bytes.as_slice().try_into().ok().map(Self::from_bytes)
    }

    /// Returns the line that holds it.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{LABEL}{}\n", HEXLOWER.encode(self.secret.as_ref())))
    }

    /// Returns the id of the epoch.
    pub fn id(&self) -> EpochId {
        let tag = hmac::sign(&self.names, b"copkg epoch 1");
        EpochId(HEXLOWER.encode(&tag.as_ref()[..16]))
    }

    /// Returns the name of an object that holds `plain`.
    pub fn name(&self, kind: ObjectKind, plain: &[u8]) -> ObjectName {
        let mut context = hmac::Context::with_key(&self.names);
        context.update(kind.folder().as_bytes());
        context.update(&[0]);
        context.update(plain);
        ObjectName(context.sign().as_ref().try_into().unwrap_or_default())
    }

    /// Compresses and seals what the object `id` holds. `nonce` is random: another version of zstd may make other bytes of the same
    /// content, which the same key and nonce would give away.
    ///
    /// # Errors
    /// When it is too large, or cannot be compressed.
    pub fn seal(
        &self,
        id: ObjectId,
        plain: &[u8],
        nonce: [u8; NONCE],
    ) -> Result<Vec<u8>, SnapshotFormatError> {
        if plain.len() > OBJECT_BYTES {
            return Err(SnapshotFormatError::TooLarge);
        }
        let mut bytes = zstd::bulk::compress(plain, LEVEL).map_err(|_| SnapshotFormatError::Compression)?;
        let key = self.key_of(id)?;
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes)
            .map_err(|_| SnapshotFormatError::TooLarge)?;
        Ok([nonce.as_slice(), &bytes, tag.as_ref()].concat())
    }

    /// Opens an object: decrypts, decompresses, and computes its name from what came out.
    ///
    /// # Errors
    /// When any of the three does not hold.
    pub fn open(&self, id: ObjectId, sealed: &[u8]) -> Result<Vec<u8>, SnapshotFormatError> {
        let (nonce, bytes) = sealed.split_at_checked(NONCE).ok_or(SnapshotFormatError::NotAuthentic)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SnapshotFormatError::NotAuthentic)?;
        let mut bytes = bytes.to_vec();
        let compressed = self
            .key_of(id)?
            .open_in_place(nonce, Aad::empty(), &mut bytes)
            .map_err(|_| SnapshotFormatError::NotAuthentic)?;
        let length = zstd::zstd_safe::get_frame_content_size(compressed).ok().flatten();
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(OBJECT_BYTES);
        if length > OBJECT_BYTES {
            return Err(SnapshotFormatError::TooLarge);
        }
        let plain =
            zstd::bulk::decompress(compressed, length).map_err(|_| SnapshotFormatError::Compression)?;
        if self.name(id.kind, &plain) != id.name {
            return Err(SnapshotFormatError::NotAuthentic);
        }
        Ok(plain)
    }

    /// Returns the key of one object.
    fn key_of(&self, id: ObjectId) -> Result<LessSafeKey, SnapshotFormatError> {
        let mut context = hmac::Context::with_key(&self.seals);
        context.update(id.kind.folder().as_bytes());
        context.update(&id.name.0);
        let key = UnboundKey::new(&AES_256_GCM, context.sign().as_ref());
        key.map(LessSafeKey::new).map_err(|_| SnapshotFormatError::NotAuthentic)
    }
}

impl fmt::Debug for EpochKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EpochKey({})", self.id())
    }
}
