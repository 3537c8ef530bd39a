//! Templates: checked when a package is built, rendered on a host, both strictly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Object;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::filters::{bytes_of, milliseconds_of};
use super::{Setting, SettingName, SettingValue, TemplateError};
use crate::coordinate::{Label, PackageCoordinate, ServiceCoordinate};
use crate::manifest::Parameter;

/// How many steps a template may take: a loop over everything is fine, one without end is not.
const FUEL: u64 = 10_000_000;

/// What a template knows besides `config` and `parameter`.
const FACTS: [&str; 14] = [
    "runtime_dir",
    "software_dir",
    "prefix",
    "service.coordinate",
    "service.instance",
    "service.name",
    "service.user",
    "service.cell",
    "package.coordinate",
    "package.group",
    "package.id",
    "package.version",
    "service",
    "package",
];

/// Functions of the template language itself.
pub(crate) const FUNCTIONS: [&str; 5] = ["range", "dict", "namespace", "debug", "loop"];

/// What is known of a service when its templates are rendered.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The service.
    pub service: &'a ServiceCoordinate,
    /// The package.
    pub package: &'a PackageCoordinate,
    /// The runtime directory.
    pub runtime_dir: &'a str,
    /// The directory of the package.
    pub software_dir: &'a str,
    /// The prefix.
    pub prefix: &'a str,
    /// The parameters of the start, defaults included.
    pub parameters: &'a BTreeMap<String, String>,
    /// The values of the settings, secrets resolved; `None` for an optional one without a value. A setting that has none
    /// and needs one is left out.
    pub values: &'a BTreeMap<SettingName, Option<SettingValue>>,
}

/// What a template may be filled with: the declarations of its package.
#[derive(Debug, Clone, Copy)]
pub struct Uses<'a> {
    /// The settings.
    pub settings: &'a BTreeMap<SettingName, Setting>,
    /// The parameters of the start script.
    pub parameters: &'a [Parameter],
}

/// A template that parses.
#[derive(Debug, Clone)]
pub struct TemplateText {
    file: String,
    text: String,
}

impl TemplateText {
    /// Parses a template. `file` is what it is called in messages.
    ///
    /// # Errors
    /// When its syntax is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, TemplateError> {
        let parsed = Self { file: file.to_owned(), text: text.to_owned() };
        match environment().template_from_named_str(file, text) {
            Ok(_) => Ok(parsed),
            Err(error) => Err(parsed.explain(&error, Shown::All)),
        }
    }

    /// Takes a template whose syntax was checked.
    pub(crate) fn of_checked(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), text: text.to_owned() }
    }

    /// Checks that the template uses only what is declared.
    ///
    /// # Errors
    /// Names the first thing that is not.
    pub fn check(&self, uses: Uses<'_>) -> Result<(), TemplateError> {
        for name in self.names() {
            let why = match name.split_once('.') {
                _ if FACTS.contains(&name.as_str()) || FUNCTIONS.contains(&name.as_str()) => continue,
                None if ["config", "parameter", "content"].contains(&name.as_str()) => continue,
                Some(("content", rest)) if rest.parse::<Label>().is_ok() => continue,
                Some(("config", rest)) => {
                    let setting = rest.split('.').next().unwrap_or_default();
                    if setting.parse().is_ok_and(|name| uses.settings.contains_key(&name)) {
                        continue;
                    }
                    "the recipe declares no such setting in [service.config]"
                }
                Some(("parameter", rest))
                    if uses.parameters.iter().any(|known| variable_of(known) == rest) =>
                {
                    continue;
                }
                Some(("parameter", _)) => "the recipe declares no such parameter",
                _ => {
                    "there is no such value; there are config.…, parameter.…, content.…, service.…, package.…, \
                      runtime_dir, software_dir and prefix"
                }
            };
            let line = self.line_of(&name);
            return Err(TemplateError { file: self.file.clone(), line, key: name, why: why.into() });
        }
        Ok(())
    }

    /// Tells whether what is rendered may hold a secret.
    pub fn may_hold_a_secret(&self, settings: &BTreeMap<SettingName, Setting>) -> bool {
        let secret = |name: &str| {
            name.parse()
                .ok()
                .and_then(|name: SettingName| settings.get(&name))
                .is_some_and(Setting::is_secret)
        };
        let any = settings.values().any(Setting::is_secret);
        self.names().iter().any(|name| match name.split_once('.') {
            Some(("config", rest)) => secret(rest.split('.').next().unwrap_or_default()),
            _ => name == "config" && any,
        })
    }

    /// Renders the template.
    ///
    /// # Errors
    /// When it uses what has no value. The message never holds a secret.
    pub fn render(&self, facts: &Facts<'_>, shown: Shown) -> Result<String, TemplateError> {
        let environment = environment();
        let template = environment.template_from_named_str(&self.file, &self.text);
        let rendered = template.and_then(|template| template.render(context(facts)));
        rendered.map_err(|error| self.explain(&error, shown))
    }

    /// Renders the template with other values than those of a service: the description of a deployment has its own.
    pub(crate) fn render_with(&self, values: &Value) -> Result<String, TemplateError> {
        let environment = environment();
        let template = environment.template_from_named_str(&self.file, &self.text);
        let rendered = template.and_then(|template| template.render(values));
        rendered.map_err(|error| self.explain(&error, Shown::All))
    }

    /// The names that it takes from outside, sorted.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let environment = environment();
        let template = environment.template_from_named_str(&self.file, &self.text);
        template.map(|template| template.undeclared_variables(true).into_iter().collect()).unwrap_or_default()
    }

    fn line_of(&self, key: &str) -> usize {
        self.text.lines().position(|line| line.contains(key)).map_or(1, |index| index + 1)
    }

    fn explain(&self, error: &Error, shown: Shown) -> TemplateError {
        let key = error.range().and_then(|range| self.text.get(range)).unwrap_or_default();
        let key = key.lines().next().unwrap_or_default().trim();
        let why = match (error.kind(), shown) {
            (ErrorKind::UndefinedError, _) => "it has no value".to_owned(),
            (kind, Shown::All) => {
                error.detail().map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}"))
            }
            // A detail may repeat a value.
            (kind, Shown::NoValues) => kind.to_string(),
        };
        let key = if key.is_empty() { "the template" } else { key };
        TemplateError { file: self.file.clone(), line: error.line().unwrap_or(1), key: key.into(), why }
    }
}

