//! Opening a patch: from what a repository offers to steps that fit the installed version and the one that is wanted.
//!
//! Comes after the new package's index is verified, before staging (`stage/patched.rs`), which does the steps. Whatever is wrong
//! here only means that the parts are fetched instead.

use copkg_spec::archive::Contents;
use copkg_spec::patch::{Patch, PatchError, PatchHead};
use copkg_spec::trust::Keyring;
use thiserror::Error;

use crate::fetch::{Span, Stream};
use crate::host::Prefix;
use crate::receipts::{self, Receipt, ReceiptError};
use crate::repository::{Candidate, Offer, SourceError};
use crate::tree::{Directory, TreeError};

/// A patch whose steps are known to fit, its data still to come.
#[derive(Debug)]
pub struct OpenPatch<'s> {
    pub(crate) patch: Patch,
    /// Stands where the data of the first step begins.
    pub(crate) data: Stream<'s>,
    /// The installed version that it is applied to.
    pub(crate) root: Directory,
    pub(crate) old: Contents,
    length: u64,
}

impl<'s> OpenPatch<'s> {
    /// Opens the patch that is offered, from the first copy that has it as it should be; nothing where a plain directory has
    /// none. `new` is the package that it makes.
    ///
    /// # Errors
    /// When no copy can be read, nobody vouches for it, or it does not fit.
    pub fn open(
        offer: &Offer<'s>,
        prefix: &Prefix,
        keyring: &Keyring,
        new: &Contents,
    ) -> Result<Option<Self>, OpenPatchError> {
        let mut failure = None;
        for candidate in &offer.candidates {
            match Self::open_copy(candidate, offer, (prefix, keyring), new) {
                Ok(open) => return Ok(Some(open)),
                Err(OpenPatchError::Source(error)) if error.is_not_found() && offer.vouched.is_none() => {}
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    fn open_copy(
        candidate: &Candidate<'s>,
        Offer { from, vouched, length, .. }: &Offer<'s>,
        (prefix, keyring): (&Prefix, &Keyring),
        new: &Contents,
    ) -> Result<Self, OpenPatchError> {
        let mut data = candidate.open(Span::HEAD)?;
        let head = PatchHead::read(&mut data.beyond())?;
        data.widen(head.data_offset());
        let verified = match vouched {
            Some(digest) => head.verify_vouched(*digest, keyring)?,
            None => head.verify(keyring)?,
        };
        let old = receipts::contents(prefix, from)?;
        let patch = verified.read(&mut data, &old, new)?;
        let root = Directory::open(&prefix.install_dir(&from.package))?;
        let expected = patch.file_length();
        let mut lengths = [*length, data.file_length()].into_iter().flatten();
        if let Some(found) = lengths.find(|found| *found != expected) {
            return Err(OpenPatchError::Length { found, expected });
        }
        let length = expected;
        data.rest();
        data.widen(length);
        Ok(Self { patch, data, root, old, length })
    }

    /// Returns how many bytes the whole file has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the package that it is applied to.
    pub fn from(&self) -> &Contents {
        &self.old
    }
}

/// Finds the receipts of the versions of `package` that were installed last, `most` of them.
pub fn installed_last(
    prefix: &Prefix,
    package: &copkg_spec::coordinate::PackageCoordinate,
    most: usize,
) -> Vec<Receipt> {
    let versions = receipts::versions(prefix, package).unwrap_or_default();
    let others = versions.into_iter().filter(|other| other != package);
    let mut found: Vec<Receipt> =
        others.filter_map(|other| receipts::read(prefix, &other).ok().flatten()).collect();
    found.sort_by_key(|receipt| std::cmp::Reverse(receipt.installed));
    found.truncate(most);
    found
}

/// Says why a patch is not used.
#[derive(Debug, Error)]
pub enum OpenPatchError {
    /// It cannot be fetched.
    #[error("it cannot be fetched: {0}")]
    Source(#[from] SourceError),
    /// It is refused.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// It is longer or shorter than its head says.
    #[error("it has {found} bytes, and its head says {expected}")]
    Length {
        /// Its length.
        found: u64,
        /// What follows from its head.
        expected: u64,
    },
    /// What is installed is not known well enough.
    #[error("what is installed is not known: {0}")]
    Receipt(#[from] ReceiptError),
    /// What is installed cannot be read.
    #[error("what is installed cannot be read: {0}")]
    Tree(#[from] TreeError),
}
