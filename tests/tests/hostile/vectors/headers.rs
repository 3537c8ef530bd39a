//! Vectors of tar headers: types, attributes, extensions and sizes.

use serde_json::{Value, json};
use tar::Header;

use super::{Vector, one_file, vector};
use crate::craft::{Package, Tar, file};

pub(super) fn types() -> Vec<Vector> {
    let header = |name: &str, kind: u8, why| {
        let payload = Tar::default().header("a", kind, 1, |_| ()).content(b"x").end();
        vector(format!("type: {name}"), &one_file(payload), why)
    };
    let index = |kind: &str, why| {
        let package = Package::new(vec![json!({ "path": "a", "type": kind })], Tar::default().end());
        vector(format!("type: {kind} in the index"), &package, why)
    };
    let bent = |name: &str, change: fn(&mut Header), why| {
        let payload = Tar::default().header("a", b'0', 1, change).content(b"x").end();
        vector(format!("type: {name}"), &one_file(payload), why)
    };
    vec![
        header("hard link", b'1', "hard link"),
        header("symbolic link in place of a file", b'2', "in its type"),
        header("character device", b'3', "device"),
        header("block device", b'4', "device"),
        header("directory in place of a file", b'5', "in its type"),
        header("named pipe", b'6', "named pipe"),
        header("contiguous file", b'7', "in its type"),
        header("unknown letter", b'Z', "type Z is not known"),
        index("hardlink", "hard link"),
        index("device", "device"),
        index("fifo", "named pipe"),
        index("socket", "socket"),
        index("whiteout", "type whiteout is not known"),
        bent("V7 header", |h| h.as_mut_bytes()[156] = 0, "not POSIX ustar"),
        bent("no magic", |h| h.as_mut_bytes()[257..265].fill(0), "not POSIX ustar"),
        bent(
            "old GNU header",
            |h| h.as_mut_bytes()[257..265].copy_from_slice(b"ustar  \0"),
            "not POSIX ustar",
        ),
    ]
}

pub(super) fn attributes() -> Vec<Vector> {
    let index = |mode: &str, why| {
        let mut entry = file("a", b"x");
        entry["mode"] = json!(mode);
        let package = Package::new(vec![entry], Tar::default().file("a", b"x").end());
        vector(format!("mode {mode} in the index"), &package, why)
    };
    let header = |name: &str, change: fn(&mut Header), why| {
        let payload = Tar::default().header("a", b'0', 1, change).content(b"x").end();
        vector(format!("header: {name}"), &one_file(payload), why)
    };
    vec![
        index("4755", "mode 4755 has a set-uid"),
        index("2755", "mode 2755 has a set-uid"),
        index("1755", "sticky"),
        index("0777", "mode is 0777"),
        index("0666", "mode is 0666"),
        index("0600", "mode is 0600"),
        index("rwx", "mode is rwx"),
        header("set-uid", |h| h.set_mode(0o4755), "set-uid"),
        header("world-writable", |h| h.set_mode(0o666), "in its mode"),
        header("uid", |h| h.set_uid(1000), "names an owner"),
        header("gid", |h| h.set_gid(1000), "names an owner"),
        header("user name", |h| h.set_username("root").unwrap(), "names an owner"),
        header("group name", |h| h.set_groupname("wheel").unwrap(), "names an owner"),
        header("date", |h| h.set_mtime(1), "in its header"),
        header("checksum", |h| h.as_mut_bytes()[500] = 1, "in its header"),
    ]
}

