//! Keys that change: every role is rotated, and clients of every age follow.

use std::fs;
use std::path::Path;
use std::process::Command;

use copkg_tests::registry::{REGISTRAR, ROOT, Registry};
use copkg_tests::scene::{GROUP, Scene};

use super::{Outcome, count, group, newest, package};

/// A refresh: every file is verified, and nothing older than what this state has seen is believed.
fn refresh(registry: &Registry, scene: &Scene, state: &str) -> Outcome {
    scene.run(&mut registry.command_as(scene, &["repo", "status"], Path::new(state)))?.success()?;
    Ok(())
}

fn remember(scene: &Scene, from: &str, to: &str) -> Outcome {
    scene.run(Command::new("cp").args(["-a", from, to]).current_dir(scene.path()))?.success()?;
    Ok(())
}

#[test]
fn clients_of_any_age_follow_the_rotation_of_every_role() -> Outcome {
    let scene = Scene::new()?;
    for name in ["root2", "targets2", "registrar2", "ann"] {
        scene.pkgbuild(["keygen", name])?.success()?;
    }
    let registry = scene.registry(&["publisher.pub"], 1)?;
    registry.publish(&scene, &[&package(&scene, "notes", "1")?], &["publisher.key"])?.success()?;
    let steps: [(&str, &str, &[&str]); 5] = [
        ("root", "root2.pub", &[ROOT, "root2.key"]),
        ("targets", "targets2.pub", &["root2.key", "targets2.key"]),
        ("registrar", "registrar2.pub", &["targets2.key", "registrar2.key"]),
        (GROUP, "ann.pub", &["registrar2.key", "ann.key"]),
        ("online", "online2.pub", &["root2.key"]),
    ];
    let mut states = Vec::new();
    for (number, (role, key, signers)) in steps.into_iter().enumerate() {
        let state = format!("age-{number}");
        refresh(&registry, &scene, "walker")?;
        remember(&scene, "walker", &state)?;
        states.push(state);
        let mut words = vec!["repo", "rotate", role, "--key", key, "--json"];
        for signer in signers {
            words.extend(["--signing-key", signer]);
        }
        let said = registry.pkgbuild(&scene, &words)?.success()?.json()?;
        assert_eq!(said["state"], "committed", "{role}: {said}");
    }
    states.extend(["walker".to_owned(), "newcomer".to_owned()]);
    for state in &states {
        refresh(&registry, &scene, state).map_err(|error| format!("{state}: {error}"))?;
    }
    registry.publish(&scene, &[&package(&scene, "notes", "2")?], &["publisher.key"])?.expect_code(6)?;
    let next = package(&scene, "notes", "3")?;
    scene.pkgbuild(["sign".as_ref(), next.as_os_str(), "--key".as_ref(), "ann.key".as_ref()])?.success()?;
    registry.publish(&scene, &[&next], &["ann.key"])?.success()?;
    assert_eq!(count(&group(&scene)?), 2);
    Ok(())
}

#[test]
fn a_server_that_lost_the_old_key_goes_on_with_the_new_one() -> Outcome {
    let scene = Scene::new()?;
    let mut registry = scene.registry(&["publisher.pub"], 1)?;
    let rotate = ["repo", "rotate", "online", "--key", "online2.pub", "--signing-key", ROOT];
    registry.pkgbuild(&scene, &rotate)?.success()?;
    registry.restart(&scene, &["online2.key"])?;
    registry.publish(&scene, &[&package(&scene, "notes", "1")?], &["publisher.key"])?.success()?;
    Ok(())
}

#[test]
fn a_revoked_key_publishes_nothing_more() -> Outcome {
    let scene = Scene::new()?;
    scene.pkgbuild(["keygen", "ann"])?.success()?;
    let registry = scene.registry(&["publisher.pub", "ann.pub"], 1)?;
    registry.publish(&scene, &[&package(&scene, "notes", "1")?], &["publisher.key"])?.success()?;
    let revoke = ["repo", "revoke", "publisher.pub", "--signing-key", REGISTRAR, "--signing-key", "ann.key"];
    registry.pkgbuild(&scene, &revoke)?.success()?;
    let next = package(&scene, "notes", "2")?;
    registry.publish(&scene, &[&next], &["publisher.key"])?.expect_code(6)?;
    let said = registry.publish(&scene, &[&next], &["ann.key"])?.expect_code(6)?;
    // Signed by the revoked key alone.
    assert_eq!(said.json()?["error"]["code"], "not_signed_by_group");
    let file = next.to_string_lossy().into_owned();
    scene.pkgbuild(["sign", &file, "--key", "ann.key"])?.success()?;
    registry.publish(&scene, &[&next], &["ann.key"])?.success()?;
    Ok(())
}

#[test]
fn a_raised_threshold_asks_for_more_signatures() -> Outcome {
    let scene = Scene::new()?;
    scene.pkgbuild(["keygen", "ann"])?.success()?;
    let registry = scene.registry(&["publisher.pub", "ann.pub"], 1)?;
    registry.publish(&scene, &[&package(&scene, "notes", "1")?], &["publisher.key"])?.success()?;
    let raise = ["repo", "threshold", GROUP, "2", "--signing-key", REGISTRAR, "--json"];
    // What is published is signed by one: it must be signed again by two, and one of them begins.
    let said = registry.pkgbuild(&scene, &raise)?.expect_code(6)?.json()?;
    assert_eq!(said["error"]["code"], "role_unsigned");
    let begun = [&raise[..], &["--signing-key", "publisher.key"]].concat();
    let said = registry.pkgbuild(&scene, &begun)?.success()?.json()?;
    assert_eq!(said["state"], "pending");
    let id = said["proposal"].as_str().ok_or("no id")?;
    let sign = ["publish", "--co-sign", id, "--key", "ann.key", "--json"];
    assert_eq!(registry.pkgbuild(&scene, &sign)?.success()?.json()?["state"], "committed");
    let said = registry
        .publish(&scene, &[&package(&scene, "notes", "2")?], &["publisher.key"])?
        .success()?
        .json()?;
    assert_eq!(said["state"], "pending");
    Ok(())
}

#[test]
fn a_root_key_that_never_sees_the_network_is_enough() -> Outcome {
    let scene = Scene::new()?;
    scene.pkgbuild(["keygen", "root2"])?.success()?;
    let registry = scene.registry(&["publisher.pub"], 1)?;
    registry.pkgbuild(&scene, &["repo", "fetch", "--out", "copy"])?.success()?;
    let offline = |words: &[&str]| scene.pkgbuild([&["repo"], words, &["--metadata", "copy"]].concat());
    offline(&["rotate", "root", "--key", "root2.pub", "--signing-key", ROOT, "--out", "change.json"])?
        .success()?;
    // The new key did not sign it.
    registry.pkgbuild(&scene, &["repo", "send", "change.json"])?.expect_code(6)?;
    offline(&["sign", "change.json", "--signing-key", "root2.key"])?.success()?;
    registry.pkgbuild(&scene, &["repo", "send", "change.json"])?.success()?;
    let again = registry.pkgbuild(&scene, &["repo", "send", "change.json", "--json"])?.success()?.json()?;
    assert_eq!((&again["state"], &again["changed"]), (&"committed".into(), &false.into()));
    assert_eq!(newest(&scene.path().join("store/metadata"), "root")?["version"], 2);
    assert!(!fs::read_to_string(scene.path().join("change.json"))?.contains("PRIVATE"));
    Ok(())
}
