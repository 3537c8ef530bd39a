//! A tree that is packed as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Tree;
use super::source;
use super::template::{Draft, Launch, Output};

pub(super) fn look(tree: &Tree) -> Draft {
    let output = if source::holds_native_code(&tree.directory) { Output::Native } else { Output::Portable };
    let launch = launch(tree);
    let note = match &launch {
        Launch::Exec(exec) => format!("{exec} is taken for a server"),
        Launch::OwnScripts => "script.d starts and stops it".to_owned(),
        Launch::NoService if tree.has("index.html") => {
            "pages and no program: a web server of yours reads them where the package is installed".to_owned()
        }
        Launch::NoService => "no program in bin: files, and no service".to_owned(),
    };
    Draft { contents: Some(CONTENTS.to_owned()), output, launch, notes: vec![note], ..Draft::default() }
}

fn launch(tree: &Tree) -> Launch {
    if tree.directory.join("script.d").is_dir() {
        return Launch::OwnScripts;
    }
    let program = programs(&tree.directory.join("bin")).into_iter().next();
    program.map_or(Launch::NoService, |name| Launch::Exec(format!("bin/{name}")))
}

/// Returns the names of the programs in a directory that a command line can name as they are.
fn programs(directory: &Path) -> Vec<String> {
    let is_plain = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let mut names: Vec<String> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o100 != 0))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(is_plain)
        .collect();
    names.sort();
    names
}

pub(super) const CONTENTS: &str = r#"[[contents]]
# Everything in this directory, to the top of the package.
src = "."
type = "tree"
excludes = ["package.toml"]"#;
