//! `kill -9` at calls of a push, a rebuild and an undo that change something: the same command again finishes.
//!
//! `COPKG_SWEEP=full` tries every call; without it some are drawn with a seed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use copkg_skip::skip;
use copkg_tests::execution::Execution;
use copkg_tests::faults;
use copkg_tests::random::Random;

use crate::Outcome;
use crate::world::{World, contents};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How many calls are tried where they are not all tried.
const DRAWN: usize = 24;

const SEED: u64 = 20_261_130;

#[test]
fn a_killed_push_is_resumed_and_the_store_is_whole() -> Outcome {
    let world = World::with_files()?;
    world.push()?;
    world.write("srv/data/0", "second state")?;
    world.write("srv/new/file", "new")?;
    let sweep = Sweep { world: &world, places: &["store", "host"], words: host(world.push_words()) };
    sweep.each(|world| {
        // Once more: had the killed one committed, there is nothing to push.
        world.push()?;
        let bare = world.path("bare");
        let _ = fs::remove_dir_all(&bare);
        fs::create_dir(&bare)?;
        world.rebuild(&bare)?.success()?;
        assert_eq!(contents(&bare.join("srv")), contents(&world.root().join("srv")));
        let incoming = fs::read_dir(world.path("store/hosts/web1/incoming"))?.count();
        assert_eq!(incoming, 0, "files of the killed push are left");
        Ok(())
    })
}

#[test]
fn a_killed_rebuild_is_resumed_and_can_be_undone() -> Outcome {
    let world = with_older_files()?;
    let before = contents(&world.path("bare"));
    let sweep =
        Sweep { world: &world, places: &["bare"], words: host(world.rebuild_words(&world.path("bare"))) };
    let mut undo = false;
    sweep.each(|world| {
        undo = !undo;
        let bare = world.path("bare");
        let done = fs::read_to_string(bare.join(".copkg-rebuild/state.json"))
            .is_ok_and(|state| state.contains("done"));
        if !done {
            world.rebuild(&bare)?.success()?;
        }
        assert_eq!(contents(&bare.join("srv")), rebuilt(world));
        world.host(["rebuild", "--undo", "--root", "bare"])?.success()?;
        assert_eq!(contents(&bare), before);
        Ok(())
    })
}

#[test]
fn a_killed_rebuild_can_be_undone_at_once() -> Outcome {
    let world = with_older_files()?;
    let before = contents(&world.path("bare"));
    let sweep =
        Sweep { world: &world, places: &["bare"], words: host(world.rebuild_words(&world.path("bare"))) };
    sweep.each(|world| {
        let bare = world.path("bare");
        let undone = world.host(["rebuild", "--undo", "--root", "bare"])?;
        assert!(undone.is_success() || undone.code == Some(5), "{undone}");
        assert_eq!(contents(&bare), before);
        Ok(())
    })
}

#[test]
fn a_killed_undo_is_repeated() -> Outcome {
    let world = with_older_files()?;
    let before = contents(&world.path("bare"));
    world.rebuild(&world.path("bare"))?.success()?;
    let words = ["rebuild", "--undo", "--root", "bare"].map(str::to_owned).to_vec();
    let sweep = Sweep { world: &world, places: &["bare"], words: host(words) };
    sweep.each(|world| {
        let undone = world.host(["rebuild", "--undo", "--root", "bare"])?;
        assert!(undone.is_success() || undone.code == Some(5), "{undone}");
        assert_eq!(contents(&world.path("bare")), before);
        Ok(())
    })
}

/// A host that was pushed, and a bare root with some of its files, older.
fn with_older_files() -> Result<World> {
    let world = World::with_files()?;
    world.push()?;
    world.scene.write("bare/srv/data/0", 0o600, "an older one")?;
    world.scene.write("bare/srv/data/mine", 0o600, "not of the host")?;
    world.scene.write("bare/srv/deep", 0o600, "a file in place of a directory")?;
    Ok(world)
}

fn rebuilt(world: &World) -> Vec<(PathBuf, Vec<u8>)> {
    let mut expected = contents(&world.root().join("srv"));
    expected.push(("data/mine".into(), b"not of the host".to_vec()));
    expected.sort();
    expected
}

fn host(words: Vec<String>) -> Vec<String> {
    ["host".to_owned()].into_iter().chain(words).collect()
}

struct Sweep<'w> {
    world: &'w World,
    /// What the command changes, and what is put back before each try.
    places: &'static [&'static str],
    words: Vec<String>,
}

impl Sweep<'_> {
    fn each(&self, mut check: impl FnMut(&World) -> Outcome) -> Outcome {
        if !faults::is_supported() {
            skip("exact kill points", "x86_64 only");
            return Ok(());
        }
        for place in self.places {
            copy(&self.world.path(place), &self.world.path(&format!("{place}.before")))?;
        }
        let log = self.world.path("points");
        self.under_faultrun(&["list", "--log", &log.to_string_lossy()])?.success()?;
        let total = fs::read_to_string(log)?.lines().count();
        assert!(total >= 15, "only {total} points: is everything counted?");
        for (at, mode) in drawn(total) {
            self.restore()?;
            let ended = self.under_faultrun(&[mode, "--at", &at.to_string()])?;
            assert_eq!(ended.code, Some(137), "point {at} of {total} was not reached: {ended}");
            check(self.world).map_err(|error| format!("{mode} at point {at} of {total}: {error}"))?;
        }
        Ok(())
    }

    fn restore(&self) -> Outcome {
        for place in self.places {
            fs::remove_dir_all(self.world.path(place))?;
            copy(&self.world.path(&format!("{place}.before")), &self.world.path(place))?;
        }
        Ok(())
    }

    fn under_faultrun(&self, options: &[&str]) -> Result<Execution> {
        let scene = &self.world.scene;
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultrun"));
        command.args(options).arg("--under").arg(scene.path()).arg("--");
        command.arg(scene.programs().path("pkginstall")).args(&self.words);
        scene.at_home(&mut command);
        Ok(scene.run(&mut command)?)
    }
}

fn drawn(total: usize) -> Vec<(usize, &'static str)> {
    let modes = ["kill", "kill-after"];
    if std::env::var("COPKG_SWEEP").is_ok_and(|value| value == "full") {
        return (1..=total).flat_map(|at| modes.map(|mode| (at, mode))).collect();
    }
    let mut random = Random(SEED);
    (0..DRAWN).map(|_| (1 + random.below(total), modes[random.below(2)])).collect()
}

fn copy(from: &Path, to: &Path) -> Outcome {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    assert!(copied.success());
    Ok(())
}
