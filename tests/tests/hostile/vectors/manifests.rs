//! Vectors of the manifest: texts that paint terminals and split units, numbers near the limits of their types.

use serde_json::{Value, json};

use super::{Vector, one_file, vector};
use crate::craft::{Tar, file};

fn service() -> Value {
    json!({ "start": "a", "stop": "a", "stop_signal": "TERM", "start_timeout_seconds": 1, "settle_milliseconds": 0,
        "stop_timeout_seconds": 1, "console": false })
}

fn case(name: &str, manifest: fn(&mut Value), why: &'static str) -> Vector {
    let mut package = one_file(Tar::default().file("a", b"x").end());
    package.manifest = manifest;
    vector(format!("manifest: {name}"), &package, why)
}

fn as_service(manifest: &mut Value) -> &mut Value {
    manifest["kind"] = json!("service");
    manifest["service"] = service();
    &mut manifest["service"]
}

pub(super) fn texts() -> Vec<Vector> {
    let control = "has a control character at";
    vec![
        case(
            "a line end in the user",
            |m| as_service(m)["user"] = json!("web\nExecStartPre=/bin/x"),
            control,
        ),
        case("a user that is no account", |m| as_service(m)["user"] = json!("../root"), "no account name"),
        case("an empty user", |m| as_service(m)["user"] = json!(""), "no account name"),
        case(
            "an escape sequence in the description",
            |m| m["about"]["description"] = json!("a\u{1b}[2J"),
            control,
        ),
        case(
            "a carriage return in the release note",
            |m| m["about"]["release_note"] = json!("a\rb"),
            control,
        ),
        case(
            "a C1 control character in the license",
            |m| m["about"]["license"] = json!("MIT\u{9b}31m"),
            control,
        ),
        case(
            "a line end in the default of a parameter",
            |m| as_service(m)["parameters"] = json!([{ "name": "port", "default": "1\n2" }]),
            control,
        ),
        case(
            "an escape sequence in the address of the health check",
            |m| {
                as_service(m)["health"] = json!({ "http": "http://x/\u{7}", "interval_milliseconds": 1,
                    "timeout_milliseconds": 1, "healthy_milliseconds": 1, "deadline_milliseconds": 1 });
            },
            control,
        ),
        case("an escape sequence where no key is known", |m| m["mood"] = json!(["\u{1b}"]), control),
        case("a line end in a key", |m| m["a\nb"] = json!(1), control),
        case(
            "an escape sequence in a required feature",
            |m| m["format"]["requires"] = json!(["\u{1b}"]),
            "requires",
        ),
    ]
}

pub(super) fn numbers() -> Vec<Vector> {
    let shape = "manifest is not what the format says";
    let mut all = vec![
        case("a date that is no i64", |m| m["source_date"] = json!(1_u64 << 63), "the limit is 253402300799"),
        case("the largest date", |m| m["source_date"] = json!(u64::MAX), "the limit is 253402300799"),
        case(
            "a date after the year 9999",
            |m| m["source_date"] = json!(253_402_300_800_u64),
            "the limit is 253402300799",
        ),
        case("a date before 1970", |m| m["source_date"] = json!(-1), shape),
        case(
            "as many bytes as there are",
            |m| m["counts"]["bytes"] = json!(u64::MAX),
            "counts are not those",
        ),
        case(
            "as many files as there are",
            |m| m["counts"]["files"] = json!(u64::MAX),
            "counts are not those",
        ),
        case("the largest index", |m| m["members"]["index"]["length"] = json!(u64::MAX), "is not the one"),
        case(
            "the largest index when decompressed",
            |m| m["members"]["index"]["size"] = json!(u64::MAX),
            "limit is",
        ),
        case(
            "the largest payload",
            |m| m["members"]["payload"]["length"] = json!(u64::MAX),
            "payload has not the size",
        ),
        case(
            "the largest payload when decompressed",
            |m| m["members"]["payload"]["size"] = json!(u64::MAX),
            "payload has not the size",
        ),
        case(
            "the largest attachment",
            |m| m["members"]["sbom"] = json!({ "length": u64::MAX, "sha256": "0".repeat(64) }),
            "in its path",
        ),
        case(
            "the largest major version",
            |m| m["format"]["major"] = json!(u32::MAX),
            "has format 4294967295.0",
        ),
        case("a version beyond all types", |m| m["format"]["minor"] = json!(u64::MAX), "which format"),
        case(
            "the longest timeout",
            |m| as_service(m)["start_timeout_seconds"] = json!(u32::MAX),
            "more than a day",
        ),
        case(
            "a timeout beyond its type",
            |m| as_service(m)["stop_timeout_seconds"] = json!(1_u64 << 32),
            shape,
        ),
    ];
    let index = |name: &str, change: fn(&mut Value), why| {
        let mut entry = file("a", b"x");
        change(&mut entry);
        let package = crate::craft::Package::new(vec![entry], Tar::default().file("a", b"x").end());
        vector(format!("index: {name}"), &package, why)
    };
    all.extend([
        index("a size just above the limit", |e| e["size"] = json!(8_u64 << 30), "size is not allowed"),
        index("a size that is no i64", |e| e["size"] = json!(1_u64 << 63), "size is not allowed"),
        index("the mode as a number", |e| e["mode"] = json!(420), "index is not what the format says"),
    ]);
    all
}
