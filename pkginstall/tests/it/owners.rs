//! Root in a prefix of another account, and another account in one of root's.

use std::os::unix::fs::chown;

use crate::support::{Host, package};

const COORDINATE: &str = "com.example:web:1.0";
/// An account without a name.
const OTHER: u32 = 4711;

#[test]
fn root_is_refused_in_a_prefix_of_another_account_and_told_how_its_owner_does_it() {
    let host = Host::new();
    let file = host.file("web.copkg", &package(COORDINATE));
    if !rustix::process::geteuid().is_root() {
        // Nobody else is asked.
        host.ok(&["install", &file]);
        return;
    }
    for path in [host.prefix(""), host.prefix(".copkg")] {
        chown(path, Some(OTHER), Some(OTHER)).unwrap();
    }
    let before = host.software();
    let text = host.fails(7, &["install", &file]);
    assert!(text.contains("prefix belongs to user 4711, and you are root"), "{text}");
    assert!(text.contains("setpriv --reuid 4711 --regid 4711 --clear-groups pkginstall --prefix "), "{text}");
    assert_eq!(host.software(), before);
    for arguments in
        [["remove", COORDINATE], ["start", COORDINATE], ["gc", "--dry-run"], ["recover", "--dry-run"]]
    {
        let text = host.fails(7, &arguments);
        assert!(text.contains("belongs to user 4711"), "{arguments:?}: {text}");
    }
    // To look is no harm.
    for arguments in
        [["list"].as_slice(), &["status"], &["trust", "list"], &["config", "show"], &["verify", "--all"]]
    {
        host.ok(arguments);
    }
    host.ok(&["--as-root", "install", &file]);
    assert!(host.ok(&["list"]).contains(COORDINATE));
}
