//! Repairing one package: a whole tree is staged from what is sound here and what is fetched, and changes places with the
//! damaged one in one rename.
//!
//! Services may run meanwhile: what they have open stays theirs, and every path leads to a whole tree before and after. The
//! receipt stays as it is. What a crash leaves behind is one whole tree in place and one in staging, which recovery deletes.

use copkg_spec::coordinate::PackageCoordinate;

use super::install::check_space;
use super::{Change, InstallError, Installation};
use crate::host::{self, Catalogue, OpenIntent};
use crate::receipts::{self, ReceiptError, stamps};
use crate::stage::{Payload, stage};
use crate::tree::{Directory, TreeError};

/// Replaces the tree of an installed package by a whole one. Its payload comes out of `payload`.
///
/// # Errors
/// When it is not installed, or from other bytes than these; when the payload is not what was signed, or the disk refuses.
/// The damaged tree is then in its place as it was.
pub fn repair(
    change: &mut Change<'_>,
    installation: Installation<'_>,
    payload: Payload<'_>,
) -> Result<(), InstallError> {
    let Installation { package, reuse, .. } = installation;
    let coordinate = package.contents().manifest().coordinate();
    let digest = package.contents().digest();
    let (intent, staging) = loop {
        let mut catalogue = Catalogue::lock(change.prefix, change.wait, change.tell)?;
        let receipt = receipts::read(change.prefix, &coordinate)?;
        let receipt = receipt.ok_or_else(|| ReceiptError::NotInstalled { package: coordinate.clone() })?;
        if receipt.digest != digest {
            let (package, installed) = (coordinate, receipt.digest);
            return Err(InstallError::OtherDigest { package, installed, new: digest });
        }
        if let Some(pending) = catalogue.pending(&coordinate) {
            drop(catalogue);
            pending.wait(change.wait, change.tell)?;
            continue;
        }
        check_space(&catalogue, &package)?;
        break catalogue.open_repair(&coordinate, change.now)?;
    };
    let staged = stage(package, payload, reuse, &staging).map_err(InstallError::from);
    let replaced = staged.and_then(|staged| {
        stamps::write(change.prefix, (&coordinate, digest), staged.stamps());
        replace(change, &intent, &coordinate)
    });
    // The staged tree, or the damaged one: whatever fails here is left to the next command.
    let swept = host::delete_staged(change.prefix, intent.id()).and_then(|()| intent.close());
    replaced?;
    Ok(swept?)
}

/// Lets the staged tree and the one in place change places, and makes that durable before the old one is deleted.
fn replace(
    change: &mut Change<'_>,
    intent: &OpenIntent,
    package: &PackageCoordinate,
) -> Result<(), InstallError> {
    host::make_durable(change.prefix)?;
    let _locked = Catalogue::lock(change.prefix, change.wait, change.tell)?;
    let above = host::make_parents(change.prefix, package)?;
    let staging = Directory::open(&change.prefix.staging())?;
    if let Some(parent) = above.last() {
        let version = package.version().as_str();
        match parent.look(version)? {
            Some(_) => {
                // Its owner could not move a directory that is read-only.
                if_directory(parent.open_to_change(version))?;
                staging.exchange(intent.id().as_str(), parent, version)?;
            }
            None => staging.rename(intent.id().as_str(), parent, version)?,
        }
        parent.child(version)?.make_read_only()?;
    }
    staging.sync()?;
    Ok(above.iter().rev().try_for_each(Directory::sync)?)
}

/// Whatever else than a directory is in the place goes as it is.
fn if_directory(opened: Result<Directory, TreeError>) -> Result<(), TreeError> {
    match opened {
        Err(error) if !error.is_not_a_directory() => Err(error),
        _ => Ok(()),
    }
}
