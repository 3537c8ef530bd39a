//! The vectors that belong to `docs/format.md`: a change of the format shows here before it shows to a user.
//!
//! `COPKG_UPDATE_VECTORS=1 cargo test -p copkg-spec --test vectors` writes them anew; do that only with a new version
//! of the format, since packages that are out in the world do not change.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use copkg_spec::archive::{Attachments, Head, PackOptions, PackPlan, TreeEntry, TreeNode, pack};
use copkg_spec::canonical;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate, Version};
use copkg_spec::index::{EntryPath, Mode};
use copkg_spec::keys::SecretKey;
use copkg_spec::manifest::{About, Draft, Kind, Parameter, Service, Signal};
use copkg_spec::platform::Platform;
use copkg_spec::trust::{Keyring, Pin};
use serde_json::{Value, json};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// Compares with the vector of this name, or writes it when asked to.
fn check(name: &str, bytes: &[u8]) {
    let path = directory().join(name);
    if std::env::var_os("COPKG_UPDATE_VECTORS").is_some() {
        std::fs::create_dir_all(directory()).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(std::fs::read(&path).unwrap() == bytes, "{name} is not what the format said when it was made");
}

fn keys() -> [SecretKey; 2] {
    [SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32])]
}

fn dir(path: &str) -> TreeEntry {
    TreeEntry { path: path.parse().unwrap(), node: TreeNode::Directory }
}

fn file(path: &str, mode: Mode) -> TreeEntry {
    let size = content(&path.parse().unwrap()).len() as u64;
    TreeEntry { path: path.parse().unwrap(), node: TreeNode::File { mode, size } }
}

fn link(path: &str, target: &str) -> TreeEntry {
    TreeEntry { path: path.parse().unwrap(), node: TreeNode::Symlink { target: target.parse().unwrap() } }
}

/// The content of a vector's file is its own path and a newline.
fn content(path: &EntryPath) -> Vec<u8> {
    format!("{path}\n").into_bytes()
}

fn build(draft: Draft, tree: Vec<TreeEntry>, attachments: Attachments<'_>, keys: &[SecretKey]) -> Vec<u8> {
    let options = PackOptions { level: 9, threads: NonZeroUsize::MIN };
    let plan = PackPlan { draft, attachments, keys, options };
    let mut out = Vec::new();
    pack(plan, tree, |path| Ok(Cursor::new(content(path))), Cursor::new(Vec::new()), &mut out).unwrap();
    out
}

fn minimal() -> Vec<u8> {
    let draft = Draft {
        coordinate: "com.example:minimal:1.0".parse().unwrap(),
        kind: Kind::Content,
        platform: Platform::Any,
        source_date: 0,
        about: About::default(),
        service: None,
    };
    build(draft, vec![file("hello.txt", Mode::Regular)], Attachments::default(), &keys()[..1])
}

fn service() -> Vec<u8> {
    let draft = Draft {
        coordinate: "com.example:service:2.1.0-rc.1".parse().unwrap(),
        kind: Kind::Service,
        platform: "x86_64-linux".parse().unwrap(),
        source_date: 1_700_000_000,
        about: About {
            description: Some("Every part of the format".into()),
            license: Some("MIT OR Apache-2.0".into()),
            homepage: Some("https://example.com/".into()),
            maintainer: Some("Åse <ase@example.com>".into()),
            release_note: Some("First\nSecond".into()),
        },
        service: Some(Service {
            user: Some("www-data".into()),
            stop_signal: Signal::Quit,
            start_timeout_seconds: 60,
            settle_milliseconds: 500,
            stop_timeout_seconds: 30,
            directories: vec!["data/cache".parse().unwrap()],
            console: true,
            parameters: vec![Parameter {
                name: "port".parse().unwrap(),
                default: Some("8080".into()),
                description: Some("Where it listens".into()),
            }],
            ..Service::new("script.d/start".parse().unwrap(), "script.d/stop".parse().unwrap())
        }),
    };
    let long = "l".repeat(120);
    let tree = vec![
        dir("bin"),
        file("bin/service", Mode::Executable),
        link("bin/alias", "service"),
        dir(&long),
        file(&format!("{long}/{long}"), Mode::Regular),
        link("to-long", &format!("{long}/{long}")),
        file("naïve ☃", Mode::Regular),
        dir("script.d"),
        file("script.d/start", Mode::Executable),
        file("script.d/stop", Mode::Executable),
    ];
    let attachments = Attachments { sbom: Some(b"{\"bomFormat\":\"CycloneDX\"}"), provenance: Some(b"{}\n") };
    build(draft, tree, attachments, &keys())
}

/// Equal files, which have one content; the long name does not fit into the header of the link to it.
fn links() -> Vec<u8> {
    let draft = Draft {
        coordinate: "com.example:links:1.0".parse().unwrap(),
        kind: Kind::Content,
        platform: Platform::Any,
        source_date: 0,
        about: About::default(),
        service: None,
    };
    let long = format!("{}/{}", "d".repeat(110), "equal");
    let file = |path: &str, mode| TreeEntry {
        path: path.parse().unwrap(),
        node: TreeNode::File { mode, size: 4096 },
    };
    let tree = vec![
        dir(&"d".repeat(110)),
        file(&long, Mode::Regular),
        file("e", Mode::Regular),
        file("f", Mode::Executable),
        file("g", Mode::Executable),
        file("other", Mode::Regular),
    ];
    let content =
        |path: &EntryPath| Ok(Cursor::new(vec![if path.name() == "other" { b'o' } else { b'=' }; 4096]));
    let options = PackOptions { level: 9, threads: NonZeroUsize::MIN };
    let keys = &keys()[..1];
    let plan = PackPlan { draft, attachments: Attachments::default(), keys, options };
    let mut out = Vec::new();
    pack(plan, tree, content, Cursor::new(Vec::new()), &mut out).unwrap();
    out
}

