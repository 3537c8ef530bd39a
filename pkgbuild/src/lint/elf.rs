//! The libraries that programs need: `missing-library`.
//!
//! A package is self-contained, so a library comes with it, but for the C library, which every host has.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;

use copkg_spec::index::EntryPath;
use object::elf::{
    DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRTAB, DynamicTag, FileHeader32, FileHeader64, PT_LOAD,
};
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _};
use object::{Endianness, FileKind, ReadCache, ReadRef};

use super::{Finding, Rule};
use crate::collect::{Collected, Node};

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
const LOADERS: [&str; 3] = ["ld-linux", "ld64.so", "libc.musl-"];

/// The names under which a package has files.
pub(super) struct Libraries<'a> {
    tree: &'a Collected,
    names: BTreeSet<&'a str>,
}

impl<'a> Libraries<'a> {
    pub(super) fn of(tree: &'a Collected) -> Self {
        let files = tree.iter().filter(|(_, node)| !matches!(node, Node::Directory { .. }));
        Self { tree, names: files.map(|(path, _)| path.name()).collect() }
    }

    /// Returns a finding for each library that the file at `path` needs and nobody has.
    pub(super) fn missing(&self, path: &EntryPath, file: &Path) -> io::Result<Vec<Finding>> {
        let Some(needs) = needs_of(file)? else { return Ok(Vec::new()) };
        let missing = needs.libraries.iter().filter(|name| !self.has(path, name, &needs.search));
        let finding = |name: &String| {
            let message = format!(
                "it needs {name}, which is neither in the package nor part of the C library: pack it beside the file \
                 (RUNPATH $ORIGIN finds it), link it statically, or allow it"
            );
            Finding::at(path, Rule::MissingLibrary, message)
        };
        Ok(missing.map(finding).collect())
    }

    fn has(&self, path: &EntryPath, name: &str, search: &[String]) -> bool {
        let of_the_host =
            OF_THE_HOST.contains(&name) || LOADERS.iter().any(|loader| name.starts_with(loader));
        // Anywhere in the package will do: the start script may set LD_LIBRARY_PATH.
        of_the_host || self.names.contains(name) || search.iter().any(|place| self.is_in(path, place, name))
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
        at.join("/").parse().is_ok_and(|path: EntryPath| self.tree.get(&path).is_some())
    }
}

struct Needs {
    libraries: Vec<String>,
    search: Vec<String>,
}

/// Reads what a program or library needs; `None` for what is no such thing, whatever its first bytes say.
fn needs_of(file: &Path) -> io::Result<Option<Needs>> {
    let file = File::open(file)?;
    let cache = ReadCache::new(file);
    Ok(match FileKind::parse(&cache) {
        Ok(FileKind::Elf64) => dynamic::<FileHeader64<Endianness>, _>(&cache),
        Ok(FileKind::Elf32) => dynamic::<FileHeader32<Endianness>, _>(&cache),
        _ => None,
    })
}

fn dynamic<'data, E, R>(data: R) -> Option<Needs>
where
    E: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = E::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, data).ok()?;
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
    Some(Needs { libraries: texts(&[DT_NEEDED]), search })
}
