//! The head of an archive: all before the payload. From bytes that say who they are to an index that can be believed.

use std::io::{self, Read};
use std::ops::Range;

use thiserror::Error;

use super::body::Unpacker;
use super::container::{self, ContainerError, names};
use super::frame::{self, FrameError, FrameReader};
use super::tar_header::BLOCK;
use crate::command::{Exit, Explain};
use crate::digest::Digest;
use crate::index::{Index, IndexError};
use crate::keys::{KeyId, Payload, Signatures, SignaturesError};
use crate::limits::{
    ATTACHMENT_BYTES, INDEX_BYTES, INDEX_TEXT_BYTES, MANIFEST_BYTES, SIGNATURES_BYTES, TAR_MEMBER_BYTES,
};
use crate::manifest::{Compressed, Manifest, ManifestError, Member, package_digest};
use crate::repository::VouchedPackage;
use crate::trust::{Keyring, TrustError};

/// How large an index may be, before compression, to be parsed as one text: quicker than in pieces, and little enough.
const TEXT_BYTES: u64 = 16 << 20;

/// The first two members of an archive: a manifest that nobody has vouched for yet.
///
/// Enough to decide on trust, platform and space before anything else is fetched.
#[derive(Debug, Clone)]
pub struct Head {
    raw: Vec<u8>,
    manifest_bytes: Vec<u8>,
    manifest: Manifest,
    signatures: Signatures,
}

impl Head {
    /// Reads the manifest and the signatures from the start of an archive.
    ///
    /// # Errors
    /// When they are not what the format says. The signatures are not checked yet.
    pub fn read(reader: &mut impl Read) -> Result<Self, HeadError> {
        let mut raw = Vec::new();
        let mut reader = Recorded { inner: reader, raw: &mut raw };
        let manifest_bytes = container::read_member(&mut reader, names::MANIFEST, MANIFEST_BYTES)?;
        let signatures = container::read_member(&mut reader, names::SIGNATURES, SIGNATURES_BYTES)?;
        let manifest = Manifest::parse(&manifest_bytes)?;
        let signatures = Signatures::parse(&signatures)?;
        Ok(Self { raw, manifest_bytes, manifest, signatures })
    }

    /// Returns the manifest as the archive has it: for display and for finding keys, not to be believed.
    pub fn unverified_manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the bytes of `package.json`.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest_bytes
    }

    /// Returns the signatures, unchecked.
    pub fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    /// Returns the digest of the package: that of its manifest.
    pub fn digest(&self) -> Digest {
        package_digest(&self.manifest_bytes)
    }

    /// Returns what was read of the archive so far, in bytes.
    pub fn length(&self) -> u64 {
        self.raw.len() as u64
    }

    /// Returns where the payload begins in the file, as the manifest has it: not to be believed, but for how much to fetch
    /// before it can be.
    pub fn payload_offset(&self) -> u64 {
        let members = self.manifest.members();
        let attachments = [&members.sbom, &members.provenance].into_iter().flatten();
        let lengths = attachments.map(|member| member.length).chain([members.index.length]);
        // No limit on the sum is needed: each length is checked when it is read.
        let before = lengths.map(container::member_length).fold(self.length(), u64::saturating_add);
        before.saturating_add(BLOCK as u64)
    }

    /// Checks that enough trusted keys signed the manifest.
    ///
    /// # Errors
    /// As [`Keyring::check`].
    pub fn verify(self, keyring: &Keyring) -> Result<VerifiedPackage, TrustError> {
        let payload = Payload::manifest(&self.manifest_bytes);
        let signers = keyring.check(self.manifest.group(), &payload, &self.signatures)?;
        Ok(VerifiedPackage { head: self, signers })
    }

    /// Checks that it is the package that a repository vouches for, and, where keys are pinned for its group, that enough of
    /// them signed the manifest, too.
    ///
    /// # Errors
    /// When it is another package, or as [`Keyring::check`] where keys are pinned.
    pub fn verify_vouched(
        self,
        vouched: &VouchedPackage,
        keyring: &Keyring,
    ) -> Result<VerifiedPackage, TrustError> {
        let (expected, found) = (vouched.digest(), self.digest());
        if expected != found {
            return Err(TrustError::NotVouched { role: vouched.role().clone(), expected, found });
        }
        if keyring.pin_of(self.manifest.group()).is_some() {
            return self.verify(keyring);
        }
        Ok(VerifiedPackage { head: self, signers: Vec::new() })
    }

    /// Goes on without trust: to inspect, lint or sign. What comes of it cannot be installed.
    pub fn without_trust(self) -> UnverifiedPackage {
        UnverifiedPackage(self)
    }

    fn read_contents(self, reader: &mut impl Read) -> Result<Contents, VerifyError> {
        let Self { mut raw, manifest_bytes, manifest, signatures } = self;
        let mut reader = Recorded { inner: reader, raw: &mut raw };
        let members = manifest.members();
        let index = reader.index(&members.index)?;
        manifest.check_index(&index)?;
        let sbom = reader.attachment(names::SBOM, members.sbom.as_ref())?;
        let provenance = reader.attachment(names::PROVENANCE, members.provenance.as_ref())?;
        let length = container::read_header(&mut reader, names::PAYLOAD)?;
        if length != members.payload.length || length > TAR_MEMBER_BYTES {
            return Err(VerifyError::Member { name: names::PAYLOAD });
        }
        let digest = package_digest(&manifest_bytes);
        Ok(Contents { raw, manifest, digest, signatures, index, sbom, provenance })
    }
}

