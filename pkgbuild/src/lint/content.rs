//! What the files hold: `build-prefix`, `secret-key`, `lfs-pointer`, for programs and libraries `missing-library`,
//! `unfound-library` and `native-code`, and the first lines of scripts.
//!
//! Only the first bytes of a file are read unless scripts ran, and then it is searched as it streams by. Where no script ran,
//! a build does not even read those: packing reads the files anyway, and shows them to the [`Watch`](super::Watch).

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use copkg_spec::index::{EntryPath, Mode};
use memchr::memmem::Finder;
use rayon::prelude::*;

use super::elf::Libraries;
use super::{Finding, LintError, Rule, Subject, interpreter};
use crate::collect::{Collected, Content, Node};
use crate::source::{self, LFS_POINTER};

const ELF_MAGIC: &[u8] = b"\x7fELF";
/// What a secret key in a text begins with.
const LABEL: &str = "-----BEGIN ";
/// How much is read at once.
const WINDOW: usize = 256 << 10;
/// How far into a file the first line of a secret key is looked for.
const KEY_BYTES: usize = 4096;

pub(super) fn check(subject: Subject<'_>) -> Result<Vec<Finding>, LintError> {
    let checker = Checker::new(subject);
    let files: Vec<_> = subject.tree.files().collect();
    let check = |(path, content): (&EntryPath, &Content)| {
        checker.check(path, content).map_err(|source| LintError::Read { path: path.clone(), source })
    };
    let findings: Result<Vec<_>, LintError> = files.into_par_iter().map(check).collect();
    Ok(findings?.into_iter().flatten().collect())
}

/// Tells whether there may be something to find in a file that begins like this, when no prefix is looked for.
pub(super) fn is_suspect(head: &[u8]) -> bool {
    [ELF_MAGIC, LABEL.as_bytes(), b"#!", LFS_POINTER]
        .iter()
        .any(|magic| head.starts_with(&magic[..magic.len().min(head.len())]))
}

/// Looks into files, one by one.
pub(super) struct Checker<'a> {
    tree: &'a Collected,
    prefixes: Vec<Prefix>,
    libraries: Libraries<'a>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(subject: Subject<'a>) -> Self {
        Self {
            tree: subject.tree,
            prefixes: subject.build_prefixes.iter().map(|path| Prefix::new(path)).collect(),
            libraries: Libraries::of(subject),
        }
    }

    /// Returns what there is to find in the file at `path`. A text that was generated holds nothing.
    pub(super) fn check(&self, path: &EntryPath, content: &Content) -> io::Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let Some(file) = self.tree.file(content) else { return Ok(findings) };
        let seen = look(&file, &self.prefixes)?;
        if let Some(at) = seen.prefix {
            findings.push(prefix_finding(path, &self.prefixes[at]));
        }
        if seen.is_secret_key {
            let message = "it is a secret key: whoever has the package has the key";
            findings.push(Finding::at(path, Rule::SecretKey, message));
        }
        if seen.is_elf {
            findings.extend(self.libraries.check(path, &file)?);
        }
        if seen.is_pointer {
            let message = "Git LFS keeps this file elsewhere, and this is a pointer to it: `git lfs pull`";
            findings.push(Finding::at(path, Rule::LfsPointer, message));
        }
        if self.is_program(path) {
            findings.extend(interpreter::check(path, &seen.first_line));
        }
        Ok(findings)
    }
}

impl Checker<'_> {
    fn is_program(&self, path: &EntryPath) -> bool {
        matches!(self.tree.get(path), Some(Node::File { mode: Mode::Executable, .. }))
    }
}

fn prefix_finding(path: &EntryPath, prefix: &Prefix) -> Finding {
    let message = format!(
        "it holds the path of the build directory, {}, which is nowhere else: give the build a prefix, or strip it",
        prefix.path.display()
    );
    Finding::at(path, Rule::BuildPrefix, message)
}

/// A path to search for.
struct Prefix {
    path: PathBuf,
    finder: Finder<'static>,
}

impl Prefix {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), finder: Finder::new(path.as_os_str().as_bytes()).into_owned() }
    }

    fn length(&self) -> usize {
        self.finder.needle().len()
    }
}

/// What was seen of one file.
#[derive(Debug, Default)]
struct Seen {
    is_elf: bool,
    is_secret_key: bool,
    is_pointer: bool,
    /// The first line, as far as the kernel reads it, of a script.
    first_line: Vec<u8>,
    prefix: Option<usize>,
}

fn look(file: &Path, prefixes: &[Prefix]) -> io::Result<Seen> {
    let mut file = source::open(file)?;
    // What may be the start of a match stays in front of the next window.
    let overlap = prefixes.iter().map(Prefix::length).max().unwrap_or(1) - 1;
    let window = if prefixes.is_empty() {
        KEY_BYTES
    } else {
        usize::try_from(file.metadata()?.len()).unwrap_or(WINDOW).clamp(1, WINDOW) + overlap
    };
    let mut buffer = vec![0; window];
    let mut filled = fill(&mut file, &mut buffer)?;
    let mut seen = Seen {
        is_elf: buffer[..filled].starts_with(ELF_MAGIC),
        is_secret_key: holds_secret_key(&buffer[..filled.min(KEY_BYTES)]),
        is_pointer: buffer[..filled].starts_with(LFS_POINTER),
        first_line: first_line(&buffer[..filled]).to_vec(),
        prefix: None,
    };
    while seen.prefix.is_none() && !prefixes.is_empty() && filled > 0 {
        seen.prefix = prefixes.iter().position(|prefix| prefix.finder.find(&buffer[..filled]).is_some());
        let kept = overlap.min(filled);
        buffer.copy_within(filled - kept..filled, 0);
        let read = fill(&mut file, &mut buffer[kept..])?;
        filled = if read == 0 { 0 } else { kept + read };
    }
    Ok(seen)
}

fn first_line(head: &[u8]) -> &[u8] {
    if head.starts_with(b"#!") { &head[..head.len().min(interpreter::LINE_BYTES)] } else { b"" }
}

fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// A certificate may come first in the file, a public key or a text that only mentions one is none.
fn holds_secret_key(bytes: &[u8]) -> bool {
    if !bytes.starts_with(LABEL.as_bytes()) {
        return false;
    }
    let text = String::from_utf8_lossy(bytes);
    text.lines().any(|line| line.starts_with(LABEL) && line.trim_end().ends_with("PRIVATE KEY-----"))
}
