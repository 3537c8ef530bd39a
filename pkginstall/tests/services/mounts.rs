//! Parts of the prefix that cannot be renamed: file systems of their own, lower layers of an overlay, another loop device.

use std::fs;
use std::path::Path;
use std::process::Command;

use copkg_skip::skip;
use copkg_spec::manifest::Upgrade;
use pkginstall::process::ProcessIdentity;

use super::scene::{Host, PACKAGE, Package, SERVICE, eventually};

const NEXT: &str = "com.example:web:2.0";
const BROKEN: &str = "com.example:web:3.0";

/// Writes its version into its data and its configuration.
const SERVER: &str =
    "#!/bin/sh\ncd \"$COPKG_RUNTIME_DIR\"\necho VERSION >data/format\necho VERSION >etc/format\nEND\n";

fn version(version: &str, end: &str) -> Package {
    let server = SERVER.replace("VERSION", version).replace("END", end);
    Package::serving(&server).that(|service| {
        service.upgrade = Some(Upgrade { snapshot: true, ..service.upgrade() });
    })
}

/// Something that is mounted until this is dropped.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    /// Mounts with these arguments of `mount` on a directory, which is made.
    fn on(directory: &'a Path, arguments: &[&str]) -> Option<Self> {
        fs::create_dir_all(directory).unwrap();
        let mounted = Command::new("mount").args(arguments).arg(directory).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(directory));
        }
        skip("a file system of its own", "mounting is not allowed here");
        None
    }

    fn memory(directory: &'a Path) -> Option<Self> {
        Self::on(directory, &["-t", "tmpfs", "-o", "mode=755,size=64m", "none"])
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

/// Versions 1.0 and 2.0, and one that writes and ends.
fn install(host: &Host) {
    host.install(PACKAGE, &version("1.0", "exec sleep 600"));
    host.install(NEXT, &version("2.0", "exec sleep 600"));
    host.install(BROKEN, &version("3.0", "exit 3"));
}

fn formats(host: &Host) -> [String; 2] {
    ["data/format", "etc/format"].map(|file| host.read(file).trim().to_owned())
}

/// Goes up, fails to go further, and goes back, and finds the right data and configuration each time.
fn assert_changes_go_both_ways(host: &Host) {
    host.start().ok();
    host.run(&["upgrade", SERVICE, "--to", "2.0"]).ok();
    assert_eq!(formats(host), ["2.0", "2.0"]);
    let failed = host.run(&["--json", "upgrade", SERVICE, "--to", "3.0"]);
    assert_eq!(failed.json()["error"]["code"], "reverted", "{failed:?}");
    assert_eq!(formats(host), ["2.0", "2.0"]);
    fs::write(host.runtime().join("data/later"), "since").unwrap();
    host.run(&["rollback", SERVICE, "--restore-data"]).ok();
    assert_eq!((formats(host), host.read("data/later")), (["1.0", "1.0"].map(String::from), String::new()));
    host.run(&["rollback", SERVICE, "--to", "2", "--restore-data"]).ok();
    assert_eq!(host.read("data/later"), "since");
    host.run(&["recover"]).ok();
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn a_configuration_on_a_file_system_of_its_own_is_changed_and_put_back() {
    let host = Host::new();
    let etc = host.runtime().join("etc");
    let Some(_mounted) = Mounted::memory(etc.as_std_path()) else { return };
    install(&host);
    assert_changes_go_both_ways(&host);
}

#[test]
fn a_runtime_directory_on_a_file_system_of_its_own_is_changed_and_put_back() {
    let host = Host::new();
    let runtime = host.runtime();
    let Some(_mounted) = Mounted::memory(runtime.as_std_path()) else { return };
    install(&host);
    assert_changes_go_both_ways(&host);
}

#[test]
fn a_runtime_directory_in_a_lower_layer_of_an_overlay_is_changed_and_put_back() {
    let host = Host::new();
    install(&host);
    host.start().ok();
    host.stop().ok();
    // As a container finds what its image holds.
    let (prefix, image) = (host.root(), host.root().with_file_name("image"));
    fs::rename(&prefix, &image).unwrap();
    let layer = |name: &str| {
        let path = prefix.with_file_name(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    let (upper, work) = (layer("upper"), layer("work"));
    let options = format!("lowerdir={image},upperdir={upper},workdir={work},redirect_dir=off");
    let Some(mounted) = Mounted::on(prefix.as_std_path(), &["-t", "overlay", "-o", &options, "none"]) else {
        return;
    };
    assert_changes_go_both_ways(&host);
    // What came with the image can be removed, too.
    host.run(&["remove", "--force", PACKAGE]).ok();
    host.run(&["recover"]).ok();
    drop(mounted);
}

#[test]
fn data_with_a_mount_in_it_is_refused_before_anything_is_stopped() {
    let host = Host::new();
    let inside = host.runtime().join("data/volume");
    let Some(_mounted) = Mounted::memory(inside.as_std_path()) else { return };
    install(&host);
    host.start().ok();
    let before: Vec<u32> = host.living().iter().map(ProcessIdentity::pid).collect();
    let refused = host.run(&["--json", "upgrade", SERVICE, "--to", "2.0"]);
    assert_eq!(
        (refused.exit, &refused.json()["error"]["code"]),
        (7, &"data_elsewhere".into()),
        "{refused:?}"
    );
    assert_eq!(host.living().iter().map(ProcessIdentity::pid).collect::<Vec<_>>(), before);
    host.stop().ok();
}

#[test]
fn a_change_is_rolled_back_after_its_disk_came_back_as_another_loop_device() {
    let host = Host::new();
    let (prefix, image) = (host.root(), host.root().with_file_name("disk"));
    fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
    let made = Command::new("mkfs.ext4").args(["-q", image.as_str()]).status();
    assert!(made.unwrap().success());
    let Some(mounted) = Mounted::on(prefix.as_std_path(), &["-o", "loop", image.as_str()]) else { return };
    host.install(PACKAGE, &version("1.0", "exec sleep 600"));
    host.install(
        NEXT,
        &version("2.0", "exec sleep 600").that(|service| service.settle_milliseconds = 60_000),
    );
    host.start().ok();
    let mut command = host.spawn(&["upgrade", SERVICE, "--to", "2.0"]);
    eventually("version 2.0 runs", || host.read("etc/format") == "2.0\n");
    command.kill().unwrap();
    command.wait().unwrap();
    // A power cut: nothing of it lives on.
    for process in host.living() {
        Command::new("kill").args(["-KILL", &process.pid().to_string()]).status().unwrap();
    }
    eventually("nothing lives", || host.living().is_empty());
    eventually("the disk is free", || Command::new("umount").arg(&prefix).status().unwrap().success());
    std::mem::forget(mounted);

    // Another disk takes the device meanwhile.
    let (other, elsewhere) = (image.with_extension("other"), prefix.with_file_name("elsewhere"));
    fs::copy(&image, &other).unwrap();
    let _other = Mounted::on(elsewhere.as_std_path(), &["-o", "loop", other.as_str()]).unwrap();
    let _mounted = Mounted::on(prefix.as_std_path(), &["-o", "loop", image.as_str()]).unwrap();
    host.run(&["recover"]).ok();
    assert_eq!(formats(&host), ["1.0", "1.0"]);
    host.stop().ok();
    host.assert_nothing_left();
}
