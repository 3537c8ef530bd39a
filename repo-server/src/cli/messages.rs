//! What an operator reads when a server, or what looks after its store, cannot do what it should: each failure of the subcommands.

use std::io;

use copkg_spec::command::{Explain, Failure};
use copkg_spec::keys::KeyError;
use copkg_spec::repository::CommitNumber;
use copkg_spec::repository::ceremony::CeremonyError;
use copkg_spec::tuf::{Role, Rule, TufError};

use super::copy::CopyError;
use super::founders::FoundersError;
use super::init::InitError;
use super::serve::ServeError;
use super::store::OpenError;
use super::witness::WitnessCommandError;
use crate::gc::GcError;
use crate::inventory::InventoryError;
use crate::log::LogError;
use crate::publish::PublishError;
use crate::replica::{ReplicaError, Unreached};
use crate::repository::RepositoryError;
use crate::signer::{KeyFileError, SignError};
use crate::storage::{StorageError, StoreUrl};
use crate::tokens::TokenError;
use crate::transparency::TransparencyError;
use crate::witness::StateError;

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

fn json_error() -> serde_json::Error {
    serde_json::from_str::<u8>("x").unwrap_err()
}

fn store() -> StoreUrl {
    "file:///srv/copkg".parse().unwrap()
}

fn bucket() -> StoreUrl {
    "s3://packages".parse().unwrap()
}

fn refused() -> TufError {
    TufError { role: Role::Root, rule: Rule::NotInSnapshot }
}

#[test]
fn each_store_that_cannot_be_opened_is_explained() {
    let open =
        |kind| StorageError::Open { url: store(), directory: "/srv/copkg".into(), source: io_error(kind) };
    let object = || object_store::Error::Generic { store: "S3", source: "no such bucket".into() };
    let key = |source| KeyFileError::Malformed { path: "online.key".into(), source };
    let failures: [&dyn Explain; 14] = [
        &open(io::ErrorKind::NotFound),
        &open(io::ErrorKind::NotADirectory),
        &open(io::ErrorKind::PermissionDenied),
        &StorageError::Lock {
            path: "/srv/copkg/private/lock".into(),
            source: io_error(io::ErrorKind::ReadOnlyFilesystem),
        },
        &StorageError::Locked { url: store() },
        &StorageError::Bucket { url: bucket(), source: object() },
        &OpenError::Test { url: bucket(), source: object() },
        &OpenError::Preconditions { url: bucket() },
        &KeyFileError::Read { path: "online.key".into(), source: io_error(io::ErrorKind::NotFound) },
        &KeyFileError::Exposed { path: "online.key".into(), mode: 0o644 },
        &key(KeyError::PassphraseNeeded),
        &key(KeyError::Malformed("secret key")),
        &RepositoryError::Sign(SignError::Keys { role: "snapshot", source: Rule::NotInSnapshot }),
        &RepositoryError::Refused(refused()),
    ];
    insta::assert_snapshot!(told(&failures));
}

#[test]
fn each_repository_that_cannot_be_founded_or_served_is_explained() {
    let path = || "/srv/copkg".into();
    let found = |error| InitError::Found(Box::new(error));
    let listen =
        |kind| ServeError::Listen { address: "127.0.0.1:80".parse().unwrap(), source: io_error(kind) };
    let failures: [&dyn Explain; 20] = [
        &InitError::Directory { path: path(), source: io_error(io::ErrorKind::NotADirectory) },
        &InitError::Exists { url: store() },
        &InitError::NotEmpty { url: store(), path: "targets/ab".into() },
        &InitError::Foreign { url: store(), path: "holiday.jpg".into() },
        &InitError::NoKeys,
        &InitError::Read { path: path(), source: io_error(io::ErrorKind::NotFound) },
        &InitError::NoCeremony { path: path() },
        &InitError::Ceremony(CeremonyError::Shape),
        &found(PublishError::OnlineKeys { role: "snapshot" }),
        &found(PublishError::Unsigned { role: "targets".into() }),
        &FoundersError::Write { path: path(), source: io_error(io::ErrorKind::StorageFull) },
        &FoundersError::PublicKey { text: "team.key".into(), source: KeyError::Malformed("public key") },
        &listen(io::ErrorKind::AddrInUse),
        &listen(io::ErrorKind::PermissionDenied),
        &listen(io::ErrorKind::AddrNotAvailable),
        &ServeError::Spool { path: path(), source: io_error(io::ErrorKind::NotFound) },
        &RepositoryError::Missing { path: "metadata/2.snapshot.json".into() },
        &RepositoryError::Founded,
        &RepositoryError::Log(LogError::TooLong { roles: 300, bytes: 70_000 }),
        &RepositoryError::Last,
    ];
    insta::assert_snapshot!(told(&failures));
}

#[test]
fn each_failure_of_what_looks_after_a_store_is_explained() {
    let path = || "/srv/copy".into();
    let number = CommitNumber::FIRST;
    let failures: [&dyn Explain; 19] = [
        &CopyError::Directory { path: path(), source: io_error(io::ErrorKind::NotADirectory) },
        &CopyError::Place { text: "ftp://x".into(), why: "no such storage".into() },
        &CopyError::Token { path: path(), source: io_error(io::ErrorKind::NotFound) },
        &ReplicaError::Fetch {
            url: "https://a/metadata/1.root.json".into(),
            source: Unreached::new("cannot connect: Connection refused"),
        },
        &ReplicaError::Rule(refused()),
        &ReplicaError::Client { why: "no memory".into() },
        &GcError::NoRepository,
        &GcError::Leftovers(io_error(io::ErrorKind::PermissionDenied)),
        &GcError::Inventory(InventoryError::Missing { path: "metadata/2.com.example.json".into() }),
        &TransparencyError::Log(LogError::Malformed { number, source: json_error() }),
        &TransparencyError::Log(LogError::Misplaced { number, found: number }),
        &TransparencyError::Missing { number: 5, size: 7 },
        &TransparencyError::Damaged { size: 7 },
        &TokenError::Damaged { path: "private/tokens/x.json".into(), source: json_error() },
        &TokenError::Random,
        &StateError::Directory { path: path(), source: io_error(io::ErrorKind::NotADirectory) },
        &StateError::Locked { path: path() },
        &StateError::File { path: path(), source: io_error(io::ErrorKind::StorageFull) },
        &WitnessCommandError::Listen {
            address: "127.0.0.1:8090".parse().unwrap(),
            source: io_error(io::ErrorKind::AddrInUse),
        },
    ];
    insta::assert_snapshot!(told(&failures));
}
