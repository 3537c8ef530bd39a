//! The head of a patch: from bytes that say what they are to steps that may be tried.

use std::io::Read;

use super::error::PatchError;
use super::manifest::PatchManifest;
use super::steps::{Patch, Step};
use crate::archive::container::{self, names};
use crate::archive::frame::{self, FrameReader};
use crate::archive::tar_header::BLOCK;
use crate::archive::{Contents, FrameError};
use crate::digest::Digest;
use crate::keys::{Payload, Signatures};
use crate::limits::{MANIFEST_BYTES, PATCH_STEPS_BYTES, SIGNATURES_BYTES, TAR_MEMBER_BYTES};
use crate::manifest::Member;
use crate::trust::Keyring;

/// The first two members of a patch, for which nobody has vouched yet.
#[derive(Debug, Clone)]
pub struct PatchHead {
    bytes: Vec<u8>,
    manifest: PatchManifest,
    signatures: Signatures,
    signatures_length: u64,
}

impl PatchHead {
    /// Reads what a patch says of itself.
    ///
    /// # Errors
    /// When it is not what the format says.
    pub fn read(reader: &mut impl Read) -> Result<Self, PatchError> {
        let bytes = container::read_member(reader, names::PATCH, MANIFEST_BYTES)?;
        let signatures = container::read_member(reader, names::SIGNATURES, SIGNATURES_BYTES)?;
        let manifest = PatchManifest::parse(&bytes)?;
        let signatures_length = signatures.len() as u64;
        let signatures = Signatures::parse(&signatures).map_err(PatchError::Signatures)?;
        Ok(Self { bytes, manifest, signatures, signatures_length })
    }

    /// Returns what it says of itself, not to be believed.
    pub fn unverified_manifest(&self) -> &PatchManifest {
        &self.manifest
    }

    /// Returns the digest of `patch.json`, by which a repository vouches for the patch.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Returns how many bytes come before the data of the steps, as the head has it.
    pub fn data_offset(&self) -> u64 {
        let lengths = [self.bytes.len() as u64, self.signatures_length, self.manifest.steps().length];
        let before = lengths.map(container::member_length).into_iter().fold(0, u64::saturating_add);
        before.saturating_add(BLOCK as u64)
    }

    /// Checks that enough trusted keys of its group signed it.
    ///
    /// # Errors
    /// As [`Keyring::check`].
    pub fn verify(self, keyring: &Keyring) -> Result<VerifiedPatch, PatchError> {
        let payload = Payload::patch(&self.bytes);
        keyring.check(self.manifest.group(), &payload, &self.signatures).map_err(PatchError::Trust)?;
        Ok(VerifiedPatch(self))
    }

    /// Checks that it is the patch that a repository vouches for, and, where keys are pinned for its group, that enough of
    /// them signed it, too.
    ///
    /// # Errors
    /// When it is another one, or as [`Keyring::check`] where keys are pinned.
    pub fn verify_vouched(self, expected: Digest, keyring: &Keyring) -> Result<VerifiedPatch, PatchError> {
        let found = self.digest();
        if found != expected {
            return Err(PatchError::Another { expected, found });
        }
        if keyring.pin_of(self.manifest.group()).is_some() {
            return self.verify(keyring);
        }
        Ok(VerifiedPatch(self))
    }

    /// Reads all the rest of the patch and checks every digest: for who stores patches and does not apply them.
    ///
    /// # Errors
    /// At the first byte that is not what the head says.
    pub fn check_whole(self, reader: &mut impl Read) -> Result<(), PatchError> {
        let manifest = self.manifest.clone();
        let steps = VerifiedPatch(self).read_steps(reader)?;
        let mut compressed = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            step.read(reader, &mut compressed).map_err(PatchError::Container)?;
            step.check_frame(&compressed).map_err(|source| PatchError::Frame { number, source })?;
        }
        container::read_padding(reader, manifest.data_length(), names::DATA)?;
        Ok(container::read_end(reader)?)
    }
}

/// A patch whose head a repository vouches for, or enough trusted keys signed.
#[derive(Debug, Clone)]
pub struct VerifiedPatch(PatchHead);

impl VerifiedPatch {
    /// Reads the rest of the head, and checks that each step is possible between the two packages.
    ///
    /// # Errors
    /// When the steps are not those that were vouched for, do not fit the packages, or exceed a limit.
    pub fn read(self, reader: &mut impl Read, old: &Contents, new: &Contents) -> Result<Patch, PatchError> {
        let manifest = self.0.manifest.clone();
        for (side, package) in [(manifest.from(), old), (manifest.to(), new)] {
            if side.digest != package.digest() {
                return Err(PatchError::Package { expected: side.digest, found: package.digest() });
            }
        }
        let data_offset = self.0.data_offset();
        let steps = self.read_steps(reader)?;
        Patch::new(steps, data_offset, (old.index(), new.index()))
    }

    fn read_steps(&self, reader: &mut impl Read) -> Result<Vec<Step>, PatchError> {
        let manifest = &self.0.manifest;
        let expected = manifest.steps();
        if expected.size > PATCH_STEPS_BYTES {
            return Err(PatchError::TooLarge { what: "list of steps", limit: PATCH_STEPS_BYTES });
        }
        let name = names::STEPS;
        let compressed = container::read_member(reader, name, PATCH_STEPS_BYTES.min(expected.length))?;
        if Member::of(&compressed) != (Member { length: expected.length, sha256: expected.sha256 }) {
            return Err(PatchError::Manifest("the list of steps is another one"));
        }
        let bytes = decompress(&compressed, expected.size).map_err(PatchError::Steps)?;
        let steps = Step::parse_list(&bytes)?;
        let length = container::read_header(reader, names::DATA)?;
        let needed = steps.iter().fold(0_u64, |sum, step| sum.saturating_add(step.length()));
        if length != manifest.data_length() || length != needed || length > TAR_MEMBER_BYTES {
            return Err(PatchError::Manifest("the steps need more or less data than there is"));
        }
        Ok(steps)
    }
}

fn decompress(compressed: &[u8], size: u64) -> Result<Vec<u8>, FrameError> {
    frame::check_shape(compressed, size)?;
    let mut bytes = Vec::new();
    FrameReader::new().map_err(FrameError::Zstd)?.decompress(compressed, size, &mut bytes)?;
    Ok(bytes)
}
