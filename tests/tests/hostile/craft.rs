//! Makes archives by hand that `pkgbuild` would never write, and signs them with a trusted key.
//!
//! A hostile archive must be refused for what it holds, not for a missing signature, so each is signed properly.

use std::io::Write as _;

use copkg_spec::canonical;
use copkg_spec::digest::Digest;
use copkg_spec::keys::{Payload, SecretKey, Signatures};
use copkg_spec::trust::{Keyring, Pin};
use serde_json::{Value, json};
use tar::{EntryType, Header};
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

pub(crate) const GROUP: &str = "com.example";
const BLOCK: usize = 512;

pub(crate) fn key() -> SecretKey {
    SecretKey::from_seed(&[42; 32])
}

pub(crate) fn keyring() -> Keyring {
    let mut keyring = Keyring::new();
    keyring.pin(Pin { groups: GROUP.parse().unwrap(), threshold: 1, keys: vec![key().public()] });
    keyring
}

/// A payload that is built block by block.
#[derive(Clone, Default)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    /// Adds a header after `change`, with its checksum put right.
    pub(crate) fn header(
        mut self,
        name: &str,
        kind: u8,
        size: u64,
        change: impl FnOnce(&mut Header),
    ) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::new(kind));
        header.set_mode(match kind {
            b'5' => 0o755,
            b'2' => 0o777,
            _ => 0o644,
        });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        let bytes = name.as_bytes();
        let length = bytes.len().min(100);
        header.as_old_mut().name[..length].copy_from_slice(&bytes[..length]);
        change(&mut header);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self
    }

    pub(crate) fn content(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    pub(crate) fn file(self, name: &str, bytes: &[u8]) -> Self {
        self.header(name, b'0', bytes.len() as u64, |_| ()).content(bytes)
    }

    pub(crate) fn dir(self, name: &str) -> Self {
        self.header(&format!("{name}/"), b'5', 0, |_| ())
    }

    pub(crate) fn link(self, name: &str, target: &str) -> Self {
        self.header(name, b'2', 0, |header| {
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        })
    }

    pub(crate) fn pax(self, kind: u8, key: &str, value: &str) -> Self {
        let rest = key.len() + value.len() + 3;
        let length = (rest + 1..rest + 9).find(|n| n.to_string().len() + rest == *n).unwrap();
        let record = format!("{length} {key}={value}\n");
        self.header("PaxHeader", kind, record.len() as u64, |_| ()).content(record.as_bytes())
    }

    pub(crate) fn end(mut self) -> Self {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self
    }
}

/// An index entry of a file.
pub(crate) fn file(path: &str, bytes: &[u8]) -> Value {
    json!({ "path": path, "type": "file", "mode": "0644", "size": bytes.len(), "sha256": Digest::of(bytes) })
}

pub(crate) fn dir(path: &str) -> Value {
    json!({ "path": path, "type": "directory" })
}

pub(crate) fn link(path: &str, target: &str) -> Value {
    json!({ "path": path, "type": "symlink", "target": target })
}

/// Makes the outer archive of named members.
pub(crate) type Outer = fn(Vec<(String, Vec<u8>)>) -> Vec<u8>;

/// A package to be, every part of which can be bent.
#[derive(Clone)]
pub(crate) struct Package {
    pub(crate) entries: Vec<Value>,
    pub(crate) payload: Vec<u8>,
    /// The compressed payload and the frames that the index declares for it; made from `payload` when `None`.
    pub(crate) frames: Option<(Vec<u8>, Vec<Value>)>,
    pub(crate) index: Option<Vec<u8>>,
    pub(crate) manifest: fn(&mut Value),
    pub(crate) outer: Outer,
}

impl Package {
    pub(crate) fn new(entries: Vec<Value>, payload: Tar) -> Self {
        Self { entries, payload: payload.0, frames: None, index: None, manifest: |_| (), outer: archive }
    }

    /// Builds and signs the archive.
    pub(crate) fn build(&self) -> Vec<u8> {
        let (payload, frames) = self.frames.clone().unwrap_or_else(|| {
            let bytes = compress(&self.payload, true);
            let frame = frame(&bytes, self.payload.len());
            (bytes, vec![frame])
        });
        let index = canonical::to_vec(&json!({ "entries": self.entries, "frames": frames })).unwrap();
        let packed_index = self.index.clone().unwrap_or_else(|| compress(&index, true));
        let mut manifest = json!({
            "format": { "major": 1, "minor": 0 },
            "group": GROUP, "id": "hostile", "version": "1.0", "kind": "content", "platform": "any",
            "source_date": 1_700_000_000, "about": {}, "counts": counts(&self.entries),
            "members": {
                "index": { "length": packed_index.len(), "size": index.len(), "sha256": Digest::of(&packed_index) },
                "payload": {
                    "length": payload.len(),
                    "size": frames.iter().map(|frame| frame["size"].as_u64().unwrap()).sum::<u64>(),
                    "sha256": Digest::of(&payload),
                },
            },
        });
        (self.manifest)(&mut manifest);
        let manifest = canonical::to_vec(&manifest).unwrap();
        let signatures = Signatures::sign(&Payload::manifest(&manifest), [&key()]).to_bytes();
        (self.outer)(vec![
            ("package.json".into(), manifest),
            ("signatures.json".into(), signatures),
            ("index.json.zst".into(), packed_index),
            ("payload.tar.zst".into(), payload),
        ])
    }
}

fn counts(entries: &[Value]) -> Value {
    let of = |kind: &str| entries.iter().filter(|entry| entry["type"] == kind).count();
    let bytes: u64 = entries.iter().filter_map(|entry| entry["size"].as_u64()).fold(0, u64::wrapping_add);
    json!({ "files": of("file"), "directories": of("directory"), "symlinks": of("symlink"), "bytes": bytes })
}

/// The outer archive as it should be.
pub(crate) fn archive(members: Vec<(String, Vec<u8>)>) -> Vec<u8> {
    members.into_iter().fold(Tar::default(), |tar, (name, bytes)| tar.file(&name, &bytes)).end().0
}

pub(crate) fn compress(bytes: &[u8], checksum: bool) -> Vec<u8> {
    let mut compressor = Compressor::new(3).unwrap();
    compressor.set_parameter(CParameter::ChecksumFlag(checksum)).unwrap();
    compressor.compress(bytes).unwrap()
}

/// A frame whose header asks for a window of 2^`log` bytes and does not say how much it holds.
pub(crate) fn streamed(bytes: &[u8], log: u32) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.set_parameter(CParameter::WindowLog(log)).unwrap();
    encoder.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn frame(bytes: &[u8], size: usize) -> Value {
    json!({ "length": bytes.len(), "size": size, "sha256": Digest::of(bytes) })
}
