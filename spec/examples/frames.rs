//! Measures the size of frames: `cargo run --release -p copkg-spec --example frames -- OLD NEW [LEVEL]`
//!
//! Packs two versions of a tree with frames of several sizes, and prints for each how large the archive of the new one is,
//! and how much of it a host with the old one fetches: whole files and parts of large files that it has are not. The default
//! size was chosen from this (`docs/performance.md`).

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::collections::HashSet;
use std::error::Error;
use std::fs::{self, File};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::thread;

use copkg_spec::archive::{Attachments, FrameSize, Head, PackOptions, PackPlan, Packer, TreeEntry, TreeNode};
use copkg_spec::index::{Entry, Index, Mode};
use copkg_spec::manifest::{About, Draft, Kind};
use copkg_spec::platform::Platform;

/// Requests for parts that are less apart are one.
const GAP: u64 = 16 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [old, new, rest @ ..] = arguments.as_slice() else { return Err("OLD NEW [LEVEL]".into()) };
    let level = rest.first().map_or(Ok(9), |level| level.parse())?;
    println!("frame KiB, archive, index, fetched with index, requests");
    for kib in [32, 64, 128, 256, 512, 1024, 2048] {
        let size = FrameSize::new(kib << 10).ok_or("no such size")?;
        let [old, new] = [pack(Path::new(old), level, size)?, pack(Path::new(new), level, size)?];
        let (bytes, requests) = fetched(&old.index, &new.index);
        let head = new.length - new.index.payload_length();
        println!("{kib:>4} {:>10} {:>8} {:>10} {:>4}", new.length, head, bytes + head, requests + 2);
    }
    Ok(())
}

struct Packed {
    index: Index,
    length: u64,
}

fn pack(root: &Path, level: i32, size: FrameSize) -> Result<Packed, Box<dyn Error>> {
    let mut tree = Vec::new();
    list(root, Path::new(""), &mut tree)?;
    let draft = Draft {
        coordinate: "com.example:frames:1".parse()?,
        kind: Kind::Content,
        platform: Platform::Any,
        source_date: 0,
        about: About::default(),
        service: None,
    };
    let options = PackOptions { level, threads: thread::available_parallelism()? };
    let plan = PackPlan { draft, attachments: Attachments::default(), keys: &[], options };
    let mut out = Vec::new();
    let open = |path: &copkg_spec::index::EntryPath| File::open(root.join(path.as_str()));
    Packer::new(plan).frame_size(size).pack(tree, open, |_, _| None, Cursor::new(Vec::new()), &mut out)?;
    let mut reader = out.as_slice();
    let contents = Head::read(&mut reader)?.without_trust().read_contents(&mut reader)?;
    Ok(Packed { index: contents.index().clone(), length: out.len() as u64 })
}

fn list(root: &Path, below: &Path, tree: &mut Vec<TreeEntry>) -> Result<(), Box<dyn Error>> {
    for found in fs::read_dir(root.join(below))? {
        let found = found?;
        let path: PathBuf = below.join(found.file_name());
        let metadata = found.path().symlink_metadata()?;
        let file = TreeNode::File { mode: Mode::Regular, size: metadata.len() };
        let node = if metadata.is_dir() { TreeNode::Directory } else { file };
        if metadata.is_dir() || metadata.is_file() {
            tree.push(TreeEntry { path: path.to_str().ok_or("a name is not UTF-8")?.parse()?, node });
        }
        if metadata.is_dir() {
            list(root, &path, tree)?;
        }
    }
    Ok(())
}

/// Returns how many bytes of the payload a host with `old` fetches of `new`, and in how many requests.
fn fetched(old: &Index, new: &Index) -> (u64, usize) {
    let file = |entry: &Entry| match entry {
        Entry::File { sha256, .. } => Some(*sha256),
        Entry::Directory { .. } | Entry::Symlink { .. } => None,
    };
    let files: HashSet<_> = old.entries().iter().filter_map(file).collect();
    let frames: HashSet<_> = old.frames().iter().map(|frame| frame.sha256).collect();
    let offsets: Vec<u64> = (0..new.frames().len())
        .scan(0, |next, number| Some(std::mem::replace(next, *next + new.frames()[number].length)))
        .collect();
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for run in new.runs() {
        if new.entries()[run.entries()].iter().filter_map(file).all(|digest| files.contains(&digest)) {
            continue;
        }
        let is_alone = new.alone(&run).is_some();
        for number in run.frames() {
            let frame = &new.frames()[number];
            if is_alone && (frames.contains(&frame.sha256) || frame.size == 512) {
                continue;
            }
            let (start, end) = (offsets[number], offsets[number] + frame.length);
            match spans.last_mut() {
                Some(span) if start - span.1 <= GAP => span.1 = end,
                _ => spans.push((start, end)),
            }
        }
    }
    (spans.iter().map(|(start, end)| end - start).sum(), spans.len())
}
