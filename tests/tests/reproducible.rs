//! The same tree and recipe give the same bytes, whoever builds where; and everybody can list the file.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use copkg_skip::skip;
use copkg_tests::random::Random;
use copkg_tests::scene::{Scene, only_file};

type Outcome = Result<(), Box<dyn Error>>;

/// The source date of every build here, unless a test asks for another.
const DATE: &str = "1700000000";

#[test]
fn folder_umask_time_zone_and_threads_leave_no_mark() -> Outcome {
    let scene = Scene::new()?;
    let tree = rich_tree(&scene)?;
    let reference = build(&scene, &tree, "022", "UTC", "1")?;
    for (umask, zone, threads) in
        [("077", "Asia/Kolkata", "2"), ("000", "America/St_Johns", "3"), ("027", "UTC", "8")]
    {
        let copy = scene.path().join(format!("elsewhere-{umask}/deeper/still"));
        copy_tree(&scene, &tree, &copy)?;
        let other = build(&scene, &copy, umask, zone, threads)?;
        assert!(
            fs::read(&reference)? == fs::read(&other)?,
            "umask {umask}, {zone}, {threads} threads: other bytes"
        );
        assert_eq!(reference.file_name(), other.file_name());
    }
    Ok(())
}

#[test]
fn another_user_builds_the_same_bytes() -> Outcome {
    let scene = Scene::new()?;
    let tree = rich_tree(&scene)?;
    let reference = build(&scene, &tree, "022", "UTC", "2")?;
    let Some(mut nobody) = as_nobody() else { return Ok(()) };
    let theirs = tempfile::Builder::new().prefix("copkg-nobody-").tempdir()?;
    let copy = theirs.path().join("tree");
    copy_tree(&scene, &tree, &copy)?;
    fs::copy(scene.path().join("publisher.key"), theirs.path().join("publisher.key"))?;
    run(Command::new("chown").args(["-R", "65534:65534"]).arg(theirs.path()))?;
    let output = theirs.path().join("packages");
    // The build directory may lie where only its owner looks.
    scene.programs().copy("pkgbuild", theirs.path())?;
    nobody.arg(theirs.path().join("pkgbuild")).arg("build").arg(&copy);
    nobody.args(["--key", "publisher.key", "--out"]).arg(&output);
    nobody.current_dir(theirs.path()).env("HOME", theirs.path()).env("SOURCE_DATE_EPOCH", DATE);
    scene.run(&mut nobody)?.success()?;
    let theirs = only_file(&output)?;
    assert!(fs::read(reference)? == fs::read(theirs)?, "another user, other bytes");
    Ok(())
}

#[test]
fn another_source_date_is_another_package() -> Outcome {
    let scene = Scene::new()?;
    let tree = rich_tree(&scene)?;
    let reference = build(&scene, &tree, "022", "UTC", "2")?;
    let mut later = scene.command("pkgbuild", ["build", "--key", "publisher.key", "--out", "later"]);
    scene.run(later.arg(&tree).env("SOURCE_DATE_EPOCH", "1800000000"))?.success()?;
    assert!(fs::read(reference)? != fs::read(only_file(&scene.path().join("later"))?)?);
    Ok(())
}

