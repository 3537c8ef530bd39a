//! The shape of the house: what `docs/architecture.md` promises about the source itself.
//!
//! Each test lists every violation as `file:line: rule`. An exception stands here by name, with its reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates, and which of them each may import.
const CRATES: [(&str, &[&str]); 5] = [
    ("spec", &[]),
    ("pkgbuild", &["spec"]),
    ("pkginstall", &["spec"]),
    ("repo-server", &["spec"]),
    ("tests", &["spec"]),
];

/// The most lines that a source file has. Near 150 is usual and few pass 400; a file is split where its thought ends, not where a
/// count does, so the limit leaves room.
const LONGEST: usize = 600;

/// Files that may be longer, each with its reason.
const LONGER: [(&str, &str); 0] = [];

/// What may stand at the top level.
const TOP_LEVEL: [&str; 21] = [
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".git",
    ".gitignore",
    ".rustfmt.toml",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "deny.toml",
    "docs",
    "examples",
    "findings",
    "pkgbuild",
    "pkginstall",
    "repo-server",
    "spec",
    "tests",
];

/// Names that tell nothing.
const EMPTY_NAMES: [&str; 6] = ["common", "helper", "helpers", "misc", "util", "utils"];

#[test]
fn every_source_file_begins_with_what_it_is_for() {
    let headless = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    report(headless.map(|source| source.says(1, "does not begin with //!")));
}

#[test]
fn no_source_file_is_too_long() {
    let long = sources().into_iter().filter(|source| source.text.lines().count() > LONGEST);
    let long = long.filter(|source| !LONGER.iter().any(|(path, _)| *path == source.path));
    report(long.map(|source| source.says(LONGEST + 1, "is longer than 600 lines")));
}

#[test]
fn no_source_file_has_an_empty_name() {
    let is_empty = |path: &str| {
        let mut parts = path.split('/');
        parts.any(|part| EMPTY_NAMES.contains(&part.trim_end_matches(".rs")))
    };
    let named = sources().into_iter().filter(|source| is_empty(&source.path));
    report(named.map(|source| source.says(1, "its name tells nothing")));
}

#[test]
fn crates_import_in_one_direction() {
    let mut violations = Vec::new();
    for (name, allowed) in CRATES {
        let others = CRATES
            .map(|(other, _)| other)
            .into_iter()
            .filter(|other| *other != name && !allowed.contains(other));
        let manifest = read(&root().join(name).join("Cargo.toml"));
        for other in others {
            let package =
                if matches!(other, "spec" | "tests") { format!("copkg-{other}") } else { other.to_owned() };
            if manifest.lines().any(|line| line.starts_with(&package)) {
                violations.push(format!("{name}/Cargo.toml:1: {name} depends on {other}"));
            }
            let module = format!("{}::", package.replace('-', "_"));
            violations.extend(
                sources_of(name)
                    .iter()
                    .flat_map(|source| source.find_all(&module, "imports against the flow")),
            );
        }
    }
    report(violations);
}

#[test]
fn spec_knows_no_clock_no_network_and_no_ambient_path() {
    let ambient = [
        ("env::var", "reads the environment"),
        ("env::args", "reads the environment"),
        ("env::temp_dir", "reads the environment"),
        ("current_dir", "reads the working directory"),
        ("SystemTime::now", "reads the clock"),
        ("Instant::now", "reads the clock"),
        ("std::net", "uses the network"),
        ("std::process::Command", "starts a process"),
        ("getrandom", "takes randomness that it was not handed"),
        ("OsRng", "takes randomness that it was not handed"),
    ];
    report(sources_of("spec").iter().flat_map(|source| source.find_any(&ambient)));
}

#[test]
fn spec_touches_files_only_in_its_durable_write() {
    let files =
        [("std::fs", "touches files"), ("File::open", "touches files"), ("File::create", "touches files")];
    let pure = sources_of("spec").into_iter().filter(|source| source.path != "spec/src/durable.rs");
    report(pure.flat_map(|source| source.find_any(&files)));
}

#[test]
fn only_main_reads_the_environment() {
    let environment = [
        ("env::var", "reads the environment"),
        ("env::args", "reads the environment"),
        ("env::home_dir", "reads the environment"),
    ];
    report(below_main().flat_map(|source| source.find_any(&environment)));
}

#[test]
fn only_main_opens_the_standard_streams() {
    let streams = [
        ("println!", "prints"),
        ("print!(", "prints"),
        ("dbg!", "prints"),
        ("io::stdout", "opens a standard stream"),
        ("io::stderr", "opens a standard stream"),
        ("io::stdin", "opens a standard stream"),
    ];
    report(below_main().flat_map(|source| source.find_any(&streams)));
}

#[test]
fn every_test_that_does_not_run_says_so_in_the_one_way() {
    let sources = sources().into_iter().filter(|source| {
        !["tests/skip/src/lib.rs", "tests/tests/tidy.rs"].contains(&source.path.as_str())
            && !source.path.starts_with("tests/src/bin/")
    });
    let rule = "says by itself that it was skipped: `copkg_skip::skip` counts it";
    let said = sources.flat_map(|source| {
        let lines = source.code().filter(|(_, line)| line.contains("skipped: ") && line.contains('"'));
        lines.map(|(number, _)| source.says(number, rule)).collect::<Vec<_>>()
    });
    report(said);
}

