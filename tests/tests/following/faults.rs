//! `kill -9` and full disks at the calls of a round that change something: the next round ends where the channel points, and no
//! revision is blamed for what the host did.
//!
//! `COPKG_SWEEP=full` tries every call; without it some are drawn with a seed.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::process::Command;

use copkg_skip::skip;
use copkg_tests::execution::Execution;
use copkg_tests::faults;
use copkg_tests::random::Random;
use serde_json::json;

use crate::Outcome;
use crate::world::{SERVICE, World, package};

/// How many calls are tried where they are not all tried.
const DRAWN: usize = 8;

/// Decides which.
const SEED: u64 = 20_261_201;

/// `ENOSPC`.
const NO_SPACE: &str = "28";

#[test]
fn a_round_that_is_killed_at_any_call_is_finished_by_the_next_one() -> Outcome {
    // The calls of two rounds are not as many: one that ends before the last ones is struck by nothing.
    sweep(&["kill-after"], |ended| matches!(ended.code, Some(0 | 137)))
}

#[test]
fn a_disk_that_is_full_for_one_call_of_a_round_fails_no_revision() -> Outcome {
    sweep(&["error", "--errno", NO_SPACE], |ended| matches!(ended.code, Some(0 | 1)))
}

/// Strikes a round at its calls. The channel goes up and down meanwhile, so that each round has a change to make.
fn sweep(fault: &[&str], is_end: impl Fn(&Execution) -> bool) -> Outcome {
    if !faults::is_supported() {
        skip("exact fault points", "x86_64 only");
        return Ok(());
    }
    let world = World::new()?;
    world.follow()?;
    world.round(0, &[])?;
    world.promote("2")?;
    let log = world.scene.path().join("points");
    let listed = round(&world, &["list", "--log", &log.to_string_lossy()])?;
    assert_eq!(listed.code, Some(0), "{listed}");
    let points = fs::read_to_string(log)?.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(points.len() >= 50, "only {} points: is everything counted?", points.len());
    let mut is_up = true;
    let moments = moments(points.len());
    let mut struck = 0;
    for at in moments {
        let moment = format!("{} at {at} of {} ({})", fault[0], points.len(), points[at - 1]);
        let to = if is_up { "1" } else { "2" };
        if is_up {
            world.demote(to)?;
        } else {
            world.promote(to)?;
        }
        is_up = !is_up;
        let ended = round(&world, &[fault, &["--at", &at.to_string()]].concat())?;
        assert!(is_end(&ended), "{moment}: {ended}");
        struck += usize::from(ended.code != Some(0));
        let settled = world.pkginstall(&["agent", "--once", "--now", "--json"])?;
        assert!(settled.is_success(), "{moment}: {ended}\n{settled}");
        assert!(!settled.err.contains("what is not needed any more stays"), "{moment}: {settled}");
        let settled = settled.json()?["subscriptions"][0].take();
        assert_eq!(
            (&settled["standing"], &settled["at"]),
            (&json!("converged"), &json!(package(to))),
            "{moment}"
        );
        world.ok(&["start", "--wanted", SERVICE])?;
        assert_eq!(world.runs(SERVICE)?, to, "{moment}");
        let listed = world.ok(&["follow"])?["subscriptions"][0].take();
        assert_eq!((&listed["failed"], &listed["attempt"]), (&json!([]), &json!(null)), "{moment}: {ended}");
    }
    assert!(struck > 0 || fault[0] == "error", "no round was killed");
    let about = format!("{struck} rounds of {} calls ended by {}", points.len(), fault[0]);
    let _ = writeln!(std::io::stderr(), "measured: {about}");
    Ok(())
}

fn round(world: &World, options: &[&str]) -> Result<Execution, Box<dyn Error>> {
    let mut run = Command::new(env!("CARGO_BIN_EXE_faultrun"));
    run.args(options).arg("--alone").arg("--under").arg(world.scene.prefix()).arg("--");
    run.arg(world.scene.programs().path("pkginstall")).args(["agent", "--once", "--now"]);
    world.scene.at_home(&mut run);
    Ok(world.scene.run(&mut run)?)
}

/// The calls to try, from 1: all, or one of each of so many parts of the way.
fn moments(total: usize) -> Vec<usize> {
    if std::env::var("COPKG_SWEEP").is_ok_and(|sweep| sweep == "full") {
        return (1..=total).collect();
    }
    let (mut random, part) = (Random(SEED), total / DRAWN);
    (0..DRAWN).map(|number| 1 + number * part + random.below(part)).collect()
}
