//! Verification: from bytes that say who they are to a package that may be installed.
//!
//! Comes after fetching and before staging. The rules are in `copkg_spec::archive`; this file asks for them in order,
//! on the stream itself, so that nothing is kept before it is believed:
//!
//! stream → [`Head`] → the package that was asked for → [`VerifiedIndex`]

mod error;

pub use error::PackageError;

use std::io::Read;

use copkg_spec::archive::{Head, VerifiedIndex};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::keys::{KeyId, PublicKey};
use copkg_spec::platform::Platform;
use copkg_spec::trust::Keyring;

use crate::repository::Vouched;

/// What must come out of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// The file of a coordinate for a platform, as a repository has it at its place.
    Exactly {
        /// The coordinate.
        package: PackageCoordinate,
        /// The platform.
        platform: Platform,
    },
    /// Any package that runs on this host.
    RunsOn(Platform),
}

/// Reads the head of the package that `place` names.
///
/// # Errors
/// When it is no package, or another one than expected.
pub fn read_head(stream: &mut impl Read, place: &str, expected: &Expected) -> Result<Head, PackageError> {
    let head = Head::read(stream)
        .map_err(|source| PackageError::Head { place: place.to_owned(), source: Box::new(source) })?;
    let manifest = head.unverified_manifest();
    let (found, platform) = (manifest.coordinate(), manifest.platform().clone());
    match expected {
        Expected::Exactly { package, platform: wanted } if found != *package || platform != *wanted => {
            Err(PackageError::Another {
                place: place.to_owned(),
                expected: format!("{package} for {wanted}"),
                found: format!("{found} for {platform}"),
            })
        }
        Expected::RunsOn(host) if !platform.runs_on(host) => {
            Err(PackageError::Platform { package: found, platform, host: host.clone() })
        }
        _ => Ok(head),
    }
}

/// Checks who vouches for the package, and its index: what comes of it may be staged.
///
/// # Errors
/// When the repository vouches for another package, too few pinned keys signed, or the index is not the signed one or breaks
/// the archive policy.
pub fn verify(
    head: Head,
    stream: &mut impl Read,
    vouched: &Vouched,
    keyring: &Keyring,
) -> Result<VerifiedIndex, PackageError> {
    let package = head.unverified_manifest().coordinate();
    let pinned: Vec<KeyId> =
        keyring.pin_of(package.group()).into_iter().flat_map(|pin| &pin.keys).map(PublicKey::id).collect();
    let signers = head.signatures().iter().map(|signature| *signature.key());
    let unknown = signers.filter(|key| !pinned.contains(key)).collect();
    let verified = match vouched {
        Vouched::Repository(vouched) => head.verify_vouched(vouched, keyring),
        Vouched::Pins => head.verify(keyring),
    };
    let verified =
        verified.map_err(|source| PackageError::Trust { package: package.clone(), unknown, source })?;
    verified.read_index(stream).map_err(|source| PackageError::Contents { package, source: Box::new(source) })
}
