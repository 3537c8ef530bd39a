//! Memory: an index that has far more entries than any reader takes is refused before they are in memory.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::process::Command;

use copkg_tests::programs::project;
use serde_json::json;
use zstd::zstd_safe::CParameter;

use crate::craft::{Package, Tar};
use crate::programs::scene;

/// Twelve million times the same few entries: 8 KB of archive.
const BLOCK: usize = 10_000;
const BLOCKS: usize = 1200;
const OPEN: &str = "{\"entries\":[";
const CLOSE: &str = "],\"frames\":[]}";
const ENTRY: &str = "{\"path\":\"a\",\"type\":\"directory\"}";
const SIZE: usize = OPEN.len() + CLOSE.len() + BLOCK * BLOCKS * (ENTRY.len() + 1) - 1;

/// 64 MiB, and what a program of the development profile is itself. In KiB.
const LIMIT: u64 = (64 + 16) << 10;

fn index() -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.set_pledged_src_size(Some(SIZE as u64)).unwrap();
    encoder.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
    let block = format!("{ENTRY},").repeat(BLOCK);
    encoder.write_all(OPEN.as_bytes()).unwrap();
    for number in 1..=BLOCKS {
        let end = block.len() - usize::from(number == BLOCKS);
        encoder.write_all(&block.as_bytes()[..end]).unwrap();
    }
    encoder.write_all(CLOSE.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_index_of_twelve_million_entries_is_refused_in_little_memory_by_every_reader() {
    let scene = scene();
    let mut package = Package::new(Vec::new(), Tar::default().end());
    package.index = Some(index());
    package.manifest = |manifest| {
        manifest["members"]["index"]["size"] = json!(SIZE);
        manifest["counts"]["directories"] = json!(BLOCK * BLOCKS);
    };
    let bytes = package.build();
    assert!(bytes.len() < 1 << 20, "{} bytes", bytes.len());
    let file = scene.write("hostile-1.0-any.copkg", 0o644, bytes).unwrap();
    let readers: [(&str, &[&str], &[&str]); 5] = [
        ("pkgbuild", &["verify"], &["--key", "hostile.pub"]),
        ("pkgbuild", &["inspect"], &["--files"]),
        ("pkgbuild", &["lint"], &[]),
        ("pkgbuild", &["publish"], &["--repo", "repository"]),
        ("pkginstall", &["install"], &[]),
    ];
    for (program, before, after) in readers {
        let note = scene.path().join("peak");
        let mut command = Command::new("python3");
        command.arg(project().join("tests/faults/peak.py")).arg(&note).arg(scene.programs().path(program));
        command.args(before).arg(&file).args(after.iter().map(OsStr::new));
        scene.at_home(&mut command);
        let run = scene.run(&mut command).unwrap();
        let peak: u64 = fs::read_to_string(&note).unwrap().trim().parse().unwrap();
        eprintln!("{program} {}: {} MiB", before[0], peak >> 10);
        assert_eq!(run.code, Some(6), "{program} {}: {}", before[0], run.err);
        assert!(run.err.contains("too many files"), "{program} {}: {}", before[0], run.err);
        assert!(peak < LIMIT, "{program} {}: {peak} KiB", before[0]);
    }
}
