//! What is installed: trees of real packages from the public registries, or small ones made of what this project has.
//!
//! The full corpora are those of the design's measurements as near as the registries have them: **many** small files
//! (`node_modules`), **large** ones (shared libraries in wheels), a service (**svc**), and two pairs of consecutive versions. They
//! are fetched once, with pip and npm, and kept in the directory that was named.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Result, Size, run, size_of};
use crate::programs::{Programs, project};

/// One tree.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// Its name in tables, and the id of its package.
    pub name: &'static str,
    /// Where it lies.
    pub tree: PathBuf,
    /// How large it is.
    pub size: Size,
}

/// Two consecutive versions of one package.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The older one.
    pub old: Corpus,
    /// The newer one.
    pub new: Corpus,
}

/// All that is measured with.
#[derive(Debug, Clone)]
pub struct Corpora {
    /// What is installed.
    pub trees: Vec<Corpus>,
    /// What is upgraded.
    pub pairs: Vec<Pair>,
    /// What is upgraded over a slow line: pairs of which less than a quarter changed.
    pub small_steps: Vec<Pair>,
}

/// The packages that make up **many**, for npm.
const MANY: [&str; 5] = [
    "react-scripts@5.0.1",
    "@angular/cli@18.2.0",
    "@mui/icons-material@5.16.7",
    "@babel/preset-env@7.25.3",
    "aws-sdk@2.1691.0",
];
/// The wheels that make up **large**.
const LARGE: [&str; 3] = ["jaxlib==0.4.33", "polars==1.9.0", "duckdb==1.1.1"];
/// The same with one of them a version older.
const LARGE_BEFORE: [&str; 3] = ["jaxlib==0.4.33", "polars==1.9.0", "duckdb==1.1.0"];
/// The patch release before the one of the service below.
const SERVICE_BEFORE: [&str; 1] = ["node-red@4.0.1"];
/// The service and the version before it, for npm.
const SERVICE: [&str; 2] = ["node-red@3.1.9", "node-red@4.0.2"];
/// The wheel and the version before it.
const WHEEL: [&str; 2] = ["scipy==1.14.0", "scipy==1.14.1"];
/// Wheels of one Python, so that everybody measures the same files.
const PYTHON: &str = "3.11";

/// Fetches the full corpora into `directory`, unless they are there.
///
/// # Errors
/// When a registry cannot be reached, or pip or npm is not there.
pub fn full(directory: &Path) -> Result<Corpora> {
    let service = |at: usize| npm(directory, ["svc-old", "svc"][at], &SERVICE[at..=at]);
    let wheel = |at: usize| pip(directory, ["wheel-old", "wheel"][at], &WHEEL[at..=at]);
    let svc = service(1)?;
    let pairs = vec![Pair { old: service(0)?, new: svc.clone() }, Pair { old: wheel(0)?, new: wheel(1)? }];
    let large = pip(directory, "large", &LARGE)?;
    let small_steps = vec![
        Pair { old: npm(directory, "svc-before", &SERVICE_BEFORE)?, new: svc.clone() },
        Pair { old: pip(directory, "large-before", &LARGE_BEFORE)?, new: large.clone() },
    ];
    let trees = vec![svc, npm(directory, "many", &MANY)?, large];
    Ok(Corpora { trees, pairs, small_steps })
}

