//! Groups of which several must sign: what waits is shown in full, and public when enough have signed.

use copkg_tests::scene::{GROUP, Scene};
use serde_json::json;

use super::{Outcome, count, group, package};

#[test]
fn two_of_three_publish_together() -> Outcome {
    let scene = Scene::new()?;
    for name in ["ann", "ben", "eve"] {
        scene.pkgbuild(["keygen", name])?.success()?;
    }
    let registry = scene.registry(&["publisher.pub", "ann.pub", "ben.pub"], 2)?;
    let file = package(&scene, "notes", "1.0.0")?;
    let first = registry.publish(&scene, &[&file], &["publisher.key"])?.success()?.json()?;
    assert_eq!(
        (&first["state"], first["missing_signatures"].as_array().map(Vec::len)),
        (&json!("pending"), Some(1))
    );
    assert!(group(&scene).is_err(), "it is public with one signature");
    // The same again is the same proposal.
    let again = registry.publish(&scene, &[&file], &["publisher.key"])?.success()?.json()?;
    assert_eq!(again["proposal"], first["proposal"]);
    let id = first["proposal"].as_str().ok_or("no id")?;

    let listed = registry.pkgbuild(&scene, &["publish", "--co-sign", "--key", "ann.key"])?.success()?;
    assert!(
        listed.out.contains(id) && listed.out.contains(&format!("adds {GROUP}:notes:1.0.0 for any")),
        "{listed}"
    );
    let done = registry.pkgbuild(&scene, &["publish", "--co-sign", "--key", "publisher.key"])?.success()?;
    assert_eq!(done.out, "nothing waits for a signature\n");

    registry.pkgbuild(&scene, &["publish", "--co-sign", id, "--key", "eve.key"])?.expect_code(6)?;
    registry.pkgbuild(&scene, &["publish", "--co-sign", id, "--dry-run", "--key", "ann.key"])?.success()?;
    assert!(group(&scene).is_err(), "a dry run signed");
    let signed =
        registry.pkgbuild(&scene, &["publish", "--co-sign", id, "--key", "ann.key", "--json"])?.success()?;
    assert_eq!(signed.json()?["state"], "committed");
    assert!(signed.err.contains("notes:1.0.0 for any"), "it was not shown: {signed}");
    assert_eq!(count(&group(&scene)?), 1);
    // What is done waits no more.
    registry.pkgbuild(&scene, &["publish", "--co-sign", id, "--key", "ben.key"])?.expect_code(5)?;
    Ok(())
}

#[test]
fn two_keys_in_one_hand_publish_at_once() -> Outcome {
    let scene = Scene::new()?;
    scene.pkgbuild(["keygen", "ann"])?.success()?;
    let registry = scene.registry(&["publisher.pub", "ann.pub"], 2)?;
    let file = package(&scene, "notes", "1.0.0")?;
    let said = registry.publish(&scene, &[&file], &["publisher.key", "ann.key"])?.success()?.json()?;
    assert_eq!(said["state"], "committed");
    Ok(())
}

#[test]
fn a_proposal_that_somebody_overtook_is_not_signed() -> Outcome {
    let scene = Scene::new()?;
    scene.pkgbuild(["keygen", "ann"])?.success()?;
    let registry = scene.registry(&["publisher.pub", "ann.pub"], 2)?;
    let slow =
        registry.publish(&scene, &[&package(&scene, "slow", "1")?], &["publisher.key"])?.success()?.json()?;
    let id = slow["proposal"].as_str().ok_or("no id")?;
    let quick = package(&scene, "quick", "1")?;
    registry.publish(&scene, &[&quick], &["publisher.key", "ann.key"])?.success()?;
    let next = registry.publish(&scene, &[&package(&scene, "next", "1")?], &["publisher.key"])?;
    let next = next.success()?.json()?["proposal"].as_str().ok_or("no id")?.to_owned();
    let listed = registry.pkgbuild(&scene, &["publish", "--co-sign", "--key", "ann.key"])?.success()?;
    assert!(listed.out.contains(&next) && !listed.out.contains(id), "{listed}");
    let late = registry.pkgbuild(&scene, &["publish", "--co-sign", id, "--key", "ann.key", "--json"])?;
    assert_eq!(late.code, Some(5), "{late}");
    assert_eq!(count(&group(&scene)?), 1);
    Ok(())
}
