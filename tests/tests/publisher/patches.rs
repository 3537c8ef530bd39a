//! Patches on a real server: published beside their package, verified there, taken by a host.

use std::fmt::Write as _;

use copkg_tests::scene::{GROUP, Scene};
use serde_json::{Value, json};

use super::{Outcome, count, group};

/// Builds a package whose one file is long, and ends otherwise in each version.
fn package(scene: &Scene, version: &str) -> Result<std::path::PathBuf, Box<dyn std::error::Error>> {
    let directory = scene.small_tree("notes", version)?;
    let mut seed = 1_u64;
    let mut text = String::new();
    for _ in 0..40_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        writeln!(text, "{:016x}", seed >> 3)?;
    }
    let name = directory.strip_prefix(scene.path())?.join("files/long.txt");
    scene.write(&name, 0o644, format!("{text}{version}\n"))?;
    Ok(scene.build(&directory)?)
}

#[test]
fn a_published_patch_is_what_a_host_takes() -> Outcome {
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    let files = [package(&scene, "1.0")?, package(&scene, "1.1")?, package(&scene, "1.2")?];
    registry.publish(&scene, &[&files[0]], &["publisher.key"])?.success()?;
    let mut publish =
        registry.command(&scene, &["publish", "--json", "--patches", "2", "--key", "publisher.key"]);
    let said = scene.run(publish.args(&files[1..]))?.success()?.json()?;
    let from: Vec<&Value> = said["patches"].as_array().ok_or("no list")?.iter().map(|p| &p["from"]).collect();
    assert_eq!(from, [&json!("1.0"), &json!("1.1"), &json!("1.0")]);
    assert_eq!(count(&group(&scene)?), 6);
    let again = scene.run(&mut publish)?.success()?.json()?;
    assert_eq!((&again["changed"], &again["patches"]), (&json!(false), &json!([])));
    let host = |words: &[&str]| scene.run(&mut scene.command("pkginstall", words));
    host(&["repo", "add", "main", registry.url(), "--root", registry.fingerprint()])?.success()?;
    host(&["install", &format!("{GROUP}:notes:1.0")])?.success()?;
    let wanted = format!("{GROUP}:notes:1.2");
    let planned = host(&["install", &wanted, "--dry-run", "--json"])?.success()?.json()?;
    assert_eq!(planned["packages"][0]["way"], "patch");
    assert!(planned["packages"][0]["fetch_bytes"].as_u64() < Some(20_000), "{planned}");
    let said = host(&["install", &wanted])?.success()?;
    assert!(!said.err.contains("patch"), "{said}");
    host(&["verify", &wanted])?.success()?;
    Ok(())
}
