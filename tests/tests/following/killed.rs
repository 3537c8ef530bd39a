//! An agent that is killed at random moments while its channel moves: it ends where the channel points.
//!
//! `COPKG_AGENT_ROUNDS=200` makes that many rounds; without it there are few, drawn with the same seed.

use std::io::Write as _;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use copkg_tests::random::Random;

use crate::Outcome;
use crate::world::{FAILING, SERVICE, World, package};

/// How many rounds are made where nothing else is said.
const ROUNDS: usize = 12;

/// Decides where the channel goes and when the agent is killed.
const SEED: u64 = 20_261_130;

/// The longest life of an agent, in milliseconds: about as long as a round takes.
const LONGEST: usize = 500;

#[test]
fn an_agent_that_is_killed_again_and_again_ends_where_the_channel_points() -> Outcome {
    let rounds =
        std::env::var("COPKG_AGENT_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let world = World::new()?;
    world.follow()?;
    let mut random = Random(SEED);
    let mut channel = 1;
    let (mut ended, mut failures, mut interrupted) = (0, 0, 0);
    for round in 0..rounds {
        let to = 1 + random.below(3);
        if to != channel {
            let command = if to > channel { "promote" } else { "demote" };
            world.publisher(command, &package(&to.to_string()), &["stable"])?;
            channel = to;
        }
        let mut agent = world.scene.command("pkginstall", ["agent", "--once", "--now"]);
        let mut agent = agent.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // It is the moment that is drawn: nothing is waited for.
        sleep(Duration::from_millis(u64::try_from(random.below(LONGEST))?));
        if agent.try_wait()?.is_some() {
            ended += 1;
        } else {
            interrupted += 1;
        }
        agent.kill()?;
        agent.wait()?;
        if round % 4 == 3 {
            failures += check(&world, channel, failures)?;
        }
    }
    failures += check(&world, channel, failures)?;
    let _ = writeln!(
        std::io::stderr(),
        "measured: {rounds} rounds, {interrupted} killed, {ended} had ended, the failing version was judged {failures} times"
    );
    Ok(())
}

/// Lets the agent end what was begun. It must be where the channel points, or where it was if that fails, and stay there. Returns
/// how many revisions were judged to have failed since.
fn check(world: &World, channel: usize, judged: usize) -> Result<usize, Box<dyn std::error::Error>> {
    let fails = channel.to_string() == FAILING;
    let settled = world.round(i32::from(fails), &["--now"])?;
    let standing = if fails { "failed" } else { "converged" };
    assert_eq!(settled["standing"], standing, "{settled}");
    // One whose way back was interrupted three times is left to whoever looks after services.
    world.ok(&["start", "--wanted", SERVICE])?;
    let runs = world.runs(SERVICE)?;
    assert_ne!(runs, FAILING, "a revision that failed does not run");
    assert!(fails || runs == channel.to_string(), "{runs} runs, and the channel names {channel}");
    // It does not flap: another round starts nothing.
    let starts = world.starts(SERVICE);
    assert_eq!(world.round(i32::from(fails), &["--now"])?["changed"], false);
    assert_eq!(world.starts(SERVICE), starts);
    let listed = world.ok(&["follow"])?["subscriptions"][0].take();
    let failed = listed["failed"].as_array().map_or(0, Vec::len);
    assert!(failed <= 1, "one revision is remembered once: {listed}");
    let history = world.ok(&["history", SERVICE])?["changes"].take();
    let blamed =
        history.as_array().into_iter().flatten().filter(|change| change["blame"] == "revision").count();
    assert!(blamed <= 1, "the revision that failed was tried again: {history}");
    Ok(blamed - judged.min(blamed))
}
