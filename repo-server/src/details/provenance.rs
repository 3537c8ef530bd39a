//! What the provenance of a package says, in short. It comes from the builder of the package, and the signers of the package
//! vouch for it.

use data_encoding::BASE64;
use serde_json::Value;

/// The first statement, in short.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// How many statements there are.
    pub statements: usize,
    /// What kind of statement the first one is.
    pub predicate: String,
    /// Who built it.
    pub builder: String,
    /// How it was built.
    pub build_type: String,
    /// What it was made from: a name or an address, with a digest where there is one.
    pub materials: Vec<String>,
}

/// How many materials are listed.
const LISTED: usize = 20;

impl Provenance {
    /// Reads statements, one a line, in a DSSE envelope or plain; `None` when the first line is not one.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let statement = statement(lines.next()?)?;
        let predicate = &statement["predicate"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let either = |new: &Value, old: &Value| if new.is_string() { text(new) } else { text(old) };
        let definition = &predicate["buildDefinition"];
        let materials = [&definition["resolvedDependencies"], &predicate["materials"]];
        Some(Self {
            statements: 1 + lines.count(),
            predicate: text(&statement["predicateType"]),
            builder: either(&predicate["runDetails"]["builder"]["id"], &predicate["builder"]["id"]),
            build_type: either(&definition["buildType"], &predicate["buildType"]),
            materials: materials
                .iter()
                .filter_map(|list| list.as_array())
                .flatten()
                .take(LISTED)
                .map(material)
                .collect(),
        })
    }
}

/// Reads a statement, out of its envelope if it has one.
fn statement(line: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(line).ok()?;
    match value["payload"].as_str() {
        Some(payload) => serde_json::from_slice(&BASE64.decode(payload.as_bytes()).ok()?).ok(),
        None => Some(value),
    }
}

fn material(value: &Value) -> String {
    let name = value["uri"].as_str().or(value["name"].as_str()).unwrap_or("unnamed");
    let mut digests = value["digest"].as_object().into_iter().flatten();
    let digest = digests.find_map(|(algorithm, digest)| Some(format!(" {algorithm}:{}", digest.as_str()?)));
    format!("{name}{}", digest.unwrap_or_default())
}
