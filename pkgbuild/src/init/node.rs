//! A Node package, as `package.json` describes it.

use serde_json::Value;

use super::Tree;
use super::template::{Draft, Launch};

/// Where a program without a `main` is looked for.
const MAINS: [&str; 4] = ["index.js", "server.js", "app.js", "main.js"];

pub(super) fn look(tree: &Tree) -> Option<Draft> {
    let manifest: Value = serde_json::from_str(&tree.text("package.json")?).ok()?;
    let text = |key: &str| manifest[key].as_str().map(str::to_owned);
    let has_dependencies = manifest["dependencies"].as_object().is_some_and(|map| !map.is_empty());
    let main = text("main").or_else(|| MAINS.iter().find(|name| tree.has(name)).map(ToString::to_string));
    let launch = match main {
        Some(main) => Launch::Exec(format!("node $SOFTWARE_DIR/{}", main.trim_start_matches("./"))),
        None => Launch::NoService,
    };
    Some(Draft {
        name: text("name"),
        version: text("version"),
        description: text("description"),
        license: text("license"),
        homepage: text("homepage"),
        excludes: if has_dependencies { vec!["node_modules"] } else { Vec::new() },
        build: has_dependencies.then(|| build(tree)),
        contents: Some(CONTENTS.to_owned()),
        launch,
        ..Draft::default()
    })
}

fn build(tree: &Tree) -> String {
    let install = if tree.has("package-lock.json") { "ci" } else { "install" };
    format!(
        r#"[build]
# npm is wherever whoever builds has it, and fetches packages from the network.
inherit_env = ["PATH"]
network = true
prepare = "npm {install} --omit=dev --no-audit --no-fund""#
    )
}

const CONTENTS: &str = r#"[[contents]]
# Everything in the source directory, to the top of the package.
src = "."
type = "tree"
excludes = ["package.toml"]"#;
