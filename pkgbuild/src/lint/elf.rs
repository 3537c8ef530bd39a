//! Programs and libraries: `missing-library`, `unfound-library`, `native-code`.
//!
//! A package is self-contained, so a library comes with it, but for the C library, which every host has.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use copkg_spec::index::EntryPath;
use copkg_spec::manifest::Kind;
use copkg_spec::platform::Platform;
use object::elf::{
    DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRTAB, DynamicTag, ET_DYN, ET_EXEC, FileHeader32, FileHeader64,
    PT_INTERP, PT_LOAD,
};
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _};
use object::{Endianness, FileKind, ReadCache, ReadRef};

use super::{Finding, Rule, Severity, Subject};
use crate::collect::{Collected, Node, find_script};

/// What a host has: the parts of the GNU C library and its loader, the musl one, and GCC's own run-time support.
const OF_THE_HOST: [&str; 13] = [
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libresolv.so.2",
    "libutil.so.1",
    "libnsl.so.1",
    "libmvec.so.1",
    "libanl.so.1",
    "libthread_db.so.1",
    "libgcc_s.so.1",
    "libc.so",
];
/// How much of a start script is read.
const START_BYTES: u64 = 1 << 20;
const LOADERS: [&str; 3] = ["ld-linux", "ld64.so", "libc.musl-"];

/// What the programs of a package find.
pub(super) struct Libraries<'a> {
    subject: Subject<'a>,
    /// Every name that a file or a link has, and the first place where it is.
    places: BTreeMap<&'a str, &'a EntryPath>,
    /// Whether a start script of the package's own says where libraries are.
    own_search: bool,
}

impl<'a> Libraries<'a> {
    pub(super) fn of(subject: Subject<'a>) -> Self {
        let files = subject.tree.iter().filter(|(_, node)| !matches!(node, Node::Directory { .. }));
        let mut places = BTreeMap::new();
        for (path, _) in files {
            places.entry(path.name()).or_insert(path);
        }
        Self { subject, places, own_search: subject.named.is_none() && start_sets_search(subject.tree) }
    }

    /// Returns a finding for code that another platform cannot run, and for each library that the file at `path` needs and
    /// the loader does not find.
    pub(super) fn check(&self, path: &EntryPath, file: &Path) -> io::Result<Vec<Finding>> {
        let Some(code) = read(file)? else { return Ok(Vec::new()) };
        let mut findings: Vec<Finding> =
            code.libraries.iter().filter_map(|name| self.library(path, name, &code)).collect();
        if code.runs && *self.subject.platform == Platform::Any {
            let message = format!(
                "it is machine code, and the package is for any platform: [package] platforms = [\"{}\"]",
                Platform::host()
            );
            findings.push(Finding::at(path, Rule::NativeCode, message));
        }
        Ok(findings)
    }

    fn library(&self, path: &EntryPath, name: &str, code: &Code) -> Option<Finding> {
        let of_the_host =
            OF_THE_HOST.contains(&name) || LOADERS.iter().any(|loader| name.starts_with(loader));
        if of_the_host
            || code.search.iter().any(|place| self.is_in(path, place, name))
            || self.is_on_path(name)
        {
            return None;
        }
        let Some(there) = self.places.get(name) else {
            let message = format!(
                "it needs {name}, which is neither in the package nor part of the C library: pack it beside the file \
                 (RUNPATH $ORIGIN finds it), link it statically, or allow it"
            );
            return Some(Finding::at(path, Rule::MissingLibrary, message));
        };
        // A library may be loaded by a program that has loaded this one before.
        if !code.is_program || self.own_search {
            return None;
        }
        let directory = there.parent().map(|parent| format!("/{parent}")).unwrap_or_default();
        let message = format!(
            "it needs {name}, and the loader does not look where the package has it, {there}: \
             LD_LIBRARY_PATH=$SOFTWARE_DIR{directory} before the program in [service] exec, or a RUNPATH with $ORIGIN in the program"
        );
        let finding = Finding::at(path, Rule::UnfoundLibrary, message);
        // Nobody here says how the programs of other packages are started.
        let severity = if self.subject.kind == Kind::Service { Severity::Error } else { Severity::Warning };
        Some(Finding { severity, ..finding })
    }

