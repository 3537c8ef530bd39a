//! What is damaged, foreign or has no room is refused with what, why and a hint, and leaves nothing behind.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use copkg_skip::skip;
use copkg_tests::example::Example;
use copkg_tests::execution::Execution;
use copkg_tests::faults::{self, Proxy, Spoil};
use copkg_tests::network::{free_port, http};
use copkg_tests::scene::{GROUP, Scene, only_file};

type Outcome = Result<(), Box<dyn Error>>;

const TRUST: i32 = 6;
const TRY_AGAIN: i32 = 8;
const ENOSPC: &str = "28";

#[test]
fn a_package_of_a_group_without_a_key_is_refused() -> Outcome {
    let scene = Scene::new()?;
    let file = scene.build(&scene.small_tree("small", "1.0.0")?)?;
    refused(&scene, &install(&scene, &file)?, TRUST);
    Ok(())
}

#[test]
fn a_package_signed_by_another_key_is_refused() -> Outcome {
    let scene = Scene::new()?;
    scene.pkgbuild(["keygen", "stranger"])?.success()?;
    scene.pkginstall(["trust", "add", GROUP, "stranger.pub"])?.success()?;
    let file = scene.build(&scene.small_tree("small", "1.0.0")?)?;
    refused(&scene, &install(&scene, &file)?, TRUST);
    Ok(())
}

#[test]
fn a_package_without_a_signature_is_refused() -> Outcome {
    let scene = Scene::new()?;
    let tree = scene.small_tree("small", "1.0.0")?;
    scene.pkgbuild(["build", &tree.to_string_lossy(), "--out", "unsigned"])?.success()?;
    scene.trust()?;
    refused(&scene, &install(&scene, &only_file(&scene.path().join("unsigned"))?)?, TRUST);
    Ok(())
}

#[test]
fn a_flipped_bit_anywhere_in_the_file_is_refused() -> Outcome {
    let (scene, file) = small_package()?;
    let whole = fs::read(&file)?;
    // Every 512-byte block once, each at another place and another bit.
    for block in 0..whole.len() / 512 {
        let at = block * 512 + block * 37 % 512;
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (block % 8);
        let damaged = scene.write("damaged.copkg", 0o644, &bytes)?;
        let done = install(&scene, &damaged)?;
        assert_eq!(done.code, Some(TRUST), "byte {at} of {}: {done}", whole.len());
        refused(&scene, &done, TRUST);
    }
    Ok(())
}

#[test]
fn a_truncated_or_lengthened_file_is_refused() -> Outcome {
    let (scene, file) = small_package()?;
    let whole = fs::read(&file)?;
    let cuts = [0, 1, 511, 512, 1024, whole.len() / 2, whole.len() - 1024, whole.len() - 1];
    for cut in cuts {
        let damaged = scene.write("damaged.copkg", 0o644, &whole[..cut])?;
        refused(&scene, &install(&scene, &damaged)?, TRUST);
    }
    let mut longer = whole;
    longer.extend([0; 512]);
    let damaged = scene.write("damaged.copkg", 0o644, &longer)?;
    refused(&scene, &install(&scene, &damaged)?, TRUST);
    Ok(())
}

#[test]
fn a_download_that_is_cut_each_time_is_given_up_for_now() -> Outcome {
    let (scene, file) = small_package()?;
    scene.publish(&file)?;
    let repository = scene.serve()?;
    let proxy = Proxy::start(repository.port(), Spoil::CloseAt(40), usize::MAX)?;
    refused(&scene, &from_repository(&scene, &proxy.url())?, TRY_AGAIN);
    assert!(proxy.connections() > 1, "it was tried once only");
    Ok(())
}

#[test]
fn a_download_that_is_cut_once_goes_on() -> Outcome {
    let (scene, file) = small_package()?;
    scene.publish(&file)?;
    let repository = scene.serve()?;
    for cut in [100, 1500, 4000] {
        let proxy = Proxy::start(repository.port(), Spoil::CloseAt(cut), 1)?;
        from_repository(&scene, &proxy.url())?.success()?;
        scene.pkginstall(["verify", &format!("{GROUP}:small:1.0.0")])?.success()?;
        scene.pkginstall(["remove", &format!("{GROUP}:small:1.0.0")])?.success()?;
    }
    Ok(())
}

#[test]
fn a_download_with_a_flipped_bit_is_refused() -> Outcome {
    let (scene, file) = small_package()?;
    scene.publish(&file)?;
    let repository = scene.serve()?;
    let proxy = Proxy::start(repository.port(), Spoil::FlipAt(4000), usize::MAX)?;
    refused(&scene, &from_repository(&scene, &proxy.url())?, TRUST);
    Ok(())
}

