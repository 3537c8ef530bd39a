//! Receipts: what is installed. A package is installed if and only if its receipt is there.
//!
//! The receipt is the last thing that an installation writes and the first that a removal takes away. Beside it lies
//! the head of the archive (manifest, signatures, index), so that a package can be checked and explained offline.

mod error;
pub mod stamps;

pub use error::ReceiptError;

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::archive::{Contents, Head};
use copkg_spec::coordinate::{Group, Label, PackageCoordinate, Version};
use copkg_spec::digest::Digest;
use copkg_spec::durable::{self, Existing};
use copkg_spec::keys::KeyId;
use copkg_spec::manifest::{Kind, Manifest};
use copkg_spec::platform::Platform;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::Modes;
use crate::host::{OperationId, Prefix};
use crate::repository::VouchedBy;
use crate::tree::names_in;

/// The version of the receipt's form.
const SCHEMA_VERSION: u32 = 1;
/// How many threads read receipts, at most, and how many packages make one worth while.
const MOST_READERS: usize = 8;
const LEAST_READ: usize = 64;

/// What was installed, from where, and who vouched for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    schema_version: u32,
    /// The name of the package.
    pub package: PackageCoordinate,
    /// What it holds.
    pub kind: Kind,
    /// The platform that was chosen.
    pub platform: Platform,
    /// The digest of the package: that of its manifest.
    pub digest: Digest,
    /// The trusted keys that signed it.
    pub signers: Vec<KeyId>,
    /// The metadata that vouched for it, where a repository did and not only pinned keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vouched_by: Option<VouchedBy>,
    /// The URL or the path that it came from.
    pub source: String,
    /// When it was installed.
    pub installed: Timestamp,
    /// The operation that installed it.
    pub operation: OperationId,
    /// Bytes of all files together.
    pub bytes: u64,
    /// Whether files and directories were installed without any write permission. Earlier versions of this program left them
    /// their signed modes.
    #[serde(default)]
    pub read_only: bool,
}

impl Receipt {
    /// Writes the receipt for a package that has been verified.
    pub fn new(
        contents: &Contents,
        signers: &[KeyId],
        source: String,
        installed: Timestamp,
        operation: OperationId,
    ) -> Self {
        let manifest = contents.manifest();
        Self {
            schema_version: SCHEMA_VERSION,
            package: manifest.coordinate(),
            kind: manifest.kind(),
            platform: manifest.platform().clone(),
            digest: contents.digest(),
            signers: signers.to_vec(),
            vouched_by: None,
            source,
            installed,
            operation,
            bytes: manifest.counts().bytes,
            read_only: true,
        }
    }

    /// Returns which modes the files have.
    pub fn modes(&self) -> Modes {
        if self.read_only { Modes::ReadOnly } else { Modes::Signed }
    }
}

/// Reads the receipt of `package`; `None` means that it is not installed.
///
/// # Errors
/// When the receipt is there and cannot be read.
pub fn read(prefix: &Prefix, package: &PackageCoordinate) -> Result<Option<Receipt>, ReceiptError> {
    let path = prefix.receipt(package);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|source| ReceiptError::read(&path, source))?,
    };
    let receipt: Receipt = serde_json::from_slice(&bytes).map_err(|e| ReceiptError::read(&path, e.into()))?;
    if receipt.package != *package {
        return Err(ReceiptError::Misplaced { path, package: receipt.package });
    }
    Ok(Some(receipt))
}

/// Reads the receipt of `package`, which must be installed.
///
/// # Errors
/// When it is not installed, or the receipt cannot be read.
pub fn require(prefix: &Prefix, package: &PackageCoordinate) -> Result<Receipt, ReceiptError> {
    read(prefix, package)?.ok_or_else(|| ReceiptError::NotInstalled { package: package.clone() })
}

/// Lists what is installed, in the order of the coordinates.
///
/// # Errors
/// When the directories of receipts cannot be read.
pub fn list(prefix: &Prefix) -> Result<Vec<PackageCoordinate>, ReceiptError> {
    list_of(prefix, |_| true)
}

/// Lists what is installed of the groups below `group` and of those that it lies below: only their paths can contain one another.
///
/// # Errors
/// As [`list`].
pub fn nearby(prefix: &Prefix, group: &Group) -> Result<Vec<PackageCoordinate>, ReceiptError> {
    let lies_below = |group: &Group, above: &Group| {
        group.as_str().strip_prefix(above.as_str()).is_some_and(|rest| rest.starts_with('.'))
    };
    list_of(prefix, |other| lies_below(group, other) || lies_below(other, group))
}

fn list_of(
    prefix: &Prefix,
    is_wanted: impl Fn(&Group) -> bool,
) -> Result<Vec<PackageCoordinate>, ReceiptError> {
    let found = ids(prefix, is_wanted)?.into_iter().map(|(group, id)| versions_of(prefix, &group, &id));
    let mut packages = found.collect::<Result<Vec<_>, _>>()?.concat();
    packages.sort();
    Ok(packages)
}

