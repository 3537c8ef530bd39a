//! A patch between two packages of one file each, for what a server takes and refuses.

use std::io::Cursor;
use std::num::NonZeroUsize;

use copkg_spec::archive::{Contents, Head, PackOptions};
use copkg_spec::index::EntryPath;
use copkg_spec::patch::{MadePatch, PatchPlan, make_patch};

use super::Result;

/// Makes the patch from one package to another; of each its file, and what its one file holds.
///
/// # Errors
/// When one of them is no package, or they are not two versions of one.
pub fn patch_between(old: (&[u8], &[u8]), new: (&[u8], &[u8])) -> Result<(MadePatch, Vec<u8>)> {
    let read = |data: &[u8], offset: u64, bytes: &mut [u8]| {
        let part = usize::try_from(offset).ok().and_then(|start| data.get(start..start + bytes.len()));
        bytes.copy_from_slice(part.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    let read_old = |_: &EntryPath, offset, bytes: &mut [u8]| read(old.1, offset, bytes);
    let read_new = |_: &EntryPath, offset, bytes: &mut [u8]| read(new.1, offset, bytes);
    let (before, after) = (contents(old.0)?, contents(new.0)?);
    let options = PackOptions { level: 1, threads: NonZeroUsize::MIN };
    let plan = PatchPlan { old: (&before, &read_old), new: (&after, &read_new), keys: &[], options };
    let mut bytes = Vec::new();
    let made = make_patch(&plan, Cursor::new(Vec::new()), &mut bytes)?;
    Ok((made, bytes))
}

fn contents(file: &[u8]) -> Result<Contents> {
    let mut reader = file;
    Ok(Head::read(&mut reader)?.without_trust().read_contents(&mut reader)?)
}