fn npm(directory: &Path, name: &'static str, packages: &[&str]) -> Result<Corpus> {
    made(directory, name, |tree| {
        fs::write(tree.join("package.json"), r#"{"name":"corpus","version":"1.0.0","private":true}"#)?;
        let quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--omit=optional"];
        let mut command = Command::new("npm");
        command.current_dir(tree).args(["install", "--legacy-peer-deps"]).args(quiet).args(packages);
        run(&mut command)?;
        // Links to programs lead out of directories that some peers cannot hold; they are no files anyway.
        remove_links(tree)
    })
}

fn pip(directory: &Path, name: &'static str, wheels: &[&str]) -> Result<Corpus> {
    made(directory, name, |tree| {
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target"]).arg(tree);
        command.args(["--python-version", PYTHON, "--only-binary", ":all:"]).args(wheels);
        run(&mut command).map(drop)
    })
}

/// Makes a tree in a directory beside, and moves it to its place when it is whole.
fn made(directory: &Path, name: &'static str, make: impl FnOnce(&Path) -> Result<()>) -> Result<Corpus> {
    let (tree, unfinished) = (directory.join(name), directory.join(format!("{name}.unfinished")));
    if !tree.is_dir() {
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        fs::create_dir_all(&unfinished)?;
        make(&unfinished)?;
        even_modes(&unfinished)?;
        fs::rename(&unfinished, &tree)?;
    }
    let size = size_of(&tree)?;
    Ok(Corpus { name, tree, size })
}

/// Makes small corpora of the source and the programs of this project, the same ones each time.
///
/// # Errors
/// When the programs were not built, or the disk is full.
pub fn reduced(directory: &Path) -> Result<Corpora> {
    let texts = texts(&project())?;
    let programs = Programs::find()?;
    let program = fs::read(programs.path("pkgbuild"))?;
    let many = made(directory, "many", |tree| {
        (0..3000).try_for_each(|number| write_text(tree, &texts, number, ""))
    })?;
    let large = made(directory, "large", |tree| write_slices(tree, &program, 16, 2 << 20));
    let service = |name, change: &'static str| {
        made(directory, name, |tree| {
            // One file in seven says something else in the new version.
            let changed = |number: usize| if number.is_multiple_of(7) { change } else { "" };
            (0..600).try_for_each(|number| write_text(tree, &texts, number, changed(number)))?;
            write_slices(tree, &program, 4, 1 << 20)
        })
    };
    let (old, new) = (service("svc-old", "")?, service("svc", "another version\n")?);
    let pairs = vec![Pair { old, new: new.clone() }];
    Ok(Corpora { trees: vec![new, many, large?], small_steps: pairs.clone(), pairs })
}

/// Reads the sources of the project: text as real packages have it.
fn texts(top: &Path) -> Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = ["spec/src", "pkgbuild/src", "docs"].map(|name| top.join(name)).into();
    while let Some(directory) = open.pop() {
        let mut entries = fs::read_dir(&directory)?.collect::<std::io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                found.push(fs::read(entry.path())?);
            }
        }
    }
    Ok(found)
}

fn write_text(tree: &Path, texts: &[Vec<u8>], number: usize, change: &str) -> Result<()> {
    let directory = tree.join(format!("lib/{}/{}", number % 17, number % 97));
    fs::create_dir_all(&directory)?;
    let head = format!("// file {number}\n{change}");
    let text = &texts[number % texts.len()];
    Ok(fs::write(directory.join(format!("{number}.js")), [head.as_bytes(), text.as_slice()].concat())?)
}

fn write_slices(tree: &Path, program: &[u8], count: usize, bytes: usize) -> Result<()> {
    fs::create_dir_all(tree.join("bin"))?;
    for (number, slice) in program.chunks(bytes).take(count).enumerate() {
        fs::write(tree.join(format!("bin/part-{number}.so")), slice)?;
    }
    Ok(())
}

fn remove_links(tree: &Path) -> Result<()> {
    each_entry(tree, &mut |path, kind| if kind.is_symlink() { Ok(fs::remove_file(path)?) } else { Ok(()) })
}

/// Gives files the two modes that packages have, so that everybody installs the same.
fn even_modes(tree: &Path) -> Result<()> {
    each_entry(tree, &mut |path, kind| {
        if kind.is_symlink() {
            return Ok(());
        }
        let mode = path.metadata()?.permissions().mode();
        let even = if kind.is_dir() || mode & 0o100 != 0 { 0o755 } else { 0o644 };
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(even))?)
    })
}

fn each_entry(directory: &Path, act: &mut impl FnMut(&Path, fs::FileType) -> Result<()>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            each_entry(&entry.path(), act)?;
        }
        act(&entry.path(), kind)?;
    }
    Ok(())
}
