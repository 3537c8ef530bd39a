//! Every reader refuses the same: what `verify` refuses is refused by an install from a file, over ranges, and on a host that has all
//! of the files already.

use std::ffi::OsStr;
use std::fs;

use copkg_tests::execution::Execution;
use copkg_tests::files::FileServer;
use copkg_tests::scene::Scene;
use serde_json::json;

use crate::craft::{self, Package, Tar, file};
use crate::programs::scene;
use crate::{read_head, vectors};

const PACKAGE: &str = "com.example:hostile:1.0";
/// Where a repository has it: what follows is sha256 of the group.
const FILE: &str = "hostile/1.0/hostile-1.0-any.copkg";

/// Where the vectors are put in front of a reader.
struct Site {
    scene: Scene,
    server: FileServer,
}

impl Site {
    fn new() -> Self {
        let scene = scene();
        let server = FileServer::serve(scene.path().join("site")).unwrap();
        Self { scene, server }
    }

    /// Puts an archive onto the server, and returns its path for who takes it from there as a file.
    fn put(&self, bytes: &[u8]) -> std::path::PathBuf {
        let package: copkg_spec::coordinate::PackageCoordinate = PACKAGE.parse().unwrap();
        let target = package.target_path(&"any".parse().unwrap());
        assert!(target.ends_with(FILE), "{target}");
        self.scene.write(std::path::Path::new("site/targets").join(target), 0o644, bytes).unwrap()
    }

    fn install_from_server(&self) -> Execution {
        self.scene.pkginstall(["install", PACKAGE, "--repo", self.server.url()]).unwrap()
    }

    fn install_file(&self, file: &std::path::Path) -> Execution {
        self.scene.pkginstall([OsStr::new("install"), file.as_os_str()]).unwrap()
    }

    /// Installs an earlier version that has every content that the vectors have.
    fn with_all_contents(self) -> Self {
        let contents: [(&str, &[u8]); 5] = [("0", b""), ("1", b"1"), ("2", b"2"), ("x", b"x"), ("y", b"y")];
        let entries = contents.iter().map(|(name, content)| file(name, content)).collect();
        let payload =
            contents.iter().fold(Tar::default(), |tar, (name, content)| tar.file(name, content)).end();
        let mut donor = Package::new(entries, payload);
        donor.manifest = |manifest| manifest["version"] = json!("0.9");
        let path = self.scene.write("hostile-0.9-any.copkg", 0o644, donor.build()).unwrap();
        self.install_file(&path).success().unwrap();
        self
    }
}

/// Says which vectors are not refused with exit code 6, or leave something behind.
fn accepted(site: &Site, install: impl Fn(&std::path::Path) -> Execution) -> Vec<String> {
    let before = site.scene.traces();
    let mut wrong = Vec::new();
    for vector in vectors::all() {
        let path = site.put(&vector.bytes);
        let run = install(&path);
        if run.code != Some(6) || site.scene.traces() != before {
            wrong.push(format!("{}: {:?} {}", vector.name, run.code, run.err));
            site.scene.pkginstall(["remove", PACKAGE]).unwrap();
        }
    }
    wrong
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} accepted:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_hostile_package_is_refused_by_verify() {
    let site = Site::new();
    let key = site.scene.path().join("hostile.pub");
    let verify = |path: &std::path::Path| {
        let words = [OsStr::new("verify"), path.as_os_str(), OsStr::new("--key"), key.as_os_str()];
        site.scene.pkgbuild(words).unwrap()
    };
    assert_none(&accepted(&site, verify));
}

#[test]
fn every_hostile_package_is_refused_over_ranges() {
    let site = Site::new();
    assert_none(&accepted(&site, |_| site.install_from_server()));
}

#[test]
fn every_hostile_package_is_refused_from_a_file_by_a_host_that_has_all_its_files() {
    let site = Site::new().with_all_contents();
    assert_none(&accepted(&site, |path| site.install_file(path)));
}

/// What the host has is not fetched, so a fault in those frames alone cannot be seen: then the result is what the signed index says.
#[test]
fn a_host_that_has_all_files_refuses_a_hostile_package_over_ranges_or_installs_what_its_index_says() {
    let site = Site::new().with_all_contents();
    let mut unseen = 0;
    for vector in vectors::all() {
        site.put(&vector.bytes);
        let run = site.install_from_server();
        if run.code == Some(6) {
            continue;
        }
        assert_eq!(run.code, Some(0), "{}: {}", vector.name, run.err);
        let Ok(index) = read_head(&mut vector.bytes.as_slice()) else {
            panic!("{}: the head is refused by the reader and was accepted", vector.name);
        };
        assert!(!vector.name.starts_with("archive:"), "{}: accepted", vector.name);
        site.scene.pkginstall(["verify", PACKAGE]).unwrap().success().unwrap();
        let installed = fs::read_dir(site.scene.software(PACKAGE)).unwrap().count();
        assert_eq!(installed, index.contents().index().entries().len(), "{}", vector.name);
        site.scene.pkginstall(["remove", PACKAGE]).unwrap().success().unwrap();
        unseen += 1;
    }
    assert!(unseen > 0, "nothing was taken from the installed version");
}

#[test]
fn what_is_not_bent_is_accepted_by_every_reader() {
    let payload = Tar::default().file("a", b"x").end();
    let bytes = Package::new(vec![file("a", b"x")], payload).build();
    let site = Site::new();
    let path = site.put(&bytes);
    for _ in 0..2 {
        site.install_file(&path).success().unwrap();
        site.scene.pkginstall(["remove", PACKAGE]).unwrap().success().unwrap();
        site.install_from_server().success().unwrap();
        site.scene.pkginstall(["remove", PACKAGE]).unwrap().success().unwrap();
    }
    assert_eq!(craft::GROUP, "com.example");
}
