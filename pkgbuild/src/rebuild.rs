//! Builds a package again from the source that its provenance records, and compares the two.
//!
//! The manifest holds the digest of every other member but the signatures, so equal manifests of two whole packages
//! mean equal bytes.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use copkg_spec::archive::EarlierDates;
use copkg_spec::command::{Exit, Explain, Report};
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::deployment::LOCK_NAME;
use copkg_spec::digest::Digest;
use copkg_spec::manifest::Kind;
use copkg_spec::recipe::{RecipeError, Sandbox};
use thiserror::Error;

use crate::build::{self, BuildError, EarlierVersion, Plan, Tests, Work};
use crate::deployment::{DeploymentContents, DeploymentError};
use crate::package::{Comparison, OpenPackage, PackageError, compare};
use crate::provenance::Provenance;
use crate::recipe_file::{GeneratedFile, RecipeFile};
use crate::surroundings::Ambient;

/// What is built again, and with what.
#[derive(Debug)]
pub struct Request<'a> {
    /// The package.
    pub file: &'a Path,
    /// The directory that the recipe's own paths start from.
    pub source: &'a Path,
    /// How many threads compress.
    pub threads: NonZeroUsize,
    /// How scripts are kept apart from the machine, where it is not the recipe that says so.
    pub sandbox: Option<Sandbox>,
    /// Where it is built.
    pub work: &'a Work,
    /// The process's surroundings.
    pub ambient: &'a Ambient,
}

/// A package that was built again.
#[derive(Debug)]
pub struct Rebuilt {
    /// The package.
    pub coordinate: PackageCoordinate,
    /// The digest of the package that was there.
    pub recorded: Digest,
    /// The digest of the one that was built.
    pub rebuilt: Digest,
    /// How they differ; empty when no byte does.
    pub comparison: Comparison,
}

/// Builds the package of `request` again.
///
/// # Errors
/// When the package is damaged or says nothing of its source, the source is another one, or the build fails.
pub fn rebuild(request: &Request<'_>, report: &mut Report) -> Result<Rebuilt, RebuildError> {
    let package = OpenPackage::without_trust(request.file)?;
    let recorded = package.contents().clone();
    let generated = generated_in(package, request)?;
    let provenance = provenance_of(request.file, recorded.provenance())?;
    if provenance.version != env!("CARGO_PKG_VERSION") {
        report.note(format!(
            "it was built by pkgbuild {}, this is {}",
            provenance.version,
            env!("CARGO_PKG_VERSION")
        ));
    }
    let mut file = RecipeFile::parse(provenance.recipe.clone(), request.source)
        .map_err(|source| RebuildError::Recipe { file: request.file.to_owned(), source })?;
    file.generated = generated;
    // No source says when a file last changed: what the package says of that is taken as it is, as is the version that it names.
    let against =
        provenance.against.map(|material| EarlierVersion { material, dates: EarlierDates::of(&recorded) });
    let plan = Plan {
        platform: provenance.platform,
        source_date: Some(provenance.date),
        materials: Some(provenance.materials),
        threads: request.threads,
        level: provenance.level,
        earlier: None,
        against,
        keys: Vec::new(),
        tests: Tests::Skip,
        sandbox: request.sandbox,
    };
    let sourced = build::gather(&file, &plan, request.work, request.ambient, report)?;
    let built = build::build(&file, &plan, sourced, request.work, request.ambient, report)?;
    let new = OpenPackage::without_trust(built.path())?;
    Ok(Rebuilt {
        coordinate: recorded.manifest().coordinate(),
        recorded: recorded.digest(),
        rebuilt: new.contents().digest(),
        comparison: compare(&recorded, new.contents()),
    })
}

/// Checks every byte of the package, and takes from it what no source has: which packages a deployment is, was decided when it was
/// built.
fn generated_in(package: OpenPackage, request: &Request<'_>) -> Result<Vec<GeneratedFile>, RebuildError> {
    if package.contents().manifest().kind() != Kind::Deployment {
        package.check()?;
        return Ok(Vec::new());
    }
    let recorded = request.work.path().join("recorded");
    let make = |source| DeploymentError::Write { path: recorded.clone(), source };
    fs::create_dir(&recorded).map_err(make)?;
    let contents = DeploymentContents::read(package, &recorded)?;
    let path = LOCK_NAME.parse().map_err(|_| DeploymentError::NoFile { path: LOCK_NAME.to_owned() })?;
    Ok(vec![GeneratedFile { path, text: contents.lock_text }])
}

fn provenance_of(file: &Path, bytes: Option<&[u8]>) -> Result<Provenance, RebuildError> {
    let bytes = bytes.ok_or_else(|| RebuildError::NoProvenance { file: file.to_owned() })?;
    Provenance::parse(bytes).map_err(|source| RebuildError::Provenance { file: file.to_owned(), source })
}

/// Says why a package was not reproduced.
#[derive(Debug, Error)]
pub enum RebuildError {
    /// The package is not whole.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// It does not say what it was built from.
    #[error("{file} does not say what it was built from", file = file.display())]
    NoProvenance {
        /// The package.
        file: PathBuf,
    },
    /// It says so in another way.
    #[error("{file} was built by another program", file = file.display())]
    Provenance {
        /// The package.
        file: PathBuf,
        /// What is not as expected.
        #[source]
        source: serde_json::Error,
    },
    /// The recorded recipe is none.
    #[error("the recipe that {file} records is not valid", file = file.display())]
    Recipe {
        /// The package.
        file: PathBuf,
        /// Why.
        #[source]
        source: RecipeError,
    },
    /// What a deployment records cannot be read.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// The build failed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The bytes differ; the differences were reported.
    #[error("{coordinate} is not reproduced: the bytes differ")]
    Differs {
        /// The package.
        coordinate: PackageCoordinate,
    },
}

impl Explain for RebuildError {
    fn exit(&self) -> Exit {
        match self {
            Self::Package(error) => error.exit(),
            Self::Deployment(error) => error.exit(),
            Self::Build(error) => error.exit(),
            _ => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Package(error) => error.code(),
            Self::NoProvenance { .. } => "no_provenance",
            Self::Provenance { .. } => "foreign_provenance",
            Self::Recipe { source, .. } => source.code(),
            Self::Deployment(error) => error.code(),
            Self::Build(error) => error.code(),
            Self::Differs { .. } => "not_reproduced",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Package(error) => error.hint(),
            Self::Deployment(error) => error.hint(),
            Self::Build(error) => error.hint(),
            Self::Differs { .. } => Some(
                "a build that notes its time, its directory or the order of files differs each time".into(),
            ),
            _ => None,
        }
    }
}
