//! Hostile archives: every row of the archive policy, refused by the reader, by `publish` and by `install`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod craft;
mod memory;
mod programs;
mod readers;
mod vectors;

use std::convert::Infallible;

use copkg_spec::archive::{Discard, Head, VerifiedIndex};

/// Reads a whole archive and returns what refuses it, with every cause.
fn read(mut bytes: &[u8]) -> Result<(), String> {
    let index = read_head(&mut bytes)?;
    let unpacker = index.contents().unpacker().map_err(|error| describe(&error))?;
    unpacker.unpack(&mut bytes, &mut Discard::<Infallible>::default()).map_err(|error| describe(&error))
}

/// Reads all of an archive but its payload.
fn read_head(bytes: &mut &[u8]) -> Result<VerifiedIndex, String> {
    let head = Head::read(bytes).map_err(|error| describe(&error))?;
    let package = head.verify(&craft::keyring()).map_err(|error| describe(&error))?;
    package.read_index(bytes).map_err(|error| describe(&error))
}

fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[test]
fn the_crafted_archive_is_accepted_when_nothing_is_bent() {
    let entries =
        vec![craft::dir("d"), craft::file("d/f", b"x"), craft::link("l", "d/f"), craft::file("z", b"")];
    let payload = craft::Tar::default().dir("d").file("d/f", b"x").link("l", "d/f").file("z", b"").end();
    read(&craft::Package::new(entries, payload).build()).unwrap();
}

#[test]
fn a_newer_minor_version_is_read_and_what_is_not_known_is_ignored() {
    let mut entry = craft::file("a", b"x");
    entry["colour"] = "red".into();
    let mut package = craft::Package::new(vec![entry], craft::Tar::default().file("a", b"x").end());
    package.manifest = |manifest| {
        manifest["format"]["minor"] = 7.into();
        manifest["mood"] = "good".into();
        manifest["about"]["motto"] = "onwards".into();
    };
    read(&package.build()).unwrap();
}

#[test]
fn every_row_of_the_policy_is_refused_by_the_reader() {
    let vectors = vectors::all();
    let wrong: Vec<String> = vectors
        .iter()
        .filter_map(|vector| match read(&vector.bytes) {
            Err(why) if why.contains(vector.refused_for) => None,
            Err(why) => Some(format!("{}: refused for {why:?}, not {:?}", vector.name, vector.refused_for)),
            Ok(()) => Some(format!("{}: accepted", vector.name)),
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
    assert!(vectors.len() >= 260, "{} vectors", vectors.len());
}