#[test]
fn every_link_in_the_documentation_leads_somewhere() {
    let mut violations = Vec::new();
    for path in files_below(&root(), "md") {
        let text = without_code(&read(&path));
        for target in links(&text) {
            if let Some(why) = broken(&path, &target) {
                violations.push(format!("{}: link {target}: {why}", relative(&path)));
            }
        }
    }
    report(violations);
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let text = read(&root().join("docs/architecture.md"));
    let named = text.split('`').filter_map(|code| code.split_once(".rs::"));
    let mut violations = Vec::new();
    for (file, test) in named {
        if !read(&root().join(format!("{file}.rs"))).contains(&format!("fn {test}(")) {
            violations.push(format!("docs/architecture.md: there is no test {test} in {file}.rs"));
        }
    }
    report(violations);
}

#[test]
fn every_error_code_is_documented_and_nothing_else() {
    let text = read(&root().join("docs/errors.md"));
    let documented: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let sources: Vec<Source> = below_main().collect();
    let used: BTreeSet<&str> = sources.iter().flat_map(Source::error_codes).collect();
    let missing = used.difference(&documented).map(|code| format!("docs/errors.md: {code} is missing"));
    let surplus =
        documented.difference(&used).map(|code| format!("docs/errors.md: no error has the code {code}"));
    report(missing.chain(surplus));
}

#[test]
fn nothing_stands_at_the_top_level_that_does_not_belong_there() {
    let entries = fs::read_dir(root()).expect("the root is readable").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let strange = names.filter(|name| name != "target" && !TOP_LEVEL.contains(&name.as_str()));
    report(strange.map(|name| format!("{name}: does not belong at the top level")));
}

/// A source file.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Returns the lines that run in a program, numbered: no comments, nothing below the unit tests' `#[cfg(test)]`.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = |line: &str| line.trim() == "mod tests {";
        let lines = self.text.lines().enumerate().map(|(n, line)| (n + 1, line));
        lines
            .take_while(move |(_, line)| !is_test(line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn find_all(&self, word: &str, rule: &str) -> Vec<String> {
        let found = self.code().filter(|(_, line)| starts_a_word(line, word));
        found.map(|(number, _)| self.says(number, &format!("{rule} ({word})"))).collect()
    }

    fn find_any(&self, rules: &[(&str, &str)]) -> Vec<String> {
        rules.iter().flat_map(|(word, rule)| self.find_all(word, rule)).collect()
    }

    /// Returns the texts in the bodies of `Explain::code`.
    fn error_codes(&self) -> Vec<&str> {
        let program = self.text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let bodies = program.split("fn code(&self) -> &'static str {").skip(1);
        let bodies = bodies.filter_map(|rest| rest.split("\n    }\n").next());
        bodies.flat_map(|body| body.split('"').skip(1).step_by(2)).collect()
    }

    fn says(&self, line: usize, rule: &str) -> String {
        format!("{}:{line}: {rule}", self.path)
    }
}

/// Tells whether `word` stands in `line` and is not the end of a longer name.
fn starts_a_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Returns every Rust file of the workspace.
fn sources() -> Vec<Source> {
    CRATES.iter().flat_map(|(name, _)| sources_in(&root().join(name))).collect()
}

/// Returns the files of a crate that end up in a program: its `src` without the files of unit tests.
fn sources_of(name: &str) -> Vec<Source> {
    let mut found = sources_in(&root().join(name).join("src"));
    found.retain(|source| !source.path.ends_with("tests.rs") && !source.path.contains("/tests/"));
    found
}

/// Returns the files of the three programs and of spec, without what `main` does.
fn below_main() -> impl Iterator<Item = Source> {
    let programs = CRATES.iter().filter(|(name, _)| *name != "tests");
    programs.flat_map(|(name, _)| sources_of(name)).filter(|source| !source.path.ends_with("/main.rs"))
}

fn sources_in(directory: &Path) -> Vec<Source> {
    let paths = files_below(directory, "rs").into_iter();
    paths.map(|path| Source { path: relative(&path), text: read(&path) }).collect()
}

/// Returns the files below `directory` with that extension, sorted, without what was built.
fn files_below(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_ours = !matches!(entry.file_name().to_str(), Some("target" | ".git" | "node_modules"));
            if path.is_dir() && is_ours {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Returns the text without code blocks and code spans, in which brackets mean nothing.
fn without_code(text: &str) -> String {
    let mut fenced = false;
    let mut out = String::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if !fence && !fenced && !line.starts_with("    ") {
            out.extend(line.split('`').step_by(2));
            out.push('\n');
        }
    }
    out
}

/// Returns the targets of the links of a Markdown text.
fn links(text: &str) -> Vec<String> {
    let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    inline.map(|target| target.split_whitespace().next().unwrap_or("").to_owned()).collect()
}

/// Says why a link leads nowhere. What is on another machine is not asked.
fn broken(from: &Path, target: &str) -> Option<&'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { from.to_owned() } else { from.parent()?.join(file) };
    if !path.exists() {
        return Some("there is no such file");
    }
    let has_anchor =
        || read(&path).lines().filter(|line| line.starts_with('#')).any(|line| anchor_of(line) == anchor);
    (!anchor.is_empty() && !has_anchor()).then_some("there is no such heading")
}

/// Returns the anchor that a heading gets.
fn anchor_of(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn root() -> PathBuf {
    copkg_tests::programs::project()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn report(violations: impl IntoIterator<Item = String>) {
    let violations: Vec<String> = violations.into_iter().collect();
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}
