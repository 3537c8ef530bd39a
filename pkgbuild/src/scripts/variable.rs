//! The variables that `exec` and `pid_file` may use.

use super::{Parameter, ScriptError};

/// What the start script always knows. The same names stand in `docs/services.md` and in `start.sh`.
const BUILT_IN: [&str; 7] =
    ["RUNTIME_DIR", "SOFTWARE_DIR", "COORDINATE", "INSTANCE", "SERVICE", "USER_NAME", "CELL"];

/// The options that `start` takes besides the parameters.
const RESERVED: [&str; 3] = ["runtime-dir", "coordinate", "help"];

/// The variables that exist: the built-in ones and one for each parameter.
#[derive(Debug)]
pub(super) struct Variables(Vec<String>);

impl Variables {
    /// Checks the parameters' names and adds their variables.
    pub(super) fn with(parameters: &[Parameter]) -> Result<Self, ScriptError> {
        let mut names: Vec<String> = BUILT_IN.iter().map(ToString::to_string).collect();
        for parameter in parameters {
            let variable = variable_of(parameter);
            let why = check_name(&parameter.name).err();
            let why = why.or(names.contains(&variable).then_some("another parameter has the same variable"));
            if let Some(why) = why {
                return Err(ScriptError::ParameterName { name: parameter.name.clone(), why });
            }
            names.push(variable);
        }
        Ok(Self(names))
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }

    pub(super) fn names(&self) -> &[String] {
        &self.0
    }
}

/// Returns the variable that holds a parameter: `listen-port` is `PARAM_LISTEN_PORT`.
pub(super) fn variable_of(parameter: &Parameter) -> String {
    format!("PARAM_{}", parameter.name.to_ascii_uppercase().replace('-', "_"))
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if RESERVED.contains(&name) {
        return Err("start has an option of that name");
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        return Err("it does not start with a lower-case letter or a digit");
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.chars().all(allowed) { Ok(()) } else { Err("it has a character that is not a-z, 0-9, _ or -") }
}
