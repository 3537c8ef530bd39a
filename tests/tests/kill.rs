//! `kill -9` before and after each call of an install, a removal or a repair that changes something: afterwards the package
//! is absent or whole (of a repair: damaged as it was, or whole), and nothing is stale.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use copkg_skip::skip;
use copkg_spec::digest::Digest;
use copkg_tests::execution::Execution;
use copkg_tests::faults;
use copkg_tests::random::Random;
use copkg_tests::scene::{GROUP, Scene};

type Outcome = Result<(), Box<dyn Error>>;

/// How many moments of each operation are tried where they are not all tried.
const MOMENTS: usize = 60;

/// Decides what is run afterwards.
const SEED: u64 = 20_261_121;

#[test]
fn a_killed_install_leaves_the_package_absent_or_whole() -> Outcome {
    let case = Case::new(Operation::Install)?;
    case.try_all()
}

#[test]
fn a_killed_removal_leaves_the_package_absent_or_whole() -> Outcome {
    let case = Case::new(Operation::Remove)?;
    case.try_all()
}

#[test]
fn a_killed_removal_keeps_what_is_not_the_packages() -> Outcome {
    let case = Case::new(Operation::RemoveChanged)?;
    assert!(case.absent.iter().any(|path| path.contains("/data/rows")), "{:?}", case.absent);
    case.try_all()
}

#[test]
fn a_killed_upgrade_by_a_patch_leaves_the_package_absent_or_whole() -> Outcome {
    let case = Case::upgrade()?;
    case.try_all()
}

#[test]
fn a_killed_upgrade_by_links_leaves_the_old_version_whole_and_the_new_one_absent_or_whole() -> Outcome {
    let case = Case::linked()?;
    case.try_all()
}

#[test]
fn a_killed_repair_leaves_the_package_damaged_as_it_was_or_whole() -> Outcome {
    let case = Case::repair()?;
    case.try_all()
}

#[derive(Clone, Copy, PartialEq)]
enum Operation {
    Install,
    /// By a patch, from another installed version.
    Upgrade,
    /// By links to the files of another installed version.
    LinkedUpgrade,
    Remove,
    Repair,
    /// Of a package in which somebody stored something.
    RemoveChanged,
}

impl Operation {
    fn is_removal(self) -> bool {
        matches!(self, Self::Remove | Self::RemoveChanged)
    }

    /// Of an upgrade only what patches add to an installation is new, and of a repair its end, so a part of their points does.
    fn stride(self) -> usize {
        if matches!(self, Self::Upgrade | Self::LinkedUpgrade | Self::Repair | Self::RemoveChanged) {
            3
        } else {
            1
        }
    }
}

/// One operation, and the states that may come of it.
struct Case {
    scene: Scene,
    operation: Operation,
    /// The command line of the operation.
    command: Vec<String>,
    /// The prefix as it is before.
    before: PathBuf,
    /// What lies in the prefix when the package is not there, and when it is.
    absent: BTreeSet<String>,
    whole: BTreeSet<String>,
}

impl Case {
    fn new(operation: Operation) -> Result<Self, Box<dyn Error>> {
        let scene = Scene::new()?;
        let file = scene.build(&scene.small_tree("target", "1.0.0")?)?;
        let other = scene.build(&scene.small_tree("bystander", "1.0.0")?)?;
        scene.trust()?;
        let coordinate = format!("{GROUP}:target:1.0.0");
        let install = ["install".to_owned(), file.to_string_lossy().into_owned()];
        let remove = ["remove".to_owned(), coordinate.clone()];
        // A prefix that has seen both, so that what is left does not depend on being the first.
        scene.pkginstall(["install".as_ref(), other.as_os_str()])?.success()?;
        scene.pkginstall(&install)?.success()?;
        scene.pkginstall(&remove)?.success()?;
        let mut absent = contents(scene.prefix());
        if operation == Operation::Install {
            snapshot(&scene, "before")?;
        }
        scene.pkginstall(&install)?.success()?;
        if operation == Operation::RemoveChanged {
            let data = scene.software(&coordinate).join("data");
            scene.make_writable();
            fs::create_dir(&data)?;
            fs::write(data.join("rows"), "some")?;
        }
        let whole = contents(scene.prefix());
        if operation.is_removal() {
            snapshot(&scene, "before")?;
        }
        if operation == Operation::RemoveChanged {
            scene.pkginstall(&remove)?.success()?;
            absent = contents(scene.prefix());
        }
        assert_ne!(absent, whole);
        let command = if operation == Operation::Install { install } else { remove };
        Ok(Self {
            before: scene.path().join("before"),
            scene,
            operation,
            command: command.to_vec(),
            absent,
            whole,
        })
    }

