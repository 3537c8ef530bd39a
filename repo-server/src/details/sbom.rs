//! What a software bill of materials says, in short. It comes from the builder of the package; nothing in it is believed.

use serde::Deserialize;

/// How many components are listed.
const LISTED: usize = 200;

/// A CycloneDX document in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sbom {
    /// The version of CycloneDX.
    pub format: String,
    /// How many components it has.
    pub count: usize,
    /// The first of them.
    pub components: Vec<Component>,
}

/// A part that something is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licenses, joined.
    pub license: String,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "specVersion", default)]
    spec_version: String,
    #[serde(default)]
    components: Vec<RawComponent>,
}

#[derive(Deserialize)]
struct RawComponent {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    licenses: Vec<RawLicense>,
}

#[derive(Deserialize)]
struct RawLicense {
    expression: Option<String>,
    license: Option<NamedLicense>,
}

#[derive(Deserialize)]
struct NamedLicense {
    id: Option<String>,
    name: Option<String>,
}

impl Sbom {
    /// Reads a document; `None` when it is not one of CycloneDX.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let raw: Raw = serde_json::from_slice(bytes).ok()?;
        let count = raw.components.len();
        let components = raw.components.into_iter().take(LISTED).map(Component::from).collect();
        Some(Self { format: raw.spec_version, count, components })
    }
}

impl From<RawComponent> for Component {
    fn from(raw: RawComponent) -> Self {
        let licenses: Vec<String> = raw.licenses.into_iter().filter_map(RawLicense::text).collect();
        Self { name: raw.name, version: raw.version, license: licenses.join(", ") }
    }
}

impl RawLicense {
    fn text(self) -> Option<String> {
        self.expression.or_else(|| self.license.and_then(|license| license.id.or(license.name)))
    }
}
