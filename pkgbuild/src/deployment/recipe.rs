//! Makes up the recipe of a deployment: the files that its description names, and the lock.

use std::path::Path;

use copkg_spec::deployment::{FILE_NAME, LOCK_NAME, Lock, environment_file};
use serde_json::{Map, Value, json};

use super::{DeploymentDirectory, DeploymentError};
use crate::recipe_file::{GeneratedFile, RecipeFile};

/// Returns the recipe of a deployment. Without a lock, for a look at its files, the package would lack it.
///
/// # Errors
/// When a file that the description names is none that a package may hold.
pub fn recipe_of(
    described: &DeploymentDirectory,
    lock: Option<&Lock>,
) -> Result<RecipeFile, DeploymentError> {
    let text = text_of(described);
    let mut file = RecipeFile::parse(text, &described.directory).map_err(DeploymentError::Recipe)?;
    file.generated.extend(lock.map(generated).transpose()?);
    Ok(file)
}

/// Returns the lock as a file of the package.
fn generated(lock: &Lock) -> Result<GeneratedFile, DeploymentError> {
    let path = LOCK_NAME.parse().map_err(|_| DeploymentError::NoFile { path: LOCK_NAME.to_owned() })?;
    Ok(GeneratedFile { path, text: lock.to_text()? })
}

fn text_of(described: &DeploymentDirectory) -> String {
    let deployment = &described.deployment;
    let coordinate = &deployment.coordinate;
    let mut package = Map::new();
    package.insert("group".into(), json!(coordinate.group()));
    package.insert("id".into(), json!(coordinate.id()));
    package.insert("version".into(), json!(coordinate.version()));
    package.insert("kind".into(), json!("deployment"));
    let about = [
        ("description", &deployment.description),
        ("release_note", &deployment.release_note),
        ("maintainer", &deployment.maintainer),
    ];
    for (key, text) in about {
        // The recipe's own substitutions have no meaning in a deployment.
        package.extend(text.as_ref().map(|text| (key.to_owned(), json!(text.replace("${", "$${")))));
    }
    let file = |path: &str| json!({ "src": path, "dst": path, "type": "file" });
    let environments = described.environments.keys().map(environment_file);
    let own = std::iter::once(FILE_NAME.to_owned()).chain(environments).map(|path| file(&path));
    let declared = deployment.files.iter().map(|path| {
        let is_directory = is_directory(&described.directory.join(path.as_str()));
        let kind = if is_directory { "tree" } else { "file" };
        json!({ "src": path.as_str(), "dst": path.as_str(), "type": kind })
    });
    let contents: Vec<Value> = own.chain(declared).collect();
    // Texts and lists of them always have a form in TOML.
    toml::to_string(&json!({ "package": package, "contents": contents })).unwrap_or_default()
}

fn is_directory(path: &Path) -> bool {
    path.is_dir()
}
