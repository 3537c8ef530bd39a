//! What comes back: everything that can be set, under the same names with other numbers; and what is reported where it cannot.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use copkg_skip::skip;
use serde_json::Value;

use crate::Outcome;
use crate::world::{HOST, World, contents, listed, tree};

const OTHER_PASSWD: &str = "root:x:0:0::/:/bin/sh\nstranger:x:4101:4101::/:\nfirst:x:5101:5101::/:\nsecond:x:5102:5102::/:\nthird:x:5103:5103::/:\n";
const OTHER_GROUP: &str = "root:x:0:\nfirst:x:5101:\nsecond:x:5102:\nthird:x:5103:\nshared:x:5201:\n";

fn is_root() -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    skip("owners of a rebuilt host", "only root can give files to others");
    false
}

#[test]
fn a_tree_of_everything_comes_back_whole_where_the_same_names_have_other_numbers() -> Outcome {
    if !is_root() {
        return Ok(());
    }
    let world = World::new()?;
    let source = world.root().join("srv");
    tree(&["make".as_ref(), source.as_os_str()])?.success()?;
    let before = listed(&source, &world.root())?;
    world.push()?;
    let again = world.push()?;
    assert_eq!(
        (again["changed"].as_bool(), again["new_objects"].as_u64()),
        (Some(false), Some(0)),
        "{again}"
    );
    let bare = world.bare("bare", OTHER_PASSWD, OTHER_GROUP)?;
    let rebuilt = world.rebuild(&bare)?.success()?.json()?;
    assert_differences(&before, &listed(&bare.join("srv"), &bare)?, &[]);
    let report = &rebuilt["report"];
    assert!(report["held"].as_array().is_some_and(Vec::is_empty), "{report}");
    world.host(["rebuild", "--undo", "--root", "bare"])?.success()?;
    assert!(!bare.join("srv").exists());
    clear_flags(&world);
    Ok(())
}

#[test]
fn an_owner_who_is_unknown_is_held_for_root_and_reported_with_the_commands_that_mend_it() -> Outcome {
    if !is_root() {
        return Ok(());
    }
    let world = World::new()?;
    let source = world.root().join("srv");
    tree(&["make".as_ref(), source.as_os_str()])?.success()?;
    let before = listed(&source, &world.root())?;
    world.push()?;
    // Nobody is called third here, and the number that had no name is somebody's.
    let passwd = OTHER_PASSWD.replace("third:x:5103:5103::/:\n", "taken:x:55001:55001::/:\n");
    let bare = world.bare("bare", &passwd, OTHER_GROUP)?;
    let rebuilt = world.rebuild(&bare)?.expect_code(1)?.json()?;
    let report = &rebuilt["report"];
    let mut reported: BTreeSet<String> = paths(&report["lists_not_set"]);
    reported.extend(
        report["held"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|held| Some(held["path"].as_str()?.to_owned())),
    );
    let reported: Vec<&str> = reported.iter().filter_map(|path| path.strip_prefix("/srv")).collect();
    assert!(reported.contains(&"/a/unnamed"), "{report}");
    assert_differences(&before, &listed(&bare.join("srv"), &bare)?, &reported);
    let held = fs::symlink_metadata(bare.join("srv/a/unnamed"))?;
    assert_eq!((held.uid(), held.gid(), held.mode() & 0o7777), (0, 0, 0o600));
    if before["/a/list"]["attributes"].get("system.posix_acl_access").is_some() {
        let list = fs::symlink_metadata(bare.join("srv/a/list"))?;
        assert_eq!(list.mode() & 0o070, 0, "the group has what the list only allowed at most");
        assert!(reported.contains(&"/a/list"), "{report}");
    }
    let said = world.host(["rebuild", "--undo", "--root", "bare"])?;
    said.success()?;
    let text: Vec<String> = world.rebuild_words(&bare).into_iter().filter(|word| word != "--json").collect();
    let said = world.host(text)?.expect_code(1)?;
    let place = bare.join("srv/a/unnamed");
    assert!(said.out.contains(&format!("chown -h 55001:55002 {}", place.display())), "{said}");
    assert!(said.out.contains(&format!("chmod 0644 {}", place.display())), "{said}");
    world.host(["rebuild", "--undo", "--root", "bare"])?.success()?;
    clear_flags(&world);
    Ok(())
}

