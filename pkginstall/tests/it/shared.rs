//! Upgrades that link: what has not changed since it was verified gets one more name, and nothing else does.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use copkg_skip::skip;

use crate::support::{Host, make_writable};
use crate::upgrade::{NEW, OLD, package, tree};

const CHANGED: [usize; 2] = [3, 77];
/// A file that both versions have.
const SAME: &str = "lib/04/4";

/// A host with the first version, and the file of the second.
fn scene() -> (Host, String) {
    let host = Host::new();
    host.ok(&["install", &host.file("one.copkg", &package(OLD, &tree(&[])))]);
    let new = host.file("two.copkg", &package(NEW, &tree(&CHANGED)));
    (host, new)
}

fn installed(host: &Host, version: &str, path: &str) -> PathBuf {
    host.prefix(&format!("software/com/example/app/{version}/{path}"))
}

/// Tells whether both versions have one file at `path`.
fn is_shared(host: &Host, path: &str) -> bool {
    let inode = |version| fs::metadata(installed(host, version, path)).unwrap().ino();
    inode("1") == inode("2")
}

#[test]
fn files_that_have_not_changed_are_shared_and_those_that_have_are_not() {
    let (host, new) = scene();
    host.ok(&["install", &new]);
    for number in 0..200 {
        let path = format!("lib/{:02}/{number}", number % 10);
        assert_eq!(is_shared(&host, &path), !CHANGED.contains(&number), "{path}");
    }
    assert!(is_shared(&host, "bin/large"));
    host.ok(&["verify", "--all"]);
}

#[test]
fn a_file_that_was_written_to_is_not_taken_though_its_date_and_size_are_the_same() {
    for proof in ["recorded", "verify"] {
        let (host, new) = scene();
        let path = installed(&host, "1", SAME);
        let (modified, mut bytes) =
            (fs::metadata(&path).unwrap().modified().unwrap(), fs::read(&path).unwrap());
        bytes[100] ^= 1;
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::File::open(&path).unwrap().set_modified(modified).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        host.ok(&["install", &new, "--reuse", proof]);
        assert!(!is_shared(&host, SAME), "{proof}");
        assert!(is_shared(&host, "lib/05/5"), "{proof}");
        host.ok(&["verify", NEW]);
    }
}

#[test]
fn another_file_in_the_place_of_one_is_not_taken() {
    let (host, new) = scene();
    let root = installed(&host, "1", "");
    make_writable(&root);
    // Content of another file that is in the package too, by a rename and by a link.
    fs::rename(root.join("lib/05/5"), root.join("lib/06/6")).unwrap();
    fs::remove_file(root.join("lib/07/7")).unwrap();
    fs::hard_link(root.join("lib/08/8"), root.join("lib/07/7")).unwrap();
    fs::remove_file(root.join("lib/09/9")).unwrap();
    std::os::unix::fs::symlink("../08/8", root.join("lib/09/9")).unwrap();
    host.ok(&["install", &new]);
    host.ok(&["verify", NEW]);
}

#[test]
fn a_file_of_another_date_is_not_shared() {
    let (host, new) = scene();
    let path = installed(&host, "1", SAME);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    fs::File::open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(5)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    host.ok(&["install", &new]);
    assert!(!is_shared(&host, SAME));
    let modified = |version, path| fs::metadata(installed(&host, version, path)).unwrap().mtime();
    assert_eq!(modified("2", SAME), modified("2", "lib/05/5"));
}

#[test]
fn a_file_of_another_owner_is_not_shared() {
    if !rustix::process::geteuid().is_root() {
        skip("files of another owner", "only root can give a file away");
        return;
    }
    let (host, new) = scene();
    std::os::unix::fs::lchown(installed(&host, "1", SAME), Some(65_534), Some(65_534)).unwrap();
    host.ok(&["install", &new]);
    assert!(!is_shared(&host, SAME));
    assert_eq!(fs::metadata(installed(&host, "2", SAME)).unwrap().uid(), 0);
}

#[test]
fn the_removal_of_one_version_leaves_the_other_whole_and_ready_to_be_linked_from() {
    let (host, new) = scene();
    host.ok(&["install", &new]);
    host.ok(&["remove", OLD]);
    host.ok(&["verify", NEW]);
    host.ok(&["install", &host.file("one.copkg", &package(OLD, &tree(&[])))]);
    assert!(is_shared(&host, SAME));
    host.ok(&["verify", "--all"]);
    host.ok(&["remove", NEW]);
    host.ok(&["verify", OLD]);
}

type Damage = fn(&mut Vec<u8>);

#[test]
fn stamps_that_are_damaged_or_missing_cost_time_and_nothing_else() {
    let stamps = ".copkg/receipts/com.example/app/1.stamps";
    let damages: [Damage; 4] =
        [Vec::clear, |bytes| bytes[60] ^= 1, |bytes| bytes.truncate(100), |bytes| bytes[3] = 0];
    for damage in damages {
        let (host, new) = scene();
        let mut bytes = fs::read(host.prefix(stamps)).unwrap();
        damage(&mut bytes);
        fs::write(host.prefix(stamps), bytes).unwrap();
        host.ok(&["install", &new]);
        assert!(is_shared(&host, SAME), "it was read, and is what it should be");
        host.ok(&["verify", "--all"]);
    }
    let (host, new) = scene();
    fs::remove_file(host.prefix(stamps)).unwrap();
    host.ok(&["install", &new]);
    host.ok(&["verify", "--all"]);
}

#[test]
fn a_repaired_version_has_files_of_its_own() {
    let (host, new) = scene();
    host.ok(&["install", &new]);
    let path = installed(&host, "2", SAME);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    fs::write(&path, "damaged in both versions").unwrap();
    host.fails(1, &["verify", OLD]);
    host.ok(&["repair", "--from", &new]);
    host.ok(&["verify", NEW]);
    host.fails(1, &["verify", OLD]);
    host.ok(&["repair", "--from", &host.path("one.copkg").to_string_lossy()]);
    host.ok(&["verify", "--all"]);
}
