//! One small package that is signed and can be installed.

use std::io::Cursor;
use std::num::NonZeroUsize;

use copkg_spec::archive::{
    Attachments, Head, PackOptions, PackPlan, TreeEntry, TreeNode, pack as pack_archive,
};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::index::{EntryPath, Mode};
use copkg_spec::keys::SecretKey;
use copkg_spec::manifest::{About, Draft, Kind};
use data_encoding::BASE64;

use super::Result;

/// Packs one file that says which version it is, and returns the archive and the digest of its manifest.
///
/// # Errors
/// Never.
pub fn pack(coordinate: &PackageCoordinate, key: &SecretKey) -> Result<(Vec<u8>, Digest)> {
    let path: EntryPath = "version".parse()?;
    let content = format!("{coordinate}\n").into_bytes();
    let node = TreeNode::File { mode: Mode::Regular, size: content.len() as u64 };
    let draft = Draft {
        coordinate: coordinate.clone(),
        kind: Kind::Content,
        platform: "any".parse()?,
        source_date: 0,
        about: About::default(),
        service: None,
    };
    let options = PackOptions { level: 1, threads: NonZeroUsize::MIN };
    let keys = std::slice::from_ref(key);
    let plan = PackPlan { draft, attachments: Attachments::default(), keys, options };
    let mut bytes = Vec::new();
    let open = |_: &EntryPath| Ok(content.as_slice());
    pack_archive(plan, vec![TreeEntry { path, node }], open, Cursor::new(Vec::new()), &mut bytes)?;
    let digest = Head::read(&mut bytes.as_slice())?.digest();
    Ok((bytes, digest))
}

/// Returns the file of a key: PKCS#8 of version 1 with the seed of [`super::key`].
pub(super) fn pem(number: u32) -> String {
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend_from_slice(&number.to_be_bytes());
    der.extend_from_slice(&[7; 28]);
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(&der))
}