#[test]
fn every_archiver_lists_the_file_and_its_payload_alike() -> Outcome {
    let scene = Scene::new()?;
    let file = build(&scene, &rich_tree(&scene)?, "022", "UTC", "2")?;
    let members = "package.json\nsignatures.json\nindex.json.zst\n";
    let outer = run(Command::new("tar").arg("tf").arg(&file))?;
    assert!(outer.starts_with(members) && outer.ends_with("payload.tar.zst\n"), "{outer}");
    let directory = scene.path().join("members");
    fs::create_dir(&directory)?;
    run(Command::new("tar").arg("xf").arg(&file).arg("-C").arg(&directory))?;
    let payload = directory.join("payload.tar.zst");

    let listed = python_listing(&payload, &scene)?;
    assert!(listed.contains("share/ä/7.txt") && listed.contains("current -> bin/run"), "{listed}");
    if has("zstd") {
        let tar = run(Command::new("tar").args(["--zstd", "-tf"]).arg(&payload).env("LC_ALL", "C.UTF-8"))?;
        assert_eq!(names(&tar), names(&listed), "GNU tar and Python differ");
    } else {
        skip("GNU tar --zstd", "no zstd on this machine");
    }
    if has("bsdtar") {
        assert_eq!(run(Command::new("bsdtar").arg("tf").arg(&file))?, outer, "bsdtar and GNU tar differ");
        let bsdtar = run(Command::new("bsdtar").arg("tf").arg(&payload).env("LC_ALL", "C.UTF-8"))?;
        assert_eq!(names(&bsdtar), names(&listed), "bsdtar and Python differ");
    } else {
        skip("bsdtar", "not on this machine");
    }
    Ok(())
}

/// A tree with everything that a package can hold: directories, an executable, links, long and foreign names, an empty file.
fn rich_tree(scene: &Scene) -> Result<PathBuf, Box<dyn Error>> {
    let tree = scene.small_tree("rich", "1.0.0")?;
    let long = "a-name-that-does-not-fit-into-the-header-of-a-tar-archive/".repeat(3);
    for path in ["share/ä/7.txt", "share/日本/x", "empty", &format!("{long}file")] {
        scene.write(tree.join("files").join(path), 0o644, if path == "empty" { "" } else { path })?;
    }
    // Equal files: the payload has hard links, which every archiver knows.
    for path in ["share/ä/equal", "equal", &format!("{long}equal")] {
        scene.write(tree.join("files").join(path), 0o644, "equal\n".repeat(1000))?;
    }
    scene.write(tree.join("files/random"), 0o644, Random(0x9e37_79b9_7f4a_7c15).bytes(3 << 20))?;
    Ok(tree)
}

fn build(
    scene: &Scene,
    tree: &Path,
    umask: &str,
    zone: &str,
    threads: &str,
) -> Result<PathBuf, Box<dyn Error>> {
    let output = scene.path().join(format!("out-{umask}-{threads}"));
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"umask "$1"; shift; exec "$@""#, "sh", umask]);
    shell.arg(scene.programs().path("pkgbuild")).arg("build").arg(tree);
    shell.args(["--key", "publisher.key", "--threads", threads, "--out"]).arg(&output);
    scene.at_home(&mut shell);
    shell.env("TZ", zone).env("SOURCE_DATE_EPOCH", DATE);
    scene.run(&mut shell)?.success()?;
    Ok(only_file(&output)?)
}

fn copy_tree(scene: &Scene, from: &Path, to: &Path) -> Outcome {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    scene.run(Command::new("cp").arg("-r").arg(from).arg(to))?.success()?;
    Ok(())
}

/// Lists a payload with Python, which has no zstd of its own before 3.14.
fn python_listing(payload: &Path, scene: &Scene) -> Result<String, Box<dyn Error>> {
    let tar = scene.path().join("payload.tar");
    zstd::stream::copy_decode(fs::File::open(payload)?, fs::File::create(&tar)?)?;
    let script = "import sys, tarfile\n\
                  for m in tarfile.open(sys.argv[1]):\n    \
                  print(m.name + ('/' if m.isdir() else ' -> ' + m.linkname if m.issym() else ''))";
    run(Command::new("python3").arg("-c").arg(script).arg(tar).env("PYTHONIOENCODING", "utf-8"))
}

/// Returns the names of a listing, without what a link points to.
fn names(listing: &str) -> Vec<&str> {
    listing.lines().map(|line| line.split(" -> ").next().unwrap_or(line)).collect()
}

/// Returns a command that runs its arguments as another user; none, with the reason said, without root.
fn as_nobody() -> Option<Command> {
    if !rustix::process::geteuid().is_root() {
        skip("a build by another user", "only root can become one");
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    Some(command)
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn run(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(String::from_utf8(output.stdout)?) } else { Err(errors.into()) }
}
