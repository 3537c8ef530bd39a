//! The provenance: from which recipe and sources a package was made, so that anyone can make it again.
//!
//! An in-toto statement with a SLSA provenance predicate (`https://slsa.dev/provenance/v1`). It holds no path, time or
//! name of the machine: two builds of one source give the same bytes.

use copkg_spec::canonical::{self, CanonicalError};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::manifest::Compressed;
use copkg_spec::platform::Platform;
use serde::{Deserialize, Serialize};

use crate::source::{Material, MaterialDigest, SourceDate};

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://slsa.dev/provenance/v1";
/// What the parameters mean: `docs/recipe.md`, section Provenance.
const BUILD_TYPE: &str = "urn:copkg:build:v1";
const BUILDER: &str = "urn:copkg:pkgbuild";
/// The name of the material that the source date was taken from.
const DATE_NAME: &str = "source-date";
/// The name of the material that dates were taken from: an earlier version of the package.
const AGAINST_NAME: &str = "against";

/// How a package was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The text of the recipe.
    pub recipe: String,
    /// The platform that it was built for.
    pub platform: Platform,
    /// The zstd level.
    pub level: i32,
    /// The date of the source and the commit that it is from.
    pub date: SourceDate,
    /// What the sources and patches were.
    pub materials: Vec<Material>,
    /// The earlier version whose unchanged files kept their dates.
    pub against: Option<Material>,
    /// The version of pkgbuild.
    pub version: String,
}

impl Provenance {
    /// Writes the statement about the package `name` with the given payload.
    ///
    /// # Errors
    /// Never for what a recipe can hold.
    pub fn to_statement(
        &self,
        name: &PackageCoordinate,
        payload: &Compressed,
    ) -> Result<Vec<u8>, CanonicalError> {
        let dated = self.date.commit().map(|commit| Dependency {
            name: Some(DATE_NAME.to_owned()),
            material: Material {
                uri: "git+file:.".to_owned(),
                digest: MaterialDigest::GitCommit(commit.to_owned()),
            },
        });
        let against =
            self.against.clone().map(|material| Dependency { name: Some(AGAINST_NAME.to_owned()), material });
        let sources =
            self.materials.iter().map(|material| Dependency { name: None, material: material.clone() });
        let statement = Statement {
            kind: STATEMENT.to_owned(),
            subject: vec![Subject {
                name: format!("{name}/payload.tar.zst"),
                digest: Sha256 { sha256: payload.sha256 },
            }],
            predicate_type: PREDICATE.to_owned(),
            predicate: Predicate {
                build_definition: BuildDefinition {
                    build_type: BUILD_TYPE.to_owned(),
                    external_parameters: External {
                        recipe: self.recipe.clone(),
                        platform: self.platform.clone(),
                    },
                    internal_parameters: Internal { source_date: self.date.seconds(), level: self.level },
                    resolved_dependencies: sources.chain(dated).chain(against).collect(),
                },
                run_details: RunDetails {
                    builder: Builder {
                        id: BUILDER.to_owned(),
                        version: Versions { pkgbuild: self.version.clone() },
                    },
                },
            },
        };
        let mut bytes = canonical::to_vec(&statement)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads the first statement of a provenance member.
    ///
    /// # Errors
    /// When it is not one that this program writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let statement: Statement = serde_json::from_slice(line)?;
        let BuildDefinition { external_parameters, internal_parameters, resolved_dependencies, .. } =
            statement.predicate.build_definition;
        let mut date = SourceDate::given(internal_parameters.source_date);
        let (mut materials, mut against) = (Vec::new(), None);
        for Dependency { name, material } in resolved_dependencies {
            match (name.as_deref(), &material.digest) {
                (Some(DATE_NAME), MaterialDigest::GitCommit(commit)) => {
                    date = SourceDate::of_commit(date.seconds(), commit);
                }
                (Some(AGAINST_NAME), _) => against = Some(material),
                _ => materials.push(material),
            }
        }
        Ok(Self {
            recipe: external_parameters.recipe,
            platform: external_parameters.platform,
            level: internal_parameters.level,
            date,
            materials,
            against,
            version: statement.predicate.run_details.builder.version.pkgbuild,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: Sha256,
}

#[derive(Serialize, Deserialize)]
struct Sha256 {
    sha256: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    build_definition: BuildDefinition,
    run_details: RunDetails,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    build_type: String,
    external_parameters: External,
    internal_parameters: Internal,
    resolved_dependencies: Vec<Dependency>,
}

#[derive(Serialize, Deserialize)]
struct External {
    recipe: String,
    platform: Platform,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Internal {
    source_date: u64,
    level: i32,
}

#[derive(Serialize, Deserialize)]
struct Dependency {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(flatten)]
    material: Material,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunDetails {
    builder: Builder,
}

#[derive(Serialize, Deserialize)]
struct Builder {
    id: String,
    version: Versions,
}

#[derive(Serialize, Deserialize)]
struct Versions {
    pkgbuild: String,
}
