//! One blob: is it there, has it the length and the hash that its role signed, and is it the package that its role says.

use std::sync::Arc;

use copkg_spec::archive::Head as PackageHead;
use copkg_spec::coordinate::Group;
use copkg_spec::digest::{Digest, Hashed};
use copkg_spec::limits::{MANIFEST_BYTES, SIGNATURES_BYTES};
use copkg_spec::repository::{PackageCustom, TargetFile, ceremony};
use copkg_spec::trust::{Keyring, Pin, TrustError};
use copkg_spec::tuf::{Target, TargetPath};
use futures_util::TryStreamExt as _;
use std::io::Write as _;

use super::{Blobs, Finding, Kind};
use crate::layout::StorePath;
use crate::repository::Head;
use crate::storage::{Object, ReadError, Storage};

/// How much of a package holds its manifest and signatures, with the headers between them.
const HEAD_BYTES: u64 = MANIFEST_BYTES + SIGNATURES_BYTES + (16 << 10);

/// One blob that is to be checked.
pub(super) struct Blob {
    pub(super) storage: Storage,
    pub(super) path: StorePath,
    pub(super) name: TargetPath,
    pub(super) target: Target,
    pub(super) keyring: Arc<Option<Keyring>>,
    pub(super) depth: Blobs,
}

impl Blob {
    /// Returns how many bytes it has, and what is wrong with it.
    pub(super) async fn check(self) -> Result<(u64, Option<Finding>), ReadError> {
        let Some(object) = self.storage.object(&self.path).await? else {
            return Ok((0, Some(self.finding(Kind::Missing, "its bytes are not there"))));
        };
        let (size, expected) = (object.size(), self.target.length);
        if size != expected {
            let what = format!("it has {size} bytes, and should have {expected}");
            return Ok((size, Some(self.finding(Kind::Damaged, what))));
        }
        if self.depth == Blobs::Lengths {
            return Ok((size, None));
        }
        let digest = digest_of(&object).await?;
        if digest.to_string() != self.target.hashes.prefix() {
            return Ok((
                size,
                Some(self.finding(Kind::Damaged, "its SHA-256 is another one than was signed")),
            ));
        }
        let what = self.check_package(&object).await?;
        Ok((size, what.map(|what| self.finding(Kind::Refused, what))))
    }

    /// Compares a package with what its group says of it. A patch has nothing but its hash.
    async fn check_package(&self, object: &Object) -> Result<Option<String>, ReadError> {
        let Ok(TargetFile::Package(package)) = TargetFile::parse(&self.name) else { return Ok(None) };
        let bytes = object.read(0..HEAD_BYTES).await?;
        let head = match PackageHead::read(&mut &bytes[..]) {
            Ok(head) => head,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let manifest = head.unverified_manifest();
        if manifest.coordinate() != package.coordinate || manifest.platform() != &package.platform {
            return Ok(Some(format!("it is {} for {}", manifest.coordinate(), manifest.platform())));
        }
        if PackageCustom::of(&self.target).is_ok_and(|custom| custom.digest != head.digest()) {
            return Ok(Some("its package.json is another one than its group signed".to_owned()));
        }
        // Keys that were rotated since no longer count, and need not: the group's role vouches for the package now.
        let verified = self.keyring.as_ref().as_ref().map(|keyring| head.verify(keyring));
        Ok(match verified {
            Some(Err(error @ TrustError::WrongSignature { .. })) => Some(error.to_string()),
            _ => None,
        })
    }

    fn finding(&self, kind: Kind, what: impl Into<String>) -> Finding {
        Finding { kind, path: self.path.to_string(), what: what.into() }
    }
}

async fn digest_of(object: &Object) -> Result<Digest, ReadError> {
    let mut pieces = object.stream(0..object.size());
    let mut hashed = Hashed::new(std::io::sink());
    while let Some(piece) = pieces.try_next().await? {
        // A sink takes everything.
        let _ = hashed.write_all(&piece);
    }
    Ok(hashed.finish().2)
}

/// Returns the keys that speak for a group now.
pub(super) fn keyring_of(head: &Head, group: &Group) -> Option<Keyring> {
    let mut registrar = head.registrar();
    let speakers = registrar.find_map(|(_, role)| ceremony::speakers_for(role, group).ok().flatten())?;
    let mut keyring = Keyring::new();
    keyring.pin(Pin { groups: group.clone().into(), threshold: 1, keys: speakers.keys().to_vec() });
    Some(keyring)
}
