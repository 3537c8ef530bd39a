//! One publisher and several: what is published is there, once, and as it was signed.

use std::thread;

use copkg_tests::scene::{GROUP, Scene};
use serde_json::json;

use super::{Outcome, count, group, package};

#[test]
fn a_package_is_published_once_and_the_same_again_changes_nothing() -> Outcome {
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    let file = package(&scene, "notes", "1.0.0")?;
    let first = registry.publish(&scene, &[&file], &["publisher.key"])?.success()?.json()?;
    assert_eq!((&first["changed"], &first["state"]), (&json!(true), &json!("committed")));
    let said = group(&scene)?;
    assert_eq!(said["packages"]["notes"]["newest"], "1.0.0");
    let again = registry.publish(&scene, &[&file], &["publisher.key"])?.success()?.json()?;
    assert_eq!((&again["changed"], &again["state"]), (&json!(false), &json!("unchanged")));
    assert_eq!(again["packages"][0]["changed"], false);
    assert_eq!(group(&scene)?, said);
    Ok(())
}

#[test]
fn several_files_become_public_in_one_commit() -> Outcome {
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    let files =
        [package(&scene, "one", "1.0")?, package(&scene, "two", "1.0")?, package(&scene, "one", "2.0-rc.1")?];
    let files: Vec<_> = files.iter().map(std::path::PathBuf::as_path).collect();
    let rehearsed = registry.command(&scene, &["publish", "--dry-run", "--key", "publisher.key"]);
    let mut rehearsed = rehearsed;
    let said = scene.run(rehearsed.args(&files))?.success()?;
    assert!(said.out.contains("would publish"), "{said}");
    assert!(group(&scene).is_err());
    registry.publish(&scene, &files, &["publisher.key"])?.success()?;
    let said = group(&scene)?;
    assert_eq!((count(&said), &said["version"]), (3, &json!(1)));
    assert_eq!(said["packages"]["one"]["newest"], "1.0");
    Ok(())
}

#[test]
fn other_bytes_under_a_published_coordinate_are_a_conflict() -> Outcome {
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    registry.publish(&scene, &[&package(&scene, "notes", "1.0.0")?], &["publisher.key"])?.success()?;
    let before = group(&scene)?;
    scene.write("notes-1.0.0/files/more.txt", 0o644, "more\n")?;
    let other = scene.build(&scene.path().join("notes-1.0.0"))?;
    let said = registry.publish(&scene, &[&other], &["publisher.key"])?.expect_code(7)?;
    assert_eq!(said.json()?["error"]["code"], "published_with_other_bytes");
    assert_eq!(group(&scene)?, before);
    Ok(())
}

#[test]
fn of_many_publishers_at_once_nobody_is_lost() -> Outcome {
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    let versions: Vec<String> = (0..6).map(|number| format!("1.{number}")).collect();
    let files =
        versions.iter().map(|version| package(&scene, "notes", version)).collect::<Result<Vec<_>, _>>()?;
    // Each is a user of its own: only the server stands between them.
    let ended = thread::scope(|scope| {
        let publish = |(number, file): (usize, &std::path::PathBuf)| {
            let state = format!("state-{number}");
            let mut command =
                registry.command_as(&scene, &["publish", "--key", "publisher.key"], state.as_ref());
            command.arg(file);
            scope.spawn({
                let scene = &scene;
                move || scene.run(&mut command)
            })
        };
        let running: Vec<_> = files.iter().enumerate().map(publish).collect();
        running.into_iter().map(|running| running.join().map_err(|_| "a thread panicked")).collect::<Vec<_>>()
    });
    for one in ended {
        one??.success()?;
    }
    let said = group(&scene)?;
    assert_eq!((count(&said), &said["packages"]["notes"]["newest"]), (6, &json!("1.5")));
    Ok(())
}

#[test]
fn who_has_no_key_of_the_group_publishes_nothing() -> Outcome {
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    scene.pkgbuild(["keygen", "stranger"])?.success()?;
    let file = package(&scene, "notes", "1.0.0")?;
    let said = registry.publish(&scene, &[&file], &["stranger.key"])?.expect_code(6)?;
    assert_eq!(said.json()?["error"]["code"], "key_without_role");
    // A package of the group that only a stranger signed.
    let tree = scene.small_tree("foreign", "1.0.0")?;
    let tree = tree.to_string_lossy().into_owned();
    scene.pkgbuild(["build", &tree, "--key", "stranger.key", "--out", "foreign"])?.success()?;
    let foreign = scene.path().join("foreign/foreign-1.0.0-any.copkg");
    let said = registry.publish(&scene, &[&foreign], &["publisher.key"])?.expect_code(6)?;
    assert_eq!(said.json()?["error"]["code"], "not_signed_by_group");
    assert!(group(&scene).is_err());
    Ok(())
}

#[test]
fn a_group_that_nobody_delegated_is_refused() -> Outcome {
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    let tree = scene.small_tree("notes", "1.0.0")?;
    let recipe = std::fs::read_to_string(tree.join("package.toml"))?;
    scene.write(tree.join("package.toml"), 0o644, recipe.replace(GROUP, "com.elsewhere"))?;
    let file = scene.build(&tree)?;
    let said = registry.publish(&scene, &[&file], &["publisher.key"])?.expect_code(6)?;
    assert_eq!(said.json()?["error"]["code"], "not_delegated");
    Ok(())
}

#[test]
fn a_repository_is_believed_only_by_the_root_that_was_pinned() -> Outcome {
    let scene = Scene::new()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    let status = |words: &[&str], state: &str| {
        let mut command = scene.command("pkgbuild", ["repo", "status", "--json", "--repo", registry.url()]);
        command.args(words).env("XDG_STATE_HOME", scene.path().join(state));
        scene.run(&mut command)
    };
    let code = |said: &copkg_tests::execution::Execution| {
        said.json().map(|document| document["error"]["code"].clone())
    };
    let unpinned = status(&[], "fresh")?.expect_code(6)?;
    assert_eq!(code(&unpinned)?, "root_not_pinned");
    let wrong = status(&["--root", &"0".repeat(64)], "fresh")?.expect_code(6)?;
    assert_eq!(code(&wrong)?, "wrong_fingerprint");
    status(&["--root", registry.fingerprint()], "fresh")?.success()?;
    // From now on it is known.
    status(&[], "fresh")?.success()?;
    let other = status(&["--root", &"0".repeat(64)], "fresh")?.expect_code(6)?;
    assert_eq!(code(&other)?, "another_root_pinned");
    // A file does as well.
    status(&["--root", "founding/metadata/1.root.json"], "file")?.success()?;
    Ok(())
}