    /// A package of which one file was overwritten. What is "absent" in other cases is damaged here.
    fn repair() -> Result<Self, Box<dyn Error>> {
        let scene = Scene::new()?;
        let file = scene.build(&scene.small_tree("target", "1.0.0")?)?.to_string_lossy().into_owned();
        scene.trust()?;
        scene.pkginstall(["install", &file])?.success()?;
        let whole = contents(scene.prefix());
        let tree = scene.prefix().join(format!("software/{}/target/1.0.0", GROUP.replace('.', "/")));
        damage(&tree)?;
        let absent = contents(scene.prefix());
        assert_ne!(absent, whole);
        snapshot(&scene, "before")?;
        let command = vec!["repair".to_owned(), "--from".to_owned(), file];
        let (before, operation) = (scene.path().join("before"), Operation::Repair);
        Ok(Self { scene, operation, command, before, absent, whole })
    }

    /// An upgrade that links most of its files.
    fn linked() -> Result<Self, Box<dyn Error>> {
        let scene = Scene::new()?;
        let mut files = Vec::new();
        for version in ["1.0.0", "2.0.0"] {
            let tree = scene.small_tree("target", version)?;
            scene.add_same_files(&tree)?;
            files.push(scene.build(&tree)?.to_string_lossy().into_owned());
        }
        scene.trust()?;
        scene.pkginstall(["install", &files[0]])?.success()?;
        let command = vec!["install".to_owned(), files[1].clone()];
        scene.pkginstall(&command)?.success()?;
        let whole = contents(scene.prefix());
        let linked = scene.software(&format!("{GROUP}:target:2.0.0")).join("same/3/3");
        assert!(fs::metadata(linked)?.nlink() > 1, "nothing was linked");
        scene.pkginstall(["remove", &format!("{GROUP}:target:2.0.0")])?.success()?;
        let absent = contents(scene.prefix());
        let (before, operation) = (scene.path().join("before"), Operation::LinkedUpgrade);
        Ok(Self { scene, operation, command, before, absent, whole })
    }

    /// An upgrade whose patch costs less than the parts that are missing.
    fn upgrade() -> Result<Self, Box<dyn Error>> {
        let scene = Scene::new()?;
        let noise: Vec<String> = (0..30_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_string()).collect();
        let repository = scene.path().join("repository").to_string_lossy().into_owned();
        for version in ["1.0.0", "2.0.0"] {
            let tree = scene.small_tree("target", version)?;
            scene.write(tree.join("files/long.txt"), 0o644, format!("{}{version}", noise.join(" ")))?;
            let file = scene.build(&tree)?.to_string_lossy().into_owned();
            let publish =
                ["publish", &file, "--repo", &repository, "--patches", "1", "--key", "publisher.key"];
            scene.pkgbuild(publish)?.success()?;
        }
        scene.trust()?;
        let install = |version: &str| {
            ["install".to_owned(), format!("{GROUP}:target:{version}"), format!("--repo={repository}")]
        };
        let command = install("2.0.0");
        scene.pkginstall(install("1.0.0"))?.success()?;
        let plan = scene.pkginstall(command.iter().map(String::as_str).chain(["--dry-run", "--json"]))?;
        assert_eq!(plan.success()?.json()?["packages"][0]["way"], "patch");
        // A prefix that has seen both, so that what is left does not depend on being the first.
        scene.pkginstall(&command)?.success()?;
        scene.pkginstall(["remove", &format!("{GROUP}:target:2.0.0")])?.success()?;
        let absent = contents(scene.prefix());
        snapshot(&scene, "before")?;
        scene.pkginstall(&command)?.success()?;
        let whole = contents(scene.prefix());
        let (before, operation) = (scene.path().join("before"), Operation::Upgrade);
        Ok(Self { before, scene, operation, command: command.to_vec(), absent, whole })
    }

    fn try_all(&self) -> Outcome {
        let mut random = Random(SEED);
        if !faults::is_supported() {
            skip("exact kill points", "x86_64 only; killing after seeded delays instead");
            return self.try_delays(&mut random);
        }
        let total = self.count_points()?;
        assert!(total >= 40, "only {total} points: is everything counted?");
        for at in (1..=total).step_by(self.operation.stride()) {
            for mode in ["kill", "kill-after"] {
                self.restore()?;
                let ended = self.under_faultrun(&[mode, "--at", &at.to_string()])?;
                assert_eq!(ended.code, Some(137), "point {at} of {total} was not reached: {ended}");
                self.check(&format!("{mode} at point {at} of {total}"), random.below(3))?;
            }
        }
        Ok(())
    }

    /// Kills after a random part of the time that the operation takes.
    fn try_delays(&self, random: &mut Random) -> Outcome {
        self.restore()?;
        let whole = self.scene.pkginstall(&self.command)?.success()?.took;
        for _ in 0..MOMENTS {
            self.restore()?;
            let mut command = self.scene.command("pkginstall", &self.command);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            let part = u32::try_from(random.below(1000))?;
            std::thread::sleep(whole.max(Duration::from_millis(1)) * part / 1000);
            child.kill()?;
            child.wait()?;
            self.check(&format!("kill after {part}/1000 of the time"), random.below(3))?;
        }
        Ok(())
    }