/// How much of what goes wrong may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// All of it.
    All,
    /// Nothing that could repeat a value: one is a secret.
    NoValues,
}

/// Returns how a template writes the name of a parameter: `listen-port` is `parameter.listen_port`.
fn variable_of(parameter: &Parameter) -> String {
    parameter.name.as_str().replace('-', "_")
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_debug(true);
    environment.set_fuel(Some(FUEL));
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    let failed = |why: String| Error::new(ErrorKind::InvalidOperation, why);
    environment.add_filter("milliseconds", move |text: String| milliseconds_of(&text).map_err(failed));
    environment.add_filter("seconds", move |text: String| {
        milliseconds_of(&text).map(|milliseconds| milliseconds.div_euclid(1000)).map_err(failed)
    });
    environment.add_filter("bytes", move |text: String| bytes_of(&text).map_err(failed));
    environment
}

/// Where the contents of a host lie: `content.site` is `<prefix>/content/site/active`.
#[derive(Debug)]
struct ContentPaths {
    prefix: String,
}

impl Object for ContentPaths {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name: Label = key.as_str()?.parse().ok()?;
        Some(Value::from(format!("{}/content/{name}/active", self.prefix.trim_end_matches('/'))))
    }
}

fn context(facts: &Facts<'_>) -> Value {
    let text = |text: &str| Value::from(text);
    let table =
        |rows: Vec<(String, Value)>| Value::from(rows.into_iter().collect::<BTreeMap<String, Value>>());
    let values = facts
        .values
        .iter()
        .map(|(name, value)| (name.to_string(), value.as_ref().map_or(Value::from(()), value_of)));
    let parameters = facts.parameters.iter().map(|(name, value)| (name.replace('-', "_"), text(value)));
    let (service, package) = (facts.service, facts.package);
    let service = [
        ("coordinate", text(&service.to_string())),
        ("instance", Value::from(service.instance())),
        ("name", text(service.service().as_str())),
        ("user", text(service.user().as_str())),
        ("cell", text(service.cell().as_str())),
    ];
    let package = [
        ("coordinate", text(&package.to_string())),
        ("group", text(package.group().as_str())),
        ("id", text(package.id().as_str())),
        ("version", text(package.version().as_str())),
    ];
    let named = |rows: Vec<(&str, Value)>| {
        table(rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    named(vec![
        ("config", table(values.collect())),
        ("parameter", table(parameters.collect())),
        ("content", Value::from_object(ContentPaths { prefix: facts.prefix.to_owned() })),
        ("service", named(service.to_vec())),
        ("package", named(package.to_vec())),
        ("runtime_dir", text(facts.runtime_dir)),
        ("software_dir", text(facts.software_dir)),
        ("prefix", text(facts.prefix)),
    ])
}

pub(crate) fn value_of(value: &SettingValue) -> Value {
    match value {
        SettingValue::Boolean(value) => Value::from(*value),
        SettingValue::Integer(value) => Value::from(*value),
        SettingValue::Text(value) => Value::from(value.as_str()),
        SettingValue::List(values) => Value::from(values.clone()),
    }
}
