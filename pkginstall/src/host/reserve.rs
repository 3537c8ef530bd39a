//! The reserve: some space that is taken before a change and given back when the disk is full, so that the way back
//! never lacks the few blocks that it needs.
//!
//! One file in the state directory and, where the runtime directories lie on another file system, one beside them.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::durable;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::{HostError, Prefix};

/// How much is taken on each file system: enough to write the records of a start and a change many times over.
const BYTES: u64 = 1 << 20;

const NAME: &str = ".reserve";

/// Takes the reserve where it is missing.
///
/// # Errors
/// When the disk has not even that much: no change should begin then.
pub fn take(prefix: &Prefix) -> Result<(), HostError> {
    for path in places(prefix) {
        let directory = path.parent().unwrap_or(Utf8Path::new("/"));
        durable::create_dir_all(directory.as_std_path())
            .and_then(|()| fill(&path))
            .map_err(|source| HostError::Reserve { path: path.clone(), source })?;
    }
    Ok(())
}

/// Gives the reserve back to the disk. Where that fails there is nothing better to do.
pub fn spend(prefix: &Prefix) {
    for path in places(prefix) {
        let _ = std::fs::remove_file(path);
    }
}

fn places(prefix: &Prefix) -> Vec<Utf8PathBuf> {
    let (state, runtime) = (prefix.state().to_owned(), prefix.runtime());
    let device = |path: &Utf8Path| path.metadata().ok().map(|metadata| metadata.dev());
    let mut places = vec![state.join(NAME)];
    if runtime.exists() && device(&runtime) != device(&state) {
        places.push(runtime.join(NAME));
    }
    places
}

fn fill(path: &Utf8Path) -> io::Result<()> {
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.blocks() * 512 >= BYTES {
        return Ok(());
    }
    let filled = match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BYTES) {
        // Some file systems cannot promise space; there writing has to do.
        Err(Errno::NOTSUP) => write_out(&file),
        filled => filled.map_err(io::Error::from),
    };
    if filled.is_err() {
        let _ = std::fs::remove_file(path);
    }
    filled
}

fn write_out(mut file: &File) -> io::Result<()> {
    use std::io::Write as _;
    let block = vec![0; 1 << 16];
    (0..BYTES / block.len() as u64).try_for_each(|_| file.write_all(&block))
}
