//! Programs that lie beside this one: how they are found, and how one of them ended. The programs never import each other.

use std::process::ExitStatus;

use camino::{Utf8Path, Utf8PathBuf};

/// Returns the value of `PATH` with which the programs beside `program` are found first.
pub(crate) fn search_path(program: Option<&Utf8Path>, path: Option<&str>) -> String {
    let beside = program.and_then(Utf8Path::parent).map(Utf8Path::as_str);
    // A directory with a colon in its name cannot stand in PATH.
    let beside = beside.filter(|directory| !directory.contains(':'));
    beside.into_iter().chain(path).collect::<Vec<_>>().join(":")
}

/// Finds the program `name`: beside `program` first, then in the directories of `path`.
pub(crate) fn find(name: &str, program: Option<&Utf8Path>, path: Option<&str>) -> Option<Utf8PathBuf> {
    let beside = program.and_then(Utf8Path::parent);
    let directories = beside.into_iter().chain(path.unwrap_or_default().split(':').map(Utf8Path::new));
    let directories = directories.filter(|directory| directory.is_absolute());
    directories.map(|directory| directory.join(name)).find(|path| path.is_file())
}

/// Says how a program ended that did not end well.
pub(crate) fn how(ended: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (ended.code(), ended.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_this_program_is_found_before_what_is_in_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        let (here, there) = (root.join("here"), root.join("there"));
        for place in [&here, &there] {
            std::fs::create_dir(place).unwrap();
        }
        let (program, path) = (here.join("pkginstall"), format!("relative:{there}"));
        let found = || find("pkgbuild", Some(&program), Some(&path));
        assert_eq!(found(), None);
        std::fs::write(there.join("pkgbuild"), "").unwrap();
        assert_eq!(found(), Some(there.join("pkgbuild")));
        std::fs::write(here.join("pkgbuild"), "").unwrap();
        assert_eq!(found(), Some(here.join("pkgbuild")));
        assert_eq!(search_path(Some(&program), Some("/bin")), format!("{here}:/bin"));
    }
}
