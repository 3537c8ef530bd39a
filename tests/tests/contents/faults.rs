//! `kill -9` and full disks at the calls of edit, push, abandon and activate: what is served is one tree or the other, no edit is lost,
//! the hold counts as soon as it is there, and the same command again ends where it should.
//!
//! `COPKG_SWEEP=full` tries every call; without it some are drawn with a seed.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use copkg_skip::skip;
use copkg_tests::execution::Execution;
use copkg_tests::faults;
use copkg_tests::random::Random;
use serde_json::Value;

use crate::Outcome;
use crate::world::{PAGE, Site, World};

/// How many calls are tried where they are not all tried.
const DRAWN: usize = 6;

/// Decides which.
const SEED: u64 = 20_261_130;

/// A fault, and how a command may end that it strikes.
#[derive(Clone, Copy)]
struct Fault {
    words: &'static [&'static str],
    codes: &'static [i32],
}

const KILL: Fault = Fault { words: &["kill-after"], codes: &[0, 137] };
const FULL: Fault = Fault { words: &["error", "--errno", "28"], codes: &[0, 1] };

/// A file system that was mounted read-only meanwhile.
const READ_ONLY: Fault = Fault { words: &["error", "--errno", "30"], codes: &[0, 1] };

#[test]
fn editing_that_begins_under_faults_begins_or_does_not() -> Outcome {
    for fault in [KILL, FULL, READ_ONLY] {
        sweep(
            fault,
            &["content", "edit", "site"],
            |_, _| Ok(()),
            |site, moment| {
                let held = site.status()?["hold"] != Value::Null;
                assert_eq!(site.serves("index.html"), PAGE, "{moment}");
                if held {
                    assert_eq!(
                        (site.round(0)?.as_str(), &site.status()?["edited"]),
                        ("held", &0.into()),
                        "{moment}"
                    );
                }
                site.edit()?;
                assert!(site.prefix().join("content/site/edit/index.html").exists(), "{moment}");
                site.ok(&["content", "abandon", "site"])?;
                Ok(())
            },
        )?;
    }
    Ok(())
}

