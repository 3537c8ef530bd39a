//! The cheapest way to a package: by a patch where one costs less than the parts that the host does not have.

use copkg_spec::archive::Contents;
use copkg_spec::trust::Keyring;

use super::Context;
use crate::host::Prefix;
use crate::patch::OpenPatch;
use crate::repository::Offer;
use crate::stage::{Donors, Plan};

/// What a request costs beside its bytes, in bytes: as much as two parts may be apart that are fetched in one.
const REQUEST: u64 = 16 << 10;
/// How many requests a patch takes: its head, and the rest.
const PATCH_REQUESTS: u64 = 2;

/// Opens the cheapest patch of `offers` that costs less than the parts of `new` that `donors` do not have. One that cannot be
/// used is passed over, and said so.
pub(super) fn cheapest<'s>(
    context: &mut Context,
    offers: &[Offer<'s>],
    (prefix, keyring): (&Prefix, &Keyring),
    new: &Contents,
    donors: &Donors,
) -> Option<Box<OpenPatch<'s>>> {
    if offers.is_empty() {
        return None;
    }
    let parts = Plan::new(new.index(), donors).summary();
    let parts = parts.fetch_bytes + parts.requests as u64 * REQUEST;
    let is_cheaper = |length: u64| length + PATCH_REQUESTS * REQUEST < parts;
    let mut wanted: Vec<&Offer<'s>> =
        offers.iter().filter(|offer| is_cheaper(offer.length.unwrap_or_default())).collect();
    wanted.sort_by_key(|offer| offer.length);
    for offer in wanted {
        match OpenPatch::open(offer, prefix, keyring, new) {
            // Of one in a plain directory the length is known only now.
            Ok(Some(patch)) if is_cheaper(patch.length()) => return Some(Box::new(patch)),
            Ok(_) => {}
            Err(error) => {
                let (from, to) = (&offer.from.package, new.manifest().coordinate());
                context.report.warn(format!("the patch from {from} to {to} is not used: {error}"));
            }
        }
    }
    None
}
