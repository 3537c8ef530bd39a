//! Stores that lie: objects changed, cut, swapped, withheld and replayed, and names that would lead elsewhere. Nothing is placed, and the
//! message names the object.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use copkg_tests::random::Random;

use crate::Outcome;
use crate::world::{HOST, World, contents};

/// How many cases of each kind are tried without `COPKG_HOSTILE_STORES`.
const CASES: usize = 40;

const SEED: u64 = 20_261_130;

fn cases() -> usize {
    std::env::var("COPKG_HOSTILE_STORES").ok().and_then(|number| number.parse().ok()).unwrap_or(CASES)
}

/// A way to change a file of a store; `other` is another one of the same folder.
type Change = fn(&Path, &Path, &mut Random) -> std::io::Result<()>;

const CHANGES: [(&str, Change); 5] = [
    ("flipped", |file, _, random| {
        let mut bytes = fs::read(file)?;
        let at = random.below(bytes.len());
        bytes[at] ^= 1 << random.below(8);
        fs::write(file, bytes)
    }),
    ("cut", |file, _, random| {
        let bytes = fs::read(file)?;
        fs::write(file, &bytes[..random.below(bytes.len())])
    }),
    ("swapped", |file, other, _| fs::copy(other, file).map(drop)),
    ("removed", |file, _, _| fs::remove_file(file)),
    ("extended", |file, _, _| {
        let mut bytes = fs::read(file)?;
        bytes.push(0);
        fs::write(file, bytes)
    }),
];

#[test]
fn no_changed_object_of_a_store_is_believed_and_nothing_is_placed() -> Outcome {
    let world = World::with_files()?;
    world.push()?;
    world.write("srv/data/0", "second state")?;
    world.push()?;
    let host = world.path("store/hosts").join(HOST);
    let bare = world.path("bare");
    fs::create_dir(&bare)?;
    let needed = needed(&host)?;
    let mut random = Random(SEED);
    for case in 0..cases() {
        for (what, change) in CHANGES {
            let file = &needed[random.below(needed.len())];
            let folder = file.parent().and_then(Path::parent).unwrap_or(&host);
            let others: Vec<PathBuf> =
                needed.iter().filter(|other| other.starts_with(folder) && *other != file).cloned().collect();
            let Some(other) = others.get(random.below(others.len().max(1))) else { continue };
            let before = fs::read(file)?;
            change(file, other, &mut random)?;
            let changed = fs::read(file).ok();
            let ended = world.rebuild(&bare)?;
            let object = file.strip_prefix(&host)?.to_string_lossy().into_owned();
            let moment = format!("{case}: {object} {what}: {ended}");
            if changed.as_ref() == Some(&before) {
                continue;
            }
            assert_eq!(ended.code, Some(6), "{moment}");
            assert!(ended.err.contains(&object), "{moment}");
            assert_eq!(fs::read_dir(&bare)?.count(), 0, "{moment}");
            fs::write(file, before)?;
        }
    }
    world.rebuild(&bare)?.success()?;
    assert_eq!(contents(&bare.join("srv")), contents(&world.root().join("srv")));
    Ok(())
}

/// Returns the files of the store that the last snapshot needs: those that a store without it would not have are of the first alone.
fn needed(host: &Path) -> Result<Vec<PathBuf>, Box<dyn std::error::Error>> {
    let dropped = fs::read_to_string(host.join("snapshots/0000000002.changes"))?;
    let dropped: Vec<PathBuf> =
        dropped.lines().filter_map(|line| Some(host.join(line.strip_prefix('-')?))).collect();
    let all = contents(host).into_iter().map(|(path, _)| host.join(path));
    let is_read = |path: &PathBuf| {
        let name = path.strip_prefix(host).unwrap_or(path).to_string_lossy();
        // The last one can be withheld from a bare machine; the host notices (below).
        !(name == "lock"
            || name == "snapshots/0000000002.json"
            || name == "host.json"
            || name.ends_with(".changes")
            || dropped.contains(path))
    };
    Ok(all.filter(is_read).collect())
}