#[test]
fn a_push_under_faults_makes_one_revision_and_loses_no_edit() -> Outcome {
    for fault in [KILL, FULL] {
        let push = ["content", "push", "site", "--key", "publisher.key"];
        sweep(fault, &push, begin, |site, moment| {
            let page = site.serves("index.html");
            assert!(page.starts_with("edit "), "{moment}: {page}");
            let before = revisions(site)?;
            if site.status()?["hold"] != Value::Null {
                site.push(&[])?;
            }
            assert_eq!(
                (site.serves("index.html"), site.round(0)?.as_str()),
                (page.clone(), "converged"),
                "{moment}"
            );
            let after = revisions(site)?;
            // The edits are in exactly one revision, whether it was published before the fault or after it.
            assert!(after.len() - before.len() <= 1, "{moment}: {before:?} {after:?}");
            let number: usize = page.trim_start_matches("edit ").trim().parse()?;
            assert_eq!(after.len(), number + 1, "{moment}: {after:?}");
            assert!(!site.prefix().join("content/site/edit").exists(), "{moment}");
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn edits_that_are_abandoned_under_faults_are_edited_or_set_aside() -> Outcome {
    for fault in [KILL, FULL] {
        sweep(fault, &["content", "abandon", "site"], begin, |site, moment| {
            if site.status()?["hold"] != Value::Null {
                assert!(site.prefix().join("content/site/edit/index.html").exists(), "{moment}");
                site.ok(&["content", "abandon", "site"])?;
            }
            assert_eq!(site.serves("index.html"), PAGE, "{moment}");
            let aside = site.status()?["set_aside"].take();
            let pages = aside.as_array().into_iter().flatten().filter_map(|one| one["path"].as_str());
            let pages = pages.filter(|path| {
                fs::read_to_string(Path::new(path).join("edit/index.html"))
                    .is_ok_and(|page| page.starts_with("edit "))
            });
            assert_eq!(pages.count(), 1, "{moment}: {aside}");
            site.ok(&["gc", "--keep-data", "0s"])?;
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn activating_under_faults_serves_one_revision_or_the_other() -> Outcome {
    for fault in [KILL, FULL] {
        let back = |site: &Site<'_>, number: usize| {
            if number == 1 {
                begin(site, 1)?;
                site.push(&[])?;
            }
            site.ok(&["content", "activate", "2", "site"]).map(drop)
        };
        sweep(fault, &["content", "activate", "1", "site"], back, |site, moment| {
            let page = site.serves("index.html");
            assert!(page == PAGE || page == "edit 1\n", "{moment}: {page}");
            site.ok(&["content", "activate", "1", "site"])?;
            assert_eq!(
                (site.serves("index.html").as_str(), site.round(0)?.as_str()),
                (PAGE, "held"),
                "{moment}"
            );
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_round_that_is_killed_writes_over_no_edit() -> Outcome {
    if !faults::is_supported() {
        skip("exact fault points", "x86_64 only");
        return Ok(());
    }
    let world = World::new()?;
    let (site, mirror) = (world.site("one", "prod")?, world.site("two", "prod")?);
    site.edit()?;
    site.write("index.html", "mine\n")?;
    let log = world.scene.path().join("points");
    let round = ["agent", "--once", "--now"];
    begin(&mirror, 1)?;
    mirror.push(&[])?;
    let listed = strike(&world, &site, &["list", "--log", &log.to_string_lossy()], &round)?;
    assert_eq!(listed.code, Some(7), "{listed}");
    let points = fs::read_to_string(log)?.lines().count();
    let mut killed = 0;
    for (number, at) in moments(points).into_iter().enumerate() {
        // There is something new to write in each round.
        begin(&mirror, number + 2)?;
        mirror.push(&[])?;
        let ended = strike(&world, &site, &["kill-after", "--at", &at.to_string()], &round)?;
        killed += usize::from(ended.code == Some(137));
        site.ok(&["recover"])?;
        assert_eq!(
            (site.serves("index.html").as_str(), site.round(7)?.as_str()),
            ("mine\n", "held"),
            "{ended}"
        );
    }
    assert!(killed > 0, "no round was killed");
    Ok(())
}

/// Begins to edit, and changes the page.
fn begin(site: &Site<'_>, number: usize) -> Outcome {
    site.edit()?;
    site.write("index.html", format!("edit {number}\n"))
}

fn revisions(site: &Site<'_>) -> Result<Vec<String>, Box<dyn Error>> {
    let listed = site.ok(&["content", "list", "site", "-n", "0"])?["revisions"].take();
    Ok(listed.as_array().into_iter().flatten().map(|one| one["id"].to_string()).collect())
}

/// Strikes a command at its calls, each time after `prepare`, which is told how many times it was called; `check` sees what recovery left.
fn sweep(
    fault: Fault,
    command: &[&str],
    prepare: impl Fn(&Site<'_>, usize) -> Outcome,
    check: impl Fn(&Site<'_>, &str) -> Outcome,
) -> Outcome {
    if !faults::is_supported() {
        skip("exact fault points", "x86_64 only");
        return Ok(());
    }
    let world = World::new()?;
    let site = world.site("one", "prod")?;
    let log = world.scene.path().join("points");
    prepare(&site, 1)?;
    let listed = strike(&world, &site, &["list", "--log", &log.to_string_lossy()], command)?;
    assert_eq!(listed.code, Some(0), "{listed}");
    check(&site, "without a fault")?;
    let points = fs::read_to_string(log)?.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(points.len() >= 20, "only {} points: is everything counted?", points.len());
    let mut struck = 0;
    for (round, at) in moments(points.len()).into_iter().enumerate() {
        let moment = format!("{} at {at} of {} ({})", fault.words[0], points.len(), points[at - 1]);
        prepare(&site, round + 2)?;
        let ended = strike(&world, &site, &[fault.words, &["--at", &at.to_string()]].concat(), command)?;
        assert!(ended.code.is_some_and(|code| fault.codes.contains(&code)), "{moment}: {ended}");
        struck += usize::from(ended.code != Some(0));
        let recovered = site.run(&["recover"])?;
        assert!(recovered.is_success(), "{moment}: {ended}\n{recovered}");
        assert_eq!(site.status()?["interrupted"], false, "{moment}");
        check(&site, &moment)?;
    }
    assert!(struck > 0, "no command was struck");
    let about = format!("{struck} of {} calls of {} ended by {}", points.len(), command[1], fault.words[0]);
    let _ = writeln!(std::io::stderr(), "measured: {about}");
    Ok(())
}

fn strike(
    world: &World,
    site: &Site<'_>,
    options: &[&str],
    command: &[&str],
) -> Result<Execution, Box<dyn Error>> {
    let mut run = Command::new(env!("CARGO_BIN_EXE_faultrun"));
    run.args(options).arg("--alone").arg("--under").arg(site.prefix()).arg("--");
    run.arg(world.scene.programs().path("pkginstall")).args(command);
    world.scene.at_home(&mut run);
    run.env("COPKG_PREFIX", site.prefix());
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
