//! Making a patch: chosen steps, compressed on several threads, written in their order.

use std::io::{self, Read, Seek, Write};
use std::panic;
use std::thread;

use super::choose::{Draft, choose};
use super::error::{MakePatchError, PatchError};
use super::manifest::PatchManifest;
use super::step::press;
use super::steps::{Part, Step};
use crate::archive::container::{self, names};
use crate::archive::tar_header::{END_MARKER, member_header};
use crate::archive::{Contents, PackOptions, new_compressor};
use crate::digest::{Digest, Hashed};
use crate::index::{EntryPath, Index};
use crate::keys::{Payload, SecretKey, Signatures};
use crate::limits::{PATCH_STEPS_BYTES, TAR_MEMBER_BYTES};
use crate::manifest::{Compressed, Member};

/// Reads bytes of a file of a package, from an offset on, on any thread.
pub type ReadFile<'a> = &'a (dyn Fn(&EntryPath, u64, &mut [u8]) -> io::Result<()> + Sync);

/// What a patch is made of.
#[allow(missing_debug_implementations, reason = "closures have nothing to show")]
pub struct PatchPlan<'a> {
    /// The package that it will be applied to, and its files.
    pub old: (&'a Contents, ReadFile<'a>),
    /// The package that it will make, and its files.
    pub new: (&'a Contents, ReadFile<'a>),
    /// The keys that sign; a repository vouches for a patch without any.
    pub keys: &'a [SecretKey],
    /// How to compress.
    pub options: PackOptions,
}

/// A patch that has been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadePatch {
    /// What it says of itself.
    pub manifest: PatchManifest,
    /// The digest of `patch.json`.
    pub digest: Digest,
    /// Bytes of the whole file.
    pub length: u64,
    /// The digest of the whole file.
    pub sha256: Digest,
    /// How many files it makes.
    pub files: usize,
    /// How many steps it has.
    pub steps: usize,
}

/// Makes a patch into `out`. `scratch` must be empty; it holds the frames meanwhile.
///
/// The files must be those of the packages: whoever calls checked them. Memory: for each thread what one step refers to, what it
/// holds, its frame, and zstd's tables for that. The same packages, level and version of this program give the same bytes.
///
/// # Errors
/// When the packages are not two versions of one for one platform, a file cannot be read, or writing fails.
pub fn make_patch(
    plan: &PatchPlan<'_>,
    mut scratch: impl Read + Write + Seek,
    out: impl Write,
) -> Result<MadePatch, MakePatchError> {
    let (old, new) = (plan.old.0, plan.new.0);
    check_sides(old, new)?;
    let drafts = choose(old.index(), new.index());
    let mut steps: Vec<Step> = Vec::with_capacity(drafts.len());
    for batch in drafts.chunks(plan.options.threads.get()) {
        for (draft, compressed) in batch.iter().zip(press_all(plan, batch)) {
            let compressed = compressed?;
            scratch.write_all(&compressed).map_err(MakePatchError::Write)?;
            steps.push(Step::new(draft.from.clone(), draft.to.clone(), &compressed));
        }
    }
    let length = steps.iter().map(Step::length).sum();
    if length > TAR_MEMBER_BYTES {
        return Err(PatchError::TooLarge { what: "data", limit: TAR_MEMBER_BYTES }.into());
    }
    let (list, member) = press_list(&steps)?;
    let manifest = PatchManifest::new(old, new, member, length);
    let bytes = manifest.to_bytes()?;
    let signatures = Signatures::sign(&Payload::patch(&bytes), plan.keys).to_bytes();
    let mut out = Hashed::new(out);
    [(names::PATCH, &bytes), (names::SIGNATURES, &signatures), (names::STEPS, &list)]
        .into_iter()
        .try_for_each(|(name, content)| container::write_member(&mut out, name, content))
        .and_then(|()| write_data(&mut scratch, length, &mut out))
        .map_err(MakePatchError::Write)?;
    let (_, whole, sha256) = out.finish();
    let files = steps.iter().flat_map(Step::to).filter(|part| part.offset == 0).count();
    Ok(MadePatch { manifest, digest: Digest::of(&bytes), length: whole, sha256, files, steps: steps.len() })
}

fn check_sides(old: &Contents, new: &Contents) -> Result<(), MakePatchError> {
    let (a, b) = (old.manifest(), new.manifest());
    let (old, new) = (a.coordinate(), b.coordinate());
    let same = old.group() == new.group() && old.id() == new.id() && a.platform() == b.platform();
    if same && old.version() != new.version() {
        return Ok(());
    }
    let name = |coordinate, platform| format!("{coordinate} for {platform}");
    Err(MakePatchError::NotVersions { old: name(old, a.platform()), new: name(new, b.platform()) })
}

/// Compresses some steps, each on a thread of its own.
fn press_all(plan: &PatchPlan<'_>, drafts: &[Draft]) -> Vec<Result<Vec<u8>, MakePatchError>> {
    let press = |draft| move || press_one(plan, draft);
    if let [draft] = drafts {
        return vec![press(draft)()];
    }
    thread::scope(|scope| {
        let threads: Vec<_> = drafts.iter().map(|draft| scope.spawn(press(draft))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|bug| panic::resume_unwind(bug))
        };
        threads.into_iter().map(join).collect()
    })
}

fn press_one(plan: &PatchPlan<'_>, draft: &Draft) -> Result<Vec<u8>, MakePatchError> {
    let reference = read_parts(plan.old.0.index(), &draft.from, plan.old.1)?;
    let content = read_parts(plan.new.0.index(), &draft.to, plan.new.1)?;
    press(plan.options.level, &reference, &content).map_err(MakePatchError::Write)
}

fn read_parts(index: &Index, parts: &[Part], read: ReadFile<'_>) -> Result<Vec<u8>, MakePatchError> {
    let mut bytes = Vec::new();
    for part in parts {
        let Some(entry) = index.entries().get(part.entry as usize) else { continue };
        let (path, start) = (entry.path(), bytes.len());
        bytes.resize(start + usize::try_from(part.length).unwrap_or_default(), 0);
        read(path, part.offset, &mut bytes[start..])
            .map_err(|source| MakePatchError::ReadFile { path: path.clone(), source })?;
    }
    Ok(bytes)
}

fn press_list(steps: &[Step]) -> Result<(Vec<u8>, Compressed), MakePatchError> {
    /// Places and lengths compress well at any level, digests at none.
    const LEVEL: i32 = 12;
    let bytes = Step::list_bytes(steps)?;
    if bytes.len() as u64 > PATCH_STEPS_BYTES {
        return Err(PatchError::TooLarge { what: "list of steps", limit: PATCH_STEPS_BYTES }.into());
    }
    let compressed =
        new_compressor(LEVEL).and_then(|mut c| c.compress(&bytes)).map_err(MakePatchError::Write)?;
    let Member { length, sha256 } = Member::of(&compressed);
    Ok((compressed, Compressed { length, size: bytes.len() as u64, sha256 }))
}

fn write_data(scratch: &mut (impl Read + Seek), length: u64, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&member_header(names::DATA, length))?;
    scratch.rewind()?;
    io::copy(scratch, out)?;
    container::write_padding(out, length)?;
    out.write_all(&END_MARKER)?;
    out.flush()
}