    /// Tells whether the command line has the loader look where the library is.
    fn is_on_path(&self, name: &str) -> bool {
        let directories = self.subject.named.map(|named| named.library_path.as_slice()).unwrap_or_default();
        directories.iter().any(|directory| {
            format!("{directory}/{name}")
                .parse()
                .is_ok_and(|path: EntryPath| self.subject.tree.get(&path).is_some())
        })
    }

    /// Looks into one directory of the file's own search path, where `$ORIGIN` is the file's directory.
    fn is_in(&self, path: &EntryPath, place: &str, name: &str) -> bool {
        let Some(below) = place.strip_prefix("$ORIGIN").or_else(|| place.strip_prefix("${ORIGIN}")) else {
            return false;
        };
        let mut at: Vec<&str> = path.parent().map(|parent| parent.split('/').collect()).unwrap_or_default();
        for part in below.split('/').chain(name.split('/')).filter(|part| !matches!(*part, "" | ".")) {
            if part == ".." {
                at.pop();
            } else {
                at.push(part);
            }
        }
        at.join("/").parse().is_ok_and(|path: EntryPath| self.subject.tree.get(&path).is_some())
    }
}

fn start_sets_search(tree: &Collected) -> bool {
    let start = find_script(tree, "start").and_then(|path| tree.open(&path).ok());
    let mut text = Vec::new();
    let read = start.map(|opened| opened.take(START_BYTES).read_to_end(&mut text));
    matches!(read, Some(Ok(_))) && memchr::memmem::find(&text, b"LD_LIBRARY_PATH").is_some()
}

/// A program or a library.
#[derive(Default)]
struct Code {
    /// Whether it is linked, and so can be run or loaded.
    runs: bool,
    /// Whether it is started for itself.
    is_program: bool,
    libraries: Vec<String>,
    search: Vec<String>,
}

/// Reads what a program or library needs; `None` for what is no such thing, whatever its first bytes say.
fn read(file: &Path) -> io::Result<Option<Code>> {
    let file = File::open(file)?;
    let cache = ReadCache::new(file);
    Ok(match FileKind::parse(&cache) {
        Ok(FileKind::Elf64) => code::<FileHeader64<Endianness>, _>(&cache),
        Ok(FileKind::Elf32) => code::<FileHeader32<Endianness>, _>(&cache),
        _ => None,
    })
}

fn code<'data, E, R>(data: R) -> Option<Code>
where
    E: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = E::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let runs = matches!(header.e_type(endian), ET_EXEC | ET_DYN);
    let segments = header.program_headers(endian, data).ok()?;
    let is_program = segments.iter().any(|segment| segment.p_type(endian) == PT_INTERP);
    let (libraries, search) = dynamic::<E, R>(data, endian, segments).unwrap_or_default();
    Some(Code { runs, is_program, libraries, search })
}

/// Returns the names of the libraries that the dynamic section lists, and the directories where it has the loader look.
fn dynamic<'data, E, R>(
    data: R,
    endian: Endianness,
    segments: &[E::ProgramHeader],
) -> Option<(Vec<String>, Vec<String>)>
where
    E: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let entries = segments.iter().find_map(|segment| segment.dynamic(endian, data).ok().flatten())?;
    let value = |tag: DynamicTag| {
        let found = entries.iter().find(|entry| entry.tag(endian) == tag);
        found.map(|entry| entry.val(endian))
    };
    let table: u64 = value(DT_STRTAB)?;
    let offset = segments.iter().find_map(|segment| {
        let start: u64 = segment.p_vaddr(endian).into();
        let size: u64 = segment.p_filesz(endian).into();
        let inside =
            segment.p_type(endian) == PT_LOAD && (start..start.saturating_add(size)).contains(&table);
        let place: u64 = segment.p_offset(endian).into();
        inside.then(|| place.checked_add(table - start))?
    })?;
    let text = |entry: &E::Dyn| {
        let at = offset.checked_add(entry.val(endian))?;
        let bytes = data.read_bytes_at_until(at..at.saturating_add(4096), 0).ok()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    };
    let texts = |tags: &[DynamicTag]| {
        let tagged = entries.iter().filter(|entry| tags.contains(&entry.tag(endian)));
        tagged.filter_map(text).collect::<Vec<String>>()
    };
    let search = texts(&[DT_RUNPATH, DT_RPATH]);
    let search = search.iter().flat_map(|list| list.split(':').map(str::to_owned)).collect();
    Some((texts(&[DT_NEEDED]), search))
}
