//! Vectors of streams: ends, frames, bodies and the outer archive.

use copkg_spec::digest::Digest;
use serde_json::{Value, json};

use super::{Vector, one_file, vector};
use crate::craft::{Outer, Package, Tar, archive, compress, file, frame, link, streamed};

pub(super) fn ends() -> Vec<Vector> {
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

pub(super) fn frames() -> Vec<Vector> {
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

pub(super) fn bodies() -> Vec<Vector> {
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

pub(super) fn outer() -> Vec<Vector> {
    let case = |name: &str, outer: Outer, why| {
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