/// A package that nobody vouches for: it can be looked at, and not installed.
#[derive(Debug, Clone)]
pub struct UnverifiedPackage(Head);

impl UnverifiedPackage {
    /// Reads the rest of the head, up to the payload.
    ///
    /// # Errors
    /// When a member is not the one that the manifest announces, or an entry breaks the archive policy.
    pub fn read_contents(self, reader: &mut impl Read) -> Result<Contents, VerifyError> {
        self.0.read_contents(reader)
    }
}

/// A package whose manifest a repository vouches for, or enough trusted keys signed.
#[derive(Debug, Clone)]
pub struct VerifiedPackage {
    head: Head,
    signers: Vec<KeyId>,
}

impl VerifiedPackage {
    /// Returns the signed manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.head.manifest
    }

    /// Returns the digest of the package.
    pub fn digest(&self) -> Digest {
        self.head.digest()
    }

    /// Returns the pinned keys that signed; none where a repository alone vouches for the package.
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }

    /// Reads the rest of the head, up to the payload.
    ///
    /// # Errors
    /// When a member is not the one that was signed, or an entry breaks the archive policy.
    pub fn read_index(self, reader: &mut impl Read) -> Result<VerifiedIndex, VerifyError> {
        let contents = self.head.read_contents(reader)?;
        Ok(VerifiedIndex { contents, signers: self.signers })
    }
}

/// A package whose index is the signed one and breaks no rule: it may be unpacked.
///
/// There is no other way to make one than through [`Head::verify`] or [`Head::verify_vouched`]:
///
/// ```compile_fail
/// fn trust_me(contents: copkg_spec::archive::Contents) -> copkg_spec::archive::VerifiedIndex {
///     copkg_spec::archive::VerifiedIndex { contents, signers: Vec::new() }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct VerifiedIndex {
    contents: Contents,
    signers: Vec<KeyId>,
}

impl VerifiedIndex {
    /// Returns the manifest, the index and the attachments.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Returns the pinned keys that signed; none where a repository alone vouches for the package.
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }

    /// Gives the manifest, the index and the attachments away, to be looked at and not to be installed.
    pub fn into_contents(self) -> Contents {
        self.contents
    }
}

/// All of a package but its payload.
#[derive(Debug, Clone)]
pub struct Contents {
    raw: Vec<u8>,
    manifest: Manifest,
    digest: Digest,
    signatures: Signatures,
    index: Index,
    /// Where in `raw` the attachments are.
    sbom: Option<Range<usize>>,
    provenance: Option<Range<usize>>,
}

impl Contents {
    /// Returns the manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the digest of the package.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the signatures as the archive has them.
    pub fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    /// Returns the entries and the frames.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Returns the CycloneDX document, if there is one.
    pub fn sbom(&self) -> Option<&[u8]> {
        self.sbom.clone().map(|place| &self.raw[place])
    }

    /// Returns the in-toto statements, if there are any.
    pub fn provenance(&self) -> Option<&[u8]> {
        self.provenance.clone().map(|place| &self.raw[place])
    }