#[test]
fn what_is_there_is_replaced_and_comes_back_with_undo() -> Outcome {
    let world = World::with_files()?;
    world.push()?;
    let bare = world.path("bare");
    world.scene.write("bare/srv/data/0", 0o600, "an older one")?;
    world.scene.write("bare/srv/data/mine", 0o600, "not of the host")?;
    world.scene.write("bare/srv/deep", 0o600, "a file in place of a directory")?;
    fs::create_dir_all(bare.join("srv/data/1"))?;
    world.scene.write("bare/srv/data/1/inner", 0o600, "a directory in place of a file")?;
    fs::set_permissions(bare.join("srv/data"), fs::Permissions::from_mode(0o711))?;
    let before = contents(&bare);
    let preview = world
        .rebuild_words(&bare)
        .into_iter()
        .map(|word| if word == "--yes" { "--dry-run".to_owned() } else { word });
    let preview = world.host(preview)?.success()?.json()?;
    assert_eq!(preview["preview"]["replaced"], 2, "{preview}");
    assert_eq!(contents(&bare), before);
    world.rebuild(&bare)?.success()?;
    let mut expected = contents(&world.root().join("srv"));
    expected.push(("data/mine".into(), b"not of the host".to_vec()));
    expected.sort();
    assert_eq!(contents(&bare.join("srv")), expected);
    assert_eq!(fs::metadata(bare.join("srv/data"))?.mode() & 0o777, 0o755);
    fs::write(bare.join("srv/data/2"), "written since")?;
    let other = world.rebuild(&bare)?.expect_code(7)?;
    assert_eq!(other.json()?["error"]["code"], "rebuild_pending");
    let undone = world.host(["rebuild", "--undo", "--root", "bare", "--json"])?.success()?.json()?;
    assert_eq!(contents(&bare), before);
    assert_eq!(fs::metadata(bare.join("srv/data"))?.mode() & 0o777, 0o711);
    let aside = undone["undone"]["set_aside"][0].as_str().unwrap_or_default().to_owned();
    let kept = contents(&bare.join(aside.trim_start_matches('/')).join("slots"));
    assert!(kept.iter().any(|(_, content)| content == b"written since"), "{kept:?}");
    world.host(["rebuild", "--undo", "--root", "bare"])?.expect_code(5)?;
    Ok(())
}

#[test]
fn a_part_and_an_earlier_snapshot_are_placed_alone() -> Outcome {
    let world = World::with_files()?;
    world.push()?;
    world.write("srv/data/0", "second")?;
    world.push()?;
    let bare = world.path("bare");
    fs::create_dir(&bare)?;
    let words = |more: &[&str]| {
        world
            .rebuild_words(&bare)
            .into_iter()
            .chain(more.iter().map(|word| (*word).to_owned()))
            .collect::<Vec<_>>()
    };
    world.host(words(&["--at", "1", "--directory", "/srv/data/0"]))?.success()?;
    let found = contents(&bare);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.starts_with(b"content 0"), "{found:?}");
    world.host(["rebuild", "--forget-undo", "--root", "bare"])?.success()?;
    assert!(!bare.join(".copkg-rebuild").exists());
    world.host(words(&["--directory", "/srv/data"]))?.success()?;
    assert_eq!(contents(&bare.join("srv/data")), contents(&world.root().join("srv/data")));
    assert!(!bare.join("srv/deep").exists());
    world.host(["rebuild", "--forget-undo", "--root", "bare"])?.success()?;
    world.host(words(&["--directory", "/srv/none"]))?.expect_code(5)?;
    world.host(words(&["--at", "7"]))?.expect_code(5)?;
    Ok(())
}

#[test]
fn one_changed_file_of_ten_thousand_costs_little_more_than_itself() -> Outcome {
    let world = World::new()?;
    for number in 0..10_000 {
        world.write(&format!("srv/{}/{number}", number % 40), &number.to_string())?;
    }
    world.push()?;
    world.write("srv/7/47", "changed")?;
    let second = world.push()?;
    // Those that were written in the moment before the first push are read once more.
    assert!(second["files_read"].as_u64() < Some(2000), "{second}");
    let bytes = second["new_bytes"].as_u64().unwrap_or(u64::MAX);
    assert!(bytes < 20_000, "{bytes} bytes for one changed file");
    Ok(())
}

