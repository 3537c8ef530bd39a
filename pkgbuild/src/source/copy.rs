//! Copies a source tree, and computes the digest that names its content.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use copkg_spec::command::{Exit, Explain};
use copkg_spec::digest::{Digest, Hashed};
use thiserror::Error;

use super::listing::{Found, FoundKind};

/// Copies what was `found` below `from` to `to`, and returns the digest of the tree.
///
/// Modes do not depend on the umask under which the source was made; set-uid bits, and files that only their owner may read
/// among others, stay for the lint to find.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy_tree(from: &Path, found: &[Found], to: &Path) -> Result<Digest, CopyError> {
    let mut digest = TreeDigest::default();
    let modes = found.iter().filter_map(|found| match found.kind {
        FoundKind::File { mode, .. } => Some(mode),
        _ => None,
    });
    let modes: Vec<u32> = modes.collect();
    let opened = if is_closed_by_umask(&modes) { 0o044 } else { 0 };
    for Found { path, kind } in found {
        let target = to.join(path);
        let write = |source| CopyError::Write { path: target.clone(), source };
        match kind {
            FoundKind::Directory { .. } => make_directory(&target).map_err(write)?,
            // Whoever lists a tree refuses these before it is copied.
            FoundKind::Special { .. } => continue,
            FoundKind::Symlink { target: leads_to } => make_symlink(leads_to, &target).map_err(write)?,
            FoundKind::File { mode, .. } => {
                let content = copy_file(&from.join(path), &target, *mode | opened)?;
                digest.file(path, *mode, content);
                continue;
            }
        }
        digest.other(path, kind);
    }
    Ok(digest.finish())
}

/// Computes the digest of a tree whose files `digest` knows by their numbers; `None` where it does not know one.
pub(super) fn digest_tree(found: &[Found], digest: impl Fn(usize) -> Option<Digest>) -> Option<Digest> {
    let mut tree = TreeDigest::default();
    for (number, Found { path, kind }) in found.iter().enumerate() {
        match kind {
            FoundKind::File { mode, .. } => tree.file(path, *mode, digest(number)?),
            _ => tree.other(path, kind),
        }
    }
    Some(tree.finish())
}

/// The digest of a tree: SHA-256 over a line for each entry, with its kind, whether it is executable, and its content.
struct TreeDigest(Hashed<io::Sink>);

impl Default for TreeDigest {
    fn default() -> Self {
        Self(Hashed::new(io::sink()))
    }
}

impl TreeDigest {
    fn file(&mut self, path: &Path, mode: u32, content: Digest) {
        let kind = if is_executable(mode) { "x" } else { "f" };
        self.line(kind, content.to_string().as_bytes(), path);
    }

    fn other(&mut self, path: &Path, kind: &FoundKind) {
        match kind {
            FoundKind::Symlink { target } => self.line("l", target.as_os_str().as_bytes(), path),
            FoundKind::Directory { .. } | FoundKind::File { .. } | FoundKind::Special { .. } => {
                self.line("d", b"", path);
            }
        }
    }

    /// NUL ends each part, since a name may hold anything else.
    fn line(&mut self, kind: &str, content: &[u8], path: &Path) {
        for part in [kind.as_bytes(), content, path.as_os_str().as_bytes()] {
            // A sink takes everything.
            let _ = self.0.write_all(part).and_then(|()| self.0.write_all(b"\0"));
        }
    }

    fn finish(self) -> Digest {
        self.0.finish().2
    }
}

/// Tells whether the owner may execute a file of this mode.
pub(crate) fn is_executable(mode: u32) -> bool {
    mode & 0o100 != 0
}

/// Tells whether not everybody may read a file of this mode.
pub(crate) fn is_private(mode: u32) -> bool {
    mode & 0o004 == 0
}

/// Tells whether none of several files, with these modes, may be read by everybody: then they were made under such a umask, which
/// says nothing of one file.
pub(crate) fn is_closed_by_umask(modes: &[u32]) -> bool {
    modes.len() > 1 && modes.iter().copied().all(is_private)
}

/// Computes the digest of one file.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn digest_file(path: &Path) -> Result<Digest, CopyError> {
    let read = |source| CopyError::Read { path: path.to_owned(), source };
    Digest::of_reader(open(path).map_err(read)?).map_err(read)
}

/// Copies one file with its date, and returns its digest.
pub(super) fn copy_file(from: &Path, to: &Path, mode: u32) -> Result<Digest, CopyError> {
    let read = |source| CopyError::Read { path: from.to_owned(), source };
    let write = |source| CopyError::Write { path: to.to_owned(), source };
    let mut input = open(from).map_err(read)?;
    let modified = input.metadata().and_then(|metadata| metadata.modified()).map_err(read)?;
    // Nothing that is there is written through: it could be a link that another source left.
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(write(error)),
        _ => {}
    }
    let output = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(write)?;
    let mut output = Hashed::new(output);
    let mut buffer = vec![0; window(&input)];
    loop {
        let n = input.read(&mut buffer).map_err(read)?;
        if n == 0 {
            break;
        }
        output.write_all(&buffer[..n]).map_err(write)?;
    }
    let (file, _, digest) = output.finish();
    let plain = if is_executable(mode) { 0o755 } else { 0o644 };
    let plain = if is_private(mode) { plain & (0o700 | (mode & 0o040)) } else { plain };
    file.set_permissions(Permissions::from_mode(plain | (mode & 0o6002))).map_err(write)?;
    // Build tools compare dates.
    file.set_modified(modified).map_err(write)?;
    Ok(digest)
}

/// Returns how much of a file to read at once: most files are small.
fn window(file: &File) -> usize {
    const MOST: u64 = 256 << 10;
    let length = file.metadata().map_or(MOST, |metadata| metadata.len());
    usize::try_from(length.clamp(4096, MOST)).unwrap_or(4096)
}

/// Opens a file that must not have become a link since it was listed.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    OpenOptions::new().read(true).custom_flags(no_follow).open(path)
}

fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_real_directory(path) => Ok(()),
        result => result.and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o755))),
    }
}

fn is_real_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn make_symlink(leads_to: &Path, path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => symlink(leads_to, path),
    }
}

/// Says why a tree cannot be copied.
#[derive(Debug, Error)]
pub enum CopyError {
    /// A file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Explain for CopyError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "source_unreadable",
            Self::Write { .. } => "scratch_unwritable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Write { .. } => Some("TMPDIR chooses another file system for the work".into()),
            Self::Read { .. } => None,
        }
    }
}
