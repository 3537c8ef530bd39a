//! Vectors of the index: paths, trees and symbolic links.

use serde_json::Value;

use super::{Vector, one_file, vector};
use crate::craft::{Package, Tar, dir, file, link};

pub(super) fn paths() -> Vec<Vector> {
    let long_component = "c".repeat(256);
    let long_path = vec!["p".repeat(250); 17].join("/");
    let deep = vec!["d"; 65].join("/");
    let cases: [(&str, &str, &'static str); 17] = [
        ("absolute", "/etc/passwd", "absolute"),
        ("parent", "../escape", "\"..\""),
        ("parent inside", "a/../../escape", "\"..\""),
        ("parent at the end", "a/..", "\"..\""),
        ("dot", "./a", "\".\""),
        ("double slash", "a//b", "empty component"),
        ("slash at the end", "a/", "empty component"),
        ("empty", "", "path is empty"),
        ("NUL", "a\0b", "NUL"),
        ("newline", "a\nb", "control character"),
        ("escape sequence", "a\u{1b}[2Jb", "control character"),
        ("right-to-left override", "a\u{202e}gpj.exe", "bidirectional"),
        ("line separator", "a\u{2028}b", "control character"),
        ("backslash", "..\\escape", "backslash"),
        ("component too long", &long_component, "a component of its path has 256 bytes"),
        ("path too long", &long_path, "limit is 4096"),
        ("too deep", &deep, "65 levels"),
    ];
    let mut all: Vec<Vector> = cases
        .iter()
        .map(|(name, path, why)| {
            let package = Package::new(vec![file(path, b"x")], Tar::default().file(path, b"x").end());
            vector(format!("path: {name}"), &package, why)
        })
        .collect();
    // The header has bytes that JSON cannot hold: index and header disagree.
    let payload =
        Tar::default().header("a", b'0', 1, |header| header.as_old_mut().name[0] = 0xff).content(b"x").end();
    all.push(vector(
        "path: not UTF-8 in the header",
        &one_file(payload),
        "disagrees with the manifest in its path",
    ));
    all
}

pub(super) fn trees() -> Vec<Vector> {
    let pair = |name: &str, first: Value, second: Value, why| {
        let package = Package::new(vec![first, second], Tar::default().end());
        vector(format!("tree: {name}"), &package, why)
    };
    let composed = "\u{e9}";
    let decomposed = "e\u{301}";
    let mut all = vec![
        pair("a file twice", file("a", b"x"), file("a", b"x"), "comes twice"),
        pair("a file and a directory", dir("a"), file("a", b"x"), "comes twice"),
        pair("out of order", file("b", b"x"), file("a", b"x"), "out of order"),
        pair("below a file", file("a", b"x"), file("a/b", b"x"), "below a file"),
        pair("below a link", link("a", "b"), file("a/b", b"x"), "below a symbolic link"),
        pair("no directory", file("a", b"x"), file("b/c", b"x"), "directory is not in the package"),
        pair("equal when case is folded", file("A", b"x"), file("a", b"x"), "equals \"A\""),
        pair("equal when case is folded by Unicode", file("ss", b"x"), file("\u{df}", b"x"), "equals \"ss\""),
        pair("equal when normalised", file(decomposed, b"x"), file(composed, b"x"), "Unicode normalisation"),
    ];
    let nested =
        Package::new(vec![dir("D"), file("D/f", b"x"), dir("d"), file("d/f", b"x")], Tar::default().end());
    all.push(vector("tree: directories equal when case is folded", &nested, "equals \"D\""));
    all
}

pub(super) fn links() -> Vec<Vector> {
    let case = |name: &str, entries: Vec<Value>, why| {
        vector(format!("link: {name}"), &Package::new(entries, Tar::default().end()), why)
    };
    let overflow = vec!["o".repeat(200); 21].join("/");
    vec![
        case("absolute", vec![link("a", "/etc")], "absolute path"),
        case("out of the package", vec![link("a", "../x")], "leaves the package"),
        case("out through a directory", vec![dir("d"), link("d/a", "../../x")], "leaves the package"),
        case("out and in again", vec![dir("d"), link("d/a", "../../d/x")], "leaves the package"),
        case(
            "to a link",
            vec![link("a", "b"), link("b", "c"), file("c", b"x")],
            "another symbolic link, \"b\"",
        ),
        case(
            "through a link",
            vec![link("a", "b/c"), link("b", "d"), dir("d")],
            "another symbolic link, \"b\"",
        ),
        case("to itself", vec![link("a", "a")], "another symbolic link, \"a\""),
        case("with a dot", vec![link("a", "./b")], "has a \".\""),
        case("empty", vec![link("a", "")], "path is empty"),
        case("longer than a path", vec![link("a", &overflow)], "limit is 4096"),
        case("with a newline", vec![link("a", "b\nc")], "control character"),
        case("deeper than a path", vec![link("a", &vec!["d"; 65].join("/"))], "65 levels"),
    ]
}

/// Files that are said to have the content of another one.
pub(super) fn hard_links() -> Vec<Vector> {
    let linked = |path: &str, bytes: &[u8], link: &str| {
        let mut entry = file(path, bytes);
        entry["link"] = link.into();
        entry
    };
    let hard_link = |tar: Tar, name: &str, target: &'static str| {
        tar.header(name, b'1', 0, |header| {
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        })
    };
    let case = |name: &str, second: Value, tar: Tar, why| {
        let mut package = Package::new(vec![file("a", b"x"), second], tar.end());
        package.manifest = |manifest| manifest["format"]["requires"] = serde_json::json!(["links"]);
        vector(format!("hard link: {name}"), &package, why)
    };
    let tar = || Tar::default().file("a", b"x");
    let right = || hard_link(tar(), "b", "a");
    let mut executable = linked("b", b"x", "a");
    executable["mode"] = "0755".into();
    let mut directory = dir("b");
    directory["link"] = "a".into();
    let mut undeclared = Package::new(vec![file("a", b"x"), linked("b", b"x", "a")], right().end());
    undeclared.manifest = |manifest| manifest["format"]["minor"] = 1.into();
    vec![
        case(
            "to nothing",
            linked("b", b"x", "c"),
            hard_link(tar(), "b", "c"),
            "no file with content of its own",
        ),
        case(
            "to itself",
            linked("b", b"x", "b"),
            hard_link(tar(), "b", "b"),
            "no file with content of its own",
        ),
        case("to another content", linked("b", b"y", "a"), right(), "another content or mode"),
        case("to another mode", executable, right(), "another content or mode"),
        case("out of the package", linked("b", b"x", "../a"), hard_link(tar(), "b", "../a"), "\"..\""),
        case("of a directory", directory, right(), "in its members"),
        case(
            "with another target in the header",
            linked("b", b"x", "a"),
            hard_link(tar(), "b", "/etc/passwd"),
            "in its link target",
        ),
        case("that the index does not have", file("b", b"x"), right().content(b"x"), "hard link"),
        case("with content", linked("b", b"x", "a"), tar().file("b", b"x"), "frames hold"),
        vector("hard link: that the format does not announce", &undeclared, "its format does not say so"),
    ]
}
