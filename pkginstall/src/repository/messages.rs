//! What a host's owner reads when a repository cannot be asked, or is not believed: each failure of a name that leads to no package.

use std::io;
use std::time::Duration;

use copkg_spec::command::{Explain, Failure};
use copkg_spec::digest::Digest;
use copkg_spec::tuf::{Role, Rule, TufError};

use super::{LockFileError, RepositoryError, ResolveError, Wanted};
use crate::fetch::{Attempt, FetchError};
use crate::trust::RootError;

/// Writes each failure as it is shown, with its code and its exit code.
fn told(failures: &[&dyn Explain]) -> String {
    let tell = |error: &&dyn Explain| {
        let failure = Failure::of(*error);
        format!("{failure} [{}, {}]", failure.code, failure.exit.code())
    };
    failures.iter().map(tell).collect::<Vec<_>>().join("\n\n")
}

fn io_error(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

fn wanted() -> Wanted {
    "com.example:web@stable".parse().unwrap()
}

const URL: &str = "https://packages.example.com/metadata/timestamp.json";

#[test]
fn each_name_that_leads_nowhere_is_explained() {
    let package = || "com.example:web:1.0.0".parse().unwrap();
    let place = || "https://packages.example.com".to_owned();
    let failures: [&dyn Explain; 14] = [
        &RepositoryError::Malformed {
            url: "ftp://x".into(),
            why: "\"ftp\" is not http, https or file".into(),
        },
        &RepositoryError::CredentialsInUrl { url: "https://…@x".into() },
        &RepositoryError::NoRepository { group: "com.example".parse().unwrap() },
        &RepositoryError::NotFound { package: wanted(), asked: vec![place()] },
        &RepositoryError::Witnesses { why: "none is named".into() },
        &RepositoryError::Credentials {
            name: "main".into(),
            from: "/token".into(),
            source: io_error(io::ErrorKind::NotFound),
        },
        &ResolveError::NotPinned { name: "main".into(), place: place() },
        &ResolveError::NothingListed { wanted: wanted(), place: "/srv/plain".into() },
        &ResolveError::NoVersion { wanted: wanted(), channels: Vec::new() },
        &ResolveError::NoVersion { wanted: wanted(), channels: vec!["beta".parse().unwrap()] },
        &ResolveError::Yanked { wanted: wanted(), package: package(), reason: "loses \u{1b}data".into() },
        &ResolveError::NoPlatform {
            wanted: wanted(),
            package: package(),
            platform: "x86_64-linux".parse().unwrap(),
        },
        &ResolveError::Outside { path: "95/com.example/web/1/web-1-any.copkg".parse().unwrap() },
        &ResolveError::Offline { place: place() },
    ];
    insta::assert_snapshot!(told(&failures));
}

#[test]
fn each_file_that_does_not_come_is_explained() {
    let place = || URL.to_owned();
    let second = Duration::from_secs(1);
    let failures: [&dyn Explain; 11] = [
        &FetchError::NotFound { place: place() },
        &FetchError::Unauthorized { place: place(), status: "401 Unauthorized".into() },
        &FetchError::Refused { place: place(), status: "418 I'm a teapot".into() },
        &FetchError::GaveUp {
            place: place(),
            attempts: 6,
            source: Box::new(Attempt::Status("503 Service Unavailable".into())),
        },
        &FetchError::GaveUp {
            place: place(),
            attempts: 6,
            source: Box::new(Attempt::Short { got: 5, expected: 11 }),
        },
        &FetchError::Later { place: place(), wait: 90 * second },
        &FetchError::TooSlow { place: place(), least: 4096, window: 30 * second },
        &FetchError::Changed { place: place() },
        &FetchError::File { path: "/srv/repo/x".into(), source: io_error(io::ErrorKind::PermissionDenied) },
        &FetchError::Client { why: "no memory".into() },
        &FetchError::Credentials { from: "$TOKEN".into(), source: io_error(io::ErrorKind::NotFound) },
    ];
    insta::assert_snapshot!(told(&failures));
}

#[test]
fn each_lock_file_and_root_that_will_not_do_is_explained() {
    let path = || "/home/me/x".into();
    let package = || "com.example:web:1.0.0".parse().unwrap();
    let tuf = TufError { role: Role::Root, rule: Rule::NotInSnapshot };
    let failures: [&dyn Explain; 8] = [
        &LockFileError::Read { path: path(), source: io_error(io::ErrorKind::NotFound) },
        &LockFileError::Read { path: path(), source: io_error(io::ErrorKind::IsADirectory) },
        &LockFileError::Malformed { path: path(), why: "there is no `version`".into() },
        &LockFileError::Write { path: path(), source: io_error(io::ErrorKind::StorageFull) },
        &LockFileError::Platform { package: package(), host: "x86_64-linux".parse().unwrap() },
        &LockFileError::Digest { package: package(), expected: Digest::of(b"a"), found: Digest::of(b"b") },
        &RootError::Read { path: path(), source: io_error(io::ErrorKind::NotFound) },
        &RootError::NoRoot { path: path(), source: tuf },
    ];
    insta::assert_snapshot!(told(&failures));
}
