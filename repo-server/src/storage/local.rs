//! A directory as a store. Reads and listings go through the directory's handle and never through a link.
//!
//! `object_store`'s own `LocalFileSystem` follows links, also out of its directory, and opens a fifo or a device as
//! it opens a file. This store opens with `openat2`, beneath its directory and without links, and takes regular
//! files only. Writing is left to `LocalFileSystem`: stage, fsync, rename.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use camino::Utf8Path;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, Extensions, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result,
};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, statat,
};
use rustix::io::Errno;

/// A store in a directory that is held open.
#[derive(Debug)]
pub(super) struct LocalStore {
    root: Arc<OwnedFd>,
    files: LocalFileSystem,
}

impl LocalStore {
    /// Opens the directory, which has to be there.
    pub(super) fn open(directory: &Utf8Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, directory.as_std_path(), flags, Mode::empty())?;
        let files = LocalFileSystem::new_with_prefix(directory).map_err(io::Error::other)?.with_fsync(true);
        Ok(Self { root: Arc::new(root), files })
    }
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.files)
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (root, location) = (Arc::clone(&self.root), location.clone());
        tokio::task::spawn_blocking(move || open_object(&root, location, &options)).await?
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let (root, prefix) = (Arc::clone(&self.root), prefix.cloned().unwrap_or_default());
        tokio::task::spawn_blocking(move || list_directory(&root, &prefix)).await?
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.files.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.files.put_multipart_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.files.rename_opts(from, to, options).await
    }
}

fn open_object(root: &OwnedFd, location: Path, options: &GetOptions) -> Result<GetResult> {
    // NONBLOCK: opening a fifo must not wait for its writer.
    let fd = open_beneath(root, location.as_ref(), OFlags::NONBLOCK).map_err(|e| failed(&location, e))?;
    let stat = fstat(&fd).map_err(|e| failed(&location, e))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(failed(&location, Errno::NOENT));
    }
    let meta = object_meta(location, &stat);
    options.check_preconditions(&meta)?;
    let range = match &options.range {
        Some(range) => range.as_range(meta.size).map_err(|e| generic(e.into()))?,
        None => 0..meta.size,
    };
    let payload = GetResultPayload::File(File::from(fd), PathBuf::from(meta.location.as_ref()));
    Ok(GetResult { payload, meta, range, attributes: Attributes::new(), extensions: Extensions::new() })
}

fn list_directory(root: &OwnedFd, prefix: &Path) -> Result<ListResult> {
    let at = if prefix.as_ref().is_empty() { "." } else { prefix.as_ref() };
    let mut found = ListResult { common_prefixes: vec![], objects: vec![], extensions: Extensions::new() };
    let directory = match open_beneath(root, at, OFlags::DIRECTORY) {
        Ok(directory) => directory,
        Err(error) if is_absent(error) => return Ok(found),
        Err(error) => return Err(failed(prefix, error)),
    };
    for entry in Dir::read_from(&directory).map_err(|e| failed(prefix, e))? {
        let entry = entry.map_err(|e| failed(prefix, e))?;
        let Some(name) = visible_name(entry.file_name().to_bytes()) else { continue };
        let Ok(path) = Path::parse(format!("{prefix}/{name}")) else { continue };
        // A file that was removed since is as good as one that was never there.
        let Ok(stat) = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => found.common_prefixes.push(path),
            FileType::RegularFile => found.objects.push(object_meta(path, &stat)),
            _ => {}
        }
    }
    Ok(found)
}

/// Tells names that belong to a repository from those that are being written: `.tmp-*` and `<file>#<n>`.
fn visible_name(name: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(name).ok()?;
    (!name.starts_with('.') && !name.contains('#')).then_some(name)
}

fn open_beneath(root: &OwnedFd, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
    openat2(root, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
}

/// Describes a file. The tag holds the time of the last change of the inode, which no program can set back.
fn object_meta(location: Path, stat: &Stat) -> ObjectMeta {
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    let tag = format!("\"{:x}-{:x}.{:x}-{size:x}\"", stat.st_ino, stat.st_ctime, stat.st_ctime_nsec);
    let seconds = u64::try_from(stat.st_mtime).unwrap_or_default();
    let last_modified = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    ObjectMeta { location, last_modified: last_modified.into(), size, e_tag: Some(tag), version: None }
}

/// Tells whether an error means that no file of the repository is there. A link is none.
fn is_absent(error: Errno) -> bool {
    matches!(
        error,
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NXIO | Errno::NAMETOOLONG
    )
}

fn failed(location: &Path, error: Errno) -> Error {
    let source = Box::new(io::Error::from(error));
    if is_absent(error) {
        return Error::NotFound { path: location.to_string(), source };
    }
    generic(source)
}

fn generic(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Generic { store: "directory", source }
}
