//! Says what is wrong with a tar header that is not the one that must stand there.
//!
//! Nothing is accepted here: the header has been refused already, and this names the rule for the user.

use tar::Header;

use super::tar_header::BLOCK;
use crate::policy::{Refused, Rule};

/// Names the rule that `found` breaks, where it is a tar header at all and `expected` is what must stand there.
pub(super) fn header(found: &[u8; BLOCK], expected: &[u8]) -> Option<Refused> {
    let found = parse(found)?;
    let expected = expected.last_chunk::<BLOCK>().and_then(parse)?;
    let name = found.path_bytes().into_owned();
    Some(Refused::new(name, rule(&found, &expected)))
}

/// Returns a header whose checksum holds.
fn parse(block: &[u8; BLOCK]) -> Option<Header> {
    let mut header = Header::new_old();
    header.as_mut_bytes().copy_from_slice(block);
    let stored = header.cksum().ok()?;
    header.set_cksum();
    (header.cksum().ok()? == stored && block.iter().any(|&byte| byte != 0)).then(|| {
        header.as_mut_bytes().copy_from_slice(block);
        header
    })
}

fn rule(found: &Header, expected: &Header) -> Rule {
    if found.as_old().linkflag != expected.as_old().linkflag
        && let Some(rule) = rule_of_type(found)
    {
        return rule;
    }
    if found.as_ustar().is_none() {
        return Rule::NotUstar;
    }
    let mode = found.mode().unwrap_or(0);
    if mode & 0o7000 != 0 {
        return Rule::SpecialBits(format!("{mode:04o}"));
    }
    if found.entry_size().is_err() || found.as_old().size[0] & 0x80 != 0 {
        return Rule::Size;
    }
    if found.uid().unwrap_or(1) != 0 || found.gid().unwrap_or(1) != 0 || names_an_owner(found) {
        return Rule::Owner;
    }
    rule_of_difference(found, expected)
}

fn rule_of_type(found: &Header) -> Option<Rule> {
    match found.as_old().linkflag[0] {
        b'0' | b'2' | b'5' | b'7' | b'x' => None,
        0 => Some(Rule::NotUstar),
        b'1' => Some(Rule::HardLink),
        b'3' | b'4' => Some(Rule::Device),
        b'6' => Some(Rule::Fifo),
        b'g' => Some(Rule::GlobalHeader),
        b'L' | b'K' => Some(Rule::GnuLongName),
        b'S' => Some(Rule::Sparse),
        other => Some(Rule::UnknownType(char::from(other).escape_default().to_string())),
    }
}

fn names_an_owner(found: &Header) -> bool {
    let named = |name: Option<&[u8]>| name.is_some_and(|name| !name.is_empty());
    named(found.username_bytes()) || named(found.groupname_bytes())
}

fn rule_of_difference(found: &Header, expected: &Header) -> Rule {
    if found.entry_type().is_pax_local_extensions() != expected.entry_type().is_pax_local_extensions() {
        return Rule::Pax("it extends nothing, or hides another name");
    }
    if found.as_old().name != expected.as_old().name || found.path_bytes() != expected.path_bytes() {
        return Rule::Disagrees("path");
    }
    let differs = |a: &[u8], b: &[u8]| a != b;
    let (found, expected) = (found.as_old(), expected.as_old());
    if differs(&found.linkflag, &expected.linkflag) {
        return Rule::Disagrees("type");
    }
    if differs(&found.linkname, &expected.linkname) {
        return Rule::Disagrees("link target");
    }
    if differs(&found.size, &expected.size) {
        return Rule::Disagrees("size");
    }
    if differs(&found.mode, &expected.mode) {
        return Rule::Disagrees("mode");
    }
    Rule::Disagrees("header")
}
