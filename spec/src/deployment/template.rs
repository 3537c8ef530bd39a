//! Templates of a description: the language of a package's templates, with the values of a deployment.
//!
//! A text is taken when a file is read, with its syntax checked; what it uses is checked when everything that is
//! declared is known; it is rendered when a host is resolved.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::Value;

use super::error::{DescriptionProblem, Mistake, Position};
use super::read::Reading;
use crate::configuration::{FUNCTIONS, Setting, SettingName, TemplateText};
use crate::recipe::Context;

/// A text of `deployment.toml` that may use values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    at: Position,
}

/// What a template may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    /// The declared values.
    pub(super) values: &'a BTreeMap<SettingName, Setting>,
    /// The names of the roles.
    pub(super) roles: &'a [String],
    /// The names of the services.
    pub(super) services: &'a [String],
    /// Whether it belongs to an instance of a service.
    pub(super) of: TemplateOwner,
}

/// What a template belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TemplateOwner {
    /// The deployment: it does not know `service`.
    Deployment,
    /// An instance of a service.
    Instance,
}

/// What a template knows besides `values`, with whether what follows the name is free.
const ROOTS: [&str; 7] = ["cell", "deployment", "environment", "host", "hosts", "roles", "services"];
/// The parts of the names that have fixed ones.
const PARTS: [(&str, &[&str]); 3] = [
    ("deployment", &["group", "id", "version", "coordinate"]),
    ("host", &["name", "address", "labels", "roles"]),
    ("service", &["coordinate", "instance", "name", "user", "cell"]),
];

impl Template {
    /// Takes a text, and notes when its syntax is wrong.
    pub(super) fn read(text: &str, at: &Context, reading: &Reading<'_>) -> Option<Self> {
        let position = reading.position(at);
        match TemplateText::parse(&position.file, text) {
            Ok(_) => Some(Self { text: text.to_owned(), at: position }),
            Err(error) => {
                reading.fail(at, DescriptionProblem::Template(error));
                None
            }
        }
    }

    /// Returns the text as it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns where it is written.
    pub fn at(&self) -> &Position {
        &self.at
    }

    /// Tells whether it has anything to be computed.
    pub fn is_computed(&self) -> bool {
        is_template(&self.text)
    }

    /// Returns the declared values that it uses.
    pub(super) fn values(&self) -> Vec<String> {
        values_among(&self.names())
    }

    /// Returns the name of the value that it hands on whole: it is nothing but `{{ values.NAME }}`.
    pub(super) fn whole_value(&self) -> Option<SettingName> {
        let inside = self.text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
        inside.trim().strip_prefix("values.")?.parse().ok()
    }

    /// Checks that it uses only what exists, and no secret as a part of a text.
    pub(super) fn check(&self, scope: Scope<'_>) -> Result<(), Mistake> {
        let wrong = |problem| Err(Mistake { at: self.at.clone(), problem });
        let names = self.names();
        for name in &names {
            if let Some(problem) = unknown(name, scope) {
                return wrong(problem);
            }
        }
        let is_secret = |name: &String| {
            name.parse()
                .is_ok_and(|name: SettingName| scope.values.get(&name).is_some_and(Setting::is_secret))
        };
        let Some(secret) = values_among(&names).into_iter().find(is_secret) else { return Ok(()) };
        if self.whole_value().is_some() && scope.of == TemplateOwner::Instance {
            return Ok(());
        }
        let why =
            "a secret is handed on whole, to a setting of a service: {{ values.NAME }} and nothing beside it";
        wrong(self.says(&format!("values.{secret}"), why))
    }

    /// Renders it.
    pub(super) fn render(&self, values: &Value) -> Result<String, Mistake> {
        let rendered = TemplateText::of_checked(&self.at.file, &self.text).render_with(values);
        rendered
            .map_err(|error| Mistake { at: self.at.clone(), problem: DescriptionProblem::Template(error) })
    }

    fn names(&self) -> BTreeSet<String> {
        TemplateText::of_checked(&self.at.file, &self.text).names()
    }

    /// Says what is wrong with a part of it.
    pub(super) fn says(&self, key: &str, why: &str) -> DescriptionProblem {
        let error = crate::configuration::TemplateError {
            file: self.at.file.clone(),
            line: self.at.line,
            key: key.to_owned(),
            why: why.to_owned(),
        };
        DescriptionProblem::Template(error)
    }
}

/// Returns the declared values among the names that a template uses.
fn values_among(names: &BTreeSet<String>) -> Vec<String> {
    names.iter().filter_map(|name| name.strip_prefix("values.")).map(first_part).collect()
}

/// Tells whether a text has anything to be computed.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

fn first_part(rest: &str) -> String {
    rest.split('.').next().unwrap_or_default().to_owned()
}

fn unknown(name: &str, scope: Scope<'_>) -> Option<DescriptionProblem> {
    let (root, rest) =
        name.split_once('.').map_or((name, None), |(root, rest)| (root, Some(first_part(rest))));
    let instance = scope.of == TemplateOwner::Instance && root == "service";
    let is_root = ROOTS.contains(&root) || root == "values" || instance;
    if !is_root {
        let is_function = FUNCTIONS.contains(&root);
        let mut known = ROOTS.to_vec();
        known.push("values");
        known.extend((scope.of == TemplateOwner::Instance).then_some("service"));
        return (!is_function).then(|| DescriptionProblem::unknown("value", name, known));
    }
    match (root, rest) {
        // Each value is named, so that it is known which are used: of secrets, and in which order they are computed.
        ("values", None) => Some(DescriptionProblem::unknown(
            "value",
            "values",
            scope.values.keys().map(|name| format!("values.{name}")),
        )),
        ("values", Some(value)) => {
            let known = value.parse().is_ok_and(|name: SettingName| scope.values.contains_key(&name));
            (!known).then(|| DescriptionProblem::unknown("value", &value, scope.values.keys()))
        }
        ("roles", Some(role)) => {
            (!scope.roles.contains(&role)).then(|| DescriptionProblem::unknown("role", &role, scope.roles))
        }
        ("services", Some(service)) => (!scope.services.contains(&service))
            .then(|| DescriptionProblem::unknown("service", &service, scope.services)),
        (root, Some(part)) => {
            let (_, parts) = PARTS.iter().find(|(name, _)| *name == root)?;
            (!parts.contains(&part.as_str())).then(|| {
                DescriptionProblem::unknown("value", name, parts.iter().map(|part| format!("{root}.{part}")))
            })
        }
        _ => None,
    }
}
