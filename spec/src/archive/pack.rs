//! Packing: from a tree and a draft of the manifest to an archive.
//!
//! The payload comes last in the archive, but everything before it depends on it, so it is written to a scratch file
//! first (`pipeline`). Memory: a few frames for each thread, and the index.

use std::io::{self, BufWriter, Read, Seek, Write};
use std::num::NonZeroUsize;
use std::panic;
use std::thread;

use thiserror::Error;
use zstd::stream::write::Encoder;

use super::container::{self, names};
use super::cut::FrameSize;
use super::dates::EarlierDates;
use super::earlier::EarlierFrames;
use super::equal::link_equal_files;
use super::pipeline::{Making, write_payload};
use super::tar_header::member_header;
use crate::command::{Exit, Explain};
use crate::digest::{Digest, Hashed};
use crate::index::{Entry, EntryPath, Index, IndexError, LinkTarget, Mode};
use crate::keys::{Payload, SecretKey, Signatures};
use crate::manifest::{
    Compressed, Counts, Draft, Format, Manifest, ManifestError, Member, Members, package_digest,
};
use crate::policy::{Refused, check_tree};

/// One entry of the tree to pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Where it will be in the package.
    pub path: EntryPath,
    /// What it is.
    pub node: TreeNode,
}

/// What an entry of the tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeNode {
    /// A directory.
    Directory,
    /// A file; its content is read when its turn comes.
    File {
        /// 0644 or 0755.
        mode: Mode,
        /// Bytes of content.
        size: u64,
    },
    /// A symbolic link.
    Symlink {
        /// Where it leads.
        target: LinkTarget,
    },
}

/// Documents that travel with a package.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attachments<'a> {
    /// A CycloneDX bill of materials.
    pub sbom: Option<&'a [u8]>,
    /// In-toto statements, one a line.
    pub provenance: Option<&'a [u8]>,
}

/// What goes into a package beside its tree.
#[derive(Debug)]
pub struct PackPlan<'a> {
    /// The manifest as far as it is known.
    pub draft: Draft,
    /// Documents that travel with the package.
    pub attachments: Attachments<'a>,
    /// The keys that sign; none leaves the package unsigned.
    pub keys: &'a [SecretKey],
    /// How to pack.
    pub options: PackOptions,
}

/// How to pack.
#[derive(Debug, Clone, Copy)]
pub struct PackOptions {
    /// The zstd level, 1 to 19.
    pub level: i32,
    /// How many threads compress.
    pub threads: NonZeroUsize,
}

/// A package that has been packed.
#[derive(Debug, Clone)]
pub struct Packed {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its identity: the digest of the manifest.
    pub digest: Digest,
    /// Bytes of the whole archive.
    pub length: u64,
    /// The digest of the whole archive.
    pub file_sha256: Digest,
}

/// Packs `tree` into `out` as `plan` says.
///
/// `open` gives the content of the file at a path, on any thread. `scratch` must be empty; it holds the payload meanwhile. On
/// an error what `out` holds is no package and must be thrown away.
///
/// # Errors
/// When the archive policy refuses an entry (before any content is read), a file changes while it is read, or reading
/// or writing fails.
pub fn pack<R: Read + Send>(
    plan: PackPlan<'_>,
    tree: Vec<TreeEntry>,
    open: impl Fn(&EntryPath) -> io::Result<R> + Sync,
    scratch: impl Read + Write + Seek + Send,
    out: impl Write + Send,
) -> Result<Packed, PackError> {
    let provenance = plan.attachments.provenance.map(<[u8]>::to_vec);
    Packer::new(plan).pack(tree, open, |_, _| provenance, scratch, out)
}

/// Packs with more choices than [`pack`] has.
#[allow(missing_debug_implementations, reason = "the frames of an earlier version have nothing to show")]
pub struct Packer<'a> {
    plan: PackPlan<'a>,
    frame_size: FrameSize,
    earlier: Option<&'a EarlierFrames>,
    dates: Option<&'a EarlierDates>,
}

