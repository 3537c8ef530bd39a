//! What a user reads: the help of each command that looks after a repository, and what its failures say.

use copkg_spec::command::Failure;
use copkg_spec::tlog::TlogError;
use repo_server::gc::GcError;
use repo_server::replica::ReplicaError;
use repo_server::tokens::TokenError;
use repo_server::transparency::TransparencyError;
use repo_server::witness::StateError;

use crate::support::repo_server;

#[test]
fn each_command_explains_itself() {
    for command in
        ["init", "check", "gc", "export", "mirror", "witness", "token create", "token list", "token revoke"]
    {
        let output =
            repo_server().args(command.split(' ')).arg("--help").env("COLUMNS", "100").output().unwrap();
        assert!(output.status.success(), "{command}");
        insta::assert_snapshot!(format!("help {command}"), String::from_utf8(output.stdout).unwrap());
    }
}

#[test]
fn each_failure_says_what_why_and_what_to_do() {
    let fingerprint = |digit: &str| digit.repeat(64).parse().unwrap();
    let failures = [
        Failure::of(&ReplicaError::Fingerprint { expected: fingerprint("a"), found: fingerprint("b") }),
        Failure::of(&ReplicaError::NotPinned),
        Failure::of(&ReplicaError::NoRepository { place: "http://host/wrong".into() }),
        Failure::of(&ReplicaError::Missing { path: "targets/x".into() }),
        Failure::of(&ReplicaError::Mismatch { path: "targets/x".into() }),
        Failure::of(&ReplicaError::TooLong { path: "metadata/1.root.json".into(), limit: 5 }),
        Failure::of(&ReplicaError::BadUrl { url: "ftp://host".into() }),
        Failure::of(&ReplicaError::Log(TlogError::Inconsistent { from: 3, to: 5 })),
        Failure::of(&ReplicaError::Refused {
            url: "http://host/metadata/timestamp.json".into(),
            status: reqwest::StatusCode::UNAUTHORIZED,
        }),
        Failure::of(&GcError::NoRepository),
        Failure::of(&TokenError::Unknown { id: "0011223344556677".parse().unwrap() }),
        Failure::of(&TransparencyError::Damaged { size: 7 }),
        Failure::of(&TransparencyError::Missing { number: 5, size: 7 }),
        Failure::of(&StateError::Locked { path: "/var/lib/witness".into() }),
        Failure::of(&StateError::Damaged {
            path: "/var/lib/witness/ab.checkpoint".into(),
            source: TlogError::NotSigned,
        }),
        Failure::of(&StateError::Key { key: "witness.example/w1".into() }),
    ];
    let told: Vec<String> = failures
        .iter()
        .map(|failure| format!("{} [{}, {}]", failure, failure.code, failure.exit.code()))
        .collect();
    insta::assert_snapshot!(told.join("\n\n"));
}
