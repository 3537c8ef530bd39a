//! Patches that lead from an installed version to one that is wanted: where they lie, and who vouches for them.
//!
//! Comes after a name is resolved. Nothing of a patch is fetched here: what a repository with metadata offers is known from it, and
//! in a plain directory it is found out when it is opened.

use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::repository::{PackageTarget, PatchTarget, VouchedPatch};

use super::resolve::Resolver;
use super::resolved::{Candidate, Resolved, Vouched};
use crate::receipts::Receipt;

/// A patch that a repository offers, or may offer.
#[derive(Debug)]
pub struct Offer<'s> {
    /// The installed package that it is applied to.
    pub from: Receipt,
    /// The digest of its head, where a repository vouches for it; else keys that are pinned for the group must.
    pub vouched: Option<Digest>,
    /// Bytes of the file, where that is known.
    pub length: Option<u64>,
    /// The copies of the file, in the order in which they are asked.
    pub candidates: Vec<Candidate<'s>>,
}

impl<'s> Resolver<'s, '_> {
    /// Finds the patches from `installed` versions to what a name leads to.
    pub fn offers(&mut self, resolved: &Resolved<'s>, installed: Vec<Receipt>) -> Vec<Offer<'s>> {
        let fits = |receipt: &Receipt| {
            receipt.platform == resolved.platform && is_other_version(&receipt.package, &resolved.coordinate)
        };
        let installed = installed.into_iter().filter(fits);
        installed.filter_map(|from| self.offer(resolved, from)).collect()
    }

    fn offer(&mut self, resolved: &Resolved<'s>, from: Receipt) -> Option<Offer<'s>> {
        let source = resolved.candidates.first()?.source;
        let Resolved { coordinate, platform, .. } = resolved;
        let package = PackageTarget { coordinate: coordinate.clone(), platform: platform.clone() };
        let place = PatchTarget { package, from: from.package.version().clone() }.path();
        let Vouched::Repository(vouched) = &resolved.vouched else {
            let candidates = self.candidates(source, place.as_str());
            return Some(Offer { from, vouched: None, length: None, candidates });
        };
        // A patch saves bytes and nothing more: what is wrong with it is no reason not to install.
        let (tell, session) = self.session(source).ok()?;
        let patch = VouchedPatch::by(session.find(&place, tell).ok()??)?;
        let custom = patch.custom();
        if custom.from != from.digest || custom.to != vouched.digest() {
            return None;
        }
        let candidates = self.candidates(source, patch.target().location()?);
        let (vouched, length) = (Some(custom.digest), Some(patch.target().target().length));
        Some(Offer { from, vouched, length, candidates })
    }
}

fn is_other_version(installed: &PackageCoordinate, wanted: &PackageCoordinate) -> bool {
    installed.group() == wanted.group() && installed.id() == wanted.id() && installed != wanted
}
