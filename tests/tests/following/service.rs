//! One service that follows a channel.

use copkg_tests::scene::GROUP;
use serde_json::json;

use crate::Outcome;
use crate::world::{FAILING, ONE_WAY, SERVICE, World, package};

#[test]
fn a_channel_is_followed_up_and_down_and_not_where_the_way_down_is_forbidden() -> Outcome {
    let world = World::new()?;
    world.follow()?;
    let first = world.round(0, &[])?;
    assert_eq!((&first["standing"], &first["changed"]), (&json!("converged"), &json!(false)));
    world.promote("2")?;
    let up = world.round(0, &[])?;
    assert_eq!((&up["changed"], &up["at"]), (&json!(true), &json!(package("2"))));
    assert_eq!(world.round(0, &[])?["changed"], false);
    world.demote("1")?;
    assert_eq!(world.round(0, &[])?["at"], package("1"));
    world.promote(ONE_WAY)?;
    assert_eq!(world.round(0, &[])?["at"], package(ONE_WAY));
    world.demote("2")?;
    for _ in 0..2 {
        let refused = world.round(7, &[])?;
        assert_eq!(
            (&refused["standing"], &refused["code"]),
            (&json!("refused"), &json!("downgrade_forbidden"))
        );
        assert_eq!((&refused["at"], &refused["points_at"]), (&json!(package(ONE_WAY)), &json!(package("2"))));
    }
    assert_eq!(world.runs(SERVICE)?, ONE_WAY);
    assert_eq!(world.starts(SERVICE), ["1", "2", "1", ONE_WAY]);
    let why = world.ok(&["history", SERVICE])?["changes"][1]["reason"].take();
    assert_eq!(why, format!("it follows {GROUP}:beacon@stable"));
    Ok(())
}

#[test]
fn a_yanked_version_and_a_withdrawn_channel_leave_what_runs() -> Outcome {
    let world = World::new()?;
    world.follow()?;
    world.promote("2")?;
    world.publisher("yank", &package("2"), &["--reason", "loses data"])?;
    let yanked = world.round(5, &[])?;
    assert_eq!((&yanked["standing"], &yanked["code"]), (&json!("withdrawn"), &json!("yanked")));
    world.publisher("demote", &format!("{GROUP}:beacon"), &["stable", "--remove"])?;
    assert_eq!(world.round(5, &[])?["code"], "no_version");
    assert_eq!((world.runs(SERVICE)?, world.starts(SERVICE)), ("1".to_owned(), vec!["1".to_owned()]));
    world.publisher("unyank", &package("2"), &[])?;
    world.promote("2")?;
    assert_eq!(world.round(0, &[])?["at"], package("2"));
    Ok(())
}

#[test]
fn a_failed_revision_is_tried_again_only_when_somebody_says_so() -> Outcome {
    let world = World::new()?;
    world.follow()?;
    world.promote(FAILING)?;
    for _ in 0..3 {
        let failed = world.round(1, &["--now"])?;
        assert_eq!((&failed["standing"], &failed["at"]), (&json!("failed"), &json!(package("1"))));
        assert_eq!(failed["code"], "followed_revision_failed");
    }
    assert_eq!(world.starts(SERVICE), ["1", FAILING, "1"]);
    world.demote("2")?;
    assert_eq!(world.round(0, &[])?["at"], package("2"));
    world.promote(FAILING)?;
    assert_eq!(world.round(1, &[])?["at"], package("2"));
    assert_eq!(world.starts(SERVICE), ["1", FAILING, "1", "2"]);
    world.ok(&["follow", "--retry", SERVICE])?;
    world.round(1, &[])?;
    assert_eq!(world.starts(SERVICE), ["1", FAILING, "1", "2", FAILING, "2"]);
    Ok(())
}

#[test]
fn a_server_that_is_down_is_asked_again_later_and_what_runs_runs_on() -> Outcome {
    let mut world = World::new()?;
    world.follow()?;
    world.promote("2")?;
    world.registry.stop();
    assert_eq!(world.round(8, &[])?["standing"], "waiting");
    let World { scene, registry, .. } = &mut world;
    registry.restart(scene, &["online.key", "online2.key"])?;
    world.add_repository()?;
    // The pause is not over.
    assert_eq!(world.round(8, &[])?["changed"], false);
    assert_eq!(world.starts(SERVICE), ["1"]);
    assert_eq!(world.round(0, &["--now"])?["at"], package("2"));
    Ok(())
}

