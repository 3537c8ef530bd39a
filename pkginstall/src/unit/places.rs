//! The directories that a unit needs: which must be mounted before it starts, and what of its sandbox would hide them.

use camino::{Utf8Path, Utf8PathBuf};

use super::UnitError;
use super::quoting;
use crate::host::Prefix;

/// The directories of a prefix, and this program.
pub(super) struct Places {
    /// As they are named.
    named: Vec<Utf8PathBuf>,
    /// Where they are: links are followed, as systemd follows none of them here.
    real: Vec<Utf8PathBuf>,
}

impl Places {
    /// Looks at the places of `prefix`, whether or not they are there yet.
    pub(super) fn of(prefix: &Prefix, program: &Utf8Path) -> Self {
        let named = vec![
            prefix.root().to_owned(),
            prefix.software(),
            prefix.runtime(),
            prefix.state().to_owned(),
            program.to_owned(),
        ];
        let real = named.iter().map(|path| real(path)).collect();
        Self { named, real }
    }

    /// Returns what stands in `RequiresMountsFor=`.
    pub(super) fn mounts(&self) -> Result<String, UnitError> {
        let mut all: Vec<&str> = self.named.iter().chain(&self.real).map(|path| path.as_str()).collect();
        all.sort_unstable();
        all.dedup();
        quoting::list(all)
    }

    /// Tells whether one of them lies below one of `directories`.
    pub(super) fn any_below(&self, directories: &[&str]) -> bool {
        self.real.iter().any(|path| directories.iter().any(|directory| path.starts_with(directory)))
    }
}

/// Returns where a path leads. What is not there yet will be where the deepest directory above it that is there leads.
pub(super) fn real(path: &Utf8Path) -> Utf8PathBuf {
    for above in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (above.canonicalize_utf8(), path.strip_prefix(above)) {
            return if rest.as_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_where_its_link_leads() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap().canonicalize_utf8().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("link")).unwrap();
        let places = Places::of(&Prefix::at(&root.join("link")).unwrap(), "/usr/bin/true".into());
        let mounts = places.mounts().unwrap();
        assert!(mounts.contains(&format!("\"{root}/link\"")) && mounts.contains(&format!("\"{root}/real\"")));
        assert!(places.any_below(&[root.join("real").as_str()]));
        assert!(!places.any_below(&[root.join("link").as_str()]));
    }
}
