//! `[service.limits]`, `umask`, `[service.env]` and `env_file`: the conditions under which a service runs.

use super::context::Context;
use super::error::Problem;
use super::{Located, raw};
use crate::conditions::{ConditionError, ConditionName, Conditions, Limits, Written};

pub(super) fn conditions(raw: &raw::Service, at: &Context) -> Result<Conditions, Located> {
    let mut conditions = Conditions::default();
    if let Some(raw) = &raw.limits {
        conditions.limits = limits(raw, &at.key("limits"))?;
    }
    set(&mut conditions, "umask", raw.umask.as_ref(), &at.key("umask"))?;
    for (name, value) in &raw.env {
        set(&mut conditions, &format!("env.{name}"), Some(value), &at.key("env").key(name))?;
    }
    set(&mut conditions, "env_file", raw.env_file.as_ref(), &at.key("env_file"))?;
    Ok(conditions)
}

/// Reads a table of limits, which recipes, deployments and environments have alike.
pub(crate) fn limits(raw: &raw::Limits, at: &Context) -> Result<Limits, Located> {
    let mut conditions = Conditions::default();
    let raw::Limits { nofile, memory, pids, cpu, core, require } = raw;
    for (key, value) in [
        ("nofile", nofile),
        ("memory", memory),
        ("pids", pids),
        ("cpu", cpu),
        ("core", core),
        ("require", require),
    ] {
        set(&mut conditions, &format!("limits.{key}"), value.as_ref(), &at.key(key))?;
    }
    Ok(conditions.limits)
}

fn set(
    conditions: &mut Conditions,
    name: &str,
    value: Option<&Written>,
    at: &Context,
) -> Result<(), Located> {
    let Some(value) = value else { return Ok(()) };
    let named = name.parse().and_then(|name: ConditionName| conditions.set(&name, value));
    named.or_else(|wrong| at.fail(problem(wrong)))
}

fn problem(wrong: ConditionError) -> Problem {
    Problem::value(wrong.what, &wrong.text, wrong.why)
}
