//! One archive for every row of the archive policy (`docs/format.md`, clause 8), and what it must be refused for.

use copkg_spec::digest::Digest;
use serde_json::{Value, json};
use tar::Header;

use crate::craft::{Package, Tar, archive, compress, dir, file, frame, link, streamed};

/// A hostile archive and a part of the message that refuses it.
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) refused_for: &'static str,
}

pub(crate) fn all() -> Vec<Vector> {
    let groups = [
        paths(),
        trees(),
        links(),
        types(),
        attributes(),
        extensions(),
        sizes(),
        ends(),
        frames(),
        bodies(),
        outer(),
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

fn paths() -> Vec<Vector> {
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

fn trees() -> Vec<Vector> {
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

fn links() -> Vec<Vector> {
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

fn types() -> Vec<Vector> {
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

fn attributes() -> Vec<Vector> {
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

fn extensions() -> Vec<Vector> {
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

fn sizes() -> Vec<Vector> {
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

fn ends() -> Vec<Vector> {
    let case = |name: &str, tar: Tar, why| vector(format!("end: {name}"), &one_file(tar), why);
    let whole = || Tar::default().file("a", b"x").end();
    let mut entry_in_end = whole().0;
    let extra = Tar::default().file("b", b"").0;
    entry_in_end[1024..1536].copy_from_slice(&extra);
    let mut padding = whole().0;
    padding[600] = 1;
    vec![
        case("no end marker", Tar::default().file("a", b"x"), "frames hold"),
        case("half an end marker", Tar(whole().0[..1536].to_vec()), "frames hold"),
        case("an entry after the end", Tar(whole().file("b", b"y").0), "frames hold"),
        case("an entry in place of the end", Tar(entry_in_end), "more than the manifest declares"),
        case("two archives in a row", Tar([whole().0, whole().0].concat()), "frames hold"),
        case("bytes in the padding", Tar(padding), "more than the manifest declares"),
        case(
            "bytes in the end marker",
            Tar({
                let mut t = whole().0;
                t[2000] = 7;
                t
            }),
            "more than the manifest declares",
        ),
        case("nothing at all", Tar(vec![0; 2048]), "in its header"),
    ]
}

fn frames() -> Vec<Vector> {
    let whole = Tar::default().file("a", b"x").end().0;
    let size = whole.len();
    let good = compress(&whole, true);
    let case = |name: &str, payload: Vec<u8>, frames: Vec<Value>, why| {
        let mut package = one_file(Tar(whole.clone()));
        package.frames = Some((payload, frames));
        vector(format!("frame: {name}"), &package, why)
    };
    let single = |name: &str, payload: Vec<u8>, why| {
        let frames = vec![frame(&payload, size)];
        case(name, payload, frames, why)
    };
    let bomb = compress(&vec![0; 64 << 20], true);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"evil"].concat();
    let mut dictionary = good.clone();
    dictionary[4] |= 1;
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    let mut digest = frame(&good, size);
    digest["sha256"] = json!(Digest::of(b"other"));
    let window = streamed(&whole, 24);
    vec![
        single("bomb", bomb, "does not hold as many bytes"),
        single("no checksum", compress(&whole, false), "no checksum"),
        single("window above the limit", window, "window is above"),
        single("skippable", skippable.clone(), "not a zstd frame"),
        single("a skippable one behind it", [&good[..], &skippable].concat(), "not exactly one zstd frame"),
        single("two in one", [&good[..], &good].concat(), "not exactly one zstd frame"),
        single("cut short", good[..good.len() - 3].to_vec(), "not exactly one zstd frame"),
        single("a dictionary", dictionary, "dictionary"),
        single("damaged inside", damaged, "refused"),
        single("garbage", vec![7; 40], "not a zstd frame"),
        case("another digest", good.clone(), vec![digest], "bytes are not what the index says"),
        case(
            "not declared",
            [&good[..], &good].concat(),
            vec![frame(&good, size)],
            "payload has not the size",
        ),
        case(
            "declared and not there",
            good.clone(),
            vec![frame(&good, size), frame(&good, size)],
            "frames hold",
        ),
        case("empty", good.clone(), vec![frame(&good, size), frame(b"", 0)], "frame 1 has 0 bytes"),
        case(
            "larger than a frame may be",
            good,
            vec![json!({ "length": 9, "size": 5 << 20, "sha256": Digest::of(b"") })],
            "limit is 4194304",
        ),
    ]
}

fn bodies() -> Vec<Vector> {
    let case = |name: &str, tar: Tar, why| vector(format!("body: {name}"), &one_file(tar.end()), why);
    let mut no_script = one_file(Tar::default().file("a", b"x").end());
    no_script.manifest = |manifest| {
        manifest["kind"] = json!("service");
        manifest["service"] = json!({ "start": "script.d/start", "stop": "script.d/stop", "stop_signal": "TERM",
            "start_timeout_seconds": 1, "settle_milliseconds": 0, "stop_timeout_seconds": 1, "console": false });
    };
    let mut counts = one_file(Tar::default().file("a", b"x").end());
    counts.manifest = |manifest| manifest["counts"]["files"] = json!(2);
    let mut newer = counts.clone();
    newer.manifest = |manifest| manifest["format"]["major"] = json!(2);
    let mut feature = counts.clone();
    feature.manifest = |manifest| manifest["format"]["requires"] = json!(["delta"]);
    let mut index = counts.clone();
    index.manifest = |_| ();
    index.index = Some(compress(&vec![b' '; 32 << 20], true));
    let two = |first: &str, second: &str| {
        let payload = Tar::default().file(first, b"1").file(second, b"2").end();
        Package::new(vec![file("a", b"1"), file("b", b"2")], payload)
    };
    vec![
        case("another path", Tar::default().file("b", b"x"), "in its path"),
        case("another content", Tar::default().file("a", b"y"), "content is not what the manifest says"),
        case(
            "another mode",
            Tar::default().header("a", b'0', 1, |h| h.set_mode(0o755)).content(b"x"),
            "in its mode",
        ),
        vector("body: another order", &two("b", "a"), "in its path"),
        vector(
            "body: a file too many",
            &Package::new(vec![file("a", b"1")], Tar::default().file("a", b"1").file("b", b"2").end()),
            "frames hold",
        ),
        vector(
            "body: a file too few",
            &Package::new(vec![file("a", b"1"), file("b", b"2")], Tar::default().file("a", b"1").end()),
            "frames hold",
        ),
        vector(
            "body: a link with another target",
            &Package::new(vec![link("a", "b")], Tar::default().link("a", "c").end()),
            "in its link target",
        ),
        vector("body: other counts", &counts, "counts are not those"),
        vector("body: no script", &no_script, "not a file of the package"),
        vector("body: a newer format", &newer, "has format 2.0"),
        vector("body: an unknown feature", &feature, "requires \"delta\""),
        vector("body: an index that is a bomb", &index, "does not hold as many bytes"),
    ]
}

fn outer() -> Vec<Vector> {
    let case = |name: &str, outer: fn(Vec<(String, Vec<u8>)>) -> Vec<u8>, why| {
        let mut package = one_file(Tar::default().file("a", b"x").end());
        package.outer = outer;
        vector(format!("archive: {name}"), &package, why)
    };
    vec![
        case("empty", |_| Vec::new(), "ends in its package.json"),
        case("no package", |_| b"hello, world\n".repeat(100), "no package.json where one must be"),
        case(
            "a member missing",
            |mut m| {
                m.remove(2);
                archive(m)
            },
            "in its path",
        ),
        case(
            "members out of order",
            |mut m| {
                m.swap(2, 3);
                archive(m)
            },
            "in its path",
        ),
        case(
            "the same member twice",
            |mut m| {
                m.insert(1, m[0].clone());
                archive(m)
            },
            "in its path",
        ),
        case(
            "a member after the payload",
            |mut m| {
                m.push(("x".into(), b"y".to_vec()));
                archive(m)
            },
            "goes on after its payload",
        ),
        case(
            "no end",
            |m| {
                let a = archive(m);
                a[..a.len() - 1024].to_vec()
            },
            "ends in its end marker",
        ),
        case("bytes after the end", |m| [archive(m), vec![0; 512]].concat(), "bytes after its end"),
        case("two in a row", |m| [archive(m.clone()), archive(m)].concat(), "bytes after its end"),
        case(
            "an owner",
            |m| {
                let (name, bytes) = &m[0];
                Tar::default().header(name, b'0', bytes.len() as u64, |h| h.set_uid(1)).content(bytes).end().0
            },
            "names an owner",
        ),
        case(
            "a PAX header before a member",
            |m| Tar::default().pax(b'x', "size", "1").file(&m[0].0, &m[0].1).end().0,
            "PAX extension header",
        ),
        case(
            "a hard link as a member",
            |m| Tar::default().header(&m[0].0, b'1', 0, |_| ()).end().0,
            "hard link",
        ),
        case(
            "a manifest above its limit",
            |m| Tar::default().file(&m[0].0, &vec![b' '; 2 << 20]).end().0,
            "limit is 1048576",
        ),
        case(
            "a manifest with a space",
            |mut m| {
                m[0].1.push(b'\n');
                archive(m)
            },
            "not canonical JSON",
        ),
        case(
            "signatures of another package",
            |mut m| {
                m[1].1 = br#"{"signatures":[]}"#.to_vec();
                archive(m)
            },
            "0 of the trusted keys",
        ),
    ]
}
