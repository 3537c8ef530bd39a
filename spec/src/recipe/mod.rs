//! The recipe, `package.toml`: what to build, from what, and how it runs.
//!
//! The first step of the flow, before the manifest: text in, [`Recipe`] out. The text is parsed as TOML, unknown keys
//! are refused, substitutions are made, serde reads the shape (`raw`), and each section resolves its part into types
//! that cannot be wrong. Reading the file, and everything that the recipe asks for, is the work of `pkgbuild`.
//! `docs/recipe.md` describes every key.

mod build;
mod check;
mod conditions;
mod content;
mod context;
mod error;
mod package;
mod place;
mod raw;
mod rehearsal;
mod running;
mod service;
mod settings;
mod source;
mod span;
mod substitute;
#[cfg(test)]
mod tests;
mod unknown;
mod upgrade;

use schemars::generate::SchemaSettings;
use serde::Deserialize as _;
use serde_json::Value;
use toml::de::{DeTable, Deserializer};

pub use crate::pattern::Patterns;
pub use build::{Build, Network, Phase, Sandbox, Script};
pub use check::{Allowance, PackageTest};
pub use content::{Content, CopyKind};
pub use error::{Problem, RecipeError};
pub use package::Package;
pub use place::Place;
pub use place::line_at;
pub use service::{Launch, Output, Parameter, ServiceRecipe};
pub use source::{Commit, Origin, RelativePath, Source, SourceAuth, Unpack};
pub use span::Span;
pub use upgrade::UpgradeRecipe;

use crate::manifest::Kind;
pub(crate) use conditions::limits as written_limits;
pub(crate) use context::Context;
pub(crate) use place::Locator;
pub(crate) use raw::{Limits as WrittenLimits, Setting as WrittenSetting};
pub(crate) use service::parameter_name;
pub(crate) use settings::setting;

/// The name of a recipe's file.
pub const FILE_NAME: &str = "package.toml";

/// A problem and where it is, before its line is known.
pub(crate) type Located = (Place, Problem);

/// A recipe in which everything has been checked that can be checked without the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// What the package is.
    pub package: Package,
    /// Where the source comes from; at least one.
    pub sources: Vec<Source>,
    /// How the source is built.
    pub build: Build,
    /// What goes into the package, beside what the install script puts there.
    pub contents: Vec<Content>,
    /// How the service runs; there for kind `service` and no other.
    pub service: Option<ServiceRecipe>,
    /// Tests of the finished package.
    pub tests: Vec<PackageTest>,
    /// What the lint lets pass.
    pub allowances: Vec<Allowance>,
}

impl Recipe {
    /// Reads a recipe from the text of a `package.toml`.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and key.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let syntax = |error: toml::de::Error| {
            let offset = error.span().map_or(0, |span| span.start);
            RecipeError::syntax(place::line_at(text, offset), error.message())
        };
        let mut root = DeTable::parse(text).map_err(syntax)?;
        let locator = Locator::new(text, root.get_ref().clone());
        let located = |(place, problem): Located| RecipeError::new(locator.line_of(&place), place, problem);

        unknown::check(root.get_ref(), &schema()).map_err(located)?;
        substitute::substitute_all(root.get_mut()).map_err(located)?;
        let raw = raw::Recipe::deserialize(Deserializer::from(root))
            .map_err(|error| shape(&error, &locator, text))?;
        Self::resolve(raw).map_err(located)
    }

    fn resolve(raw: raw::Recipe) -> Result<Self, Located> {
        check_vars(&raw)?;
        let package = Package::resolve(raw.package, &Context::table("package"))?;
        let build = Build::resolve(raw.build, &Context::table("build"))?;
        let contents = each(&raw.contents, "contents", Content::resolve)?;
        let mut sources = each(&raw.source, "source", Source::resolve)?;
        if sources.is_empty() {
            sources.push(Source::beside_the_recipe());
        }
        let installs = build.scripts.iter().any(|script| script.phase == Phase::Install);
        if contents.is_empty() && !installs {
            let why = "nothing goes into the package: write [[contents]] or [build] install";
            return Context::table("package").fail(Problem::keys(why));
        }
        Ok(Self {
            service: service(raw.service, package.kind)?,
            tests: check::tests(raw.tests, &Context::table("tests"))?,
            allowances: check::allowances(raw.lint, &Context::table("lint"))?,
            package,
            sources,
            build,
            contents,
        })
    }
}

/// Returns the JSON Schema of a recipe.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<raw::Recipe>().to_value()
}

/// Resolves each item of a list of tables.
fn each<R, T>(
    items: &[R],
    table: &str,
    resolve: impl Fn(&R, &Context) -> Result<T, Located>,
) -> Result<Vec<T>, Located> {
    let at = Context::table(table);
    items.iter().enumerate().map(|(number, item)| resolve(item, &at.item(number))).collect()
}

fn service(raw: Option<raw::Service>, kind: Kind) -> Result<Option<ServiceRecipe>, Located> {
    let at = Context::table("service");
    match (raw, kind) {
        (None, Kind::Service) => ServiceRecipe::resolve(raw::Service::default(), &at).map(Some),
        (Some(raw), Kind::Service) => ServiceRecipe::resolve(raw, &at).map(Some),
        (None, _) => Ok(None),
        (Some(_), _) => at.fail(Problem::keys("[service] is for packages of kind \"service\"")),
    }
}

fn check_vars(raw: &raw::Recipe) -> Result<(), Located> {
    match raw.vars.keys().find(|name| !substitute::is_name(name)) {
        None => Ok(()),
        Some(name) => {
            let why = "it has letters, digits, '_' and '-', a letter or '_' first";
            Context::table("vars").key(name).fail(Problem::value("name for a value", name, why))
        }
    }
}

/// Says where serde found a missing key or a wrong type, in the words of the recipe.
fn shape(error: &toml::de::Error, locator: &Locator<'_>, text: &str) -> RecipeError {
    let offset = error.span().map_or(0, |span| span.start);
    let place = locator.place_at(offset);
    RecipeError::new(place::line_at(text, offset), place, Problem::shape(error.message()))
}
