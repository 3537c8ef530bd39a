//! Copies: complete, verified, taken up where they were, and never showing what the source did not sign.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::scene::{Scene, files};

fn export(scene: &Scene, into: &Path, more: &[&str]) -> (i32, Value) {
    scene.json(scene.store(), &[&["export", into.to_str().unwrap()], more].concat())
}

/// What a copy serves. What a killed run wrote beside its place has a `#` in its name, and nobody asks for it.
fn served(directory: &Path) -> Vec<String> {
    files(directory)
        .into_iter()
        .filter(|path| !path.starts_with("private/") && !path.starts_with("log/") && !path.contains('#'))
        .collect()
}

pub(crate) fn same_files(one: &Path, other: &Path) {
    let (ours, theirs) = (served(one), served(other));
    // A copy has nothing of states that it never showed.
    let never_shown = |path: &&String| path.contains(".p/") || path.ends_with(".snapshot.json");
    let fewer = theirs.iter().filter(|path| !ours.contains(path)).all(|path| never_shown(&path));
    assert!(fewer && ours.iter().all(|path| theirs.contains(path)), "{ours:#?} {theirs:#?}");
    for path in ours {
        assert_eq!(fs::read(one.join(&path)).unwrap(), fs::read(other.join(&path)).unwrap(), "{path}");
    }
}

#[test]
fn an_export_has_the_files_of_the_store_and_a_second_one_changes_nothing() {
    let scene = Scene::new();
    let into = scene.path("export");
    let (exit, planned) = export(&scene, &into, &["--dry-run"]);
    assert_eq!(
        (exit, &planned["changed"], &planned["would_change"]),
        (0, &false.into(), &true.into()),
        "{planned:#}"
    );
    assert!(!into.exists());
    let (exit, first) = export(&scene, &into, &[]);
    assert_eq!((exit, &first["changed"], &first["blobs"]), (0, &true.into(), &4.into()), "{first:#}");
    same_files(&into, scene.store());
    let (exit, second) = export(&scene, &into, &[]);
    assert_eq!((exit, &second["changed"], &second["blobs"]), (0, &false.into(), &0.into()), "{second:#}");
}

#[test]
fn an_export_that_was_interrupted_goes_on_and_its_readers_saw_nothing() {
    let scene = Scene::new();
    let into = scene.path("export");
    let blob = served(scene.store()).into_iter().find(|path| path.ends_with("1.1.0-any.copkg")).unwrap();
    let bytes = fs::read(scene.store().join(&blob)).unwrap();
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(scene.store().join(&blob), damaged).unwrap();
    let (exit, refused) = export(&scene, &into, &[]);
    assert_eq!((exit, &refused["error"]["code"]), (6, &"source_mismatch".into()), "{refused:#}");
    assert!(!into.join("metadata/timestamp.json").exists() && !into.join(&blob).exists());
    fs::write(scene.store().join(&blob), bytes).unwrap();
    let (exit, done) = export(&scene, &into, &[]);
    assert_eq!((exit, &done["changed"]), (0, &true.into()));
    assert!(done["blobs"].as_u64().unwrap() < 4, "what was there is not copied again: {done:#}");
    same_files(&into, scene.store());
}
