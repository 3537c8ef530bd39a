//! `[service.limits]`, `umask`, `[service.env]` and `env_file`: the conditions under which a service runs.

use super::context::Context;
use super::error::Problem;
use super::{Located, raw};
use crate::conditions::{ConditionError, ConditionName, Conditions, Written};

pub(super) fn conditions(raw: &raw::Service, at: &Context) -> Result<Conditions, Located> {
    let mut conditions = Conditions::default();
    let mut set = |name: &str, value: Option<&Written>, at: &Context| {
        let Some(value) = value else { return Ok(()) };
        let named = name.parse().and_then(|name: ConditionName| conditions.set(&name, value));
        named.or_else(|wrong| at.fail(problem(wrong)))
    };
    if let Some(limits) = &raw.limits {
        let raw::Limits { nofile, memory, pids, cpu, core, require } = limits;
        let at = at.key("limits");
        for (key, value) in [
            ("nofile", nofile),
            ("memory", memory),
            ("pids", pids),
            ("cpu", cpu),
            ("core", core),
            ("require", require),
        ] {
            set(&format!("limits.{key}"), value.as_ref(), &at.key(key))?;
        }
    }
    set("umask", raw.umask.as_ref(), &at.key("umask"))?;
    for (name, value) in &raw.env {
        set(&format!("env.{name}"), Some(value), &at.key("env").key(name))?;
    }
    set("env_file", raw.env_file.as_ref(), &at.key("env_file"))?;
    Ok(conditions)
}

fn problem(wrong: ConditionError) -> Problem {
    Problem::value(wrong.what, &wrong.text, wrong.why)
}
