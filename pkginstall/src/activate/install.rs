//! Installing one package: the whole sequence, with its way back.

use std::time::Duration;

use camino::Utf8Path;
use copkg_spec::archive::VerifiedIndex;
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use rustix::io::Errno;

use super::{Change, InstallError};
use crate::host::{self, Catalogue, HostError, Notice, OpenIntent, Prefix, Wait};
use crate::receipts::{self, PreparedReceipt, Receipt, stamps};
use crate::repository::VouchedBy;
use crate::stage::{Payload, Reuse, StagedPackage, stage};
use crate::tree::Directory;

/// The least time to wait for the catalogue once a package is staged: it is held for moments only, and the work is done.
const COMMIT_WAIT: Duration = Duration::from_secs(60);

/// What a file takes on disk beside its bytes, roughly: its inode and half a block.
const BYTES_PER_ENTRY: u64 = 3 << 10;

/// A package that is ready to be installed.
#[derive(Debug)]
pub struct Installation<'s> {
    /// The package.
    pub package: VerifiedIndex,
    /// Where it came from, for the receipt.
    pub source: String,
    /// Which metadata vouched for it, for the receipt.
    pub by: Option<VouchedBy>,
    /// What is there already.
    pub reuse: Reuse<'s>,
}

/// How an installation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// It was installed now.
    Now(Receipt),
    /// It was there before, or another command installed it meanwhile.
    Before(Receipt),
}

impl Installed {
    /// Returns the receipt.
    pub fn receipt(&self) -> &Receipt {
        match self {
            Self::Now(receipt) | Self::Before(receipt) => receipt,
        }
    }
}

/// Installs a package whose payload comes out of `payload`.
///
/// # Errors
/// When something else is in its place, the payload is not what was signed, or the disk refuses. The prefix is then as it
/// was before.
pub fn install(
    change: &mut Change<'_>,
    installation: Installation<'_>,
    payload: Payload<'_>,
) -> Result<Installed, InstallError> {
    let Installation { package, source, by, reuse } = installation;
    let coordinate = package.contents().manifest().coordinate();
    let (intent, staging) = match open(change, &package, &coordinate)? {
        Opened::Here(receipt) => return Ok(Installed::Before(*receipt)),
        Opened::Intent(intent, staging) => (intent, staging),
    };
    let identity = staging.identity()?;
    let staged = stage(package, payload, reuse, &staging).map_err(InstallError::from);
    let result = staged.and_then(|staged| {
        if let Some(why) = staged.patch_failed() {
            (change.tell)(Notice::PatchFailed { package: coordinate.clone(), why: why.to_owned() });
        }
        let (receipt, prepared) = prepare(change, &intent, &staged, (source, by))?;
        host::make_durable(change.prefix)?;
        commit(change, &intent, &coordinate, prepared)?;
        Ok(receipt)
    });
    match result {
        Ok(receipt) => {
            intent.close()?;
            Ok(Installed::Now(receipt))
        }
        Err(error) => {
            // Should this fail as well, the intent stays, and the next command recovers.
            let undone =
                Catalogue::lock(change.prefix, commit_wait(change.wait), change.tell).and_then(|_locked| {
                    host::undo_install(change.prefix, intent.id(), &coordinate, Some(identity))?;
                    intent.close()
                });
            drop(undone);
            Err(error)
        }
    }
}

/// Finds the package if it is installed already.
///
/// # Errors
/// When another package with this coordinate is installed: one whose digest is not `digest`.
pub fn find_installed(
    prefix: &Prefix,
    coordinate: &PackageCoordinate,
    digest: Digest,
) -> Result<Option<Receipt>, InstallError> {
    match receipts::read(prefix, coordinate)? {
        Some(receipt) if receipt.digest != digest => Err(InstallError::OtherDigest {
            package: coordinate.clone(),
            installed: receipt.digest,
            new: digest,
        }),
        found => Ok(found),
    }
}

enum Opened {
    Here(Box<Receipt>),
    Intent(OpenIntent, Directory),
}

