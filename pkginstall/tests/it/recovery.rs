//! What a command that died left behind, as the next one finds it.

use std::io::Write as _;

use crate::support::{Host, make_writable, package, write};

const COORDINATE: &str = "com.example:web:1.0";
const INSTALLED: &str = "software/com/example/web/1.0";
const ID: &str = "0123456789abcdef0123456789abcdef";

fn host() -> (Host, String) {
    let host = Host::new();
    let file = host.file("web.copkg", &package(COORDINATE));
    (host, file)
}

fn leave_intent(host: &Host, operation: &str, staged: Option<&std::path::Path>) {
    use std::os::unix::fs::MetadataExt as _;
    let staged = staged.map(|path| {
        let metadata = std::fs::symlink_metadata(path).unwrap();
        serde_json::json!({ "device": metadata.dev(), "inode": metadata.ino() })
    });
    let intent = serde_json::json!({
        "operation": operation, "package": COORDINATE, "staged": staged,
        "started": "2026-01-01T00:00:00Z", "process": 1,
    });
    let path = host.prefix(".copkg/journal").join(format!("{ID}.json"));
    std::fs::write(path, intent.to_string()).unwrap();
}

#[test]
fn a_tree_that_was_placed_without_a_receipt_is_undone() {
    let (host, file) = host();
    host.ok(&["install", &file]);
    leave_intent(&host, "install", Some(&host.prefix(INSTALLED)));
    std::fs::remove_file(host.prefix(".copkg/receipts/com.example/web/1.0.json")).unwrap();
    let left = host.json(&["recover", "--dry-run"]);
    assert_eq!((&left["changed"], &left["left_behind"][0]["operation"]), (&false.into(), &"install".into()));
    let document = host.json(&["recover"]);
    assert_eq!(document["changed"], true);
    assert_eq!(document["recovered"][0]["outcome"], "undone");
    assert!(host.software().is_empty());
    assert!(host.journal().is_empty());
    host.ok(&["install", &file]);
}

#[test]
fn a_directory_of_somebody_else_survives_the_recovery_of_an_installation() {
    let (host, _) = host();
    let staged = host.prefix("software/.staging").join(ID);
    std::fs::create_dir(&staged).unwrap();
    leave_intent(&host, "install", Some(&staged));
    let precious = host.prefix(INSTALLED).join("precious");
    write(&precious, b"mine");
    host.ok(&["recover"]);
    assert!(precious.exists());
    assert!(!staged.exists());
    assert!(host.journal().is_empty());
}

#[test]
fn an_installation_with_a_receipt_is_complete() {
    let (host, file) = host();
    host.ok(&["install", &file]);
    give_the_receipt_our_operation(&host);
    leave_intent(&host, "install", None);
    assert_eq!(host.json(&["recover"])["recovered"][0]["outcome"], "installed");
    host.ok(&["verify", COORDINATE]);
}

#[test]
fn an_installation_of_which_a_power_cut_kept_the_receipt_alone_is_finished() {
    let (host, file) = host();
    host.ok(&["install", &file]);
    give_the_receipt_our_operation(&host);
    let staged = host.prefix("software/.staging").join(ID);
    let writable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(host.prefix(INSTALLED), writable).unwrap();
    std::fs::rename(host.prefix(INSTALLED), &staged).unwrap();
    leave_intent(&host, "install", Some(&staged));
    assert_eq!(host.json(&["recover"])["recovered"][0]["outcome"], "installed");
    host.ok(&["verify", COORDINATE]);
    assert!(!staged.exists());
}

#[test]
fn an_installation_that_a_power_cut_left_writable_becomes_read_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (host, file) = host();
    host.ok(&["install", &file]);
    give_the_receipt_our_operation(&host);
    let root = host.prefix(INSTALLED);
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
    leave_intent(&host, "install", Some(&root));
    assert_eq!(host.json(&["recover"])["recovered"][0]["outcome"], "installed");
    assert_eq!(std::fs::metadata(&root).unwrap().permissions().mode() & 0o7777, 0o555);
    host.ok(&["verify", COORDINATE]);
}

#[test]
fn a_removal_that_was_interrupted_keeps_what_is_not_the_packages() {
    let (host, file) = host();
    host.ok(&["install", &file]);
    make_writable(&host.prefix(INSTALLED));
    write(&host.prefix(INSTALLED).join("data/db"), b"rows");
    leave_intent(&host, "remove", None);
    let document = host.json(&["recover"]);
    let kept = document["recovered"][0]["set_aside"]["path"].as_str().unwrap();
    assert_eq!(std::fs::read(host.unmasked(kept).join("data/db")).unwrap(), b"rows");
    assert!(host.journal().is_empty());
}

fn give_the_receipt_our_operation(host: &Host) {
    let receipt = host.prefix(".copkg/receipts/com.example/web/1.0.json");
    let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(&receipt).unwrap()).unwrap();
    document["operation"] = ID.into();
    std::fs::write(&receipt, document.to_string()).unwrap();
}

#[test]
fn a_removal_that_has_begun_is_finished() {
    let (host, file) = host();
    host.ok(&["install", &file]);
    leave_intent(&host, "remove", None);
    assert_eq!(host.json(&["install", &file])["changed"], true, "removed by recovery, then installed");
    host.ok(&["verify", COORDINATE]);
    leave_intent(&host, "remove", None);
    host.ok(&["recover"]);
    assert!(host.software().is_empty());
}

#[test]
fn an_intent_that_was_cut_short_and_a_staging_directory_without_one_mean_nothing() {
    let (host, _) = host();
    let path = host.prefix(".copkg/journal").join(format!("{ID}.json"));
    std::fs::File::create(&path).unwrap().write_all(b"{\"operation\":").unwrap();
    std::fs::create_dir_all(host.prefix("software/.staging/fedcba9876543210fedcba9876543210/bin")).unwrap();
    assert_eq!(host.json(&["recover"])["changed"], false);
    assert!(host.software().is_empty());
    assert!(host.journal().is_empty());
}

#[test]
fn what_a_living_command_does_is_left_alone() {
    let (host, file) = host();
    let staged = host.prefix("software/.staging").join(ID);
    std::fs::create_dir(&staged).unwrap();
    leave_intent(&host, "install", Some(&staged));
    let owner = std::fs::File::open(host.prefix(".copkg/journal").join(format!("{ID}.json"))).unwrap();
    rustix::fs::flock(&owner, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert_eq!(host.json(&["recover"])["changed"], false);
    assert!(staged.exists());
    host.fails(9, &["install", &file, "--lock-timeout", "0"]);
    drop(owner);
    host.ok(&["install", &file]);
    assert!(!staged.exists());
}
