//! A deployment that follows a channel.

use copkg_tests::scene::GROUP;
use serde_json::json;

use crate::Outcome;
use crate::world::{FAILING, SERVICE, World};

/// The services of the deployment.
const SERVICES: [&str; 2] = ["1.first.light.here", "1.second.light.here"];

/// Describes a deployment of two services, each with a version of its own.
fn publish(world: &World, version: &str, packages: [&str; 2]) -> Outcome {
    let [first, second] = packages;
    let service = |name: &str, version: &str, rest: &str| {
        format!("[service.{name}]\npackage = \"{GROUP}:beacon\"\nversion = \"{version}\"\n{rest}\n")
    };
    let text = [
        format!("[deployment]\ngroup = \"{GROUP}\"\nid = \"lights\"\nversion = \"{version}\"\n\n"),
        service("first", first, ""),
        service("second", second, "after = [\"first\"]\n"),
        "[role.all]\nservices = [\"first\", \"second\"]\n".to_owned(),
    ];
    let tree = world.scene.path().join(format!("lights-{version}"));
    world.scene.write(tree.join("deployment.toml"), 0o644, text.concat())?;
    let environment = "cell = \"here\"\nuser = \"light\"\n[host.one]\nroles = [\"all\"]\n";
    world.scene.write(tree.join("env/dev.toml"), 0o644, environment)?;
    let tree = tree.to_str().ok_or("the path is text")?;
    let build = ["build", tree, "--out", "deployments", "--key", "publisher.key"];
    world.registry.pkgbuild(&world.scene, &build)?.success()?;
    let file = world.scene.path().join(format!("deployments/lights-{version}-any.copkg"));
    world.registry.publish(&world.scene, &[&file], &["publisher.key"])?.success()?;
    Ok(())
}

fn lights(version: &str) -> String {
    format!("{GROUP}:lights:{version}")
}

#[test]
fn a_deployment_is_applied_as_one_taken_down_and_never_tried_again_after_it_failed() -> Outcome {
    let world = World::new()?;
    publish(&world, "1", ["1", "1"])?;
    publish(&world, "2", ["2", "2"])?;
    publish(&world, "3", ["2", FAILING])?;
    let channel = format!("{GROUP}:lights@stable");
    let move_to = |command: &str, version: &str| world.publisher(command, &lights(version), &["stable"]);
    let runs = || -> Result<[String; 2], Box<dyn std::error::Error>> {
        Ok([world.runs(SERVICES[0])?, world.runs(SERVICES[1])?])
    };
    move_to("promote", "1")?;
    let unknown =
        world.pkginstall(&["follow", &channel, "--env", "prod", "--json"])?.expect_code(5)?.json()?;
    assert_eq!(unknown["error"]["message"], "there is no environment prod");
    world.ok(&["follow", &channel, "--env", "dev"])?;
    let first = world.round(0, &[])?;
    assert_eq!((&first["name"], &first["at"]), (&json!("lights"), &json!(lights("1"))));
    assert_eq!(world.round(0, &[])?["changed"], false);

    move_to("promote", "2")?;
    assert_eq!(world.round(0, &[])?["at"], lights("2"));
    assert_eq!(runs()?, ["2", "2"]);
    move_to("demote", "1")?;
    assert_eq!(world.round(0, &[])?["at"], lights("1"));
    assert_eq!(runs()?, ["1", "1"]);

    move_to("promote", "3")?;
    for _ in 0..2 {
        let failed = world.round(1, &["--now"])?;
        assert_eq!((&failed["standing"], &failed["at"]), (&json!("failed"), &json!(lights("1"))));
    }
    assert_eq!(runs()?, ["1", "1"]);
    assert_eq!(world.starts(SERVICES[1]).iter().filter(|version| *version == FAILING).count(), 1);

    // What somebody stopped by hand stays so: the revision is the one that the channel names.
    move_to("demote", "1")?;
    world.ok(&["stop", SERVICES[1]])?;
    assert_eq!(world.round(0, &[])?["changed"], false);
    world.pkginstall(&["status", SERVICES[1]])?.expect_code(3)?;
    Ok(())
}

#[test]
fn a_service_has_one_channel_to_follow_its_own_or_that_of_its_deployment() -> Outcome {
    let world = World::new()?;
    publish(&world, "1", ["1", "1"])?;
    world.publisher("promote", &lights("1"), &["stable"])?;
    let (lights, beacon) = (format!("{GROUP}:lights@stable"), format!("{GROUP}:beacon@stable"));
    world.ok(&["follow", &lights, "--env", "dev"])?;
    world.round(0, &[])?;
    let refused = world.pkginstall(&["follow", SERVICES[0], &beacon, "--json"])?.expect_code(7)?.json()?;
    assert_eq!(refused["error"]["code"], "follower_of_deployment");
    world.ok(&["unfollow", "lights"])?;
    assert_eq!(world.runs(SERVICES[0])?, "1");

    // Another name is another deployment, whose services are taken.
    world.ok(&["follow", &lights, "--env", "dev", "--as", "other"])?;
    let taken = world.round(7, &[])?;
    assert_eq!((&taken["standing"], &taken["code"]), (&json!("refused"), &json!("service_of_another")));
    assert_eq!(world.runs(SERVICE)?, "1");
    assert_eq!(world.ok(&["follow"])?["subscriptions"][0]["points_at"], format!("{GROUP}:lights:1"));
    Ok(())
}