#[test]
fn a_push_counts_what_it_leaves_out_and_says_what_it_cannot_read() -> Outcome {
    let world = World::with_files()?;
    world.write("srv/cache/a.tmp", "temporary")?;
    world.write("srv/.copkg-rebuild/slots/0", "staged")?;
    world
        .host(["watch", "--single", "/opt/one", "--exclude", "*.tmp", "--exclude", "/srv/deep/**"])?
        .success()?;
    let said = world.host(world.push_words())?.expect_code(1)?;
    let report = said.json()?;
    assert_eq!(report["excluded"], 2, "{report}");
    assert_eq!(report["skipped"][0][0], "/opt", "{report}");
    assert!(said.err.contains("/opt is not in the snapshot"), "{said}");
    world.write("opt/one", "1")?;
    world.write("opt/sibling", "2")?;
    world.push()?;
    let bare = world.path("bare");
    fs::create_dir(&bare)?;
    world.rebuild(&bare)?.success()?;
    assert_eq!(contents(&bare.join("opt")), [("one".into(), b"1".to_vec())]);
    assert!(
        bare.join("srv/cache").is_dir()
            && !bare.join("srv/cache/a.tmp").exists()
            && !bare.join("srv/.copkg-rebuild").exists()
    );
    Ok(())
}

#[test]
fn pruning_keeps_what_it_says_and_the_chain() -> Outcome {
    let world = World::with_files()?;
    for number in 1..=3 {
        world.write("srv/data/0", &format!("state {number}"))?;
        world.push()?;
    }
    let objects = || contents(&world.path("store")).len();
    let before = objects();
    let prune = ["store", "prune", "store", "--keep-daily", "1", "--keep-weekly", "1", "--json"];
    let dry: Vec<&str> = prune.into_iter().chain(["--dry-run"]).collect();
    world.scene.pkginstall(dry)?.success()?;
    assert_eq!(objects(), before);
    let pruned = world.scene.pkginstall(prune)?.success()?.json()?;
    assert!(pruned["hosts"][0]["objects"].as_u64() > Some(3), "{pruned}");
    let bare = world.path("bare");
    fs::create_dir(&bare)?;
    let older: Vec<String> =
        world.rebuild_words(&bare).into_iter().chain(["--at".into(), "1".into()]).collect();
    world.host(older)?.expect_code(5)?;
    world.rebuild(&bare)?.success()?;
    assert_eq!(contents(&bare.join("srv")), contents(&world.root().join("srv")));
    world.write("srv/data/0", "state 4")?;
    assert_eq!(world.push()?["number"], 4);
    let listed = world.host(["list", HOST, "--from", "store", "--json"])?.success()?.json()?;
    assert_eq!(listed["snapshots"].as_array().map(Vec::len), Some(2), "{listed}");
    Ok(())
}

/// Compares two lists of a tree; only these paths may differ, in owner, mode and lists.
fn assert_differences(before: &Value, after: &Value, allowed: &[&str]) {
    let entries = |list: &Value| list.as_object().cloned().unwrap_or_default();
    let (before, after) = (entries(before), entries(after));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert!(before.len() > 300, "{} entries", before.len());
    for (path, entry) in &before {
        let (mut entry, mut found) = (entry.clone(), after[path].clone());
        if allowed.contains(&path.as_str()) {
            for list in [&mut entry, &mut found] {
                for key in ["user", "group", "mode", "attributes"] {
                    list[key] = Value::Null;
                }
            }
        }
        assert_eq!(entry, found, "{path}");
    }
}

fn paths(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(|path| Some(path.as_str()?.to_owned())).collect()
}

/// Lets the scratch directory be removed.
fn clear_flags(world: &World) {
    let words: [&OsStr; 4] = ["-R".as_ref(), "-f".as_ref(), "-ia".as_ref(), world.scene.path().as_os_str()];
    let _ = std::process::Command::new("chattr").args(words).stderr(std::process::Stdio::null()).status();
}
