//! The version of the package format, and what a reader does with one that it does not know.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::index::Entry;

/// The format that this program writes.
pub const FORMAT: Format = Format { major: 1, minor: 0, requires: Vec::new() };

/// The feature of a package in which a file can have the content of an earlier one.
const LINKS: &str = "links";

/// The feature of a package that states conditions under which its service runs. A host that ignored them would run it without
/// its limits and its variables, and not say so.
const CONDITIONS: &str = "conditions";

/// All that a reader must not ignore and this program knows.
const KNOWN: [&str; 2] = [CONDITIONS, LINKS];

/// The version of the package format.
///
/// A higher major version is refused. A higher minor version only adds members that may be ignored. What may not
/// be ignored is listed in `requires`, and a reader refuses a name that it does not know (`docs/format.md`, clause 10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    major: u32,
    minor: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requires: Vec<String>,
}

impl Format {
    /// Returns the format of a package with these entries: a later one only where they need it, so that all others stay what they
    /// were. A date is no feature that is required: who ignores it gives the file the date of the package.
    pub fn of_entries(entries: &[Entry]) -> Self {
        let has_links = entries.iter().any(|entry| entry.link().is_some());
        let is_dated = |entry: &Entry| matches!(entry, Entry::File { date: Some(_), .. });
        Self {
            minor: u32::from(has_links || entries.iter().any(is_dated)),
            requires: has_links.then(|| LINKS.to_owned()).into_iter().collect(),
            ..FORMAT
        }
    }

    /// Returns the format of a package that states conditions, too.
    #[must_use]
    pub(super) fn and_conditions(mut self) -> Self {
        self.minor = 1;
        self.requires.push(CONDITIONS.to_owned());
        self.requires.sort();
        self
    }

    /// Tells whether the service may state conditions.
    pub(super) fn has_conditions(&self) -> bool {
        self.requires.iter().any(|feature| feature == CONDITIONS)
    }

    /// Tells whether files may share contents.
    pub fn has_links(&self) -> bool {
        self.requires.iter().any(|feature| feature == LINKS)
    }

    /// Returns the version as `major.minor`.
    pub fn version(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    /// Checks the version in a manifest before anything else of it is read.
    pub(crate) fn check(manifest: &[u8]) -> Result<(), FormatError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: Format,
        }
        let Versioned { format } = serde_json::from_slice(manifest).map_err(FormatError::Syntax)?;
        if format.major != FORMAT.major {
            return Err(FormatError::Major { found: format.version(), known: FORMAT.version() });
        }
        match format.requires.into_iter().find(|feature| !KNOWN.contains(&feature.as_str())) {
            Some(feature) => Err(FormatError::Requires(feature)),
            None => Ok(()),
        }
    }
}

/// Says why a format cannot be read.
#[derive(Debug, Error)]
pub enum FormatError {
    /// There is no version to be read.
    #[error("the manifest does not say which format it has")]
    Syntax(#[source] serde_json::Error),
    /// The major version is another one.
    #[error("the package has format {found}, this program reads {known}")]
    Major {
        /// The version of the package.
        found: String,
        /// The version of this program.
        known: String,
    },
    /// A feature is required that this program does not have.
    #[error("the package requires {0:?}, which this program does not know")]
    Requires(String),
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::canonical;
    use crate::manifest::{Manifest, ManifestError};

    fn parse(format: &Value, conditions: Option<Value>) -> Result<Manifest, ManifestError> {
        let mut service = json!({ "start": "script.d/start", "stop": "script.d/stop", "stop_signal": "TERM", "console": false,
            "start_timeout_seconds": 60, "settle_milliseconds": 1000, "stop_timeout_seconds": 30 });
        if let Some(conditions) = conditions {
            service["conditions"] = conditions;
        }
        let member = json!({ "length": 1, "size": 1, "sha256": "0".repeat(64) });
        let manifest = json!({ "format": format, "group": "com.example", "id": "web", "version": "1", "kind": "service",
            "platform": "any", "source_date": 0, "about": {}, "service": service,
            "counts": { "files": 2, "directories": 1, "symlinks": 0, "bytes": 2 },
            "members": { "index": member, "payload": member } });
        Manifest::parse(&canonical::to_vec(&manifest).unwrap())
    }

    #[test]
    fn conditions_are_required_of_whoever_reads_them() {
        let umask = || Some(json!({ "umask": "0027" }));
        let with = |requires: &[&str]| json!({ "major": 1, "minor": 1, "requires": requires });
        let read = parse(&with(&["conditions"]), umask()).unwrap();
        assert_eq!(read.service().unwrap().conditions.umask.unwrap().bits(), 0o027);
        assert!(parse(&with(&["conditions", "links"]), umask()).is_ok());
        let without = parse(&json!({ "major": 1, "minor": 0 }), umask()).unwrap_err();
        assert_eq!(
            without.to_string(),
            "the manifest contradicts itself: its service states conditions, and its format does not say so"
        );
        assert!(parse(&with(&["links"]), umask()).is_err());
        assert!(parse(&json!({ "major": 1, "minor": 0 }), None).is_ok());
    }

    #[test]
    fn conditions_that_no_recipe_could_state_are_refused() {
        let requires = json!({ "major": 1, "minor": 1, "requires": ["conditions"] });
        for conditions in [
            json!({ "umask": "0777" }),
            json!({ "limits": { "pids": 1 } }),
            json!({ "limits": { "memory_bytes": "lots" } }),
            json!({ "env": { "LD_PRELOAD": "x" } }),
            json!({ "env": { "A": "x".repeat(9000) } }),
            json!({ "env_file": ["/etc/shadow"] }),
            json!({ "env_file": ["etc/../../x"] }),
        ] {
            assert!(parse(&requires, Some(conditions.clone())).is_err(), "{conditions}");
        }
    }
}