/// What is installed.
#[derive(Debug, Default)]
pub struct Installed {
    /// The receipts, in the order of the coordinates.
    pub receipts: Vec<Receipt>,
    /// What is wrong with those that cannot be read: their packages are installed all the same.
    pub unreadable: Vec<ReceiptError>,
}

/// Reads the receipts of everything that is installed. Side by side: each is a file of its own.
///
/// # Errors
/// When the directories of receipts cannot be read.
pub fn read_all(prefix: &Prefix) -> Result<Installed, ReceiptError> {
    let ids = ids(prefix, |_| true)?;
    let processors = thread::available_parallelism().map_or(1, |count| count.get().min(MOST_READERS));
    let threads = ids.len().div_ceil(LEAST_READ).min(processors);
    let next = AtomicUsize::new(0);
    let read_ids = || -> Result<Installed, ReceiptError> {
        let mut found = Installed::default();
        while let Some((group, id)) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
            for package in versions_of(prefix, group, id)? {
                match read(prefix, &package) {
                    // One that is removed meanwhile is not installed any more.
                    Ok(receipt) => found.receipts.extend(receipt),
                    Err(error) => found.unreadable.push(error),
                }
            }
        }
        Ok(found)
    };
    let found = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(read_ids)).collect();
        let read = handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|bug| std::panic::resume_unwind(bug)));
        read.collect::<Result<Vec<_>, _>>()
    })?;
    let mut all = Installed::default();
    for Installed { receipts, unreadable } in found {
        all.receipts.extend(receipts);
        all.unreadable.extend(unreadable);
    }
    all.receipts.sort_by(|a, b| a.package.cmp(&b.package));
    Ok(all)
}

fn ids(prefix: &Prefix, is_wanted: impl Fn(&Group) -> bool) -> Result<Vec<(Group, Label)>, ReceiptError> {
    let (root, mut found) = (prefix.receipts(), Vec::new());
    for group in names(&root)? {
        let Some(group) = group.parse::<Group>().ok().filter(&is_wanted) else { continue };
        let ids = names(&root.join(group.as_str()))?.into_iter().filter_map(|id| id.parse::<Label>().ok());
        found.extend(ids.map(|id| (group.clone(), id)));
    }
    Ok(found)
}

/// Lists the installed versions of the package that `package` is a version of.
///
/// # Errors
/// When the directory of their receipts cannot be read.
pub fn versions(
    prefix: &Prefix,
    package: &PackageCoordinate,
) -> Result<Vec<PackageCoordinate>, ReceiptError> {
    versions_of(prefix, package.group(), package.id())
}

fn versions_of(prefix: &Prefix, group: &Group, id: &Label) -> Result<Vec<PackageCoordinate>, ReceiptError> {
    let directory = prefix.receipts().join(group.as_str()).join(id.as_str());
    let version = |file: String| file.strip_suffix(".json").and_then(|text| text.parse::<Version>().ok());
    let versions = names(&directory)?.into_iter().filter_map(version);
    Ok(versions.map(|version| PackageCoordinate::new(group.clone(), id.clone(), version)).collect())
}

/// Reads the manifest of an installed package.
///
/// # Errors
/// When its head is missing or is not the one that the receipt names.
pub fn manifest(prefix: &Prefix, receipt: &Receipt) -> Result<Manifest, ReceiptError> {
    let path = prefix.head(&receipt.package);
    let file = std::fs::File::open(&path).map_err(|source| ReceiptError::read(&path, source))?;
    let head = read_head(&path, receipt, &mut io::BufReader::new(file))?;
    Ok(head.unverified_manifest().clone())
}

/// Reads manifest, index and attachments of an installed package.
///
/// # Errors
/// When its head is missing or is not the one that the receipt names.
pub fn contents(prefix: &Prefix, receipt: &Receipt) -> Result<Contents, ReceiptError> {
    let path = prefix.head(&receipt.package);
    let bytes = std::fs::read(&path).map_err(|source| ReceiptError::read(&path, source))?;
    let mut reader = bytes.as_slice();
    // Verified when it was installed; the digest in the receipt says that it is still the same.
    let head = read_head(&path, receipt, &mut reader)?;
    let contents = head.without_trust().read_contents(&mut reader);
    contents.map_err(|source| ReceiptError::Contents { path, source: Box::new(source) })
}

/// A receipt that is written down and not in its place: all that an installation lacks is [`PreparedReceipt::place`].
#[derive(Debug)]
pub struct PreparedReceipt {
    path: Utf8PathBuf,
    file: durable::Prepared,
    text: Vec<u8>,
}