#[test]
fn outside_of_the_window_everything_is_made_ready_and_nothing_is_touched() -> Outcome {
    let world = World::new()?;
    world.follow()?;
    world.promote("2")?;
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let since_epoch = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_secs() / 86_400;
    // The epoch began on a Thursday; three days from now is neither yesterday, today nor tomorrow.
    let far = days[usize::try_from((since_epoch + 3) % 7)?];
    let staged = world.round(0, &["--window", &format!("{far} 02:00-04:00 UTC")])?;
    assert_eq!((&staged["standing"], &staged["at"]), (&json!("staged"), &json!(package("1"))));
    assert!(world.scene.software(&package("2")).join("bin/server").is_file());
    assert_eq!(world.starts(SERVICE), ["1"]);
    // What was made ready is not what nobody needs.
    world.ok(&["gc", "--unused", "--keep", "0"])?;
    assert!(world.scene.software(&package("2")).join("bin/server").is_file());
    let always = ["--window", "00:00-12:00 UTC", "--window", "12:00-00:00 UTC"];
    assert_eq!(world.round(0, &always)?["at"], package("2"));
    Ok(())
}

#[test]
fn a_half_written_record_is_named_and_keeps_no_other_subscription_back() -> Outcome {
    let world = World::new()?;
    world.ok(&["start", &package("1"), "--as", "2.beacon.dev.local"])?;
    world.follow()?;
    world.ok(&["follow", "2.beacon.dev.local", &format!("{GROUP}:beacon@stable")])?;
    world.promote("2")?;
    let record = world.scene.prefix().join(".copkg/subscriptions").join(SERVICE).join("progress.json");
    std::fs::write(&record, "{\"schema_version\": 1, \"failed\": [")?;
    let said = world.pkginstall(&["agent", "--once"])?.expect_code(1)?;
    assert!(said.err.contains(&record.display().to_string()), "{said}");
    assert_eq!((world.runs(SERVICE)?, world.runs("2.beacon.dev.local")?), ("1".into(), "2".into()));
    world.ok(&["unfollow", SERVICE])?;
    world.follow()?;
    assert_eq!(world.round(0, &[])?["at"], package("2"));
    Ok(())
}

#[test]
fn what_cannot_follow_is_refused_with_its_reason() -> Outcome {
    let world = World::new()?;
    let channel = format!("{GROUP}:beacon@stable");
    let refused = |code: i32, words: &[&str]| -> Result<String, Box<dyn std::error::Error>> {
        let words = [&["follow", "--json"], words].concat();
        let said = world.pkginstall(&words)?.expect_code(code)?.json()?;
        Ok(said["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refused(5, &["9.none.dev.local", &channel])?, "follower_never_started");
    assert_eq!(refused(2, &[SERVICE, &format!("{GROUP}:beacon")])?, "no_channel");
    assert_eq!(refused(5, &[SERVICE, &format!("{GROUP}:beacon@nightly")])?, "no_version");
    assert_eq!(refused(7, &[SERVICE, &format!("{GROUP}:other@stable")])?, "channel_of_another_package");
    assert_eq!(refused(2, &[SERVICE, &channel, "--env", "dev"])?, "environment_of_service");
    assert_eq!(refused(5, &["--retry", SERVICE])?, "no_such_subscription");
    assert_eq!(world.ok(&["follow"])?["subscriptions"], json!([]));
    world.follow()?;
    assert_eq!(world.ok(&["follow", SERVICE, &channel])?["changed"], false);
    world.publisher("promote", &package("2"), &["edge"])?;
    assert_eq!(refused(7, &[SERVICE, &format!("{GROUP}:beacon@edge")])?, "follows_already");
    let listed = world.ok(&["follow"])?["subscriptions"][0].take();
    assert_eq!((&listed["name"], &listed["channel"]), (&json!(SERVICE), &json!(channel)));
    world.ok(&["unfollow", SERVICE])?;
    world.pkginstall(&["unfollow", SERVICE])?.expect_code(5)?;
    Ok(())
}
