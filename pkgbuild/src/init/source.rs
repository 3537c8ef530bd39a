//! What the files of a tree give away: whether a program serves, at which port, and whether there is machine code.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// How much of a file is read.
const FILE_BYTES: u64 = 256 << 10;
/// How many files are looked at.
const FILES: usize = 20_000;
/// Directories that hold what others wrote.
const FOREIGN: [&str; 6] = ["node_modules", "venv", ".venv", ".git", "target", "__pycache__"];

/// What a file gives away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Hints {
    /// It listens, or loops for ever.
    pub(super) serves: bool,
    /// It takes its port from the variable `PORT`.
    pub(super) reads_port: bool,
}

impl Hints {
    pub(super) fn of_file(path: &Path) -> Self {
        let mut text = Vec::new();
        match File::open(path).and_then(|file| file.take(FILE_BYTES).read_to_end(&mut text)) {
            Ok(_) => Self::of_text(&String::from_utf8_lossy(&text)),
            Err(_) => Self::default(),
        }
    }

    fn of_text(text: &str) -> Self {
        const SERVES: [&str; 14] = [
            ".listen(",
            "createServer",
            "setInterval(",
            "serve_forever",
            "http.server",
            "socketserver",
            "start_server",
            "app.run(",
            "uvicorn",
            "gunicorn",
            "run_app(",
            "while True",
            "HTTPServer",
            "waitress",
        ];
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        Self {
            serves: has(&SERVES),
            reads_port: has(&[
                "process.env.PORT",
                "env.PORT",
                "environ[\"PORT\"]",
                "environ['PORT']",
                "environ.get(\"PORT\"",
                "environ.get('PORT'",
                "getenv(\"PORT\"",
                "getenv('PORT'",
            ]),
        }
    }
}

/// Tells whether a file of the tree with one of these extensions is as asked for.
pub(super) fn any(directory: &Path, extensions: &[&str], is: impl Fn(Hints) -> bool) -> bool {
    let has_extension = |path: &PathBuf| {
        let extension = path.extension().map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
        extensions.contains(&extension.as_str())
    };
    files(directory, &FOREIGN).into_iter().filter(has_extension).any(|path| is(Hints::of_file(&path)))
}

/// Tells whether there is a program or a library for one platform.
pub(super) fn holds_native_code(directory: &Path) -> bool {
    let is_native = |path: &PathBuf| {
        let mut head = [0; 18];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
        // ELF, and linked: object files are no programs.
        read.is_ok() && head.starts_with(b"\x7fELF") && matches!(head[16], 2 | 3)
    };
    files(directory, &[".git"]).iter().any(is_native)
}

fn files(directory: &Path, left_out: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        for entry in entries {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !left_out.iter().any(|name| entry.file_name() == *name) {
                directories.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
            if found.len() >= FILES {
                return found;
            }
        }
    }
    found.sort();
    found
}