    /// Returns the archive's bytes up to the payload, the payload's tar header included.
    ///
    /// They can be kept and read again as an archive that has no payload.
    pub fn head_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// Starts to unpack the payload.
    ///
    /// # Errors
    /// When memory is short.
    pub fn unpacker(&self) -> io::Result<Unpacker<'_>> {
        Unpacker::new(&self.index)
    }
}

/// Keeps what passes.
struct Recorded<'a, R> {
    inner: &'a mut R,
    raw: &'a mut Vec<u8>,
}

impl<R: Read> Read for Recorded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.raw.extend_from_slice(&buffer[..n]);
        Ok(n)
    }
}

impl<R: Read> Recorded<'_, R> {
    /// Reads a member, and returns where in what is kept its content is.
    fn member(&mut self, name: &'static str, limit: u64) -> Result<Range<usize>, ContainerError> {
        // Its header is there when its content begins, and its padding comes after it.
        let start = self.raw.len() + BLOCK;
        let length = container::copy_member(self, name, limit, &mut io::sink())?;
        Ok(start..start + usize::try_from(length).unwrap_or_default())
    }

    fn index(&mut self, expected: &Compressed) -> Result<Index, VerifyError> {
        let name = names::INDEX;
        let place = self.member(name, INDEX_BYTES.min(expected.length))?;
        let compressed = &self.raw[place];
        if Member::of(compressed) != (Member { length: expected.length, sha256: expected.sha256 }) {
            return Err(VerifyError::Member { name });
        }
        let (length, limit) = (expected.size, INDEX_TEXT_BYTES);
        if length > limit {
            return Err(VerifyError::Container(ContainerError::TooLarge { name, length, limit }));
        }
        frame::check_shape(compressed, expected.size)?;
        if expected.size > TEXT_BYTES {
            return Ok(Index::read(frame::stream(compressed)?)?);
        }
        let mut bytes = Vec::new();
        FrameReader::new().map_err(FrameError::Zstd)?.decompress(compressed, expected.size, &mut bytes)?;
        Ok(Index::parse(&bytes)?)
    }

    fn attachment(
        &mut self,
        name: &'static str,
        expected: Option<&Member>,
    ) -> Result<Option<Range<usize>>, VerifyError> {
        let Some(expected) = expected else { return Ok(None) };
        let place = self.member(name, ATTACHMENT_BYTES.min(expected.length))?;
        let is_right = Member::of(&self.raw[place.clone()]) == *expected;
        if is_right { Ok(Some(place)) } else { Err(VerifyError::Member { name }) }
    }
}

/// Says why the start of a file is not the start of a package.
#[derive(Debug, Error)]
pub enum HeadError {
    /// It is not a package archive.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The manifest is not one.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The signatures are none.
    #[error(transparent)]
    Signatures(#[from] SignaturesError),
}

/// Says why a package is not what its manifest says.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// It is not a package archive.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// A member is not the one that the manifest announces.
    #[error("the archive's {name} is not the one that its manifest announces")]
    Member {
        /// The member.
        name: &'static str,
    },
    /// The index cannot be decompressed.
    #[error("the archive's index is refused")]
    Frame(#[from] FrameError),
    /// The index is refused.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The manifest and the index contradict one another.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl HeadError {
    fn inner(&self) -> &dyn Explain {
        match self {
            Self::Container(error) => error,
            Self::Manifest(error) => error,
            Self::Signatures(error) => error,
        }
    }
}

impl Explain for HeadError {
    fn exit(&self) -> Exit {
        self.inner().exit()
    }

    fn code(&self) -> &'static str {
        self.inner().code()
    }

    fn hint(&self) -> Option<String> {
        self.inner().hint()
    }
}

impl Explain for VerifyError {
    fn exit(&self) -> Exit {
        match self {
            Self::Container(error) => error.exit(),
            _ => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Container(error) => error.code(),
            Self::Member { .. } => "wrong_member",
            Self::Frame(error) => error.code(),
            Self::Index(error) => error.code(),
            Self::Manifest(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Container(error) => error.hint(),
            Self::Member { .. } => {
                Some("fetch the package again; if it repeats, the repository is damaged".into())
            }
            Self::Frame(error) => error.hint(),
            Self::Index(error) => error.hint(),
            Self::Manifest(error) => error.hint(),
        }
    }
}
