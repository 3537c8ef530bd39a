//! A Node package, as `package.json` describes it: what `npm start` starts is what the service starts.

use serde_json::Value;

use super::Tree;
use super::source::{self, Hints};
use super::template::{Draft, Launch, Output, Port};

/// Where a program without a `main` is looked for.
const MAINS: [&str; 4] = ["server.js", "app.js", "index.js", "main.js"];

pub(super) fn look(tree: &Tree) -> Option<Draft> {
    let manifest: Value = serde_json::from_str(&tree.text("package.json")?).ok()?;
    let text = |key: &str| manifest[key].as_str().map(str::to_owned);
    let mut notes = Vec::new();
    let launch = launch(tree, &manifest, &mut notes);
    let has_dependencies = manifest["dependencies"].as_object().is_some_and(|map| !map.is_empty());
    let builds = manifest["scripts"]["build"].is_string();
    if builds {
        notes.push("its script \"build\" is run".to_owned());
    }
    let native = source::holds_native_code(&tree.directory.join("node_modules"))
        || tree.text("package-lock.json").is_some_and(|lock| lock.contains("\"hasInstallScript\": true"));
    Some(Draft {
        name: text("name"),
        version: text("version"),
        description: text("description"),
        license: text("license"),
        homepage: text("homepage"),
        output: if native { Output::Native } else { Output::Portable },
        excludes: if has_dependencies || builds { vec!["node_modules"] } else { Vec::new() },
        build: (has_dependencies || builds).then(|| build(tree, builds)),
        contents: Some(CONTENTS.to_owned()),
        launch,
        notes,
    })
}

/// Finds out what starts it: `scripts.start`, else a `main` that listens.
fn launch(tree: &Tree, manifest: &Value, notes: &mut Vec<String>) -> Launch {
    if let Some(start) = manifest["scripts"]["start"].as_str() {
        if let Some(exec) = exec_of(start) {
            notes.push(format!("`npm start` is `{start}`"));
            return Launch::Exec(in_package(tree, &exec, manifest));
        }
        notes.push(format!("`npm start` is `{start}`, which needs a shell: check [service] exec"));
    }
    let main = manifest["main"].as_str().map(|main| main.trim_start_matches("./").to_owned());
    let main = main.or_else(|| MAINS.iter().find(|name| tree.has(name)).map(ToString::to_string));
    let listens = |main: &String| Hints::of_file(&tree.directory.join(main)).serves;
    if let Some(main) = main.filter(listens) {
        notes.push(format!("{main} listens"));
        return Launch::Exec(in_package(tree, &format!("node {main}"), manifest));
    }
    let what = if manifest["bin"].is_null() {
        "neither a start script nor a program that listens"
    } else {
        "commands and nothing that listens"
    };
    notes.push(format!("it has {what}: no service"));
    Launch::NoService
}

/// Returns the last command of a start script, if it is one that needs no shell.
fn exec_of(start: &str) -> Option<String> {
    let last = start.rsplit("&&").next()?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || " _-./=:@,+".contains(c);
    let program = last.split_whitespace().find(|word| !word.contains('='))?;
    let is_launcher = matches!(program, "npm" | "yarn" | "pnpm" | "npx" | "nodemon" | "cross-env" | "cd");
    (last.chars().all(plain) && !is_launcher).then(|| last.to_owned())
}

/// Writes a command that starts in the directory of the package for a service, which starts in its own.
fn in_package(tree: &Tree, command: &str, manifest: &Value) -> String {
    let (assignments, words): (Vec<&str>, Vec<&str>) =
        command.split_whitespace().partition(|word| word.contains('=') && !word.starts_with('-'));
    let mut words = words;
    let first = words.first().copied().unwrap_or("node");
    let tool = format!("node_modules/.bin/{first}");
    let is_tool = first != "node" && !first.contains('/');
    if is_tool {
        words.splice(..1, ["node", tool.as_str()]);
    }
    let mut environment: Vec<String> = assignments.iter().map(ToString::to_string).collect();
    if !command.contains("NODE_ENV=") {
        environment.push("NODE_ENV=production".into());
    }
    if listens_at_port(tree, manifest) {
        environment.push("PORT=$PARAM_PORT".into());
    }
    format!("{} env -C $SOFTWARE_DIR {}", environment.join(" "), words.join(" "))
}

fn listens_at_port(tree: &Tree, manifest: &Value) -> bool {
    let framework = ["next", "nuxt", "react-scripts", "@nestjs/core"];
    framework.iter().any(|name| manifest["dependencies"][name].is_string())
        || source::any(&tree.directory, &["js", "mjs", "cjs", "ts", "json", ""], |hints| hints.reads_port)
}

impl Draft {
    /// Tells whether the command line takes the port as a parameter.
    pub(super) fn port(&self) -> Option<Port> {
        match &self.launch {
            Launch::Exec(exec) if exec.contains("$PARAM_PORT") => Some(Port),
            _ => None,
        }
    }
}

fn build(tree: &Tree, builds: bool) -> String {
    let install = if tree.has("package-lock.json") { "ci" } else { "install" };
    let quiet = "--no-audit --no-fund";
    let steps = if builds {
        format!(
            "prepare = \"npm {install} {quiet}\"\nbuild = '''\nnpm run build\nnpm prune --omit=dev {quiet}\n'''"
        )
    } else {
        format!("prepare = \"npm {install} --omit=dev {quiet}\"")
    };
    format!(
        "[build]\n# npm is wherever whoever builds has it, and fetches packages from the network.\n\
         inherit_env = [\"PATH\", \"npm_config_registry\", \"NODE_EXTRA_CA_CERTS\", \"HTTPS_PROXY\", \"https_proxy\"]\nnetwork = true\n{steps}"
    )
}

const CONTENTS: &str = r#"[[contents]]
# Everything in the source directory, to the top of the package.
src = "."
type = "tree"
excludes = ["package.toml"]"#;
