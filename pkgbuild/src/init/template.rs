//! The text of a first recipe: what was found out, and a comment where the author will want to go on.

use copkg_spec::coordinate::{Label, Version};

use super::Wishes;

/// What was found out about a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Draft {
    /// The name that the tree gives itself.
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) description: Option<String>,
    pub(super) license: Option<String>,
    pub(super) homepage: Option<String>,
    /// Whether machine code comes out.
    pub(super) output: Output,
    /// What of the directory is no source.
    pub(super) excludes: Vec<&'static str>,
    /// `[build]`, as text.
    pub(super) build: Option<String>,
    /// `[[contents]]`, as text.
    pub(super) contents: Option<String>,
    pub(super) launch: Launch,
    /// What was found, a sentence each.
    pub(super) notes: Vec<String>,
}

/// The parameter of a service that is told where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Port;

/// Where what is built runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Output {
    /// Everywhere.
    #[default]
    Portable,
    /// On this machine's platform.
    Native,
}

/// How the tree is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Launch {
    /// By a command line.
    Exec(String),
    /// By its own scripts in `script.d`.
    OwnScripts,
    /// It is not.
    #[default]
    NoService,
}

pub(super) fn write(draft: &Draft, wishes: &Wishes, directory: &str) -> String {
    let mut sections = vec![package(draft, wishes, directory)];
    if !draft.excludes.is_empty() {
        let excludes = draft.excludes.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
        sections.push(format!(
            "[[source]]\n# The directory of this recipe, without what is made from it.\npath = \".\"\nexcludes = [{excludes}]"
        ));
    }
    sections.extend(draft.build.clone());
    sections.extend(draft.contents.clone());
    sections.extend(service(&draft.launch, draft.port()));
    sections.push(TESTS.to_owned());
    let mut text = format!("{HEADER}\n{}\n", sections.join("\n\n"));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

const HEADER: &str = "\
# What goes into this package and how it runs. docs/recipe.md describes every key, `pkgbuild schema` checks it in an editor.
";

const TESTS: &str = "\
# Each test runs against the finished package, unpacked to a scratch directory.
#[[tests]]
#name = \"the program starts\"
#run = '\"$COPKG_SOFTWARE/bin/program\" --version'";

fn package(draft: &Draft, wishes: &Wishes, directory: &str) -> String {
    let id = wishes.id.as_ref().map(ToString::to_string);
    let id = id.unwrap_or_else(|| label_of(draft.name.as_deref().unwrap_or(directory)));
    let version = draft.version.as_deref().filter(|text| text.parse::<Version>().is_ok()).unwrap_or("0.1.0");
    let mut lines = vec![
        "[package]".to_owned(),
        "# Whoever owns the group signs its packages: turn a domain of yours around.".to_owned(),
        format!("group = {}", quoted(wishes.group.as_str())),
        format!("id = {}", quoted(&id)),
        format!("version = {}", quoted(version)),
    ];
    if draft.launch == Launch::NoService {
        lines
            .push("# \"service\" with a [service] section: software that is started and stopped.".to_owned());
        lines.push("kind = \"content\"".to_owned());
    }
    if draft.output == Output::Native {
        lines.push("# What is compiled runs on one platform; add those that you build on.".to_owned());
        lines.push(format!("platforms = [{}]", quoted(&copkg_spec::platform::Platform::host().to_string())));
    }
    let texts =
        [("description", &draft.description), ("license", &draft.license), ("homepage", &draft.homepage)];
    let texts = texts.into_iter().filter_map(|(key, text)| Some((key, text.as_deref()?.trim())));
    lines.extend(
        texts.filter(|(_, text)| !text.is_empty()).map(|(key, text)| format!("{key} = {}", quoted(text))),
    );
    lines.join("\n")
}

fn service(launch: &Launch, port: Option<Port>) -> Option<String> {
    const EXEC: &str = "\
[service]
# The command line that runs it. $RUNTIME_DIR is its own directory, $SOFTWARE_DIR the package, $PARAM_PORT a parameter.";
    match launch {
        Launch::NoService => None,
        Launch::OwnScripts => Some(
            "[service]\n# script.d/start and script.d/stop start and stop it.\nstop_timeout = \"30s\""
                .to_owned(),
        ),
        Launch::Exec(exec) => Some(format!(
            "{EXEC}\nexec = {}\n{}parameters = [{{ name = \"port\", default = \"8080\", description = \"where it listens\" }}]",
            quoted(exec),
            if port.is_some() { "" } else { "#" }
        )),
    }
}

/// Makes a label of any name.
fn label_of(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let text: String = name.chars().map(|c| if allowed(c) { c } else { '-' }).take(63).collect();
    let text = text.trim_start_matches(['-', '_']);
    if text.parse::<Label>().is_ok() { text.to_owned() } else { "package".to_owned() }
}

/// Quotes a text for TOML, and for our own substitutions.
pub(super) fn quoted(text: &str) -> String {
    let text = text.replace("${", "$${");
    toml::Value::String(text).to_string()
}