/// Opens the intent, once nobody else works on this coordinate.
fn open(
    change: &mut Change<'_>,
    package: &VerifiedIndex,
    coordinate: &PackageCoordinate,
) -> Result<Opened, InstallError> {
    loop {
        let mut catalogue = Catalogue::lock(change.prefix, change.wait, change.tell)?;
        if let Some(receipt) = find_installed(change.prefix, coordinate, package.contents().digest())? {
            return Ok(Opened::Here(Box::new(receipt)));
        }
        if let Some(pending) = catalogue.pending(coordinate) {
            drop(catalogue);
            pending.wait(change.wait, change.tell)?;
            continue;
        }
        check_place(&catalogue, coordinate)?;
        check_space(&catalogue, package)?;
        let (intent, staging) = catalogue.open_install(coordinate, change.now)?;
        return Ok(Opened::Intent(intent, staging));
    }
}

/// Checks that nothing is where the package will be, above it or below it.
fn check_place(catalogue: &Catalogue<'_>, coordinate: &PackageCoordinate) -> Result<(), InstallError> {
    let prefix = catalogue.prefix();
    let installed = receipts::nearby(prefix, coordinate.group())?;
    for other in installed.iter().chain(catalogue.being_installed()) {
        coordinate.check_beside(other)?;
    }
    let path = prefix.install_dir(coordinate);
    if path.symlink_metadata().is_ok() {
        return Err(InstallError::Occupied { package: coordinate.clone(), path });
    }
    check_mount(prefix, coordinate, &path)
}

/// Checks that the place of the package can be reached from staging by a rename.
fn check_mount(prefix: &Prefix, package: &PackageCoordinate, place: &Utf8Path) -> Result<(), InstallError> {
    let staging = Directory::open(&prefix.staging())?;
    let Some(above) = place.ancestors().find(|path| path.is_dir()) else { return Ok(()) };
    if Directory::open(above)?.shares_mount_with(&staging)? {
        return Ok(());
    }
    Err(InstallError::Elsewhere { package: package.clone(), path: above.to_owned() })
}

/// Refuses before anything is fetched what cannot fit. The disk has the last word all the same.
pub(super) fn check_space(catalogue: &Catalogue<'_>, package: &VerifiedIndex) -> Result<(), InstallError> {
    let contents = package.contents();
    let counts = contents.manifest().counts();
    let entries = counts.files + counts.directories + counts.symlinks;
    let needed = counts.bytes.saturating_add(entries.saturating_mul(BYTES_PER_ENTRY));
    let path = catalogue.prefix().software();
    let free = Directory::open(&path)?.free_bytes()?;
    if free < needed {
        let package = contents.manifest().coordinate();
        return Err(InstallError::NoSpace { package, path, needed, free });
    }
    Ok(())
}

/// Writes the receipt beside its place and makes the directories above the package's, so that one `syncfs` has all of them and
/// the tree.
fn prepare(
    change: &mut Change<'_>,
    intent: &OpenIntent,
    staged: &StagedPackage,
    (source, by): (String, Option<VouchedBy>),
) -> Result<(Receipt, PreparedReceipt), InstallError> {
    let contents = staged.contents();
    let mut receipt = Receipt::new(contents, staged.signers(), source, change.now, intent.id().clone());
    receipt.vouched_by = by;
    let _locked = Catalogue::lock(change.prefix, commit_wait(change.wait), change.tell)?;
    host::make_parents(change.prefix, &receipt.package)?;
    let prepared = receipts::prepare(change.prefix, &receipt, contents.head_bytes())?;
    stamps::write(change.prefix, (&receipt.package, receipt.digest), staged.stamps());
    Ok((receipt, prepared))
}

/// Moves the staged tree and the receipt into their places; the receipt is what makes the package installed. Both are durable
/// already: what is left to wait for is the names.
fn commit(
    change: &mut Change<'_>,
    intent: &OpenIntent,
    package: &PackageCoordinate,
    prepared: PreparedReceipt,
) -> Result<(), InstallError> {
    let _locked = Catalogue::lock(change.prefix, commit_wait(change.wait), change.tell)?;
    let moved = host::put_in_place(change.prefix, intent.id(), package).map_err(|error| {
        let (package, path) = (package.clone(), change.prefix.install_dir(package));
        if host::is_occupied(&error) {
            InstallError::Occupied { package, path }
        } else if error.is(Errno::XDEV) {
            InstallError::Elsewhere { package, path }
        } else {
            error.into()
        }
    })?;
    prepared.place()?;
    // Nearly always the receipt has taken the other names with it to the disk.
    Ok(moved.sync()?)
}

fn commit_wait(wait: Wait) -> Wait {
    match wait {
        Wait::AtMost(limit) if limit > COMMIT_WAIT => wait,
        _ => Wait::AtMost(COMMIT_WAIT),
    }
}

impl From<HostError> for InstallError {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}
