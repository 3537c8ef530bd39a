//! Packing: from a tree and a draft of the manifest to an archive.
//!
//! The payload comes last in the archive, but everything before it depends on it, so it is written to a scratch file
//! first. Reading and cutting run on one thread, compression on as many as asked; frames go to the threads in turn
//! and come back in turn, so the number of threads changes nothing in the bytes. Memory: a few frames for each thread,
//! and the index.

use std::io::{self, Read, Seek, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use thiserror::Error;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use super::chunk::{ChunkError, Chunker, Stopped};
use super::container::{self, names};
use super::tar_header::member_header;
use crate::command::{Exit, Explain};
use crate::digest::{Digest, Hashed};
use crate::index::{Entry, EntryPath, Frame, Index, IndexError, LinkTarget, Mode};
use crate::keys::{Payload, SecretKey, Signatures};
use crate::manifest::{Compressed, Counts, Draft, Manifest, ManifestError, Member, Members, package_digest};
use crate::policy::{Refused, check_tree};

/// How many frames wait for each thread.
const QUEUE: usize = 4;

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
/// `open` gives the content of the file at a path. `scratch` must be empty; it holds the payload meanwhile. On an error
/// what `out` holds is no package and must be thrown away.
///
/// # Errors
/// When the archive policy refuses an entry (before any content is read), a file changes while it is read, or reading
/// or writing fails.
pub fn pack<R: Read>(
    plan: PackPlan<'_>,
    tree: Vec<TreeEntry>,
    open: impl Fn(&EntryPath) -> io::Result<R> + Send,
    scratch: impl Read + Write + Seek,
    out: impl Write,
) -> Result<Packed, PackError> {
    let provenance = plan.attachments.provenance.map(<[u8]>::to_vec);
    pack_with_provenance(plan, tree, open, |_| provenance, scratch, out)
}

/// Packs as [`pack`] does, with a provenance that names the finished payload instead of that of the plan.
///
/// # Errors
/// As [`pack`].
pub fn pack_with_provenance<R: Read>(
    plan: PackPlan<'_>,
    tree: Vec<TreeEntry>,
    open: impl Fn(&EntryPath) -> io::Result<R> + Send,
    provenance: impl FnOnce(&Compressed) -> Option<Vec<u8>>,
    mut scratch: impl Read + Write + Seek,
    out: impl Write,
) -> Result<Packed, PackError> {
    let PackPlan { draft, attachments: Attachments { sbom, .. }, keys, options } = plan;
    let tree = check(tree)?;
    let mut payload = Hashed::new(&mut scratch);
    let (entries, frames) = write_payload(tree, open, options, &mut payload)?;
    let (_, length, sha256) = payload.finish();
    let index = Index::new(entries, frames)?;
    let (index_bytes, index_member) = encode_index(&index)?;
    let payload = Compressed { length, size: index.payload_size(), sha256 };
    let provenance = provenance(&payload);
    let provenance = provenance.as_deref();
    let members = Members {
        index: index_member,
        sbom: sbom.map(Member::of),
        provenance: provenance.map(Member::of),
        payload,
    };
    let manifest = Manifest::new(draft, Counts::of(index.entries()), members);
    let manifest_bytes = manifest.to_bytes()?;
    // What a reader would refuse must not be written.
    Manifest::parse(&manifest_bytes)?.check_index(&index)?;
    let signatures = Signatures::sign(&Payload::manifest(&manifest_bytes), keys).to_bytes();

    let mut out = Hashed::new(out);
    let documents = [
        (names::MANIFEST, Some(manifest_bytes.as_slice())),
        (names::SIGNATURES, Some(&signatures)),
        (names::INDEX, Some(&index_bytes)),
        (names::SBOM, sbom),
        (names::PROVENANCE, provenance),
    ];
    for (name, content) in documents {
        if let Some(content) = content {
            container::write_member(&mut out, name, content).map_err(PackError::Write)?;
        }
    }
    copy_payload(&mut scratch, length, &mut out).map_err(PackError::Write)?;
    let (_, length, file_sha256) = out.finish();
    Ok(Packed { manifest, digest: package_digest(&manifest_bytes), length, file_sha256 })
}

/// Brings the tree into canonical order and applies the archive policy before anything is read.
fn check(mut tree: Vec<TreeEntry>) -> Result<Vec<TreeEntry>, Refused> {
    tree.sort_by(|a, b| a.path.cmp(&b.path));
    let unread = Digest::of(b"");
    let entries: Vec<Entry> = tree.iter().cloned().map(|entry| entry.with_digest(unread)).collect();
    check_tree(&entries)?;
    Ok(tree)
}

impl TreeEntry {
    fn with_digest(self, sha256: Digest) -> Entry {
        let Self { path, node } = self;
        match node {
            TreeNode::Directory => Entry::Directory { path },
            TreeNode::File { mode, size } => Entry::File { path, mode, size, sha256 },
            TreeNode::Symlink { target } => Entry::Symlink { path, target },
        }
    }
}

/// A frame that has been compressed.
type Sealed = io::Result<(Frame, Vec<u8>)>;

fn write_payload<R: Read>(
    tree: Vec<TreeEntry>,
    open: impl Fn(&EntryPath) -> io::Result<R> + Send,
    options: PackOptions,
    out: &mut impl Write,
) -> Result<(Vec<Entry>, Vec<Frame>), PackError> {
    thread::scope(|scope| {
        let (mut to_workers, mut from_workers) = (Vec::new(), Vec::new());
        for _ in 0..options.threads.get() {
            let (raw_sender, raw_receiver) = sync_channel(QUEUE);
            let (sealed_sender, sealed_receiver) = sync_channel(QUEUE);
            scope.spawn(move || compress(options.level, &raw_receiver, &sealed_sender));
            to_workers.push(raw_sender);
            from_workers.push(sealed_receiver);
        }
        let reader = scope.spawn(move || read_tree(tree, open, &to_workers));
        let written = write_frames(&from_workers, out);
        // A writer that failed stops the workers, and they the reader.
        drop(from_workers);
        match (reader.join(), written) {
            (_, Err(error)) => Err(PackError::Write(error)),
            (Ok(Err(ChunkError::Pack(error))), _) => Err(error),
            (Ok(Ok(entries)), Ok(frames)) => Ok((entries, frames)),
            (Err(_) | Ok(Err(ChunkError::Stopped)), Ok(_)) => Err(PackError::Thread),
        }
    })
}

/// Reads every entry in order and deals the frames out to the workers in turn.
fn read_tree<R: Read>(
    tree: Vec<TreeEntry>,
    open: impl Fn(&EntryPath) -> io::Result<R>,
    to_workers: &[SyncSender<Vec<u8>>],
) -> Result<Vec<Entry>, ChunkError> {
    let mut turns = to_workers.iter().cycle();
    let mut chunker = Chunker::new(|frame| match turns.next() {
        Some(worker) => worker.send(frame).map_err(|_| Stopped),
        None => Err(Stopped),
    });
    let entries = tree.into_iter().map(|entry| chunker.add(entry, &open)).collect::<Result<_, _>>()?;
    chunker.finish()?;
    Ok(entries)
}

fn compress(level: i32, raw: &Receiver<Vec<u8>>, sealed: &SyncSender<Sealed>) {
    let mut compressor = new_compressor(level);
    for frame in raw {
        let result = match &mut compressor {
            Ok(compressor) => seal(compressor, &frame),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        if sealed.send(result).is_err() {
            return;
        }
    }
}

fn seal(compressor: &mut Compressor<'_>, raw: &[u8]) -> Sealed {
    let bytes = compressor.compress(raw)?;
    let frame = Frame { length: bytes.len() as u64, size: raw.len() as u64, sha256: Digest::of(&bytes) };
    Ok((frame, bytes))
}

fn new_compressor(level: i32) -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(level)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    compressor.set_parameter(CParameter::ContentSizeFlag(true))?;
    Ok(compressor)
}

/// Takes the frames from the workers in the turn in which they were dealt out.
fn write_frames(from_workers: &[Receiver<Sealed>], out: &mut impl Write) -> io::Result<Vec<Frame>> {
    let mut frames = Vec::new();
    for worker in from_workers.iter().cycle() {
        let Ok(sealed) = worker.recv() else { break };
        let (frame, bytes) = sealed?;
        out.write_all(&bytes)?;
        frames.push(frame);
    }
    out.flush()?;
    Ok(frames)
}

fn encode_index(index: &Index) -> Result<(Vec<u8>, Compressed), PackError> {
    /// A level at which the window stays within the format's limit.
    const LEVEL: i32 = 12;
    let bytes = index.to_bytes()?;
    let compressed = new_compressor(LEVEL).and_then(|mut c| c.compress(&bytes)).map_err(PackError::Write)?;
    let Member { length, sha256 } = Member::of(&compressed);
    Ok((compressed, Compressed { length, size: bytes.len() as u64, sha256 }))
}

fn copy_payload(scratch: &mut (impl Read + Seek), length: u64, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&member_header(names::PAYLOAD, length))?;
    scratch.rewind()?;
    io::copy(scratch, out)?;
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
    /// A thread ended before its work was done.
    #[error("a thread of the packer ended too early")]
    Thread,
}

impl Explain for PackError {
    fn exit(&self) -> Exit {
        match self {
            Self::Refused(error) => error.exit(),
            Self::Index(error) => error.exit(),
            Self::Manifest(error) => error.exit(),
            Self::ReadFile { .. } | Self::Changed { .. } | Self::Write(_) | Self::Thread => Exit::Failure,
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
            Self::Thread => "internal",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(error) => error.hint(),
            Self::Index(error) => error.hint(),
            Self::Manifest(error) => error.hint(),
            Self::Changed { .. } => Some("build again when nothing writes to the tree".into()),
            Self::ReadFile { .. } | Self::Write(_) | Self::Thread => None,
        }
    }
}
