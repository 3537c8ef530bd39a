//! Publishers that die, and connections that break: the same command again finishes the work.

use std::fs;
use std::path::Path;
use std::process::Command;

use copkg_skip::skip;
use copkg_tests::faults::{self, Proxy, Spoil};
use copkg_tests::random::Random;
use copkg_tests::registry::Registry;
use copkg_tests::scene::Scene;

use super::{Outcome, count, group, package};

/// Publishes through a proxy.
fn publish(scene: &Scene, url: &str, registry: &Registry, file: &Path) -> Command {
    let mut command =
        scene.command("pkgbuild", ["publish", "--key", "publisher.key", "--json", "--repo", url]);
    command.args(["--root", registry.fingerprint()]).arg(file);
    command
}

#[test]
fn answers_that_are_lost_are_asked_for_again() -> Outcome {
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    let file = package(&scene, "notes", "1")?;
    let proxy = Proxy::start(registry.port(), Spoil::CloseAt(1), 4)?;
    scene.run(&mut publish(&scene, &proxy.url(), &registry, &file))?.success()?;
    assert!(proxy.connections() > 4, "only {} connections", proxy.connections());
    assert_eq!(count(&group(&scene)?), 1);
    Ok(())
}

#[test]
fn an_upload_that_breaks_is_gone_on_with() -> Outcome {
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    let tree = scene.small_tree("large", "1")?;
    scene.write(tree.join("files/noise"), 0o644, Random(20_261_121).bytes(2 << 20))?;
    let file = scene.build(&tree)?;
    // Metadata passes, the file does not.
    let proxy = Proxy::start(registry.port(), Spoil::CutRequestAt(256 << 10), usize::MAX)?;
    let mut broken = publish(&scene, &proxy.url(), &registry, &file);
    let said = scene.run(&mut broken)?.expect_code(8)?;
    assert!(said.err.contains("run the same command again"), "{said}");
    assert!(group(&scene).is_err(), "it is public without its file");
    let said = registry.publish(&scene, &[&file], &["publisher.key"])?.success()?.json()?;
    assert_eq!(said["state"], "committed");
    Ok(())
}

/// In CI every so many points; `COPKG_TEST_EVERY_POINT=1` takes all.
const STRIDE: usize = 7;

#[test]
fn a_killed_publisher_leaves_nothing_or_everything() -> Outcome {
    if !faults::is_supported() {
        skip("exact kill points", "x86_64 only");
        return Ok(());
    }
    let stride = if std::env::var_os("COPKG_TEST_EVERY_POINT").is_some() { 1 } else { STRIDE };
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    let (mut at, mut published) = (1, 0);
    loop {
        let file = package(&scene, "notes", &format!("1.{at}"))?;
        let state = scene.path().join(format!("killed-{at}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultrun"));
        command.args(["kill-after", "--at", &at.to_string(), "--under"]).arg(&state).arg("--");
        command.arg(scene.programs().path("pkgbuild"));
        command.args(["publish", "--key", "publisher.key", "--repo", registry.url()]);
        command.args(["--root", registry.fingerprint()]).arg(&file);
        scene.at_home(&mut command);
        let ended = scene.run(command.env("XDG_STATE_HOME", &state))?;
        let before = group(&scene).map_or(0, |group| count(&group));
        assert!(before == published || before == published + 1, "point {at}: {before} after {published}");
        // The same command again finishes it, from whatever the first left.
        let mut again = registry.command_as(&scene, &["publish", "--key", "publisher.key"], &state);
        scene.run(again.arg(&file))?.success()?;
        published += 1;
        assert_eq!(count(&group(&scene)?), published, "point {at}");
        if ended.is_success() {
            break;
        }
        assert_eq!(ended.code, Some(137), "point {at}: {ended}");
        fs::remove_dir_all(&state)?;
        at += stride;
    }
    assert!(at > 20, "only {at} points: is everything counted?");
    Ok(())
}
