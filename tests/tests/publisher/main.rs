//! Publishing to a real server, as release engineers do: `pkgbuild` and `repo-server` from outside.

mod broken;
mod channels;
mod co_signing;
mod deployment;
mod keys;
mod patches;
mod publish;
mod why;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use copkg_tests::scene::{GROUP, Scene, SceneError};
use serde_json::Value;

type Outcome = Result<(), Box<dyn Error>>;

/// Builds a small package, signed by the publisher.
fn package(scene: &Scene, name: &str, version: &str) -> Result<PathBuf, SceneError> {
    scene.build(&scene.small_tree(name, version)?)
}

/// Returns what the group's role says now, as it lies in the store.
fn group(scene: &Scene) -> Result<Value, Box<dyn Error>> {
    newest(&scene.path().join("store/metadata"), GROUP)
}

/// Returns what the newest version of a role's file in a directory says.
fn newest(directory: &Path, role: &str) -> Result<Value, Box<dyn Error>> {
    let mut versions: Vec<u64> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let version = name.strip_suffix(&format!(".{role}.json"));
        let version = version.and_then(|version| version.parse::<u64>().ok());
        versions.extend(version);
    }
    let version = versions.into_iter().max().ok_or_else(|| format!("there is no {role}"))?;
    let bytes = fs::read(directory.join(format!("{version}.{role}.json")))?;
    Ok(serde_json::from_slice::<Value>(&bytes)?["signed"].take())
}

/// Returns how many files the group has.
fn count(group: &Value) -> usize {
    group["targets"].as_object().map_or(0, serde_json::Map::len)
}