pub(super) fn extensions() -> Vec<Vector> {
    // An extension makes the payload longer than its entries need: refused before a header is seen.
    let before = |name: &str, tar: Tar| {
        vector(format!("extension: {name}"), &one_file(tar.file("a", b"x").end()), "frames hold")
    };
    let dangling = one_file(Tar::default().file("a", b"x").pax(b'x', "path", "b").end());
    let long = "l".repeat(150);
    let twice = Package::new(
        vec![file(&long, b"x")],
        Tar::default().pax(b'x', "path", &long).pax(b'x', "path", &long).file(&long, b"x").end(),
    );
    let other = Package::new(
        vec![file(&long, b"x")],
        Tar::default().pax(b'x', "path", &"m".repeat(150)).file(&long, b"x").end(),
    );
    let mut all = vec![
        before("PAX size", Tar::default().pax(b'x', "size", "9")),
        before("PAX path", Tar::default().pax(b'x', "path", "../escape")),
        before("PAX attribute", Tar::default().pax(b'x', "SCHILY.xattr.security.capability", "x")),
        before("PAX ACL", Tar::default().pax(b'x', "SCHILY.acl.access", "user::rwx")),
        before("PAX sparse", Tar::default().pax(b'x', "GNU.sparse.major", "1")),
        before("PAX global", Tar::default().pax(b'g', "path", "b")),
        before("GNU long name", Tar::default().header("././@LongLink", b'L', 2, |_| ()).content(b"b\0")),
        before("GNU long link", Tar::default().header("././@LongLink", b'K', 2, |_| ()).content(b"b\0")),
        before("GNU sparse", Tar::default().header("a", b'S', 1, |_| ()).content(b"x")),
        before("where none is needed", Tar::default().pax(b'x', "path", "a")),
        vector("extension: nothing to extend", &dangling, "frames hold"),
        vector("extension: two in a row", &twice, "frames hold"),
        vector("extension: another path", &other, "in its header"),
    ];
    all.extend(extensions_of_the_right_length());
    all
}

/// Extension headers in payloads of exactly the length that the entries need, so that only the header gives them away.
fn extensions_of_the_right_length() -> Vec<Vector> {
    let in_place = |name: &str, tar: Tar, why| {
        // Three blocks of extension and a first header stand where one header, one content and an end must be.
        let mut payload = tar.0;
        payload.resize(4 * 512, 0);
        vector(format!("extension in place: {name}"), &one_file(Tar(payload)), why)
    };
    vec![
        in_place("PAX size", Tar::default().pax(b'x', "size", "9"), "PAX extension header"),
        in_place("PAX path", Tar::default().pax(b'x', "path", "../escape"), "PAX extension header"),
        in_place(
            "PAX attribute",
            Tar::default().pax(b'x', "SCHILY.xattr.user.a", "x"),
            "PAX extension header",
        ),
        in_place("PAX global", Tar::default().pax(b'g', "path", "b"), "PAX global header"),
        in_place(
            "GNU long name",
            Tar::default().header("././@LongLink", b'L', 2, |_| ()).content(b"b\0"),
            "GNU long name",
        ),
        in_place("GNU sparse", Tar::default().header("a", b'S', 1, |_| ()).content(b"x"), "sparse"),
    ]
}

pub(super) fn sizes() -> Vec<Vector> {
    let index = |name: &str, size: Value, why| {
        let mut entry = file("a", b"x");
        entry["size"] = size;
        vector(
            format!("size: {name} in the index"),
            &Package::new(vec![entry], Tar::default().file("a", b"x").end()),
            why,
        )
    };
    let header = |name: &str, change: fn(&mut Header), why| {
        let payload = Tar::default().header("a", b'0', 1, change).content(b"x").end();
        vector(format!("size: {name} in the header"), &one_file(payload), why)
    };
    vec![
        index("negative", json!(-1), "index is not what the format says"),
        index("above 8 GiB", json!(8_589_934_592u64), "size is not allowed"),
        index("largest number", json!(u64::MAX), "size is not allowed"),
        index("larger than the payload", json!(4096), "frames hold"),
        index("smaller than the payload", json!(0), "frames hold"),
        header("another", |h| h.set_size(2), "in its size"),
        header(
            "in base 256",
            |h| h.as_old_mut().size = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            "size is not allowed",
        ),
        header("negative in base 256", |h| h.as_old_mut().size = [0xff; 12], "size is not allowed"),
        header("not a number", |h| h.as_old_mut().size = *b"not a number", "size is not allowed"),
    ]
}