/// Decompresses the index of an archive, found by the layout alone.
fn index_of(archive: &[u8]) -> Vec<u8> {
    let mut tar = tar::Archive::new(archive);
    let member = tar.entries().unwrap().nth(2).unwrap().unwrap();
    zstd::decode_all(member).unwrap()
}

#[test]
fn packages_are_byte_for_byte_what_they_were() {
    for (name, bytes) in [("minimal", minimal()), ("service", service()), ("links", links())] {
        check(&format!("{name}.copkg"), &bytes);
        let index = index_of(&bytes);
        assert!(canonical::is_canonical(&index));
        check(&format!("{name}.index.json"), &index);
    }
}

#[test]
fn keys_are_what_they_were_and_verify_the_packages() {
    let mut keyring = Keyring::new();
    let public: Vec<_> = keys().iter().map(SecretKey::public).collect();
    for (number, key) in public.iter().enumerate() {
        check(&format!("key-{}.pub", number + 1), key.to_pem().unwrap().as_bytes());
    }
    let ids: Vec<String> = public.iter().map(|key| format!("{key} {}\n", key.id())).collect();
    check("key-ids.txt", ids.concat().as_bytes());
    keyring.pin(Pin { groups: "com.example".parse().unwrap(), threshold: 2, keys: public });
    let bytes = std::fs::read(directory().join("service.copkg")).unwrap();
    let mut reader = bytes.as_slice();
    let package = Head::read(&mut reader).unwrap().verify(&keyring).unwrap();
    assert_eq!(package.signers().len(), 2);
    package.read_index(&mut reader).unwrap();
}

#[test]
fn coordinates_are_accepted_and_refused_as_listed() {
    let cases = json!({
        "package_coordinates": {
            "accepted": ["com.comoyo:id-cassandra:2.1.1", "a:b:c", "0.1:2:3", "a_b-c.d:e_f:1~rc1+b_2-3"],
            "refused": ["", "a:b", "a:b:c:d", "A:b:1", "a.:b:1", ".a:b:1", "a:b.c:1", "a:b:.1", "a:b:..", "a:b:1/2", "a:-b:1", "ä:b:1"],
        },
        "service_coordinates": {
            "accepted": ["1.idee.prod.trd", "0.a.b.c", "4294967295.a-b.c_d.e9"],
            "refused": ["1.idee.prod", "01.a.b.c", "-1.a.b.c", "4294967296.a.b.c", "1.A.b.c", "1.9a.b.c", "1.a.b.c.d", "1..b.c"],
        },
        "versions_in_order": [
            "0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.0+build",
            "1.0.1", "1.2", "1.10", "10",
        ],
    });
    check("coordinates.json", &serde_json::to_vec_pretty(&cases).unwrap());
    let texts = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
    for text in texts(&cases["package_coordinates"]["accepted"]) {
        assert_eq!(text.parse::<PackageCoordinate>().unwrap().to_string(), text);
    }
    for text in texts(&cases["package_coordinates"]["refused"]) {
        assert!(text.parse::<PackageCoordinate>().is_err(), "{text}");
    }
    for text in texts(&cases["service_coordinates"]["accepted"]) {
        assert_eq!(text.parse::<ServiceCoordinate>().unwrap().to_string(), text);
    }
    for text in texts(&cases["service_coordinates"]["refused"]) {
        assert!(text.parse::<ServiceCoordinate>().is_err(), "{text}");
    }
    let versions: Vec<Version> =
        texts(&cases["versions_in_order"]).iter().map(|text| text.parse().unwrap()).collect();
    assert!(versions.is_sorted());
}

#[test]
fn canonical_json_is_as_listed() {
    let cases = json!([
        { "json": "{ \"b\": 1, \"a\": [ true, null ] }", "canonical": "{\"a\":[true,null],\"b\":1}" },
        { "json": "\"\\u000a\\u001f\\u00e9\\/\\\"\"", "canonical": "\"\\n\\u001fé/\\\"\"" },
        { "json": "{\"é\":1,\"z\":2,\"Z\":3}", "canonical": "{\"Z\":3,\"z\":2,\"é\":1}" },
        { "json": "-9223372036854775808", "canonical": "-9223372036854775808" },
        { "json": "18446744073709551615", "canonical": "18446744073709551615" },
        { "json": "1.5", "canonical": null },
        { "json": "1e3", "canonical": null },
    ]);
    check("canonical.json", &serde_json::to_vec_pretty(&cases).unwrap());
    for case in cases.as_array().unwrap() {
        let value: Value = serde_json::from_str(case["json"].as_str().unwrap()).unwrap();
        let found = canonical::to_vec(&value).ok().map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(found.as_deref(), case["canonical"].as_str());
    }
    for twice in ["{\"a\":1,\"a\":1}", "{\"a\":1 }", "{\"b\":1,\"a\":1}", "\"\\u0041\""] {
        assert!(!canonical::is_canonical(twice.as_bytes()), "{twice}");
    }
}
