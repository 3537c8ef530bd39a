//! Patches on a real server: published beside their package, verified there, taken by a host.

use std::fmt::Write as _;

use copkg_spec::digest::Digest;
use copkg_spec::repository::{PatchCustom, PatchKind};
use copkg_tests::publishing::{self, Place, Publisher, patch_between};
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

/// Returns the patches that the group names, as paths below the store.
fn patches(scene: &Scene) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let group = group(scene)?;
    let targets = group["targets"].as_object().ok_or("no targets")?;
    let patches = targets.iter().filter(|(_, target)| target["custom"]["kind"] == "patch");
    let place = |(path, target): (&String, &Value)| {
        let (directory, name) = path.rsplit_once('/')?;
        Some(format!("targets/{directory}/{}.{name}", target["hashes"]["sha256"].as_str()?))
    };
    Ok(patches.filter_map(place).collect())
}

#[test]
fn patches_stay_whatever_becomes_of_the_repository() -> Outcome {
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    let files = [package(&scene, "1.0")?, package(&scene, "1.1")?];
    registry.publish(&scene, &[&files[0]], &["publisher.key"])?.success()?;
    let mut publish = registry.command(&scene, &["publish", "--patches", "1", "--key", "publisher.key"]);
    scene.run(publish.arg(&files[1]))?.success()?;
    let before = patches(&scene)?;
    assert_eq!(before.len(), 1, "{before:?}");

    // What changes the group's role keeps them.
    let (old, new) = (format!("{GROUP}:notes:1.0"), format!("{GROUP}:notes:1.1"));
    for words in [&["yank", &old, "--reason", "slow"][..], &["unyank", &old], &["promote", &new, "stable"]] {
        let mut change = registry.command(&scene, &[words, &["--key", "publisher.key"]].concat());
        scene.run(&mut change)?.success()?;
        assert_eq!(patches(&scene)?, before, "{words:?}");
    }

    // So does who looks after the store, and each copy has them.
    let store = format!("file://{}", scene.path().join("store").display());
    let server = |words: &[&str]| scene.run(&mut scene.command("repo-server", words));
    server(&["gc", "--keep", "1", "--min-age", "0s", "--store", &store])?.success()?;
    assert!(server(&["check", "--store", &store])?.success()?.out.contains("all is well"));
    let (export, mirror) = (scene.path().join("export"), scene.path().join("mirror"));
    let mirror_url = format!("file://{}", mirror.display());
    server(&["export", "export", "--store", &store])?.success()?;
    let root = registry.fingerprint();
    server(&["mirror", registry.url(), "--root", root, "--store", &mirror_url, "--once"])?.success()?;
    for copy in [&scene.path().join("store"), &export, &mirror] {
        for path in &before {
            assert!(copy.join(path).is_file(), "{path} in {}", copy.display());
        }
    }

    // A host that has the old version takes the patch from either copy.
    let host = |words: &[&str]| scene.run(&mut scene.command("pkginstall", words));
    for copy in [&export, &mirror] {
        host(&["repo", "add", "main", copy.to_str().ok_or("no text")?, "--root", root])?.success()?;
        host(&["install", &old])?.success()?;
        let planned = host(&["install", &new, "--dry-run", "--json"])?.success()?.json()?;
        assert_eq!(planned["packages"][0]["way"], "patch", "{planned}");
        assert!(!host(&["install", &new])?.success()?.err.contains("patch"));
        host(&["remove", &new])?.success()?;
    }

    // A patch that is lost or damaged is found.
    let patch = mirror.join(&before[0]);
    std::fs::write(&patch, b"other bytes")?;
    assert_eq!(server(&["check", "--store", &mirror_url])?.code, Some(6));
    std::fs::remove_file(&patch)?;
    let said = server(&["check", "--store", &mirror_url])?;
    assert!(said.code == Some(6) && said.out.contains(".patch"), "{said}");
    Ok(())
}

#[test]
fn a_patch_is_taken_only_between_what_is_published_and_whole() -> publishing::Result<()> {
    let directory = tempfile::tempdir()?;
    let store = format!("file://{}", directory.path().join("store").display());
    let place = Place { store, environment: Vec::new(), directory: directory.path().to_owned() };
    let mut publishers = [Publisher::new("com.example.g0", 1)?];
    place.found(&publishers, &[])?;
    let server = place.serve("server", None, &[])?;
    let publisher = &mut publishers[0];
    let mut packages = Vec::new();
    for (version, data) in [("1.0", &b"the old content"[..]), ("1.1", b"the new content")] {
        let prepared = publisher.prepare("web", version, data)?;
        assert_eq!(Publisher::send(server.address, &prepared)?.status, 201);
        packages.push((prepared.file.clone(), data));
        publisher.committed(prepared);
    }
    let (made, good) = patch_between((&packages[0].0, packages[0].1), (&packages[1].0, packages[1].1))?;
    let said = PatchCustom {
        kind: PatchKind::Patch,
        digest: made.digest,
        from: made.manifest.from().digest,
        to: made.manifest.to().digest,
        platform: made.manifest.platform().clone(),
    };
    let target = made.manifest.target();
    let send = |said: &PatchCustom, bytes: &[u8]| {
        let prepared = publisher.prepare_patch(&target, said, bytes.to_vec())?;
        Publisher::send(server.address, &prepared).map(|answer| (answer.status, answer.code()))
    };
    // Its data begins in the seventh block, after the head, the signatures and the list of steps.
    let mut damaged = good.clone();
    damaged[3600] ^= 1;
    assert_eq!(send(&said, &damaged)?, (422, "blob_refused".to_owned()));
    let other = PatchCustom { digest: Digest::of(b"another"), ..said.clone() };
    assert_eq!(send(&other, &good)?, (422, "blob_refused".to_owned()));
    let swapped = PatchCustom { from: said.to, to: said.from, ..said.clone() };
    // What a group says is checked by the same rules before it is signed and when it is proposed.
    assert!(publisher.prepare_patch(&target, &swapped, good.clone()).is_err());
    assert_eq!(send(&said, &good)?.0, 201);
    Ok(())
}
