//! Looks into a stopped process: what its call names, and what it would do.

use std::fs;
use std::io::IoSliceMut;
use std::path::{Component, Path, PathBuf};

use nix::libc;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::calls::{self, Call, Kind, WORKING_DIRECTORY};

/// A call that is about to run.
pub(super) struct Stop {
    pub(super) call: &'static Call,
    pub(super) arguments: [u64; 6],
    /// The call and the paths that it changes.
    pub(super) text: String,
}

impl Stop {
    /// Returns the call that `registers` describe when it changes something below `under`.
    pub(super) fn of(pid: Pid, registers: &libc::user_regs_struct, under: &Path) -> Option<Self> {
        let call = calls::find(registers.orig_rax)?;
        let arguments =
            [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9];
        if let Kind::Open(flags) = call.kind {
            let changes = libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY);
            if arguments[flags] & u64::try_from(changes).ok()? == 0 {
                return None;
            }
        }
        let paths = paths_of(pid, call, &arguments);
        if !paths.iter().any(|path| path.starts_with(under)) {
            return None;
        }
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        Some(Self { call, arguments, text: format!("{}({})", call.name, names.join(", ")) })
    }
}

fn paths_of(pid: Pid, call: &Call, arguments: &[u64; 6]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for &(directory, path) in call.paths {
        let Some(text) = read_text(pid, arguments[path]) else { continue };
        if text.starts_with('/') {
            paths.push(normal(Path::new(&text)));
            continue;
        }
        let base = if directory == WORKING_DIRECTORY {
            working_directory(pid)
        } else {
            descriptor(pid, arguments[directory])
        };
        paths.push(normal(&base.unwrap_or_default().join(text)));
    }
    paths.extend(call.descriptors.iter().filter_map(|&argument| descriptor(pid, arguments[argument])));
    paths
}

fn working_directory(pid: Pid) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

fn descriptor(pid: Pid, value: u64) -> Option<PathBuf> {
    // The kernel looks at the lower half only.
    let number = i32::from_ne_bytes(value.to_ne_bytes()[..4].try_into().ok()?);
    if number == libc::AT_FDCWD {
        return working_directory(pid);
    }
    fs::read_link(format!("/proc/{pid}/fd/{number}")).ok()
}

fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// Reads a text from the memory of the process, page by page, so that none beyond its end is touched.
fn read_text(pid: Pid, address: u64) -> Option<String> {
    const PAGE: usize = 4096;
    let mut at = usize::try_from(address).ok().filter(|&at| at != 0)?;
    let mut text = Vec::new();
    while text.len() <= PAGE {
        let mut page = vec![0; PAGE - at % PAGE];
        let remote = [RemoteIoVec { base: at, len: page.len() }];
        let read = process_vm_readv(pid, &mut [IoSliceMut::new(&mut page)], &remote).ok()?;
        let end = page[..read].iter().position(|&byte| byte == 0);
        text.extend_from_slice(&page[..end.unwrap_or(read)]);
        if end.is_some() || read == 0 {
            break;
        }
        at += read;
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}
