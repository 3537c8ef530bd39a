//! The power fails during an install: whatever had not reached the disk is gone, and afterwards the package is absent or whole.
//!
//! A fresh ext4 image is stopped at one of the calls that change something (`FS_IOC_SHUTDOWN` without writing its journal, which is what
//! its authors test it with), mounted again and looked at. Killing a command (`kill.rs`) cannot show this: what it wrote stays. A
//! few calls are drawn with a seed; `COPKG_SWEEP=full` tries all. Needs root, for the mounts.

use std::fs;
use std::path::Path;
use std::process::Command;

use copkg_skip::skip;
use copkg_tests::faults;
use copkg_tests::peers::image::Image;
use copkg_tests::peers::{Result, have};
use copkg_tests::random::Random;
use copkg_tests::scene::{GROUP, Scene};

type Outcome = Result<()>;

/// How many moments are tried where they are not all tried.
const MOMENTS: usize = 12;
/// Decides which.
const SEED: u64 = 20_261_122;

/// Stops the file system of the directory in the first argument. The number is `FS_IOC_SHUTDOWN`, and 2 leaves the journal as it is.
const SHUTDOWN: &str = "import fcntl, os, struct, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

#[test]
fn an_install_that_a_power_cut_ends_leaves_the_package_absent_or_whole() -> Outcome {
    cut_installs("bystander")
}

#[test]
fn an_upgrade_by_links_that_a_power_cut_ends_leaves_the_old_version_whole_and_the_new_one_absent_or_whole()
-> Outcome {
    cut_installs("target")
}

/// Cuts installs of version 2.0.0 of `target` on a host that has version 1.0.0 of `other`, some of whose files are the same.
fn cut_installs(other: &str) -> Outcome {
    if !faults::is_supported() || !rustix::process::geteuid().is_root() || !have("python3") {
        skip("power cuts", "they need x86_64, root and python3");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let image = match Image::fresh(directory.path(), 96 << 20) {
        Ok(image) => image,
        Err(error) => {
            skip("power cuts", error);
            return Ok(());
        }
    };
    let scene = Scene::new()?;
    let [file, other] = [("target", "2.0.0"), (other, "1.0.0")].map(|(name, version)| -> Result<_> {
        let tree = scene.small_tree(name, version)?;
        scene.add_same_files(&tree)?;
        Ok(scene.build(&tree)?)
    });
    let (file, other) = (file?, other?);
    let scene = scene.with_prefix(image.path().join("host"));
    scene.trust()?;
    scene.pkginstall(["install".as_ref(), other.as_os_str()])?.success()?;
    let host = Host { scene, image, file: file.to_string_lossy().into_owned() };
    let total = host.count_points(&directory.path().join("points"))?;
    assert!(total >= 40, "only {total} points: is everything counted?");
    let mut random = Random(SEED);
    let all = std::env::var("COPKG_SWEEP").is_ok_and(|sweep| sweep == "full");
    let moments: Vec<usize> =
        if all { (1..=total).collect() } else { (0..MOMENTS).map(|_| 1 + random.below(total)).collect() };
    moments.into_iter().try_for_each(|at| host.cut(at, total))
}

struct Host {
    scene: Scene,
    image: Image,
    file: String,
}

impl Host {
    fn count_points(&self, log: &Path) -> Result<usize> {
        self.under_faultrun(&["list", "--log", &log.to_string_lossy()])?;
        self.remove()?;
        Ok(fs::read_to_string(log)?.lines().count())
    }

    /// Tells whether the install was acknowledged.
    fn under_faultrun(&self, options: &[&str]) -> Result<bool> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultrun"));
        command.args(options).arg("--under").arg(self.scene.prefix()).arg("--");
        command.arg(self.scene.programs().path("pkginstall")).args(["install", &self.file]);
        self.scene.at_home(&mut command);
        Ok(self.scene.run(&mut command)?.is_success())
    }

    fn remove(&self) -> Outcome {
        self.scene.pkginstall(["remove", &format!("{GROUP}:target:2.0.0")])?.success()?;
        Ok(())
    }

    /// Cuts the power at a call, and looks at what is left.
    fn cut(&self, at: usize, total: usize) -> Outcome {
        let moment = format!("power cut at point {at} of {total}");
        let shutdown = format!("python3 -c \"{SHUTDOWN}\" '{}'", self.image.path().display());
        let acknowledged = self.under_faultrun(&["run", "--at", &at.to_string(), "--run", &shutdown])?;
        self.image.remount()?;
        let pkginstall = |arguments: &[&str]| self.scene.pkginstall(arguments);
        // A command that only looks must never fail over what was left.
        pkginstall(&["list"])?.success()?;
        pkginstall(&["recover"])?.success()?;
        let list = pkginstall(&["list"])?.success()?.out.clone();
        let is_whole = list.contains("2.0.0");
        assert!(is_whole || !acknowledged, "{moment}: what was acknowledged is lost");
        assert_eq!(is_whole, self.scene.software(&format!("{GROUP}:target:2.0.0")).exists(), "{moment}");
        let verify = pkginstall(&["verify", "--all"])?;
        assert!(verify.is_success(), "{moment}: {verify}");
        for directory in ["software/.staging", ".copkg/journal"] {
            let left = fs::read_dir(self.scene.prefix().join(directory))?.count();
            assert_eq!(left, 0, "{moment}: something is left in {directory}");
        }
        pkginstall(&["install", &self.file])?.success()?;
        self.remove()
    }
}
