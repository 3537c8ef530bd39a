//! What is mounted below a directory, as the kernel lists it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::mount::MountFlags;

/// A mount, and the flags that a change of it must repeat: what the machine set may not be taken away inside.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mounted {
    pub(super) path: PathBuf,
    pub(super) flags: MountFlags,
}

/// Returns the mounts at and below `top` out of the text of `/proc/self/mountinfo`.
pub(super) fn below(top: &Path, mountinfo: &[u8]) -> Vec<Mounted> {
    let lines = mountinfo.split(|&byte| byte == b'\n');
    lines.filter_map(parse).filter(|mounted| mounted.path.starts_with(top)).collect()
}

fn parse(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|&byte| byte == b' ').skip(4);
    let path = PathBuf::from(OsString::from_vec(unescaped(fields.next()?)));
    let options = fields.next()?.split(|&byte| byte == b',');
    let flags = options.map(flag).fold(MountFlags::empty(), MountFlags::union);
    Some(Mounted { path, flags })
}

fn flag(option: &[u8]) -> MountFlags {
    match option {
        b"ro" => MountFlags::RDONLY,
        b"nosuid" => MountFlags::NOSUID,
        b"nodev" => MountFlags::NODEV,
        b"noexec" => MountFlags::NOEXEC,
        b"noatime" => MountFlags::NOATIME,
        b"nodiratime" => MountFlags::NODIRATIME,
        b"relatime" => MountFlags::RELATIME,
        b"nosymfollow" => MountFlags::NOSYMFOLLOW,
        _ => MountFlags::empty(),
    }
}

/// The kernel writes blank, tab, newline and backslash in a path as three octal digits after a backslash.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(escaped) if byte == b'\\' => {
                bytes.push(escaped);
                rest = &after[3..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_below_a_directory_are_found_with_their_flags_and_odd_names() {
        let text = b"22 1 0:21 / /new rw,relatime shared:1 - tmpfs tmpfs rw\n\
            23 22 8:1 / /new/usr ro,nosuid,nodev - ext4 /dev/sda1 rw\n\
            24 22 8:2 / /new/a\\040b\\134c rw,noexec,noatime - ext4 /dev/sda2 rw\n\
            25 1 8:3 / /newer rw - ext4 /dev/sda3 rw\n";
        let found = below(Path::new("/new"), text);
        let expected = [
            ("/new", MountFlags::RELATIME),
            ("/new/usr", MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV),
            ("/new/a b\\c", MountFlags::NOEXEC | MountFlags::NOATIME),
        ];
        let expected = expected.map(|(path, flags)| Mounted { path: path.into(), flags });
        assert_eq!(found, expected);
    }
}
