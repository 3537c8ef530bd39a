//! The patches of a file: what a host that has an older version fetches in its place.

use crate::overview::{FileOf, PatchOf};
use crate::pages::text::size;

/// One patch.
pub(super) struct Patch {
    pub(super) from: String,
    pub(super) link: String,
    pub(super) size: String,
    pub(super) share: String,
}

/// Describes the patches to `file`.
pub(super) fn shown(patches: &[PatchOf], file: &FileOf) -> Vec<Patch> {
    let shown = |patch: &PatchOf| Patch {
        from: patch.from().to_string(),
        link: patch.link(),
        size: size(patch.length),
        share: share(patch.length, file.length),
    };
    patches.iter().map(shown).collect()
}

/// Says how large a part is of the whole, in per cent with one digit behind the point.
fn share(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    match tenths {
        0 => "below 0.1 %".to_owned(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_share_has_one_digit_behind_the_point() {
        let cases = [(0, 5), (1, 100_000), (9, 1000), (123, 1000), (5, 0)];
        let said = cases.map(|(part, whole)| share(part, whole));
        assert_eq!(said, ["below 0.1 %", "below 0.1 %", "0.9 %", "12.3 %", "500.0 %"]);
    }
}
