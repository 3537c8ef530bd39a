//! What the files hold: `build-prefix`, `secret-key`, and for programs and libraries `missing-library`.
//!
//! Each file is opened once; only its first bytes are read unless scripts ran, and then it is searched as it streams by.

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use copkg_spec::index::EntryPath;
use memchr::memmem::Finder;
use rayon::prelude::*;

use super::elf::Libraries;
use super::{Finding, LintError, Rule, Subject};
use crate::collect::{Content, Node};
use crate::source;

const ELF_MAGIC: &[u8] = b"\x7fELF";
/// How much is read at once.
const WINDOW: usize = 256 << 10;
/// How far into a file the first line of a secret key is looked for.
const KEY_BYTES: usize = 4096;

pub(super) fn check(subject: Subject<'_>) -> Result<Vec<Finding>, LintError> {
    let prefixes: Vec<Prefix> = subject.build_prefixes.iter().map(|path| Prefix::new(path)).collect();
    let libraries = Libraries::of(subject.tree);
    let nodes: Vec<_> = subject.tree.iter().collect();
    let check = |(path, node): (&EntryPath, &Node<_>)| match node {
        Node::File { content: Content::File(file), size, .. } => {
            check_file(path, file, *size, &prefixes, &libraries)
                .map_err(|source| LintError::Read { path: path.clone(), source })
        }
        _ => Ok(Vec::new()),
    };
    let findings: Result<Vec<_>, LintError> = nodes.into_par_iter().map(check).collect();
    Ok(findings?.into_iter().flatten().collect())
}

fn check_file(
    path: &EntryPath,
    file: &Path,
    size: u64,
    prefixes: &[Prefix],
    libraries: &Libraries<'_>,
) -> io::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let seen = look(file, size, prefixes)?;
    if let Some(at) = seen.prefix {
        findings.push(prefix_finding(path, &prefixes[at]));
    }
    if seen.is_secret_key {
        let message = "it is a secret key: whoever has the package has the key";
        findings.push(Finding::at(path, Rule::SecretKey, message));
    }
    if seen.is_elf {
        findings.extend(libraries.missing(path, file)?);
    }
    Ok(findings)
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
    prefix: Option<usize>,
}

fn look(file: &Path, size: u64, prefixes: &[Prefix]) -> io::Result<Seen> {
    let mut file = source::open(file)?;
    // What may be the start of a match stays in front of the next window.
    let overlap = prefixes.iter().map(Prefix::length).max().unwrap_or(1) - 1;
    let most = if prefixes.is_empty() { KEY_BYTES } else { WINDOW };
    let window = usize::try_from(size).unwrap_or(most).clamp(1, most) + overlap;
    let mut buffer = vec![0; window];
    let mut filled = fill(&mut file, &mut buffer)?;
    let mut seen = Seen {
        is_elf: buffer[..filled].starts_with(ELF_MAGIC),
        is_secret_key: holds_secret_key(&buffer[..filled.min(KEY_BYTES)]),
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
    const LABEL: &str = "-----BEGIN ";
    if !bytes.starts_with(LABEL.as_bytes()) {
        return false;
    }
    let text = String::from_utf8_lossy(bytes);
    text.lines().any(|line| line.starts_with(LABEL) && line.trim_end().ends_with("PRIVATE KEY-----"))
}
