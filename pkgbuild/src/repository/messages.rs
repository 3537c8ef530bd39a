//! What a release engineer reads when a repository, or somebody's keys, are not as they should be: each failure of this folder.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use copkg_spec::command::{Explain, Failure};
use copkg_spec::coordinate::{NestingConflict, PackageCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::keys::SecretKey;
use copkg_spec::repository::GroupError;
use copkg_spec::repository::ceremony::{CeremonyError, Speakers};
use copkg_spec::tuf::{Role, Rule, TufError, Version};

use super::change::ChangeError;
use super::remote::{Problem, RemoteError};
use super::{
    AppointError, CopyError, EditError, FoundError, KnownError, PatchesError, PublishError, ReleaseError,
    Seat, SendError, ViewError,
};

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

fn package() -> PackageCoordinate {
    "com.example:web:1.0.0".parse().unwrap()
}

fn refused() -> TufError {
    TufError { role: Role::Root, rule: Rule::NotInSnapshot }
}

fn problem(code: &str, detail: &str) -> Problem {
    Problem { code: code.into(), title: String::new(), detail: detail.into() }
}

const URL: &str = "https://packages.example.com";

#[test]
fn each_answer_of_a_server_is_explained() {
    let answer = |status: u16, code: &str, detail: &str| {
        RemoteError::refused(&format!("{URL}/api/v1/proposals/1"), status, None, problem(code, detail))
    };
    let failures: [&dyn Explain; 16] = [
        &RemoteError::Address {
            url: "plain".into(),
            why: "it does not begin with http:// or https://".into(),
        },
        &RemoteError::Interrupted { url: URL.into(), source: io_error(io::ErrorKind::UnexpectedEof) },
        &RemoteError::refused(
            URL,
            503,
            Some(Duration::from_secs(2)),
            problem("busy", "too many files are on their way"),
        ),
        &answer(401, "unauthorized", "a token is needed"),
        &answer(409, "version_conflict", "version 3 of com.example is next, not 2"),
        &answer(409, "target_changed", "a published file is another one"),
        &answer(409, "nesting_conflict", "a:b:c and a.b:c:1 share a path"),
        &answer(403, "not_delegated", "nobody delegates to the role com.other"),
        &answer(403, "bad_signature", "none of the keys that speak for com.example signed it"),
        &answer(404, "path_not_found", "nothing is served there"),
        &answer(404, "proposal_not_found", "no proposal waits"),
        &answer(413, "body_too_large", "it has more than 256 bytes"),
        &answer(422, "online_key_unknown", "this server does not hold the keys that root names for snapshot"),
        &answer(422, "malformed", "line one\nline two \u{1b}[31m"),
        &RemoteError::Answer { url: URL.into(), source: json_error() },
        &RemoteError::Read { path: "web.copkg".into(), source: io_error(io::ErrorKind::PermissionDenied) },
    ];
    insta::assert_snapshot!(told(&failures));
}

#[test]
fn each_reason_not_to_believe_a_repository_is_explained() {
    let path = || PathBuf::from("/home/me/x");
    let failures: [&dyn Explain; 17] = [
        &ViewError::Tuf(refused()),
        &ViewError::NoRegistrar,
        &ViewError::NoRole { role: "com.example".parse().unwrap() },
        &ViewError::NotPinned { url: URL.into() },
        &ViewError::OtherRoot { kept_in: path(), url: URL.into(), pinned: "3f9c".into() },
        &ViewError::NoRoot { path: path(), source: refused() },
        &ViewError::RootUnreadable { path: path(), source: io_error(io::ErrorKind::NotFound) },
        &ViewError::NoFirstRoot { url: URL.into() },
        &ViewError::WrongFingerprint { url: URL.into(), found: "a".repeat(64).parse().unwrap() },
        &KnownError::NoPlace,
        &KnownError::Read { path: path(), source: io_error(io::ErrorKind::PermissionDenied) },
        &KnownError::Write { path: path(), source: io_error(io::ErrorKind::StorageFull) },
        &KnownError::Damaged { path: path(), source: json_error() },
        &CopyError::Read { path: path(), source: io_error(io::ErrorKind::NotFound) },
        &CopyError::Missing { directory: path(), role: Role::Root },
        &FoundError::NoRegistrar { directory: path() },
        &FoundError::Stranger { key: "0123456789ab".into() },
    ];
    insta::assert_snapshot!(told(&failures));
}

#[test]
fn each_change_that_cannot_be_is_explained() {
    let key = SecretKey::from_seed(&[1; 32]).public();
    let group = || "com.example".parse().unwrap();
    let group_error = |error: GroupError| EditError::Group(error);
    let too_many = Speakers::new(vec![key.clone()], 2).unwrap_err();
    let few = || Box::new(AppointError::from(Speakers::new(Vec::new(), 1).unwrap_err()));
    let role = || Role::Delegated("com.example".parse().unwrap());
    let version = |number| Version::new(number).unwrap();
    let failures: [&dyn Explain; 25] = [
        &ChangeError::Stranger { key: Box::new(key.clone()), roles: "registrar".into() },
        &ChangeError::Unsigned { role: Role::Root },
        &ChangeError::NotNext { role: role(), found: version(2), next: version(3) },
        &ChangeError::NotDelegated { role: "com.example".parse().unwrap() },
        &ChangeError::Online { role: "timestamp".into() },
        &AppointError::from(too_many),
        &AppointError::from(CeremonyError::Shape),
        &AppointError::Delegated { group: group() },
        &AppointError::NoGroup { group: "targets".parse().unwrap() },
        &AppointError::NotDelegated { seat: Seat::Group(group()) },
        &AppointError::Online { seat: Seat::Timestamp },
        &AppointError::Idle { key: "0123456789ab".into() },
        &AppointError::NotOfRole { key: "0123456789ab".into(), role: "com.example".into() },
        &AppointError::TooFew { key: "0123456789ab".into(), seat: Seat::Root, source: few() },
        &group_error(GroupError::NotPublished { coordinate: package(), published: Vec::new() }),
        &group_error(GroupError::NotPublished {
            coordinate: package(),
            published: (1..12).map(|number| format!("0.{number}").parse().unwrap()).collect(),
        }),
        &group_error(GroupError::NoChannel {
            id: "web".parse().unwrap(),
            channel: "stable".parse().unwrap(),
        }),
        &group_error(GroupError::Yanked { coordinate: package(), reason: "loses data".into() }),
        &group_error(GroupError::Changed { path: "95/com.example/web/1/web-1-any.copkg".parse().unwrap() }),
        &EditError::NotDelegated { group: group() },
        &EditError::NotOurs { coordinate: package(), file: "web.copkg".into() },
        &EditError::NoKey { group: group(), keys: vec![key.id()] },
        &SendError::NoFile { path: "95/com.example/web/1/web-1-any.copkg".parse().unwrap() },
        &SendError::Unfinished,
        &SendError::NotVisible,
    ];
    insta::assert_snapshot!(told(&failures));
}

#[test]
fn each_file_that_cannot_be_published_is_explained() {
    let digest = |text: &str| Digest::of(text.as_bytes());
    let file = || PathBuf::from("web.copkg");
    let nesting = || NestingConflict { new: "com.example.web:deep:2".parse().unwrap(), old: package() };
    let failures: [&dyn Explain; 9] = [
        &PublishError::Unsigned { file: file() },
        &PublishError::Conflict {
            coordinate: package(),
            platform: "any".parse().unwrap(),
            new: digest("new"),
            there: digest("there"),
        },
        &PublishError::Nesting(nesting()),
        &PublishError::Changed { file: file() },
        &PublishError::Repository { directory: "/srv/copkg".into() },
        &PublishError::Read { path: file(), source: io_error(io::ErrorKind::PermissionDenied) },
        &PublishError::Write { path: file(), source: io_error(io::ErrorKind::StorageFull) },
        &ReleaseError::Nesting(nesting()),
        &PatchesError::Another { wanted: package() },
    ];
    insta::assert_snapshot!(told(&failures));
}
