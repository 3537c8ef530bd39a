//! `pkginstall why` names the repository that vouches for what runs, as its kept metadata has it now.

use copkg_tests::registry::Registry;
use copkg_tests::scene::{GROUP, Scene};
use serde_json::{Value, json};

use super::Outcome;

const SERVICE: &str = "1.clock.dev.local";

/// Builds a service that does nothing until it is stopped.
fn service(scene: &Scene, seconds: u32) -> Result<std::path::PathBuf, Box<dyn std::error::Error>> {
    let recipe = format!(
        "[package]\ngroup = \"{GROUP}\"\nid = \"clock\"\nversion = \"1.0\"\n\n\
         [[contents]]\nsrc = \"run\"\ndst = \"bin/run\"\nmode = \"0755\"\n\n\
         [service]\nexec = \"bin/run\"\n"
    );
    let tree = scene.path().join("clock");
    scene.write(tree.join("package.toml"), 0o644, recipe)?;
    scene.write(tree.join("run"), 0o755, format!("#!/bin/sh\nexec sleep {seconds}\n"))?;
    Ok(scene.build(&tree)?)
}

/// A host that runs the service from a repository, and stops it in the end.
struct Host<'s> {
    scene: &'s Scene,
    registry: Registry,
    file: std::path::PathBuf,
}

impl<'s> Host<'s> {
    fn new(scene: &'s Scene) -> Result<Self, Box<dyn std::error::Error>> {
        let registry = scene.registry(&["publisher.pub"], 1)?;
        let file = service(scene, 1000)?;
        registry.publish(scene, &[&file], &["publisher.key"])?.success()?;
        let host = Self { scene, registry, file };
        host.run(&["repo", "add", "main", host.registry.url(), "--root", host.registry.fingerprint()])?;
        host.run(&["install", &format!("{GROUP}:clock:1.0")])?;
        host.run(&["start", &format!("{GROUP}:clock:1.0"), "--as", SERVICE])?;
        Ok(host)
    }

    fn run(&self, words: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
        Ok(self.scene.run(&mut self.scene.command("pkginstall", words))?.success()?.out)
    }

    fn why(&self) -> Result<Value, Box<dyn std::error::Error>> {
        Ok(serde_json::from_str::<Value>(&self.run(&["why", SERVICE, "--json"])?)?["vouched"].take())
    }
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        let _ = self.run(&["stop", SERVICE]);
    }
}

#[test]
fn why_names_the_repository_and_the_role_that_vouch_for_what_runs() -> Outcome {
    let scene = Scene::new()?;
    let host = Host::new(&scene)?;
    assert_eq!(host.why()?, json!({ "verdict": "by", "repository": "main", "role": GROUP }));
    let said = host.run(&["why", SERVICE])?;
    let fingerprint = &host.registry.fingerprint()[..12];
    assert!(said.contains(&format!("vouched    by the repository main, role {GROUP}")), "{said}");
    assert!(said.contains("recorded   vouched for by") && said.contains(fingerprint), "{said}");

    // A version that is withdrawn is vouched for all the same: it is what it was.
    let version = format!("{GROUP}:clock:1.0");
    let yank = ["yank", &version, "--reason", "slow", "--key", "publisher.key"];
    host.registry.pkgbuild(&scene, &yank)?.success()?;
    host.run(&["repo", "refresh"])?;
    assert_eq!(host.why()?["verdict"], "by");

    // Who is not configured any more, or is another repository, vouches for nothing.
    host.run(&["repo", "remove", "main"])?;
    let nobody = host.why()?;
    assert_eq!(nobody["verdict"], "nobody");
    assert!(nobody["why"].as_str().ok_or("no reason")?.contains("no repository is configured"), "{nobody}");
    let said = host.run(&["why", SERVICE])?;
    assert!(said.contains("vouched    by no repository: no repository is configured"), "{said}");

    let plain = scene.path().join("plain");
    scene.pkgbuild(["publish", host.file.to_str().ok_or("no text")?, "--repo", "plain"])?.success()?;
    host.run(&["repo", "add", "plain", plain.to_str().ok_or("no text")?])?;
    assert_eq!(host.why()?, json!({ "verdict": "nobody", "why": "it lies in a plain directory" }));
    Ok(())
}

#[test]
fn why_says_when_the_repository_vouches_for_another_package_of_the_name() -> Outcome {
    let scene = Scene::new()?;
    let host = Host::new(&scene)?;
    // Another repository of the same group, with other bytes under the same coordinate.
    let other = Scene::new()?;
    let registry = other.registry(&["publisher.pub"], 1)?;
    registry.publish(&other, &[&service(&other, 1001)?], &["publisher.key"])?.success()?;
    host.run(&["repo", "remove", "main"])?;
    host.run(&["repo", "add", "main", registry.url(), "--root", registry.fingerprint()])?;
    host.run(&["resolve", &format!("{GROUP}:clock:1.0")])?;
    let nobody = host.why()?;
    assert_eq!(nobody["verdict"], "nobody");
    let reason = nobody["why"].as_str().ok_or("no reason")?;
    assert!(reason.starts_with("its repository vouches for another package of that name: "), "{reason}");
    Ok(())
}
