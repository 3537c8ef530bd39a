//! Whether the loader of this host would find a library.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use crate::tree::names_in;

/// Where the loader looks in any case.
const ALWAYS: [&str; 4] = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"];

/// Where further directories are named.
const CONFIGURATION: &str = "/etc/ld.so.conf.d";

/// Tells whether a library of that name lies in a directory of the loader.
pub(super) fn is_there(name: &str) -> bool {
    directories().iter().any(|directory| directory.join(name).exists())
}

fn directories() -> Vec<Utf8PathBuf> {
    let mut directories: Vec<Utf8PathBuf> = ALWAYS.iter().map(Utf8PathBuf::from).collect();
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    directories.extend([multiarch.as_str().into(), multiarch.trim_start_matches("/usr").into()]);
    for file in names_in(Utf8Path::new(CONFIGURATION)).unwrap_or_default() {
        let text = fs::read_to_string(Utf8Path::new(CONFIGURATION).join(file)).unwrap_or_default();
        directories.extend(text.lines().map(str::trim).filter(|line| line.starts_with('/')).map(Into::into));
    }
    directories
}
