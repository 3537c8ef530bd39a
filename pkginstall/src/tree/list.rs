//! Lists what lies in a directory. Names are bytes: what is not UTF-8 can be nothing of ours, and hinders nobody.

use std::ffi::OsString;
use std::fs;
use std::io;

use camino::Utf8Path;

/// Lists the names in `directory` that are UTF-8, sorted; none where there is no such directory. Every name that copkg gives is UTF-8.
///
/// # Errors
/// When the directory cannot be read.
pub fn names_in(directory: &Utf8Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    let names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<OsString>>>()?;
    let mut names: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[test]
    fn a_name_that_is_not_utf_8_hides_none_of_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap();
        for name in [b"b".to_vec(), b"caf\xe9".to_vec(), b"a".to_vec()] {
            fs::write(directory.path().join(OsString::from_vec(name)), "").unwrap();
        }
        assert_eq!(names_in(path).unwrap(), ["a", "b"]);
        assert!(names_in(&path.join("missing")).unwrap().is_empty());
    }
}
