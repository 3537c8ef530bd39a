//! One archive for every row of the archive policy (`docs/format.md`, clause 8), and what it must be refused for.

mod headers;
mod manifests;
mod names;
mod streams;

use serde_json::Value;

use crate::craft::{Package, Tar, compress, file, frame};

/// A hostile archive and a part of the message that refuses it.
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    package: Package,
    pub(crate) refused_for: &'static str,
}

pub(crate) fn all() -> Vec<Vector> {
    let groups = [
        names::paths(),
        names::trees(),
        names::links(),
        names::hard_links(),
        headers::types(),
        headers::attributes(),
        headers::extensions(),
        headers::sizes(),
        streams::ends(),
        streams::frames(),
        streams::bodies(),
        streams::outer(),
        manifests::texts(),
        manifests::numbers(),
    ];
    let mut all: Vec<Vector> = groups.into_iter().flatten().collect();
    let divided: Vec<Vector> = all.iter().filter_map(in_frames_of_one_block).collect();
    all.extend(divided);
    all
}

fn vector(name: impl Into<String>, package: &Package, refused_for: &'static str) -> Vector {
    Vector { name: name.into(), bytes: package.build(), package: package.clone(), refused_for }
}

/// The same fault in a payload of which each block has a frame for itself, so that headers, content, padding and end lie in
/// frames of their own.
fn in_frames_of_one_block(vector: &Vector) -> Option<Vector> {
    let Vector { name, package, refused_for, .. } = vector;
    if package.frames.is_some() || package.index.is_some() {
        return None;
    }
    let mut package = package.clone();
    let blocks: Vec<(Vec<u8>, Value)> = package
        .payload
        .chunks(512)
        .map(|block| {
            let bytes = compress(block, true);
            let frame = frame(&bytes, block.len());
            (bytes, frame)
        })
        .collect();
    let (bytes, frames): (Vec<Vec<u8>>, Vec<Value>) = blocks.into_iter().unzip();
    package.frames = Some((bytes.concat(), frames));
    Some(self::vector(format!("{name}, in frames of one block"), &package, refused_for))
}

/// A package of one file whose index is right and whose tar header is `payload`'s.
fn one_file(payload: Tar) -> Package {
    Package::new(vec![file("a", b"x")], payload)
}
