//! `bench-hot`: how many instructions the hot paths of `spec` take, counted by valgrind, so that they repeat to the digit.
//!
//! Without a path it runs itself below callgrind for each, once with the path run
//! once and once with it run twice: the difference is the path alone. Build it with --release.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{Cursor, Write as _, stderr, stdout};
use std::num::NonZeroUsize;
use std::process::{Command, ExitCode};

use clap::{Parser, ValueEnum};
use copkg_spec::archive::{
    Attachments, Discard, Head, PackOptions, PackPlan, TreeEntry, TreeNode, pack as pack_archive,
};
use copkg_spec::index::{EntryPath, Mode};
use copkg_spec::keys::SecretKey;
use copkg_spec::manifest::{About, Draft, Kind};
use copkg_spec::repository::ceremony::Speakers;
use copkg_spec::repository::{GroupContent, PackageCustom, PackageTarget};
use copkg_spec::tuf::{Authority, Document, Keys, RoleKeys, Targets, Time, list_keys};
use copkg_tests::generated::{Result, key};
use copkg_tests::peers::{have, output};

/// How many files the package has.
const FILES: usize = 2000;
/// How many versions the group has.
const VERSIONS: usize = 200;

/// Count the instructions of hot paths
#[derive(Debug, Parser)]
struct Options {
    /// Run one path instead of counting
    #[arg(value_enum, requires = "times")]
    path: Option<HotPath>,
    /// How often
    times: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HotPath {
    /// Head and index of a package of 2,000 files, read and checked
    Index,
    /// Its payload, every frame and file checked, written nowhere
    Unpack,
    /// The same package, packed at level 3 by one thread and signed
    Pack,
    /// The metadata of a group of 200 versions, read and verified
    Tuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match (options.path, options.times) {
        (Some(path), Some(times)) => run(path, times),
        _ => count_all(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn count_all() -> Result<()> {
    let mut out = stdout();
    if !have("valgrind") {
        return Ok(writeln!(out, "skipped: instruction counts: valgrind is not installed")?);
    }
    writeln!(out, "| path | million instructions |\n| --- | --- |")?;
    for path in HotPath::value_variants() {
        let (once, twice) = (count(*path, 1)?, count(*path, 2)?);
        let name = path.to_possible_value().map(|value| value.get_help().map(ToString::to_string));
        let name = name.flatten().unwrap_or_default();
        writeln!(out, "| {name} | {}.{:02} |", (twice - once) / 1_000_000, (twice - once) / 10_000 % 100)?;
    }
    Ok(())
}

/// Counts the instructions of this program with a path run so often.
fn count(path: HotPath, times: usize) -> Result<u64> {
    let name = path.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-fd=1"]);
    let said = output(command.arg(std::env::current_exe()?).arg(name).arg(times.to_string()))?;
    let line =
        said.lines().find_map(|line| line.split_once("Collected : ")).ok_or("callgrind counted nothing")?;
    Ok(line.1.trim().parse()?)
}

fn run(path: HotPath, times: usize) -> Result<()> {
    // What is made first is the same for one and for two times, and so is not counted.
    let (tree, group) = (tree()?, group()?);
    let package = pack(&tree)?;
    for _ in 0..times {
        match path {
            HotPath::Index => {
                let mut reader = package.as_slice();
                Head::read(&mut reader)?.without_trust().read_contents(&mut reader)?;
            }
            HotPath::Unpack => unpack(&package)?,
            HotPath::Pack => drop(pack(&tree)?),
            HotPath::Tuf => {
                let document = Document::<Targets>::parse(group.bytes.clone())?;
                document.verify(Authority::new(&group.keys, &group.role))?;
            }
        }
    }
    Ok(())
}

type Tree = BTreeMap<EntryPath, Vec<u8>>;

/// Files as a service has them: many of some hundred bytes, some of many thousand.
fn tree() -> Result<Tree> {
    let mut tree = Tree::new();
    for number in 0..FILES {
        let path = format!("lib/{}/module-{number}.js", number % 40).parse()?;
        let line = format!("export const value{number} = {};\n", number * 7919);
        tree.insert(path, line.repeat(1 + number % 97).into_bytes());
    }
    Ok(tree)
}

fn pack(tree: &Tree) -> Result<Vec<u8>> {
    let directories = (0..40).map(|number| format!("lib/{number}")).chain(["lib".to_owned()]);
    let directories =
        directories.map(|path| Ok(TreeEntry { path: path.parse()?, node: TreeNode::Directory }));
    let mut entries = directories.collect::<Result<Vec<_>>>()?;
    entries.extend(tree.iter().map(|(path, bytes)| {
        let node = TreeNode::File { mode: Mode::Regular, size: bytes.len() as u64 };
        TreeEntry { path: path.clone(), node }
    }));
    let draft = Draft {
        coordinate: "com.example:hot:1".parse()?,
        kind: Kind::Content,
        platform: "any".parse()?,
        source_date: 0,
        about: About::default(),
        service: None,
    };
    let (options, keys) = (PackOptions { level: 3, threads: NonZeroUsize::MIN }, [key(1)]);
    let plan = PackPlan { draft, attachments: Attachments::default(), keys: &keys, options };
    let open = |path: &EntryPath| Ok(Cursor::new(tree.get(path).map_or(&[][..], Vec::as_slice)));
    let mut out = Vec::new();
    pack_archive(plan, entries, open, Cursor::new(Vec::new()), &mut out)?;
    Ok(out)
}

fn unpack(package: &[u8]) -> Result<()> {
    let mut reader = package;
    let contents = Head::read(&mut reader)?.without_trust().read_contents(&mut reader)?;
    contents.unpacker()?.unpack(&mut reader, &mut Discard::<Infallible>::default())?;
    Ok(())
}

/// The signed metadata of a group, and who speaks for it.
struct Signed {
    bytes: Vec<u8>,
    keys: Keys,
    role: RoleKeys,
}

fn group() -> Result<Signed> {
    let secret: SecretKey = key(2);
    let (public, expires) = (secret.public(), Time::from_unix_seconds(4_000_000_000).ok_or("no such time")?);
    let mut content = GroupContent::new("com.example".parse()?, expires);
    for version in 0..VERSIONS {
        let place = PackageTarget {
            coordinate: format!("com.example:web:1.{version}").parse()?,
            platform: "any".parse()?,
        };
        let digest = copkg_spec::digest::Digest::of(&version.to_be_bytes());
        let custom =
            PackageCustom { digest, kind: Kind::Content, platform: place.platform.clone(), yanked: None };
        content.add(&place, (1_000_000, digest), &custom, None)?;
    }
    let speakers = Speakers::new(vec![public], 1)?;
    let next = content.next(None, &speakers, expires)?.pop().ok_or("the group has no role")?;
    let bytes = Document::sign(next.targets, [&secret])?.bytes().to_vec();
    let role = RoleKeys::new(vec![secret.public().id().into()], std::num::NonZeroU32::MIN)?;
    Ok(Signed { bytes, keys: list_keys([&secret.public()]), role })
}