/// Writes the head, and the receipt beside its place. Nothing is durable before the file system is synced.
///
/// # Errors
/// When the file system refuses.
pub fn prepare(prefix: &Prefix, receipt: &Receipt, head: &[u8]) -> Result<PreparedReceipt, ReceiptError> {
    let (head_path, path) = (prefix.head(&receipt.package), prefix.receipt(&receipt.package));
    let failed = |path: &Utf8Path, source| ReceiptError::Write { path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|e| failed(directory, e))?;
    }
    // Without a receipt a head means nothing: one that a crash left is replaced.
    write_head(&head_path, head).map_err(|e| failed(&head_path, e))?;
    let text = serde_json::to_vec_pretty(receipt).map_err(|e| failed(&path, e.into()))?;
    let file = durable::Prepared::new(path.as_std_path(), 0o644, &text).map_err(|e| failed(&path, e))?;
    Ok(PreparedReceipt { path, file, text })
}

impl PreparedReceipt {
    /// Commits the installation, durably: from here on the package is installed. What was prepared must be durable.
    ///
    /// # Errors
    /// When the file system refuses; the package is then not installed.
    pub fn place(self) -> Result<(), ReceiptError> {
        let Self { path, file, text } = self;
        let placed = match file.place(Existing::Keep) {
            // Whoever removed another version of the package meanwhile took it for a leftover of a crash.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                durable::write(path.as_std_path(), 0o644, Existing::Keep, &text)
            }
            placed => placed,
        };
        placed.map_err(|source| ReceiptError::Write { path, source })
    }
}

fn write_head(path: &Utf8Path, head: &[u8]) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    // The umask has no say in the mode.
    file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.write_all(head)
}

/// Takes the receipt away, durably. From here on the package is not installed; its head still says what belongs to it.
///
/// # Errors
/// When the file system refuses; it can be repeated.
pub fn withdraw(prefix: &Prefix, package: &PackageCoordinate) -> Result<(), ReceiptError> {
    let receipt = prefix.receipt(package);
    match receipt.parent().filter(|directory| directory.exists()) {
        None => Ok(()),
        Some(directory) => remove_file(&receipt).and_then(|()| sync(directory)),
    }
}

/// Reads what belonged to a package whose receipt was withdrawn; `None` where its head is gone, too.
///
/// # Errors
/// When the head cannot be read.
pub fn withdrawn(prefix: &Prefix, package: &PackageCoordinate) -> Result<Option<Contents>, ReceiptError> {
    let path = prefix.head(package);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|source| ReceiptError::read(&path, source))?,
    };
    let mut reader = bytes.as_slice();
    let head = Head::read(&mut reader)
        .map_err(|e| ReceiptError::Head { path: path.clone(), source: Box::new(e) })?;
    let contents = head.without_trust().read_contents(&mut reader);
    contents.map(Some).map_err(|source| ReceiptError::Contents { path, source: Box::new(source) })
}

/// Takes the receipt away, then the head. From here on nothing says that the package was installed.
///
/// # Errors
/// When the file system refuses; it can be repeated.
pub fn forget(prefix: &Prefix, package: &PackageCoordinate) -> Result<(), ReceiptError> {
    let Some(directory) = prefix.receipt(package).parent().map(Utf8Path::to_owned) else { return Ok(()) };
    if !directory.exists() {
        return Ok(());
    }
    withdraw(prefix, package)?;
    remove_file(&prefix.head(package))?;
    remove_file(&prefix.stamps(package))?;
    remove_leftovers(&directory)?;
    for empty in directory.ancestors().take(2) {
        // Holds the receipts of other versions, or is gone: both are well.
        let _ = std::fs::remove_dir(empty);
    }
    Ok(())
}

fn read_head(path: &Utf8Path, receipt: &Receipt, reader: &mut impl io::Read) -> Result<Head, ReceiptError> {
    let head =
        Head::read(reader).map_err(|e| ReceiptError::Head { path: path.to_owned(), source: Box::new(e) })?;
    if head.digest() != receipt.digest {
        return Err(ReceiptError::Digest { path: path.to_owned(), package: receipt.package.clone() });
    }
    Ok(head)
}

/// Removes the temporary files of durable writes that were cut short.
fn remove_leftovers(directory: &Utf8Path) -> Result<(), ReceiptError> {
    let leftovers = names(directory)?.into_iter().filter(|name| name.starts_with(".tmp-"));
    leftovers.map(|name| directory.join(name)).try_for_each(|path| remove_file(&path))
}

fn remove_file(path: &Utf8Path) -> Result<(), ReceiptError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ReceiptError::Remove { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

fn sync(directory: &Utf8Path) -> Result<(), ReceiptError> {
    let synced = durable::sync_directory(directory.as_std_path());
    synced.map_err(|source| ReceiptError::Remove { path: directory.to_owned(), source })
}

/// Lists the names in a directory; none where there is no directory.
fn names(directory: &Utf8Path) -> Result<Vec<String>, ReceiptError> {
    names_in(directory).map_err(|source| ReceiptError::read(directory, source))
}
