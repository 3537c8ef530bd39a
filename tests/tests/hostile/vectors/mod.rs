//! One archive for every row of the archive policy (`docs/format.md`, clause 8), and what it must be refused for.

mod headers;
mod names;
mod streams;

use crate::craft::{Package, Tar, file};

/// A hostile archive and a part of the message that refuses it.
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) refused_for: &'static str,
}

pub(crate) fn all() -> Vec<Vector> {
    let groups = [
        names::paths(),
        names::trees(),
        names::links(),
        headers::types(),
        headers::attributes(),
        headers::extensions(),
        headers::sizes(),
        streams::ends(),
        streams::frames(),
        streams::bodies(),
        streams::outer(),
    ];
    groups.into_iter().flatten().collect()
}

fn vector(name: impl Into<String>, package: &Package, refused_for: &'static str) -> Vector {
    Vector { name: name.into(), bytes: package.build(), refused_for }
}

/// A package of one file whose index is right and whose tar header is `payload`'s.
fn one_file(payload: Tar) -> Package {
    Package::new(vec![file("a", b"x")], payload)
}