#[test]
fn a_store_that_was_rolled_back_or_forked_is_noticed_by_the_next_push() -> Outcome {
    let world = World::with_files()?;
    world.push()?;
    let copy = world.path("older");
    copy_store(&world.path("store"), &copy)?;
    world.write("srv/data/0", "second state")?;
    world.push()?;
    world.write("srv/data/0", "third state")?;
    fs::rename(world.path("store"), world.path("newer"))?;
    copy_store(&copy, &world.path("store"))?;
    let refused = world.host(world.push_words())?.expect_code(6)?;
    assert_eq!(refused.json()?["error"]["code"], "store_rolled_back");
    let words: Vec<String> = world.push_words().into_iter().chain(["--accept-older-store".into()]).collect();
    let accepted = world.host(words)?.success()?.json()?;
    assert_eq!(accepted["number"], 2);
    let bare = world.path("bare");
    fs::create_dir(&bare)?;
    world.rebuild(&bare)?.success()?;
    assert_eq!(contents(&bare.join("srv")), contents(&world.root().join("srv")));
    // The other history comes back.
    fs::rename(world.path("store"), world.path("accepted"))?;
    fs::rename(world.path("newer"), world.path("store"))?;
    world.host(world.push_words())?.expect_code(6)?;
    Ok(())
}

#[test]
fn a_withheld_snapshot_in_the_middle_and_a_replayed_one_break_the_chain() -> Outcome {
    let world = World::with_files()?;
    for number in 1..=3 {
        world.write("srv/data/0", &format!("state {number}"))?;
        world.push()?;
    }
    let snapshots = world.path("store/hosts").join(HOST).join("snapshots");
    let second = snapshots.join("0000000002.json");
    let bytes = fs::read(&second)?;
    fs::remove_file(&second)?;
    let ended = world.host(["list", HOST, "--from", "store"])?.expect_code(6)?;
    assert!(ended.err.contains("snapshots/0000000002.json"), "{ended}");
    fs::write(&second, bytes)?;
    fs::copy(&second, snapshots.join("0000000004.json"))?;
    let ended = world.host(["list", HOST, "--from", "store"])?.expect_code(6)?;
    assert!(ended.err.contains("snapshots/0000000004.json"), "{ended}");
    Ok(())
}

#[test]
fn a_store_with_another_key_for_the_host_is_refused_by_push_and_rebuild() -> Outcome {
    let (world, stranger) = (World::with_files()?, World::with_files()?);
    world.push()?;
    stranger.push()?;
    fs::rename(world.path("store"), world.path("own"))?;
    copy_store(&stranger.path("store"), &world.path("store"))?;
    let bare = world.path("bare");
    fs::create_dir(&bare)?;
    for ended in [world.rebuild(&bare)?, world.host(world.push_words())?] {
        let ended = ended.expect_code(6)?;
        assert_eq!(ended.json()?["error"]["code"], "host_key_differs");
    }
    // Without a key to compare with, nobody is trusted unasked.
    let mut words = world.rebuild_words(&bare);
    words.retain(|word| word != "--host-key" && *word != world.key);
    let fresh = world.path("fresh");
    let mut command = world.scene.command("pkginstall", ["host".to_owned()].into_iter().chain(words));
    let ended = world.scene.run(command.env("COPKG_PREFIX", fresh))?.expect_code(2)?;
    assert_eq!(ended.json()?["error"]["code"], "rebuild_unconfirmed");
    assert_eq!(fs::read_dir(&bare)?.count(), 0);
    Ok(())
}

#[test]
fn links_that_wait_in_the_destination_lead_nothing_elsewhere() -> Outcome {
    let world = World::with_files()?;
    world.push()?;
    let outside = world.path("outside");
    fs::create_dir_all(outside.join("data"))?;
    fs::write(outside.join("data/0"), "of somebody else")?;
    let before = contents(&outside);
    for (number, place) in ["srv/data", "srv/deep/er", "srv/data/0", "srv"].into_iter().enumerate() {
        let bare = world.path(&format!("bare{number}"));
        let link = bare.join(place);
        fs::create_dir_all(link.parent().unwrap_or(&bare))?;
        symlink(outside.join(if place.ends_with('0') { "data/0" } else { "data" }), &link)?;
        world.rebuild(&bare)?.success()?;
        assert_eq!(contents(&outside), before, "{place}");
        assert_eq!(contents(&bare.join("srv")), contents(&world.root().join("srv")), "{place}");
        assert!(!fs::symlink_metadata(&link)?.is_symlink(), "{place}");
    }
    // What the snapshot only goes through is no link, and is not made one's own.
    world.host(["watch", "/var/lib/app"])?.success()?;
    world.write("var/lib/app/state", "s")?;
    world.push()?;
    let bare = world.path("through");
    fs::create_dir(&bare)?;
    symlink(&outside, bare.join("var"))?;
    let ended = world.rebuild(&bare)?.expect_code(7)?;
    assert!(ended.err.contains("/var is no directory here"), "{ended}");
    assert_eq!(fs::read_dir(&bare)?.count(), 1);
    assert_eq!(contents(&outside), before);
    Ok(())
}

fn copy_store(from: &Path, to: &Path) -> Outcome {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    assert!(copied.success());
    Ok(())
}
