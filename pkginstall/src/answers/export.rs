//! Exports a generation for analysis elsewhere: what it was, what it wrote, and what it stored where that was kept.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::coordinate::ServiceCoordinate;

use crate::generation::{GenerationError, Generations, Number};
use crate::host::Prefix;

/// Writes generation `number` of `service` as a tar archive, mode 0600: it holds the rendered configuration. Returns the
/// number of bytes.
///
/// # Errors
/// When there is no such generation, the file is there already, or the disk refuses; nothing is left then.
pub fn export(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    number: Number,
    file: &Utf8Path,
) -> Result<u64, GenerationError> {
    let generations = Generations::of(prefix, service);
    generations.read(number)?;
    let failed = || GenerationError::file("write", file);
    let out = File::options().write(true).create_new(true).mode(0o600).open(file).map_err(failed())?;
    let name = Utf8PathBuf::from(format!("{service}-{number}"));
    let parts = [
        (name.clone(), generations.path(number)),
        (name.join("kept"), prefix.kept(service).join(number.to_string())),
    ];
    write(&out, &parts).map_err(|source| {
        let _ = std::fs::remove_file(file);
        failed()(source)
    })
}

fn write(out: &File, parts: &[(Utf8PathBuf, Utf8PathBuf)]) -> io::Result<u64> {
    let mut tar = tar::Builder::new(io::BufWriter::new(out));
    tar.follow_symlinks(false);
    for (name, directory) in parts.iter().filter(|(_, directory)| directory.is_dir()) {
        tar.append_dir_all(name, directory)?;
    }
    let mut buffered = tar.into_inner()?;
    io::Write::flush(&mut buffered)?;
    out.sync_all()?;
    Ok(out.metadata()?.len())
}