impl<'a> Packer<'a> {
    /// Packs as `plan` says.
    pub fn new(plan: PackPlan<'a>) -> Self {
        Self { plan, frame_size: FrameSize::DEFAULT, earlier: None, dates: None }
    }

    /// Cuts frames of another size.
    #[must_use]
    pub fn frame_size(self, frame_size: FrameSize) -> Self {
        Self { frame_size, ..self }
    }

    /// Takes frames that an earlier version has instead of compressing them again. Those must have been made by this version
    /// of the program at the same level: then the bytes of the archive do not depend on it.
    #[must_use]
    pub fn earlier(self, earlier: Option<&'a EarlierFrames>) -> Self {
        Self { earlier, ..self }
    }

    /// Gives files that have not changed since an earlier version the dates that they had there. Others have that of the source.
    #[must_use]
    pub fn dates(self, dates: Option<&'a EarlierDates>) -> Self {
        Self { dates, ..self }
    }

    /// Packs as [`pack`] does. The provenance is that which `provenance` makes of the finished payload and its entries, not
    /// that of the plan.
    ///
    /// # Errors
    /// As [`pack`].
    pub fn pack<R: Read + Send>(
        self,
        tree: Vec<TreeEntry>,
        open: impl Fn(&EntryPath) -> io::Result<R> + Sync,
        provenance: impl FnOnce(&Compressed, &Index) -> Option<Vec<u8>>,
        mut scratch: impl Read + Write + Seek + Send,
        out: impl Write + Send,
    ) -> Result<Packed, PackError> {
        let Self { plan: PackPlan { draft, attachments, keys, options }, frame_size, earlier, dates } = self;
        let mut entries = check(tree)?;
        link_equal_files(&mut entries, &open, options.threads)?;
        let mut payload = Hashed::new(&mut scratch);
        let making = Making { level: options.level, threads: options.threads, size: frame_size, earlier };
        let frames = write_payload(&mut entries, open, making, &mut payload)?;
        let (_, length, sha256) = payload.finish();
        if let Some(dates) = dates {
            dates.set(&mut entries, draft.source_date);
        }
        let index = Index::of_checked(entries, frames)?;
        let payload = Compressed { length, size: index.payload_size(), sha256 };
        // Both go through all entries, and neither needs the other.
        let (provenance, encoded) = thread::scope(|scope| {
            let encoding = scope.spawn(|| encode_index(&index));
            let provenance = provenance(&payload, &index);
            (provenance, encoding.join().unwrap_or_else(|bug| panic::resume_unwind(bug)))
        });
        let (index_bytes, index_member) = encoded.map_err(PackError::Write)?;
        let documents =
            Documents { index: &index_bytes, sbom: attachments.sbom, provenance: provenance.as_deref() };
        let members = Members {
            index: index_member,
            sbom: documents.sbom.map(Member::of),
            provenance: documents.provenance.map(Member::of),
            payload,
        };
        let format = Format::of_entries(index.entries());
        let manifest = Manifest::new(draft, format, Counts::of(index.entries()), members);
        let manifest_bytes = manifest.to_bytes()?;
        // What a reader would refuse must not be written.
        Manifest::parse(&manifest_bytes)?.check_index(&index)?;
        let digest = package_digest(&manifest_bytes);
        let mut out = Hashed::new(out);
        documents
            .write(&manifest_bytes, keys, &mut out)
            .and_then(|()| copy_payload(&mut scratch, length, &mut out))
            .map_err(PackError::Write)?;
        let (_, length, file_sha256) = out.finish();
        Ok(Packed { manifest, digest, length, file_sha256 })
    }
}

/// The members between the signatures and the payload.
struct Documents<'a> {
    index: &'a [u8],
    sbom: Option<&'a [u8]>,
    provenance: Option<&'a [u8]>,
}

impl Documents<'_> {
    fn write(&self, manifest: &[u8], keys: &[SecretKey], out: &mut impl Write) -> io::Result<()> {
        let signatures = Signatures::sign(&Payload::manifest(manifest), keys).to_bytes();
        let members = [
            (names::MANIFEST, Some(manifest)),
            (names::SIGNATURES, Some(&signatures)),
            (names::INDEX, Some(self.index)),
            (names::SBOM, self.sbom),
            (names::PROVENANCE, self.provenance),
        ];
        members
            .into_iter()
            .filter_map(|(name, content)| Some((name, content?)))
            .try_for_each(|(name, content)| container::write_member(out, name, content))
    }
}

