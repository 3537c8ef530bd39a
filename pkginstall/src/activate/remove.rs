//! Removing one package: the receipt goes first, so that a half-removed package is never taken for an installed one.
//!
//! What lies in its tree and is not the package's is never deleted: see `host::ForeignFiles`.

use copkg_spec::command::Failure;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};

use super::{Change, RemoveError};
use crate::host::{self, Catalogue, ForeignFiles};
use crate::receipts::{self, ReceiptError};
use crate::stage::SharedFiles;

/// Whether a package is removed while services run from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InUse {
    /// It is refused.
    Refuse,
    /// It is removed all the same. The services are not touched: they run on, from files that have no name any more.
    RemoveAnyway,
}

/// How a removal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// It was removed now.
    Now {
        /// What lay in it and was not the package's.
        set_aside: Option<ForeignFiles>,
    },
    /// Another command removed it meanwhile.
    Before,
}

/// Removes an installed package. `running` finds the services that run from it; it is asked with the catalogue locked.
///
/// # Errors
/// When it is not installed, a service runs from it, or the disk refuses. Once the removal has begun, a failure leaves
/// the rest of it to the next command.
pub fn remove(
    change: &mut Change<'_>,
    coordinate: &PackageCoordinate,
    in_use: InUse,
    running: impl Fn(&PackageCoordinate) -> Result<Vec<ServiceCoordinate>, Failure>,
) -> Result<Removal, RemoveError> {
    let mut waited = false;
    loop {
        let mut catalogue = Catalogue::lock(change.prefix, change.wait, change.tell)?;
        if let Some(pending) = catalogue.pending(coordinate) {
            drop(catalogue);
            pending.wait(change.wait, change.tell)?;
            waited = true;
            continue;
        }
        match receipts::require(change.prefix, coordinate) {
            Err(ReceiptError::NotInstalled { .. }) if waited => return Ok(Removal::Before),
            Err(error @ ReceiptError::NotInstalled { .. }) => return Err(error.into()),
            // A damaged receipt is no reason to keep the package.
            Ok(_) | Err(_) => {}
        }
        let services = running(coordinate).map_err(RemoveError::Services)?;
        if !services.is_empty() && in_use == InUse::Refuse {
            return Err(RemoveError::InUse { package: coordinate.clone(), services });
        }
        let shared = SharedFiles::of(change.prefix, coordinate);
        let intent = catalogue.open_removal(coordinate, change.now)?;
        let set_aside = host::take_away(change.prefix, intent.id(), coordinate)?;
        // It is gone for everybody now; deleting the files may take a while and hinders nobody.
        drop(catalogue);
        let Err(source) = host::delete_staged(change.prefix, intent.id()) else {
            intent.close()?;
            if !shared.is_empty() {
                // Without it the next version reads what this one and another had in common.
                let locked = Catalogue::lock(change.prefix, change.wait, change.tell);
                drop(locked.map(|_locked| shared.renew(change.prefix)));
            }
            return Ok(Removal::Now { set_aside });
        };
        // Nothing was set aside then: that takes the whole tree out of staging.
        let path = change.prefix.staging().join(intent.id().as_str());
        // Whoever recovers it now sets the files aside and writes down that they are stuck.
        drop(intent);
        Catalogue::lock(change.prefix, change.wait, &mut |_| {})?;
        return Err(RemoveError::FilesLeft { package: coordinate.clone(), path, source });
    }
}
