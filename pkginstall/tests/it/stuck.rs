//! One stuck item is named and hinders nobody else: files that cannot be deleted, names that are not UTF-8, damaged records.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use copkg_skip::skip;

use crate::support::{Host, package, write};

const COORDINATE: &str = "com.example:web:1.0";
const OTHER: &str = "com.example:db:1.0";
const INSTALLED: &str = "software/com/example/web/1.0";
const ID: &str = "0123456789abcdef0123456789abcdef";

/// `nobody` of Debian and its kin.
const NOBODY: u32 = 65534;

fn host() -> Host {
    let host = Host::new();
    host.ok(&["install", &host.file("web.copkg", &package(COORDINATE))]);
    host.file("db.copkg", &package(OTHER));
    host
}

/// A directory that something is mounted on, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn on(directory: PathBuf) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&directory).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(directory));
        }
        skip("a mount point in a package", "mounting is not allowed here");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What is set aside is moved, with what is mounted in it.
        let prefix = self.0.ancestors().find(|path| path.ends_with("prefix")).unwrap_or(&self.0);
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let places = mounts.lines().filter_map(|mount| mount.split(' ').nth(1));
        for place in places.filter(|place| Path::new(place).starts_with(prefix)) {
            let _ = Command::new("umount").arg("--lazy").arg(place).status();
        }
    }
}

/// Finds what lies in staging.
fn staged(host: &Host) -> Vec<PathBuf> {
    fs::read_dir(host.prefix("software/.staging")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_package_whose_files_cannot_be_deleted_is_gone_and_hinders_nobody() {
    let host = host();
    let Some(mounted) = Mounted::on(host.prefix(INSTALLED).join("bin")) else { return };
    let said = host.fails(1, &["remove", COORDINATE]);
    assert!(said.contains("com.example:web:1.0 is not installed any more"), "{said}");
    // The mount went with the directory that holds it.
    let mounted = Mounted(staged(&host)[0].join(mounted.0.file_name().unwrap()));
    fs::write(mounted.0.join("precious"), "of somebody else").unwrap();

    host.ok(&["install", "db.copkg"]);
    let list = host.json(&["list"]);
    assert_eq!(list["packages"][0]["package"], OTHER);
    assert_eq!(
        (&list["stuck"][0]["package"], &list["stuck"][0]["what"]),
        (&COORDINATE.into(), &"discard".into())
    );
    assert_eq!(host.json(&["status"])["stuck"], list["stuck"]);
    let said = host.fails(1, &["recover"]);
    assert!(said.contains("com.example:web:1.0: files that nothing needs cannot be deleted"), "{said}");
    // Its place is free.
    host.ok(&["install", "web.copkg"]);
    host.fails(1, &["recover"]);
    host.ok(&["verify", COORDINATE]);

    assert!(mounted.0.join("precious").exists(), "nothing is deleted behind a mount point");
    drop(mounted);
    host.ok(&["recover"]);
    assert!(staged(&host).is_empty() && host.journal().is_empty());
    assert!(host.json(&["status"]).get("stuck").is_none());
    host.ok(&["verify", COORDINATE]);
}

#[test]
fn files_on_a_file_system_that_is_mounted_in_a_package_are_set_aside_with_it() {
    let host = host();
    let Some(mounted) = Mounted::on(host.prefix(INSTALLED).join("bin")) else { return };
    fs::write(mounted.0.join("precious"), "of somebody else").unwrap();
    let removed = host.run(&["remove", COORDINATE]);
    assert!(removed.status.success(), "{removed:?}");
    let said = String::from_utf8_lossy(&removed.stderr).into_owned();
    assert!(said.contains("bin/precious"), "{said}");
    let mounted = Mounted(set_aside(&host).join("bin"));
    assert!(mounted.0.join("precious").exists(), "{said}");
    host.ok(&["install", "web.copkg"]);
    host.ok(&["verify", COORDINATE]);
}

#[test]
fn what_another_user_left_in_a_package_is_set_aside_and_hinders_nobody() {
    let host = host();
    if !rustix::process::geteuid().is_root() {
        skip("files of another user", "only root can make them");
        return;
    }
    let cache = host.prefix(INSTALLED).join("bin/__pycache__");
    write(&cache.join("x.pyc"), b"");
    let all = host.path("");
    fs::set_permissions(&all, fs::Permissions::from_mode(0o755)).unwrap();
    give(&all, NOBODY);
    give(&cache, 0);
    let run = |arguments: &[&str]| host.command(arguments).uid(NOBODY).gid(NOBODY).output().unwrap();
    for arguments in [
        &["remove", COORDINATE][..],
        &["install", "db.copkg"],
        &["install", "web.copkg"],
        &["verify", "--all"],
        &["recover"],
    ] {
        let ran = run(arguments);
        assert!(ran.status.success(), "{arguments:?}: {ran:?}");
    }
    assert!(staged(&host).is_empty());
    assert!(set_aside(&host).join("bin/__pycache__/x.pyc").exists());
}

/// Finds the one directory of files that outlived their package.
fn set_aside(host: &Host) -> PathBuf {
    let kept = fs::read_dir(host.prefix("software/.set-aside")).unwrap();
    let kept: Vec<PathBuf> = kept.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    kept[0].clone()
}

fn give(path: &Path, user: u32) {
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), user);
        }
    }
    std::os::unix::fs::lchown(path, Some(user), Some(user)).unwrap();
}