    fn count_points(&self) -> Result<usize, Box<dyn Error>> {
        self.restore()?;
        let log = self.scene.path().join("points");
        self.under_faultrun(&["list", "--log", &log.to_string_lossy()])?.success()?;
        Ok(fs::read_to_string(log)?.lines().count())
    }

    fn under_faultrun(&self, options: &[&str]) -> Result<Execution, Box<dyn Error>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultrun"));
        command.args(options).arg("--under").arg(self.scene.prefix()).arg("--");
        command.arg(self.scene.programs().path("pkginstall")).args(&self.command);
        self.scene.at_home(&mut command);
        Ok(self.scene.run(&mut command)?)
    }

    /// Runs one of three commands after the kill, and looks at what there is.
    fn check(&self, moment: &str, then: usize) -> Outcome {
        // A command that only looks must never fail over what was left.
        let list = self.scene.pkginstall(["list", "--json"])?;
        assert!(list.is_success(), "{moment}: {list}");
        let wanted = match then {
            0 => {
                self.scene.pkginstall(["recover"])?.success()?;
                None
            }
            1 => {
                // Trying again ends as if nothing had happened, whether or not it was done already.
                let again = self.scene.pkginstall(&self.command)?;
                let gone = self.operation.is_removal() && again.code == Some(5);
                assert!(again.is_success() || gone, "{moment}: {again}");
                Some(!self.operation.is_removal())
            }
            _ => {
                self.scene.pkginstall(["remove", &format!("{GROUP}:stranger:1")])?.expect_code(5)?;
                None
            }
        };
        let found = contents(self.scene.prefix());
        let is_whole = found == self.whole;
        assert!(is_whole || found == self.absent, "{moment}, then {then}: {}", self.strange(&found));
        assert!(wanted.is_none_or(|wanted| wanted == is_whole), "{moment}: tried again without effect");
        if self.operation != Operation::RemoveChanged {
            let verify = self.scene.pkginstall(["verify", "--all"])?;
            let is_sound = is_whole || self.operation != Operation::Repair;
            assert_eq!(verify.is_success(), is_sound, "{moment}, then {then}: {verify}");
        }
        Ok(())
    }

    fn strange(&self, found: &BTreeSet<String>) -> String {
        let surplus: Vec<_> = found.difference(&self.whole).collect();
        let missing: Vec<_> = self.whole.difference(found).collect();
        format!("neither absent nor whole; beside the whole: {surplus:?}, missing from it: {missing:?}")
    }

    fn restore(&self) -> Outcome {
        if self.operation == Operation::LinkedUpgrade {
            // A copy would have other inodes, and nothing would be linked without being read.
            self.scene.pkginstall(&self.command)?.success()?;
            self.scene.pkginstall(["remove", &format!("{GROUP}:target:2.0.0")])?.success()?;
            return Ok(());
        }
        self.scene.make_writable();
        fs::remove_dir_all(self.scene.prefix())?;
        copy(&self.scene, &self.before, self.scene.prefix())
    }
}

/// Overwrites the first file in a tree.
fn damage(tree: &Path) -> Outcome {
    let mut open = vec![tree.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory)?.flatten() {
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else if entry.file_type()?.is_file() {
                // Software is read-only, for its owner too.
                let writable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
                fs::set_permissions(entry.path(), writable)?;
                return Ok(fs::write(entry.path(), "damaged")?);
            }
        }
    }
    Err("nothing to damage".into())
}

fn snapshot(scene: &Scene, name: &str) -> Outcome {
    copy(scene, scene.prefix(), &scene.path().join(name))
}

fn copy(scene: &Scene, from: &Path, to: &Path) -> Outcome {
    scene.run(Command::new("cp").arg("-a").arg(from).arg(to))?.success()?;
    Ok(())
}

/// Returns what lies below the prefix, software with its modes and contents, without what changes from run to run.
fn contents(prefix: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![prefix.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(prefix).unwrap_or(&path);
            let name = without_operation(&name.display().to_string());
            let mode =
                fs::symlink_metadata(&path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
            let kind = entry.file_type();
            let is_record = name.starts_with(".copkg");
            let description = match kind {
                Ok(kind) if kind.is_dir() => {
                    open.push(path);
                    if is_record { "directory".to_owned() } else { format!("directory {mode:o}") }
                }
                Ok(kind) if kind.is_symlink() => {
                    fs::read_link(path).unwrap_or_default().display().to_string()
                }
                // A receipt has the time of the installation in it.
                _ if is_record => "record".to_owned(),
                _ => format!("{mode:o} {}", digest(&path)),
            };
            found.insert(format!("{name}: {description}"));
        }
    }
    found
}

/// What is kept of a removed package lies in a directory whose name ends with a part of the operation's.
fn without_operation(name: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    if let Some(kept) = parts.get_mut(2).filter(|_| name.starts_with("software/.set-aside/")) {
        *kept = kept.rsplit_once('.').map_or(*kept, |(package, _)| package);
    }
    parts.join("/")
}

fn digest(path: &Path) -> String {
    fs::read(path).map_or_else(|error| error.to_string(), |bytes| Digest::of(&bytes).to_string())
}
