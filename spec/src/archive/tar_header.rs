//! The one tar header that the format has for each entry and each member.
//!
//! A header is a pure function of what it describes, so a reader does not interpret headers: it makes the header that
//! must stand there and compares bytes. Whatever else a tar header could say (owners, links, sparse maps, extension
//! headers that override sizes) then has no way in. `docs/format.md`, clauses 4 and 6.

use tar::{EntryType, Header};

use crate::index::{Entry, EntryPath, Mode};

/// The size of a tar block.
pub(crate) const BLOCK: usize = 512;
/// What ends a tar archive.
pub(crate) const END_MARKER: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

const NAME_BYTES: usize = 100;

/// Returns the header of a member of the outer archive.
pub(crate) fn member_header(name: &str, length: u64) -> Vec<u8> {
    header(name, EntryType::Regular, 0o644, length, "").as_bytes().to_vec()
}

/// Returns the header, or the two headers, of an entry of the payload.
pub(crate) fn entry_header(entry: &Entry) -> Vec<u8> {
    let path = entry.path();
    match entry {
        Entry::Directory { .. } => directory_header(path),
        Entry::File { mode, link: Some(link), .. } => {
            with_extension(path.as_str(), EntryType::Link, mode.bits(), 0, link.as_str())
        }
        Entry::File { mode, size, .. } => file_header(path, *mode, *size),
        Entry::Symlink { target, .. } => {
            with_extension(path.as_str(), EntryType::Symlink, 0o777, 0, target.as_str())
        }
    }
}

/// Returns the header of a file, before the digest of its content is known.
pub(crate) fn file_header(path: &EntryPath, mode: Mode, size: u64) -> Vec<u8> {
    with_extension(path.as_str(), EntryType::Regular, mode.bits(), size, "")
}

fn directory_header(path: &EntryPath) -> Vec<u8> {
    with_extension(&format!("{path}/"), EntryType::Directory, 0o755, 0, "")
}

/// Returns how many bytes an entry takes in the payload: its headers, its content, its padding.
pub(crate) fn entry_length(entry: &Entry) -> u64 {
    let extra = match entry {
        Entry::Directory { path } => {
            extension_length(path.as_str().len() + 1, path.as_str().is_ascii(), 0, true)
        }
        Entry::File { path, link, .. } => {
            let link = link.as_ref().map_or("", EntryPath::as_str);
            extension_length(path.as_str().len(), path.as_str().is_ascii(), link.len(), link.is_ascii())
        }
        Entry::Symlink { path, target } => extension_length(
            path.as_str().len(),
            path.as_str().is_ascii(),
            target.as_str().len(),
            target.as_str().is_ascii(),
        ),
    };
    (BLOCK + extra) as u64 + padded(entry.payload_bytes())
}

/// Rounds up to whole blocks.
pub(crate) fn padded(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64)
}

/// Returns the bytes that an extension header takes, 0 where none is needed.
fn extension_length(path: usize, path_ascii: bool, link: usize, link_ascii: bool) -> usize {
    let mut records = 0;
    if path > NAME_BYTES || !path_ascii {
        records += record_length("path", path);
    }
    if link > NAME_BYTES || !link_ascii {
        records += record_length("linkpath", link);
    }
    if records == 0 { 0 } else { BLOCK + records.next_multiple_of(BLOCK) }
}

fn with_extension(path: &str, kind: EntryType, mode: u32, size: u64, link: &str) -> Vec<u8> {
    let mut records = Vec::new();
    for (key, value) in [("path", path), ("linkpath", link)] {
        if needs_extension(value) {
            records.extend_from_slice(&record(key, value));
        }
    }
    let mut bytes = Vec::with_capacity(BLOCK);
    if !records.is_empty() {
        let extension = header("PaxHeader", EntryType::XHeader, 0o644, records.len() as u64, "");
        bytes.extend_from_slice(extension.as_bytes());
        records.resize(records.len().next_multiple_of(BLOCK), 0);
        bytes.extend_from_slice(&records);
    }
    bytes.extend_from_slice(header(path, kind, mode, size, link).as_bytes());
    bytes
}

/// A name that is not ASCII goes into an extension header, where POSIX says that it is UTF-8.
fn needs_extension(value: &str) -> bool {
    value.len() > NAME_BYTES || !value.is_ascii()
}

/// Returns a PAX record: its own length in decimal, a space, `key=value`, a newline.
fn record(key: &str, value: &str) -> Vec<u8> {
    format!("{} {key}={value}\n", record_length(key, value.len())).into_bytes()
}

fn record_length(key: &str, value: usize) -> usize {
    let rest = key.len() + value + 3;
    // The length counts its own digits: at most one more than those of the rest.
    let length = rest + digits(rest);
    if digits(length) > digits(rest) { length + 1 } else { length }
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

fn header(path: &str, kind: EntryType, mode: u32, size: u64, link: &str) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    let fields = header.as_old_mut();
    copy_text(path, &mut fields.name);
    copy_text(link, &mut fields.linkname);
    header.set_cksum();
    header
}

/// Copies what fits and is ASCII: an extension header has the rest.
fn copy_text(text: &str, field: &mut [u8; NAME_BYTES]) {
    let ascii = text.bytes().map(|byte| if byte.is_ascii() { byte } else { b'?' });
    for (to, from) in field.iter_mut().zip(ascii) {
        *to = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_entry_is_the_length_of_its_header_and_content() {
        for length in [1, 97, 98, 99, 100, 101, 110, 250, 955, 956, 957, 1000, 4000] {
            for letter in ["a", "é"] {
                let text: String = letter.repeat(length / letter.len());
                let text =
                    text.as_bytes().chunks(200).map(String::from_utf8_lossy).collect::<Vec<_>>().join("/");
                let Ok(path) = text.parse::<EntryPath>() else { continue };
                let target = text.parse().unwrap();
                for entry in [
                    Entry::Directory { path: path.clone() },
                    Entry::Symlink { path: "l".parse().unwrap(), target },
                    Entry::File {
                        path: path.clone(),
                        mode: Mode::Regular,
                        size: 0,
                        sha256: crate::digest::Digest::of(b""),
                        date: None,
                        link: None,
                    },
                    Entry::File {
                        path: "z".parse().unwrap(),
                        mode: Mode::Executable,
                        size: 9,
                        sha256: crate::digest::Digest::of(b""),
                        date: None,
                        link: Some(path),
                    },
                ] {
                    assert_eq!(entry_header(&entry).len() as u64, entry_length(&entry), "{entry:?}");
                }
            }
        }
    }

    #[test]
    fn a_record_counts_its_own_length() {
        for length in 0..2000 {
            let value = "x".repeat(length);
            let record = record("path", &value);
            let (count, _) = std::str::from_utf8(&record).unwrap().split_once(' ').unwrap();
            assert_eq!(count.parse::<usize>().unwrap(), record.len());
        }
    }
}