/// Brings the tree into canonical order and applies the archive policy before anything is read. The digests of files are
/// still to come.
fn check(mut tree: Vec<TreeEntry>) -> Result<Vec<Entry>, Refused> {
    tree.sort_by(|a, b| a.path.cmp(&b.path));
    let unread = Digest::of(b"");
    let entries: Vec<Entry> = tree.into_iter().map(|entry| entry.with_digest(unread)).collect();
    check_tree(&entries)?;
    Ok(entries)
}

impl TreeEntry {
    fn with_digest(self, sha256: Digest) -> Entry {
        let Self { path, node } = self;
        match node {
            TreeNode::Directory => Entry::Directory { path },
            TreeNode::File { mode, size } => Entry::File { path, mode, size, sha256, date: None, link: None },
            TreeNode::Symlink { target } => Entry::Symlink { path, target },
        }
    }
}

/// Compresses the index while it is written: as text it is larger than all that is in memory otherwise.
fn encode_index(index: &Index) -> io::Result<(Vec<u8>, Compressed)> {
    /// What a higher level saves is some percent, since digests do not compress, and it would run on one thread.
    const LEVEL: i32 = 3;
    let mut encoder = Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    // A frame begins with the size of what it holds, so it is written twice, the first time to nowhere.
    let size = index.write(io::sink())?;
    encoder.set_pledged_src_size(Some(size))?;
    // Each field is a write of its own.
    let mut out = BufWriter::with_capacity(64 << 10, encoder);
    index.write(&mut out)?;
    let bytes = out.into_inner()?.finish()?;
    let Member { length, sha256 } = Member::of(&bytes);
    Ok((bytes, Compressed { length, size, sha256 }))
}

fn copy_payload(
    scratch: &mut (impl Read + Seek),
    length: u64,
    out: &mut Hashed<impl Write + Send>,
) -> io::Result<()> {
    out.write_all(&member_header(names::PAYLOAD, length))?;
    scratch.rewind()?;
    out.write_all_of(scratch)?;
    container::write_padding(out, length)?;
    out.write_all(&super::tar_header::END_MARKER)?;
    out.flush()
}

/// Says why a tree could not be packed.
#[derive(Debug, Error)]
pub enum PackError {
    /// The archive policy refuses an entry.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A file of the tree cannot be read.
    #[error("cannot read {path}")]
    ReadFile {
        /// The file, as it is named in the package.
        path: EntryPath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file has another size than it had when the tree was listed.
    #[error("{path} changed while it was packed: it does not have the {announced} bytes that it had")]
    Changed {
        /// The file, as it is named in the package.
        path: EntryPath,
        /// The size at first.
        announced: u64,
    },
    /// The tree does not fit the format.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The manifest does not fit the format.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The archive or the scratch file cannot be written, or zstd failed.
    #[error("cannot write the archive")]
    Write(#[source] io::Error),
}

impl Explain for PackError {
    fn exit(&self) -> Exit {
        match self {
            Self::Refused(error) => error.exit(),
            Self::Index(error) => error.exit(),
            Self::Manifest(error) => error.exit(),
            Self::ReadFile { .. } | Self::Changed { .. } | Self::Write(_) => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Refused(error) => error.code(),
            Self::Index(error) => error.code(),
            Self::Manifest(error) => error.code(),
            Self::ReadFile { .. } => "tree_unreadable",
            Self::Changed { .. } => "tree_changed",
            Self::Write(_) => "archive_unwritable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(error) => error.hint(),
            Self::Index(error) => error.hint(),
            Self::Manifest(error) => error.hint(),
            Self::Changed { .. } => Some("build again when nothing writes to the tree".into()),
            Self::ReadFile { .. } | Self::Write(_) => None,
        }
    }
}
