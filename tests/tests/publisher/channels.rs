//! Versions that are taken back, and channels that move.

use copkg_tests::registry::Registry;
use copkg_tests::scene::{GROUP, Scene};
use serde_json::{Value, json};

use super::{Outcome, group, package};

/// Publishes 1.0, 1.1 and 2.0 of one package.
fn published(scene: &Scene) -> Result<Registry, Box<dyn std::error::Error>> {
    let registry = scene.registry(&["publisher.pub"], 1)?;
    let files =
        [package(scene, "notes", "1.0")?, package(scene, "notes", "1.1")?, package(scene, "notes", "2.0")?];
    let files: Vec<_> = files.iter().map(std::path::PathBuf::as_path).collect();
    registry.publish(scene, &files, &["publisher.key"])?.success()?;
    Ok(registry)
}

fn notes(scene: &Scene) -> Result<Value, Box<dyn std::error::Error>> {
    Ok(group(scene)?["packages"]["notes"].take())
}

#[test]
fn a_yanked_version_is_the_newest_no_more_until_it_is_taken_back() -> Outcome {
    let scene = Scene::new()?;
    let registry = published(&scene)?;
    let coordinate = format!("{GROUP}:notes:2.0");
    let run =
        |words: &[&str]| registry.pkgbuild(&scene, &[words, &["--key", "publisher.key", "--json"]].concat());
    let dry = run(&["yank", &coordinate, "--reason", "loses data", "--dry-run"])?.success()?.json()?;
    assert_eq!((&dry["changed"], &dry["newest"]), (&json!(false), &json!("1.1")));
    assert_eq!(notes(&scene)?["newest"], "2.0");
    let yanked = run(&["yank", &coordinate, "--reason", "loses data"])?.success()?.json()?;
    assert_eq!((&yanked["changed"], &yanked["newest"]), (&json!(true), &json!("1.1")));
    assert_eq!(notes(&scene)?["newest"], "1.1");
    assert_eq!(run(&["yank", &coordinate, "--reason", "loses data"])?.success()?.json()?["changed"], false);
    let refused = run(&["promote", &coordinate, "stable"])?.expect_code(7)?.json()?;
    assert_eq!(refused["error"]["code"], "version_yanked");
    run(&["unyank", &coordinate])?.success()?;
    assert_eq!(notes(&scene)?["newest"], "2.0");
    let missing = run(&["yank", &format!("{GROUP}:notes:9"), "--reason", "x"])?.expect_code(5)?.json()?;
    assert_eq!(missing["error"]["code"], "not_published");
    Ok(())
}

#[test]
fn a_channel_moves_up_and_down_and_goes() -> Outcome {
    let scene = Scene::new()?;
    let registry = published(&scene)?;
    let run =
        |words: &[&str]| registry.pkgbuild(&scene, &[words, &["--key", "publisher.key", "--json"]].concat());
    let version = |version: &str| format!("{GROUP}:notes:{version}");
    run(&["promote", &version("1.1"), "stable"])?.success()?;
    assert_eq!(notes(&scene)?["channels"]["stable"], "1.1");
    assert_eq!(run(&["promote", &version("1.1"), "stable"])?.success()?.json()?["changed"], false);
    let up = run(&["promote", &version("2.0"), "stable"])?.success()?.json()?;
    assert_eq!((&up["version"], &up["version_before"]), (&json!("2.0"), &json!("1.1")));
    let wrong = run(&["promote", &version("1.0"), "stable"])?.expect_code(7)?.json()?;
    assert_eq!(wrong["error"]["code"], "wrong_direction");
    run(&["demote", &version("1.0"), "stable"])?.success()?;
    assert_eq!(notes(&scene)?["channels"]["stable"], "1.0");
    let yanked = run(&["yank", &version("1.0"), "--reason", "old"])?.success()?;
    assert_eq!(yanked.json()?["channels_left"], json!(["stable"]));
    assert!(yanked.err.contains("the channel stable still leads to"), "{yanked}");
    run(&["demote", &format!("{GROUP}:notes"), "stable", "--remove"])?.success()?;
    assert_eq!(notes(&scene)?.get("channels"), None);
    let gone = run(&["demote", &format!("{GROUP}:notes"), "stable", "--remove"])?.success()?.json()?;
    assert_eq!(gone["changed"], false);
    Ok(())
}
