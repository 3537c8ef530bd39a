//! A Python project, as `pyproject.toml` describes it.

use super::Tree;
use super::template::{Draft, Launch, quoted};

pub(super) fn look(tree: &Tree) -> Option<Draft> {
    let manifest = tree.table("pyproject.toml")?;
    let project = manifest.get("project")?.as_table()?;
    let text = |key: &str| project.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let name = text("name")?;
    let module = name.replace(['-', '.'], "_").to_ascii_lowercase();
    let place = place_of(tree, &module)?;
    let dependencies: Vec<String> = project
        .get("dependencies")
        .and_then(toml::Value::as_array)
        .map(|list| list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    let path =
        if dependencies.is_empty() { "$SOFTWARE_DIR/lib" } else { "$SOFTWARE_DIR/lib:$SOFTWARE_DIR/vendor" };
    Some(Draft {
        version: text("version"),
        description: text("description"),
        license: text("license"),
        build: (!dependencies.is_empty()).then(|| build(&dependencies)),
        contents: Some(contents(&place, &module, &dependencies)),
        launch: Launch::Exec(format!("PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={path} python3 -m {module}")),
        name: Some(name),
        ..Draft::default()
    })
}

/// Returns where the module is: below `src`, or at the top.
fn place_of(tree: &Tree, module: &str) -> Option<String> {
    let places = [format!("src/{module}"), module.to_owned()];
    places.into_iter().find(|place| tree.directory.join(place).is_dir())
}

fn build(dependencies: &[String]) -> String {
    let list =
        dependencies.iter().map(|text| format!("'{}'", text.replace('\'', ""))).collect::<Vec<_>>().join(" ");
    let script = format!(
        "python3 -m pip --quiet --no-cache-dir --disable-pip-version-check install --target vendor --no-compile {list}\n\
         # What pip notes about this machine stays here.\n\
         rm -rf vendor/bin vendor/*.dist-info/RECORD vendor/*.dist-info/direct_url.json\n"
    );
    format!(
        "[build]\n# The package index is asked once; pin the versions to build the same again.\nnetwork = true\n\
         inherit_env = [\"PIP_INDEX_URL\", \"PIP_CERT\", \"HTTPS_PROXY\", \"https_proxy\"]\nprepare = {}",
        quoted(&script)
    )
}

fn contents(place: &str, module: &str, dependencies: &[String]) -> String {
    let own = format!(
        "[[contents]]\nsrc = {}\ndst = {}\nexcludes = [\"__pycache__\"]",
        quoted(place),
        quoted(&format!("lib/{module}"))
    );
    if dependencies.is_empty() { own } else { format!("{own}\n\n[[contents]]\nsrc = \"vendor\"") }
}
