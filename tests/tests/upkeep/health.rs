//! `check` finds what is wrong and says nothing of what is not; `gc` removes what nothing refers to and nothing else.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::scene::{Scene, files};

/// The findings of a check, as `kind path`, or the code of the failure that left nothing to walk.
fn findings(document: &Value) -> Vec<String> {
    if let Some(code) = document["error"]["code"].as_str() {
        return vec![code.to_owned()];
    }
    let listed = document["checked"]["findings"].as_array().unwrap();
    listed
        .iter()
        .map(|f| format!("{} {}", f["kind"].as_str().unwrap(), f["path"].as_str().unwrap()))
        .collect()
}

fn find(scene: &Scene, part: &str) -> PathBuf {
    let found = files(scene.store()).into_iter().find(|path| path.contains(part));
    scene.store().join(found.unwrap_or_else(|| crate::scene::panic_with(part)))
}

#[test]
fn a_repository_that_is_well_has_no_findings() {
    let scene = Scene::new();
    let (exit, document) = scene.json(scene.store(), &["check"]);
    assert_eq!((exit, findings(&document)), (0, vec![]), "{document:#}");
    assert_eq!(document["checked"]["groups"], 2);
    assert_eq!(document["checked"]["blobs"]["files"], 4);
    assert_eq!(document["checked"]["entries"], scene.made.commits);
    assert_eq!(document["checked"]["files"]["garbage"]["files"], 0);
    assert_eq!(document["fingerprint"], scene.made.fingerprint.to_string());
}

#[test]
fn a_changed_byte_anywhere_is_found() {
    let scene = Scene::new();
    for (part, kind) in [
        ("service-0-1.1.0-any.copkg", "damaged"),
        ("metadata/1.com.example.team0001.json", "refused"),
        ("tlog/tile/0/000.p/2", "damaged"),
        ("tlog/tile/entries/000.p/2", "damaged"),
        ("tlog/checkpoint", "damaged"),
        ("log/00000000000000000001", "damaged"),
        // Read first of all, so that nothing may be left to walk; or it reads as another commit.
        ("log/00000000000000000002", ""),
    ] {
        let path = find(&scene, part);
        let before = fs::read(&path).unwrap();
        let mut changed = before.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(&path, &changed).unwrap();
        let (exit, document) = scene.json(scene.store(), &["check"]);
        let found = findings(&document);
        assert!(exit == 6 && found.iter().any(|finding| finding.starts_with(kind)), "{part}: {found:?}");
        fs::write(&path, &before).unwrap();
    }
    assert_eq!(scene.json(scene.store(), &["check"]).0, 0);
}

#[test]
fn a_missing_file_is_found() {
    let scene = Scene::new();
    for part in ["service-0-1.1.0-any.copkg", "metadata/1.com.example.team0001.json", "tlog/tile/0/000.p/2"] {
        let path = find(&scene, part);
        let before = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let (exit, document) = scene.json(scene.store(), &["check"]);
        let found = findings(&document);
        assert!(exit == 6 && found.iter().any(|finding| finding.starts_with("missing")), "{part}: {found:?}");
        fs::write(&path, &before).unwrap();
    }
}

#[test]
fn what_is_above_the_groups_is_refused_as_a_whole() {
    let scene = Scene::new();
    let path = scene.store().join("metadata/timestamp.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"checkpoint\":\"", "\"checkpoint\":\"A")).unwrap();
    let (exit, document) = scene.json(scene.store(), &["check"]);
    assert_eq!(
        (exit, &document["error"]["code"]),
        (6, &"metadata_too_few_signatures".into()),
        "{document:#}"
    );
}

#[test]
fn garbage_is_removed_when_it_is_old_and_everything_else_stays() {
    let scene = Scene::new();
    let before = files(scene.store());
    let digest = "ab".repeat(32);
    let garbage = [
        format!("staged/{digest}"),
        format!("targets/00/com.example.gone/web/1/{digest}.web-1-any.copkg"),
        "metadata/9.com.example.team0001.json".to_owned(),
        "private/precondition-test/0011".to_owned(),
    ];
    for path in &garbage {
        let path = scene.store().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "garbage").unwrap();
    }
    fs::write(scene.store().join("README"), "not ours").unwrap();
    let (_, young) = scene.json(scene.store(), &["gc"]);
    assert_eq!(
        (&young["changed"], &young["swept"]["young"]["files"]),
        (&false.into(), &4.into()),
        "{young:#}"
    );
    let (_, planned) = scene.json(scene.store(), &["gc", "--min-age", "0s", "--dry-run"]);
    assert_eq!((&planned["changed"], &planned["swept"]["garbage"]["files"]), (&false.into(), &4.into()));
    assert!(garbage.iter().all(|path| scene.store().join(path).exists()));
    let (_, swept) = scene.json(scene.store(), &["gc", "--min-age", "0s"]);
    assert_eq!((&swept["changed"], &swept["swept"]["foreign"]["files"]), (&true.into(), &1.into()));
    fs::remove_file(scene.store().join("README")).unwrap();
    assert_eq!(files(scene.store()), before);
    assert_eq!(scene.json(scene.store(), &["check"]).0, 0);
}

#[test]
fn nothing_is_removed_when_what_is_kept_cannot_be_read() {
    let scene = Scene::new();
    fs::create_dir_all(scene.store().join("staged")).unwrap();
    let garbage = scene.store().join("staged").join("ab".repeat(32));
    fs::write(&garbage, "garbage").unwrap();
    fs::write(scene.store().join("metadata/1.com.example.team0001.json"), "{}").unwrap();
    let (exit, document) = scene.json(scene.store(), &["gc", "--min-age", "0s"]);
    assert_eq!((exit, &document["error"]["code"]), (6, &"repository_damaged".into()), "{document:#}");
    assert!(garbage.exists());
}
