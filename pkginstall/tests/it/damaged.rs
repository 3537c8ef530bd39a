//! A payload that is damaged half-way in one copy comes from the next: only what is damaged, and what follows.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Host, Package};
use crate::upgrade::{OLD, package, tree};
use crate::wire::{Ranges, Wire};

/// A host whose repository has a damaged copy first and a good one after it.
struct Scene {
    host: Host,
    package: Package,
    /// How long the head of the package and its payload up to the damage are, at least.
    damaged_at: usize,
}

impl Scene {
    fn new() -> Self {
        let host = Host::new();
        let package = package(OLD, &tree(&[]));
        host.publish(&package);
        copy(&host.path("repository"), &host.path("damaged"));
        let file = find(&host.path("damaged"));
        let mut bytes = fs::read(&file).unwrap();
        let damaged_at = bytes.len() / 2;
        bytes[damaged_at] ^= 1;
        fs::write(file, bytes).unwrap();
        Self { host, package, damaged_at }
    }

    fn add(&self, places: [&str; 2]) {
        self.host.ok(&["repo", "add", "main", places[0], "--mirror", places[1]]);
    }

    /// Installs, and returns what was said.
    fn install(&self) -> String {
        let output = self.host.run(&["install", OLD, "--no-progress"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        self.host.ok(&["verify", OLD]);
        said
    }
}

fn find(directory: &Path) -> PathBuf {
    let path = fs::read_dir(directory).unwrap().next().unwrap().unwrap().path();
    if path.is_dir() { find(&path) } else { path }
}

fn copy(from: &Path, to: &Path) {
    assert!(std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_next_copy_gives_what_is_damaged_and_the_warning_names_the_first() {
    let scene = Scene::new();
    let (damaged, good) = (scene.host.path("damaged"), scene.host.path("repository"));
    scene.add([text(&damaged), text(&good)]);
    let said = scene.install();
    let expected = format!("the copy at {} is damaged", find(&damaged).display());
    assert!(said.contains(&expected) && said.contains(text(&find(&good))), "{said}");
}

#[test]
fn a_server_with_ranges_is_asked_for_what_is_left_alone() {
    let scene = Scene::new();
    let damaged = Wire::serve(scene.host.path("damaged"), Ranges::Yes);
    let good = Wire::serve(scene.host.path("repository"), Ranges::Yes);
    scene.add([&damaged.url, &good.url]);
    let said = scene.install();
    assert!(said.contains(&damaged.url) && said.contains("is damaged"), "{said}");
    let (whole, sent) = (scene.package.bytes.len() as u64, good.sent());
    assert!(sent > 0 && sent < whole * 4 / 5, "{sent} of {whole} bytes came from the second copy");
}

#[test]
fn a_server_without_ranges_is_read_anew_and_what_was_right_stays() {
    let scene = Scene::new();
    let damaged = Wire::serve(scene.host.path("damaged"), Ranges::No);
    for ranges in [Ranges::No, Ranges::Yes] {
        let good = Wire::serve(scene.host.path("repository"), ranges);
        scene.add([&damaged.url, &good.url]);
        let said = scene.install();
        assert!(said.contains(&damaged.url) && said.contains("is damaged"), "{said}");
        scene.host.ok(&["remove", OLD]);
    }
}

#[test]
fn a_copy_that_ends_early_is_as_good_as_damaged() {
    let scene = Scene::new();
    let file = find(&scene.host.path("damaged"));
    let bytes = fs::read(&file).unwrap();
    fs::write(file, &bytes[..scene.damaged_at]).unwrap();
    scene.add([text(&scene.host.path("damaged")), text(&scene.host.path("repository"))]);
    assert!(scene.install().contains("is damaged"));
}

#[test]
fn a_copy_that_trickles_is_given_up_and_the_next_goes_on_where_it_stood() {
    let scene = Scene::new();
    let config = scene.host.prefix(".copkg/config.toml");
    crate::support::write(&config, b"[fetch]\nrate_window_seconds = 1\n");
    for ranges in [Ranges::Yes, Ranges::No] {
        let slow = Wire::trickling(scene.host.path("repository"), ranges, scene.damaged_at);
        let good = Wire::serve(scene.host.path("repository"), Ranges::Yes);
        scene.add([&slow.url, &good.url]);
        let said = scene.install();
        assert!(said.contains(&format!("the copy at {}", slow.url)), "{said}");
        assert!(said.contains("is given up: ") && said.contains("fewer than 4096 bytes a second"), "{said}");
        let (whole, sent) = (scene.package.bytes.len() as u64, good.sent());
        assert!(sent > 0 && sent < whole * 4 / 5, "{sent} of {whole} bytes came from the second copy");
        scene.host.ok(&["remove", OLD]);
    }
}

#[test]
fn the_last_copy_may_be_as_slow_as_it_is() {
    let host = Host::new();
    let package = crate::support::package("com.example:web:1.0.0");
    host.publish(&package);
    let config = host.prefix(".copkg/config.toml");
    crate::support::write(&config, b"[fetch]\nrate_window_seconds = 1\n");
    // The last 75 bytes take a second and a half.
    let slow = Wire::trickling(host.path("repository"), Ranges::Yes, package.bytes.len() - 75);
    host.ok(&["repo", "add", "main", &slow.url]);
    host.ok(&["install", "com.example:web:1.0.0", "--no-progress"]);
}

#[test]
fn without_a_good_copy_nothing_is_installed() {
    let scene = Scene::new();
    let damaged = scene.host.path("damaged");
    copy(&damaged, &scene.host.path("other"));
    scene.add([text(&damaged), text(&scene.host.path("other"))]);
    let said = scene.host.fails(6, &["install", OLD, "--no-progress"]);
    assert!(said.contains("is not what its manifest says") && said.contains("is damaged"), "{said}");
    assert!(scene.host.software().is_empty() && scene.host.journal().is_empty());
}
