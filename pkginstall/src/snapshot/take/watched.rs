//! What is watched, as a tree of names: from `/` down to each directory and file that the configuration names.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

/// A name on the way to something that is watched, or that itself.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Whether it is part of the snapshot with everything below it.
    pub(super) whole: bool,
    /// What is watched below it, where it is not whole.
    pub(super) below: BTreeMap<Vec<u8>, Watched>,
}

impl Watched {
    /// Returns what leads to these directories and files.
    pub(super) fn of(directories: &[Utf8PathBuf], files: &[Utf8PathBuf]) -> Self {
        let mut root = Self::default();
        for path in directories {
            root.find(path).whole = true;
        }
        for path in files {
            root.find(path);
        }
        root
    }

    fn find(&mut self, path: &Utf8Path) -> &mut Self {
        let names = path.as_str().split('/').filter(|name| !name.is_empty() && *name != ".");
        names.fold(self, |here, name| here.below.entry(name.as_bytes().to_vec()).or_default())
    }
}
