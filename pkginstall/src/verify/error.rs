//! What can be wrong with a package before anything of it is written.

use std::error::Error;

use copkg_spec::archive::{HeadError, VerifyError};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::keys::KeyId;
use copkg_spec::platform::Platform;
use copkg_spec::trust::TrustError;
use thiserror::Error;

use crate::fetch::FetchError;

/// Says why a package is not installed.
#[derive(Debug, Error)]
pub enum PackageError {
    /// The stream does not begin as a package does.
    #[error("{place} is not a package that can be read")]
    Head {
        /// The URL or path.
        place: String,
        /// Why.
        #[source]
        source: Box<HeadError>,
    },
    /// It is another package than the one at this place must be.
    #[error("{place} is {found}, not {expected}")]
    Another {
        /// The URL or path.
        place: String,
        /// What must be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// It is for another machine.
    #[error("{package} is for {platform}, this host is {host}")]
    Platform {
        /// The package.
        package: PackageCoordinate,
        /// Its platform.
        platform: Platform,
        /// Ours.
        host: Platform,
    },
    /// Nobody whom we trust vouches for it.
    #[error("{package} is not trusted")]
    Trust {
        /// The package.
        package: PackageCoordinate,
        /// The keys that signed it and are not pinned.
        unknown: Vec<KeyId>,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// It is not what was signed, or breaks the archive policy.
    #[error("{package} is not what its manifest says")]
    Contents {
        /// The package.
        package: PackageCoordinate,
        /// Why.
        #[source]
        source: Box<VerifyError>,
    },
}

impl PackageError {
    fn fetch(&self) -> Option<&FetchError> {
        FetchError::inside(self.source()?)
    }
}

impl Explain for PackageError {
    fn exit(&self) -> Exit {
        match (self.fetch(), self) {
            (Some(fetch), _) => fetch.exit(),
            (None, Self::Head { source, .. }) => source.exit(),
            (None, Self::Contents { source, .. }) => source.exit(),
            (None, Self::Platform { .. }) => Exit::Failure,
            (None, Self::Another { .. } | Self::Trust { .. }) => Exit::Trust,
        }
    }

    fn code(&self) -> &'static str {
        match (self.fetch(), self) {
            (Some(fetch), _) => fetch.code(),
            (None, Self::Head { source, .. }) => source.code(),
            (None, Self::Contents { source, .. }) => source.code(),
            (None, Self::Platform { .. }) => "wrong_platform",
            (None, Self::Another { .. }) => "wrong_package",
            (None, Self::Trust { source, .. }) => source.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match (self.fetch(), self) {
            (Some(fetch), _) => fetch.hint(),
            (None, Self::Head { source, .. }) => source.hint(),
            (None, Self::Contents { source, .. }) => source.hint(),
            (None, Self::Platform { .. }) => Some("build it for this platform, or for `any`".into()),
            (None, Self::Another { .. }) => {
                Some("the repository is not what it should be: tell its owner".into())
            }
            (None, Self::Trust { package, unknown, source }) => Some(trust_hint(package, unknown, source)),
        }
    }
}

/// Says how to come to trust a package, in the words of the command line.
fn trust_hint(package: &PackageCoordinate, unknown: &[KeyId], error: &TrustError) -> String {
    let group = package.group();
    match (error, unknown) {
        (TrustError::WrongSignature { .. }, _) => {
            "somebody changed the package after it was signed: do not install it, and tell its publisher"
                .into()
        }
        (TrustError::NotVouched { .. }, _) => error.hint().unwrap_or_default(),
        (_, []) => "its publisher must sign it with more of the keys that are pinned: `pkgbuild sign`".into(),
        (_, keys) => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            format!(
                "it is signed by {}; if its publisher tells you that this is their key, run: pkginstall trust add {group} \
                 KEY.pub",
                keys.join(" and ")
            )
        }
    }
}
