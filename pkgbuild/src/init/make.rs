//! A tree with a makefile.

use super::Tree;
use super::template::{Draft, Launch, Output};

const NAMES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];

pub(super) fn look(tree: &Tree) -> Option<Draft> {
    let text = NAMES.iter().find_map(|name| tree.text(name))?;
    let has = |target: &str| {
        text.lines().any(|line| line.strip_prefix(target).is_some_and(|rest| rest.starts_with(':')))
    };
    let configure = if tree.has("configure") { "prepare = \"./configure --prefix=/\"\n" } else { "" };
    let build = format!("[build]\n{configure}build = 'make -j\"$COPKG_JOBS\"'");
    let (build, contents) = if has("install") {
        (format!("{build}\n# What ends up in $COPKG_DESTDIR is the package.\n{INSTALL}"), None)
    } else {
        (build, Some(CONTENTS.to_owned()))
    };
    let launch =
        if tree.directory.join("script.d").is_dir() { Launch::OwnScripts } else { Launch::NoService };
    Some(Draft { output: Output::Native, build: Some(build), contents, launch, ..Draft::default() })
}

const INSTALL: &str = r#"install = 'make install DESTDIR="$COPKG_DESTDIR" PREFIX=/ prefix=/'"#;

const CONTENTS: &str = r#"[[contents]]
# The makefile has no target `install`, so this is everything that is there after `make`: name what the package needs.
src = "."
type = "tree"
excludes = ["package.toml", "*.o", "*.a"]"#;
