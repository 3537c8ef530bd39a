//! The same archives, and trees that would become such archives, in front of the programs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use copkg_skip::skip;
use copkg_tests::scene::Scene;

use crate::craft;
use crate::vectors;

/// A scene whose host trusts the key that signs the hostile archives.
pub(crate) fn scene() -> Scene {
    let scene = Scene::new().unwrap();
    let key = scene.write("hostile.pub", 0o644, craft::key().public().to_pem().unwrap()).unwrap();
    let words = [OsStr::new("trust"), OsStr::new("add"), OsStr::new(craft::GROUP), key.as_os_str()];
    scene.pkginstall(words).unwrap().success().unwrap();
    scene
}

/// Every path below a directory, with what it is.
fn listing(directory: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        all.push(format!("{} {:?}", entry.path().display(), entry.file_type().unwrap()));
        if entry.file_type().unwrap().is_dir() {
            all.extend(listing(&entry.path()));
        }
    }
    all.sort();
    all
}

#[test]
fn every_row_of_the_policy_is_refused_by_install_and_leaves_nothing() {
    let scene = scene();
    let file = scene.path().join("hostile-1.0-any.copkg");
    let mut before = None;
    for vector in vectors::all() {
        fs::write(&file, &vector.bytes).unwrap();
        let run = scene.pkginstall([OsStr::new("install"), file.as_os_str()]).unwrap();
        assert_eq!(run.code, Some(6), "{}: {}", vector.name, run.err);
        assert!(run.err.contains(vector.refused_for), "{}: {}", vector.name, run.err);
        assert!(run.err.contains("hint:"), "{}: {}", vector.name, run.err);
        assert_eq!(scene.traces(), Vec::<String>::new(), "{}", vector.name);
        // The first refusal may make the prefix's own directories, the others find them.
        let now = listing(scene.path());
        assert_eq!(before.get_or_insert_with(|| now.clone()), &now, "{}", vector.name);
    }
}

#[test]
fn every_row_of_the_policy_is_refused_by_publish_and_leaves_nothing() {
    let scene = scene();
    let file = scene.path().join("hostile-1.0-any.copkg");
    for vector in vectors::all() {
        fs::write(&file, &vector.bytes).unwrap();
        let words = [OsStr::new("publish"), file.as_os_str(), OsStr::new("--repo"), OsStr::new("repository")];
        let run = scene.pkgbuild(words).unwrap();
        if vector.name.starts_with("archive: signatures of another package") {
            assert!(!run.is_success(), "an unsigned package is not published");
        } else {
            assert_eq!(run.code, Some(6), "{}: {}", vector.name, run.err);
            assert!(run.err.contains(vector.refused_for), "{}: {}", vector.name, run.err);
        }
        let published: Vec<String> = listing(&scene.path().join("repository"))
            .into_iter()
            .filter(|line| !line.contains("is_dir: true"))
            .collect();
        assert_eq!(published, Vec::<String>::new(), "{}", vector.name);
    }
}

/// Something that must not get into a package, and a part of the message that refuses it.
type Case = (&'static str, fn(&Path) -> std::io::Result<()>, &'static str);

