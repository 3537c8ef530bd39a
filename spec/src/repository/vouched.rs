//! What a repository vouches for: one package, by the digest of its manifest.
//!
//! Comes after the search in the repository's metadata and before the head of the package is verified. It is the second way
//! to [`crate::archive::VerifiedPackage`]; the first are the keys that a host pins itself.

use thiserror::Error;

use super::custom::{PackageCustom, PatchCustom};
use super::target::{PackageTarget, TargetFile};
use crate::command::{Exit, Explain};
use crate::digest::Digest;
use crate::tuf::{Role, TargetPath, VerifiedTarget};

/// A package that the metadata of a repository vouches for. Only a verified target becomes one:
///
/// ```
/// # use copkg_spec::{repository::VouchedPackage, tuf::VerifiedTarget};
/// fn believe(target: VerifiedTarget) -> VouchedPackage {
///     VouchedPackage::by(target).unwrap()
/// }
/// ```
///
/// and not what somebody says of a path:
///
/// ```compile_fail
/// # use copkg_spec::{repository::VouchedPackage, tuf::{Target, TargetPath}};
/// fn believe(path: TargetPath, target: Target) -> VouchedPackage {
///     VouchedPackage::by((path, target)).unwrap()
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VouchedPackage {
    target: VerifiedTarget,
    package: PackageTarget,
    custom: PackageCustom,
}

impl VouchedPackage {
    /// Reads which package the target is.
    ///
    /// # Errors
    /// When it is none, or the repository does not say so.
    pub fn by(target: VerifiedTarget) -> Result<Self, VouchError> {
        let refused = |why: String| {
            let (path, role) = (target.path().clone(), target.role().clone());
            VouchError { path, role, why }
        };
        let file = TargetFile::parse(target.path()).map_err(|error| refused(error.to_string()))?;
        let custom = PackageCustom::of(target.target()).map_err(|error| refused(error.to_string()))?;
        match file {
            TargetFile::Package(package) if package.platform == custom.platform => {
                Ok(Self { target, package, custom })
            }
            TargetFile::Package(_) => Err(refused(format!("it is said to be for {}", custom.platform))),
            TargetFile::Patch(_) => Err(refused("it is a patch".to_owned())),
        }
    }

    /// Returns the coordinate and the platform.
    pub fn package(&self) -> &PackageTarget {
        &self.package
    }

    /// Returns the digest of the package: that of its manifest.
    pub fn digest(&self) -> Digest {
        self.custom.digest
    }

    /// Returns why its publisher withdrew it, if that is so.
    pub fn yanked(&self) -> Option<&str> {
        self.custom.yanked.as_deref()
    }

    /// Returns the role that vouches for it.
    pub fn role(&self) -> &Role {
        self.target.role()
    }

    /// Returns the target: its path, its length and where it lies.
    pub fn target(&self) -> &VerifiedTarget {
        &self.target
    }
}

/// A patch that the metadata of a repository vouches for, by the digest of its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VouchedPatch {
    target: VerifiedTarget,
    custom: PatchCustom,
}

impl VouchedPatch {
    /// Reads which patch the target is; nothing where it is none, or what is said of it does not go with its name.
    pub fn by(target: VerifiedTarget) -> Option<Self> {
        let Ok(TargetFile::Patch(patch)) = TargetFile::parse(target.path()) else { return None };
        let custom = PatchCustom::of(target.target()).ok()?;
        (custom.platform == patch.package.platform).then_some(Self { target, custom })
    }

    /// Returns what the repository says of it.
    pub fn custom(&self) -> &PatchCustom {
        &self.custom
    }

    /// Returns the target: its path, its length and where it lies.
    pub fn target(&self) -> &VerifiedTarget {
        &self.target
    }
}

/// Says that a target is no package that the repository vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the {role} metadata of the repository does not vouch for a package at {path}: {why}")]
pub struct VouchError {
    /// The path.
    pub path: TargetPath,
    /// The role that names it.
    pub role: Role,
    /// Why.
    pub why: String,
}

impl Explain for VouchError {
    fn exit(&self) -> Exit {
        Exit::Trust
    }

    fn code(&self) -> &'static str {
        "not_a_package_target"
    }

    fn hint(&self) -> Option<String> {
        Some("it was not published by `pkgbuild`: tell its publisher".to_owned())
    }
}