#[test]
fn a_disk_that_fills_up_at_any_call_leaves_nothing_behind() -> Outcome {
    let (scene, file) = small_package()?;
    if !faults::is_supported() {
        skip("a disk that fills up at any call", "x86_64 only");
        return Ok(());
    }
    scene.pkginstall(["list"])?.success()?;
    let faultrun = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultrun"));
        command.args(options).arg("--under").arg(scene.prefix()).arg("--");
        command.arg(scene.programs().path("pkginstall")).arg("install").arg(&file);
        scene.at_home(&mut command);
        scene.run(&mut command)
    };
    let log = scene.path().join("points").to_string_lossy().into_owned();
    faultrun(&["list", "--log", &log])?.success()?;
    let total = fs::read_to_string(&log)?.lines().count();
    for at in (1..=total).step_by(3) {
        scene.pkginstall(["remove", &format!("{GROUP}:small:1.0.0")])?;
        let done = faultrun(&["sticky-error", "--errno", ENOSPC, "--at", &at.to_string()])?;
        if done.is_success() {
            // Nothing after this point needs space that it could not do without.
            scene.pkginstall(["verify", "--all"])?.success()?;
            continue;
        }
        scene.pkginstall(["recover"])?.success()?;
        refused(&scene, &done, 1);
    }
    Ok(())
}

#[test]
fn a_full_disk_is_named() -> Outcome {
    let Some(disk) = SmallDisk::mount("size=1m")? else { return Ok(()) };
    let (scene, _) = small_package()?;
    let tree = scene.small_tree("large", "1.0.0")?;
    let noise: Vec<u8> = (0..3_u32 << 20).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    scene.write(tree.join("files/noise"), 0o644, noise)?;
    let file = scene.build(&tree)?;
    let scene = scene.with_prefix(disk.path().join("host"));
    scene.trust()?;
    let done = install(&scene, &file)?;
    refused(&scene, &done, 1);
    assert!(done.err.contains("No space left on device") || done.err.contains("bytes"), "{done}");
    Ok(())
}

#[test]
fn a_read_only_prefix_is_named() -> Outcome {
    let Some(disk) = SmallDisk::mount("size=4m")? else { return Ok(()) };
    let (scene, file) = small_package()?;
    let scene = scene.with_prefix(disk.path().join("host"));
    scene.trust()?;
    disk.remount("ro")?;
    let done = install(&scene, &file)?;
    refused(&scene, &done, 1);
    assert!(done.err.contains("Read-only file system"), "{done}");
    Ok(())
}

#[test]
fn a_prefix_with_spaces_and_foreign_letters_works() -> Outcome {
    let scene = Scene::new()?;
    let prefix = scene.path().join("a host – grün 日本 'quoted' $HOME");
    let scene = scene.with_prefix(prefix);
    let tree = scene.path().join("hello-service");
    if let Err(why) = Example::HelloService.prepare(&tree) {
        skip("a service below a prefix with spaces", why);
        return Ok(());
    }
    let file = scene.build(&tree)?;
    let coordinate = Example::HelloService.coordinate(&tree)?;
    scene.trust()?;
    install(&scene, &file)?.success()?;
    let port = free_port()?;
    let parameter = format!("--port={port}");
    scene.pkginstall(["start", &coordinate, "--as", "1.hello.dev.local", "--", &parameter])?.success()?;
    let answer = http(port, "GET", "/", "");
    scene.pkginstall(["stop", "1.hello.dev.local"])?.success()?;
    assert!(answer?.ends_with("Hello from 1.hello.dev.local\n"));
    scene.pkginstall(["remove", &coordinate])?.success()?;
    assert_eq!(scene.traces(), [""; 0]);
    Ok(())
}

/// Makes a scene with a small signed package whose key is trusted.
fn small_package() -> Result<(Scene, PathBuf), Box<dyn Error>> {
    let scene = Scene::new()?;
    let file = scene.build(&scene.small_tree("small", "1.0.0")?)?;
    scene.trust()?;
    Ok((scene, file))
}

fn install(scene: &Scene, file: &Path) -> Result<Execution, Box<dyn Error>> {
    Ok(scene.pkginstall(["install".as_ref(), file.as_os_str(), OsStr::new("-v")])?)
}

fn from_repository(scene: &Scene, url: &str) -> Result<Execution, Box<dyn Error>> {
    Ok(scene.pkginstall(["install", &format!("{GROUP}:small:1.0.0"), "--repo", url])?)
}

/// Checks that the user was told what, why and what to do, and that the host is as before.
fn refused(scene: &Scene, done: &Execution, code: i32) {
    assert_eq!(done.code, Some(code), "{done}");
    for part in ["error: ", "\n  hint: "] {
        assert!(done.err.contains(part), "no {part:?} in {done}");
    }
    assert_eq!(done.out, "", "data after a failure");
    assert_eq!(scene.traces(), [""; 0], "left behind after {done}");
}

/// A file system of a few MiB, unmounted when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts one; none, with the reason said, where that is not allowed.
    fn mount(options: &str) -> Result<Option<Self>, Box<dyn Error>> {
        let directory = tempfile::Builder::new().prefix("copkg-disk-").tempdir()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(directory.path());
        let done = Execution::of(&mut mount)?;
        if done.is_success() {
            return Ok(Some(Self(directory)));
        }
        skip("a small file system of its own", done.err.trim());
        Ok(None)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, option: &str) -> Outcome {
        let options = format!("remount,{option}");
        Execution::of(Command::new("mount").args(["-o", &options]).arg(self.path()))?.success()?;
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Execution::of(Command::new("umount").arg(self.path()));
        if !unmounted.is_ok_and(|done| done.is_success()) {
            let _ = writeln!(std::io::stderr(), "{} is still mounted", self.path().display());
        }
    }
}
