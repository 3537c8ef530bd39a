//! A virtual environment of Python. It cannot be moved, since its commands name the directory where it was made; its packages can.

use std::fs;

use super::Tree;
use super::source;
use super::template::{Draft, Launch, Output, quoted};

pub(super) fn look(tree: &Tree) -> Option<Draft> {
    tree.text("pyvenv.cfg")?;
    let version = fs::read_dir(tree.directory.join("lib"))
        .ok()?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| name.starts_with("python3"))?;
    let packages = format!("lib/{version}/site-packages");
    let mut notes = vec![format!(
        "a virtual environment of {version}: its packages go to lib, and the Python of the host runs them"
    )];
    let commands = commands(tree);
    let launch = launch(&commands, &mut notes);
    let native = source::holds_native_code(&tree.directory.join(&packages));
    Some(Draft {
        output: if native { Output::Native } else { Output::Portable },
        contents: Some(format!(
            "[[contents]]\nsrc = {}\ndst = \"lib\"\nexcludes = [\"__pycache__\", \"pip\", \"pip-*\"]",
            quoted(&packages)
        )),
        launch,
        notes,
        ..Draft::default()
    })
}

/// The commands of the environment: names, and the module and function that each calls.
fn commands(tree: &Tree) -> Vec<(String, String, String)> {
    let entries = fs::read_dir(tree.directory.join("bin")).into_iter().flatten().flatten();
    let mut commands: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let text = fs::read_to_string(entry.path()).ok()?;
            let line = text.lines().find(|line| line.starts_with("from ") && line.contains(" import "))?;
            let (module, function) = line.strip_prefix("from ")?.split_once(" import ")?;
            let is_word = |text: &str| {
                !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._".contains(c))
            };
            (is_word(module) && is_word(function) && !name.starts_with("pip"))
                .then(|| (name, module.to_owned(), function.to_owned()))
        })
        .collect();
    commands.sort();
    commands
}

/// Commands that serve what they are told to, by themselves.
const SERVERS: [&str; 9] = [
    "datasette",
    "devpi-server",
    "httpbin",
    "jupyter-server",
    "mkdocs",
    "pypi-server",
    "radicale",
    "supervisord",
    "wsgidav",
];

fn launch(commands: &[(String, String, String)], notes: &mut Vec<String>) -> Launch {
    let server = commands.iter().find(|(name, ..)| SERVERS.contains(&name.as_str()));
    let names: Vec<&str> = commands.iter().map(|(name, ..)| name.as_str()).collect();
    let Some((name, module, function)) = server else {
        notes.push(format!(
            "none of its commands is known to serve ({}): no service",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        ));
        return Launch::NoService;
    };
    notes.push(format!("its command {name} is started"));
    Launch::Exec(format!(
        "PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$SOFTWARE_DIR/lib python3 -c 'import sys; from {module} import {function} as main; sys.exit(main())'"
    ))
}