#[test]
fn a_directory_whose_name_is_not_utf_8_is_removed_with_its_package() {
    let host = host();
    let strange = OsStr::from_bytes(b"caf\xe9");
    write(&host.prefix(INSTALLED).join("bin").join(strange).join(strange), b"");
    let verified = host.run(&["verify", COORDINATE]);
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    host.ok(&["remove", COORDINATE]);
    assert!(staged(&host).is_empty());
}

#[test]
fn a_name_that_is_not_utf_8_in_a_directory_of_ours_hinders_nobody() {
    let host = host();
    let strange = OsStr::from_bytes(b"caf\xe9");
    for directory in
        ["journal", "receipts", "services", "receipts/com.example", "receipts/com.example/web", "trust"]
    {
        write(&host.prefix(".copkg").join(directory).join(strange), b"");
    }
    write(&host.prefix("software/.staging").join(strange).join(strange), b"");
    write(&host.prefix(".copkg/pins").join(strange), b"");
    for arguments in
        [&["install", "db.copkg"][..], &["list"], &["status"], &["gc", "--unused", "--dry-run"], &["recover"]]
    {
        host.ok(arguments);
    }
    host.ok(&["remove", COORDINATE, OTHER]);
    assert!(staged(&host).is_empty(), "what nobody owns is swept, whatever its name");
}

#[test]
fn an_entry_of_the_journal_that_cannot_be_read_is_named_and_hinders_nobody() {
    let host = host();
    let entry = host.prefix(".copkg/journal").join(format!("{ID}.json"));
    write(&entry, b"{\"operation\": \"install\", \"package\": 7}");
    host.ok(&["install", "db.copkg"]);
    host.ok(&["remove", COORDINATE]);
    assert_eq!(host.json(&["status"])["stuck"][0]["what"], "journal");
    assert!(host.fails(1, &["recover"]).contains(ID));
    fs::remove_file(entry).unwrap();
    host.ok(&["recover"]);
    assert!(host.json(&["list"])["stuck"].as_array().unwrap().is_empty());
}

#[test]
fn a_receipt_that_cannot_be_read_hinders_nobody() {
    let host = host();
    let receipt = host.prefix(".copkg/receipts/com.example/web/1.0.json");
    for damage in [&b""[..], b"{}", b"\xff\xfe"] {
        fs::write(&receipt, damage).unwrap();
        host.ok(&["install", "db.copkg"]);
        let list = host.json(&["list"]);
        assert_eq!(list["packages"].as_array().unwrap().len(), 1, "{list}");
        assert_eq!(list["unreadable"][0]["code"], "receipt_failed", "{list}");
        host.ok(&["status"]);
        host.ok(&["gc"]);
        host.ok(&["remove", OTHER]);
    }
    // It can be removed, and installed again.
    host.ok(&["remove", COORDINATE]);
    host.ok(&["install", "web.copkg"]);
    host.ok(&["verify", COORDINATE]);
}

#[test]
fn of_several_packages_those_that_can_be_removed_are() {
    let host = host();
    host.ok(&["install", "db.copkg"]);
    let Some(mounted) = Mounted::on(host.prefix(INSTALLED).join("bin")) else { return };
    host.fails(1, &["remove", COORDINATE, OTHER]);
    let _mounted = Mounted(staged(&host)[0].join(mounted.0.file_name().unwrap()));
    assert!(host.json(&["list"])["packages"].as_array().unwrap().is_empty());
}

#[test]
fn a_group_on_another_file_system_is_refused_before_anything_is_written() {
    let host = host();
    let group = host.prefix("software/com/elsewhere");
    fs::create_dir(&group).unwrap();
    let file = host.file("elsewhere.copkg", &package("com.elsewhere:web:1.0"));
    host.ok(&["trust", "add", "com.elsewhere", &crate::support::key(1).public().to_string()]);
    let Some(mounted) = Mounted::on(group.clone()) else { return };
    let said = host.fails(7, &["install", &file]);
    assert!(
        said.contains("software/com/elsewhere is on another file system than the rest of the software"),
        "{said}"
    );
    assert!(fs::read_dir(&group).unwrap().next().is_none());
    assert!(host.journal().is_empty() && staged(&host).is_empty());
    host.ok(&["install", "db.copkg"]);
    host.ok(&["recover"]);
    drop(mounted);
    host.ok(&["install", &file]);
}

#[test]
fn a_recovery_goes_on_where_a_directory_above_a_package_became_a_mount_point() {
    let host = host();
    let group = host.prefix("software/com");
    let intent = serde_json::json!({
        "operation": "install", "package": OTHER, "started": "2026-01-01T00:00:00Z", "process": 1,
    });
    write(&host.prefix(".copkg/journal").join(format!("{ID}.json")), intent.to_string().as_bytes());
    let Some(_mounted) = Mounted::on(group) else { return };
    assert_eq!(host.json(&["recover"])["recovered"][0]["outcome"], "undone");
    host.ok(&["list"]);
}