const TREES: &[Case] = &[
    ("named pipe", |at| mknod(&at.join("fifo"), rustix::fs::FileType::Fifo), "named pipe"),
    ("socket", |at| UnixListener::bind(at.join("socket")).map(drop), "socket"),
    ("absolute link", |at| symlink("/etc/passwd", at.join("link")), "absolute"),
    ("link out of the package", |at| symlink("../../../x", at.join("link")), "leaves the package"),
    (
        "chain of links out of the package",
        |at| {
            symlink("b", at.join("a"))?;
            symlink("../../../x", at.join("b"))
        },
        "leave the package",
    ),
    (
        "links in a circle",
        |at| {
            symlink("b", at.join("a"))?;
            symlink("a", at.join("b"))
        },
        "link",
    ),
    ("newline", |at| fs::write(at.join("a\nb"), ""), "control character"),
    ("escape sequence", |at| fs::write(at.join("a\u{1b}[2J"), ""), "control character"),
    ("right-to-left override", |at| fs::write(at.join("a\u{202e}b"), ""), "bidirectional"),
    ("backslash", |at| fs::write(at.join("a\\b"), ""), "backslash"),
    ("not UTF-8", |at| fs::write(at.join(OsStr::from_bytes(b"a\xffb")), ""), "not UTF-8"),
    (
        "equal when case is folded",
        |at| {
            fs::write(at.join("Readme"), "")?;
            fs::write(at.join("README"), "")
        },
        "equals",
    ),
    (
        "equal when normalised",
        |at| {
            fs::write(at.join("\u{e9}"), "")?;
            fs::write(at.join("e\u{301}"), "")
        },
        "equals",
    ),
    ("too deep", |at| fs::create_dir_all(at.join(vec!["d"; 64].join("/"))), "levels"),
    ("set-uid", |at| file_with_mode(at, 0o4755), "set-uid"),
    ("set-gid", |at| file_with_mode(at, 0o2755), "set-gid"),
    ("world-writable", |at| file_with_mode(at, 0o666), "writable"),
];

fn mknod(path: &Path, kind: rustix::fs::FileType) -> std::io::Result<()> {
    Ok(rustix::fs::mknodat(rustix::fs::CWD, path, kind, rustix::fs::Mode::RUSR, 0)?)
}

fn file_with_mode(directory: &Path, mode: u32) -> std::io::Result<()> {
    let path = directory.join("file");
    fs::write(&path, "x")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))
}

#[test]
fn a_hostile_tree_is_refused_when_it_is_built() {
    for (name, make, refused_for) in TREES {
        let scene = Scene::new().unwrap();
        let tree = scene.small_tree("hostile", "1.0").unwrap();
        make(&tree.join("files")).unwrap();
        let output = scene.path().join("out");
        let words: [&OsStr; 4] = ["build".as_ref(), tree.as_ref(), "--out".as_ref(), output.as_ref()];
        let run = scene.pkgbuild(words).unwrap();
        assert!(matches!(run.code, Some(1 | 6)), "{name}: {:?} {}{}", run.code, run.out, run.err);
        assert!(run.err.contains(refused_for), "{name}: {}{}", run.out, run.err);
        assert_eq!(listing(&output), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_device_in_a_tree_is_refused_when_it_is_built() {
    let scene = Scene::new().unwrap();
    let tree = scene.small_tree("hostile", "1.0").unwrap();
    if let Err(why) = mknod(&tree.join("files/device"), rustix::fs::FileType::CharacterDevice) {
        return skip("building a tree with a device", why);
    }
    let run = scene.pkgbuild([OsStr::new("build"), tree.as_os_str()]).unwrap();
    assert!(run.code == Some(6) && run.err.contains("device"), "{}", run.err);
}

#[test]
fn a_chain_of_links_is_built_into_direct_links() {
    let scene = Scene::new().unwrap();
    let tree = scene.small_tree("links", "1.0").unwrap();
    symlink("libx.so.1", tree.join("files/libx.so")).unwrap();
    symlink("libx.so.1.2.3", tree.join("files/libx.so.1")).unwrap();
    fs::write(tree.join("files/libx.so.1.2.3"), "x").unwrap();
    let package = scene.build(&tree).unwrap();
    scene.trust().unwrap();
    scene.pkginstall([OsStr::new("install"), package.as_os_str()]).unwrap().success().unwrap();
    let installed = scene.software("org.copkg.examples:links:1.0");
    assert_eq!(fs::read_link(installed.join("libx.so")).unwrap(), Path::new("libx.so.1.2.3"));
    assert_eq!(fs::read_to_string(installed.join("libx.so")).unwrap(), "x");
}
