//! A deployment whose packages are in a repository: locked, published, installed.

use std::fs;

use copkg_spec::deployment::{LOCK_NAME, Lock};
use copkg_spec::platform::Platform;
use copkg_tests::scene::{GROUP, Scene};
use serde_json::json;

use super::{Outcome, newest};

const HELLO: &str = "[package]\ngroup = \"org.copkg.examples\"\nid = \"hello\"\nversion = \"1.0.0\"\n\n\
    [[contents]]\nsrc = \"bin\"\n\n[service]\nexec = \"bin/hello\"\n";

const DEPLOYMENT: &str = r#"
[deployment]
group = "org.copkg.examples"
id = "greeting"
version = "1.0.0"

[service.fixed]
package = "org.copkg.examples:hello"
version = "1.0.0"

[service.stable]
package = "org.copkg.examples:hello"
channel = "stable"

[service.followed]
package = "org.copkg.examples:hello"
follow = true

[role.all]
services = ["fixed", "stable", "followed"]
"#;

const ENVIRONMENT: &str =
    "cell = \"here\"\nuser = \"dev\"\nchannel = \"edge\"\n[host.one]\nroles = [\"all\"]\n";

fn hello(scene: &Scene, version: &str) -> Result<std::path::PathBuf, Box<dyn std::error::Error>> {
    let tree = scene.path().join(format!("hello-{version}"));
    scene.write(tree.join("package.toml"), 0o644, HELLO.replace("1.0.0", version))?;
    scene.write(tree.join("bin/hello"), 0o755, "#!/bin/sh\nexec sleep 600\n")?;
    Ok(scene.build(&tree)?)
}

#[test]
fn a_deployment_is_locked_by_its_repository_published_and_installed_as_any_package() -> Outcome {
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    let (first, second) = (hello(&scene, "1.0.0")?, hello(&scene, "1.1.0")?);
    registry.publish(&scene, &[&first, &second], &["publisher.key"])?.success()?;
    let promote = |version: &str, channel: &str| {
        let coordinate = format!("{GROUP}:hello:{version}");
        registry.pkgbuild(&scene, &["promote", &coordinate, channel, "--key", "publisher.key"])
    };
    let tree = scene.path().join("greeting");
    scene.write(tree.join("deployment.toml"), 0o644, DEPLOYMENT)?;
    scene.write(tree.join("env/dev.toml"), 0o644, ENVIRONMENT)?;
    let tree = tree.to_str().ok_or("the path is text")?;

    let build = ["build", tree, "--out", "deployments", "--key", "publisher.key", "--json"];
    let missing = registry.pkgbuild(&scene, &build)?.expect_code(5)?.json()?;
    assert_eq!(missing["error"]["code"], "deployment_package_missing");
    assert_eq!(missing["error"]["message"], format!("there is no {GROUP}:hello@stable: it has no channel"));

    promote("1.1.0", "stable")?.success()?;
    let made = registry.pkgbuild(&scene, &build)?.success()?.json()?;
    assert_eq!(made["package"], format!("{GROUP}:greeting:1.0.0"));
    let file = scene.path().join("deployments/greeting-1.0.0-any.copkg");
    registry.publish(&scene, &[&file], &["publisher.key"])?.success()?;
    let group = newest(&scene.path().join("store/metadata"), GROUP)?;
    let targets = group["targets"].as_object().ok_or("it has targets")?;
    let target = targets.iter().find(|(path, _)| path.contains("/greeting/")).ok_or("it is published")?.1;
    assert_eq!(target["custom"]["kind"], "deployment");

    let (url, root) = (registry.url(), registry.fingerprint());
    scene.pkginstall(["repo", "add", "main", url, "--root", root])?.success()?;
    scene.pkginstall(["install", &format!("{GROUP}:greeting")])?.success()?;
    let software = scene.software(&format!("{GROUP}:greeting:1.0.0"));
    let lock = Lock::parse(&fs::read_to_string(software.join(LOCK_NAME))?)?;
    let locked: Vec<String> =
        lock.iter().map(|(reference, package)| format!("{reference} is {}", package.version)).collect();
    // What follows a channel is asked for when it is applied.
    assert_eq!(locked, [format!("{GROUP}:hello:1.0.0 is 1.0.0"), format!("{GROUP}:hello@stable is 1.1.0")]);
    let first = first.to_str().ok_or("the path is text")?;
    let digest = scene.pkgbuild(["inspect", "--json", first])?.json()?["digest"].take();
    let (_, package) = lock.iter().next().ok_or("it has packages")?;
    assert_eq!(json!(package.digests[&Platform::Any]), digest);

    let started = scene.pkginstall([
        "start",
        &format!("{GROUP}:greeting:1.0.0"),
        "--as",
        "1.greeting.dev.here",
        "--json",
    ])?;
    let refused = started.expect_code(2)?.json()?;
    assert_eq!(refused["error"]["code"], "not_a_service");
    assert_eq!(
        refused["error"]["message"],
        format!("{GROUP}:greeting:1.0.0 is no service: it holds a deployment")
    );
    Ok(())
}
