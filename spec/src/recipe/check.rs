//! `[[tests]]` and `[lint]`: what is checked before a package leaves the house.

use super::context::Context;
use super::error::Problem;
use super::span::Span;
use super::{Located, raw};
use crate::pattern::Patterns;

/// A test of the finished package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageTest {
    /// Its name.
    pub name: String,
    /// The script, for `sh`.
    pub script: String,
    /// How long it may take.
    pub timeout: Span,
}

/// A finding of the lint that is meant to be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// The rule's name.
    pub rule: String,
    /// Where it is allowed; everywhere when `None`.
    pub path: Option<Patterns>,
    /// Why it is right.
    pub reason: String,
}

const TIMEOUT: Span = Span::of_seconds(5 * 60);

pub(super) fn tests(raw: Vec<raw::Test>, at: &Context) -> Result<Vec<PackageTest>, Located> {
    let mut tests: Vec<PackageTest> = Vec::new();
    for (number, raw) in raw.into_iter().enumerate() {
        let at = at.item(number);
        if tests.iter().any(|other| other.name == raw.name) {
            return at.key("name").fail(Problem::Twice { what: "test", name: raw.name });
        }
        tests.push(PackageTest {
            name: at.key("name").required_text(raw.name)?,
            script: at.key("run").required_text(raw.run)?,
            timeout: at.key("timeout").timeout(raw.timeout.as_deref(), TIMEOUT)?,
        });
    }
    Ok(tests)
}

pub(super) fn allowances(raw: raw::Lint, at: &Context) -> Result<Vec<Allowance>, Located> {
    let allow = at.key("allow");
    let numbered = raw.allow.into_iter().enumerate();
    numbered.map(|(number, raw)| allowance(raw, &allow.item(number))).collect()
}

fn allowance(raw: raw::Allow, at: &Context) -> Result<Allowance, Located> {
    let path = raw.path.map(|path| Patterns::new(&[path])).transpose();
    Ok(Allowance {
        rule: at.key("rule").required_text(raw.rule)?,
        path: path.or_else(|error| at.key("path").fail(Problem::from(error)))?,
        reason: at.key("reason").required_text(raw.reason)?,
    })
}
