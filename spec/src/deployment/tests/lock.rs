//! The lock: written, read, refused.

use std::fmt::Write as _;

use super::*;
use crate::command::Failure;
use crate::digest::Digest;
use crate::platform::Platform;

fn reference(choice: PackageChoice) -> PackageReference {
    PackageReference { group: "com.example".parse().unwrap(), id: "web".parse().unwrap(), choice }
}

fn package(version: &str) -> LockedPackage {
    let native: Platform = "x86_64-linux".parse().unwrap();
    let digests = [(native, Digest::of(b"native")), (Platform::Any, Digest::of(b"any"))];
    LockedPackage { version: version.parse().unwrap(), digests: digests.into_iter().collect() }
}

fn lock() -> Lock {
    let mut lock = Lock::default();
    lock.insert(reference(PackageChoice::Version("1.0".parse().unwrap())), package("1.0"));
    lock.insert(reference(PackageChoice::Channel("stable".parse().unwrap())), package("1.1"));
    lock.insert(reference(PackageChoice::Follow(None)), package("1.2"));
    lock
}

#[test]
fn a_lock_is_read_as_it_was_written() {
    let text = lock().to_text().unwrap();
    insta::assert_snapshot!(text);
    assert_eq!(Lock::parse(&text).unwrap(), lock());
}

#[test]
fn a_package_that_is_followed_is_not_locked() {
    assert_eq!(lock().iter().count(), 2);
    assert_eq!(lock().get(&reference(PackageChoice::Follow(None))), None);
}

#[test]
fn a_host_takes_the_file_of_its_platform_else_that_for_any() {
    let package = package("1.0");
    let digest = |platform: &str| package.for_host(&platform.parse().unwrap()).unwrap().1;
    assert_eq!(digest("x86_64-linux"), Digest::of(b"native"));
    assert_eq!(digest("aarch64-linux"), Digest::of(b"any"));
}

#[test]
fn what_is_no_lock_is_refused() {
    let entry = "[[package]]\ngroup = \"a\"\nid = \"b\"\nversion = \"1\"\n";
    let digest = format!("digests = {{ any = \"{}\" }}\n", Digest::of(b""));
    let mut all = String::new();
    for text in [
        "version = 2".to_owned(),
        "version = 1\nmore = 1".to_owned(),
        format!("version = 1\n{entry}digests = {{}}"),
        format!("version = 1\n{entry}{digest}{entry}{digest}"),
    ] {
        let _ = writeln!(all, "{}\n", Failure::of(&Lock::parse(&text).unwrap_err()));
    }
    insta::assert_snapshot!(all);
}
