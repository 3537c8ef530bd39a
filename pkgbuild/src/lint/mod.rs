//! Looks over a collected tree for what would not work where it is installed. Before it: the tree. After it: it is packed.
//!
//! One file a rule or group of rules. Errors stop a build, warnings do not; either can be allowed in the recipe, with a
//! reason that is repeated in the report.

mod conditions;
mod content;
mod elf;
mod exec;
mod interpreter;
mod modes;
mod rehearsal;
mod rule;
mod scripts;
mod symlinks;
mod version;
mod watch;

pub use rule::{Rule, Severity};
pub use watch::{Watch, Watched};

use std::fmt;
use std::io;
use std::path::PathBuf;

use copkg_spec::command::closest;
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::Version;
use copkg_spec::index::EntryPath;
use copkg_spec::manifest::{Kind, Service};
use copkg_spec::platform::Platform;
use copkg_spec::recipe::Allowance;
use serde::Serialize;
use thiserror::Error;

use crate::collect::Collected;
use crate::scripts::NamedFiles;

/// Something that the lint found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it stops the build.
    pub severity: Severity,
    /// The rule.
    pub rule: Rule,
    /// Where; `None` is the package as a whole.
    pub path: Option<EntryPath>,
    /// What.
    pub message: String,
    /// Why it is allowed, if it is.
    pub allowed: Option<String>,
}

impl Finding {
    fn at(path: &EntryPath, rule: Rule, message: impl Into<String>) -> Self {
        let path = Some(path.clone());
        Self { severity: rule.severity(), rule, path, message: message.into(), allowed: None }
    }

    fn of_package(rule: Rule, message: impl Into<String>) -> Self {
        Self { severity: rule.severity(), rule, path: None, message: message.into(), allowed: None }
    }

    /// Says what it is, without how bad it is.
    pub fn text(&self) -> String {
        let path = self.path.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
        format!("[{}]{path}: {}", self.rule, self.message)
    }

    /// Tells whether it stops a build.
    pub fn stops(&self) -> bool {
        self.severity == Severity::Error && self.allowed.is_none()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.allowed.is_some() { "allowed" } else { self.severity.name() };
        write!(f, "{severity}{}", self.text())?;
        match &self.allowed {
            Some(reason) => write!(f, " (allowed: {reason})"),
            None => Ok(()),
        }
    }
}

/// What the lint looks at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The tree.
    pub tree: &'a Collected,
    /// What the package holds.
    pub kind: Kind,
    /// What it is for.
    pub platform: &'a Platform,
    /// What of the package the command line of its service names, if it has one.
    pub named: Option<&'a NamedFiles>,
    /// Its version.
    pub version: &'a Version,
    /// How it runs, where it is a service that has its scripts.
    pub service: Option<&'a Service>,
    /// Where it was built, when scripts ran there: a path that no file should mention.
    pub build_prefixes: &'a [PathBuf],
}

/// Looks for everything, in the order of the rules and then of the paths, and marks what `allowances` let pass.
///
/// # Errors
/// When a file cannot be read, or an allowance names no rule.
pub fn lint(subject: Subject<'_>, allowances: &[Allowance]) -> Result<Vec<Finding>, LintError> {
    let of_tree = lint_tree(subject, allowances)?;
    let mut of_files = content::check(subject)?;
    allow(&mut of_files, allowances);
    Ok(joined(of_tree, of_files))
}

/// Looks for what can be found without reading a file, and marks what `allowances` let pass.
///
/// # Errors
/// When an allowance names no rule.
pub fn lint_tree(subject: Subject<'_>, allowances: &[Allowance]) -> Result<Vec<Finding>, LintError> {
    allowances.iter().try_for_each(check_rule)?;
    let mut findings = scripts::check(subject);
    findings.extend(exec::check(subject));
    findings.extend(modes::check(subject.tree));
    findings.extend(symlinks::check(subject.tree));
    findings.extend(version::check(subject.version));
    findings.extend(rehearsal::check(subject.service));
    findings.extend(conditions::check(subject.service));
    allow(&mut findings, allowances);
    Ok(findings)
}

/// Joins what was found, in the order of the rules and then of the paths. That a secret key is private need not be said.
pub fn joined(mut findings: Vec<Finding>, others: Vec<Finding>) -> Vec<Finding> {
    findings.extend(others);
    let keys: Vec<Option<EntryPath>> = findings
        .iter()
        .filter(|finding| finding.rule == Rule::SecretKey)
        .map(|finding| finding.path.clone())
        .collect();
    findings.retain(|finding| finding.rule != Rule::PrivateFile || !keys.contains(&finding.path));
    findings.sort_by(|a, b| (a.rule, &a.path).cmp(&(b.rule, &b.path)));
    findings
}

fn allow(findings: &mut [Finding], allowances: &[Allowance]) {
    for finding in findings {
        finding.allowed = allowances.iter().find(|a| covers(a, finding)).map(|a| a.reason.clone());
    }
}

/// Returns the allowances that let nothing pass: what they were for is gone.
pub fn unused<'a>(allowances: &'a [Allowance], findings: &[Finding]) -> Vec<&'a Allowance> {
    allowances.iter().filter(|allowance| !findings.iter().any(|finding| covers(allowance, finding))).collect()
}

fn check_rule(allowance: &Allowance) -> Result<(), LintError> {
    let known: Vec<String> = Rule::ALL.iter().map(ToString::to_string).collect();
    if known.contains(&allowance.rule) {
        return Ok(());
    }
    let meant = closest(&allowance.rule, &known).map(str::to_owned);
    Err(LintError::UnknownRule { rule: allowance.rule.clone(), meant, known })
}

fn covers(allowance: &Allowance, finding: &Finding) -> bool {
    let here = match (&allowance.path, &finding.path) {
        (None, _) => true,
        (Some(patterns), Some(path)) => patterns.matches_below(path.as_str()),
        (Some(_), None) => false,
    };
    here && allowance.rule == finding.rule.name()
}

/// Says why the lint could not look, or that it found errors.
#[derive(Debug, Error)]
pub enum LintError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file, as it is named in the package.
        path: EntryPath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An allowance names a rule that does not exist.
    #[error("[lint] allow names the rule {rule:?}, which does not exist")]
    UnknownRule {
        /// The name.
        rule: String,
        /// The rule that was probably meant.
        meant: Option<String>,
        /// Every rule.
        known: Vec<String>,
    },
    /// It found errors.
    #[error("the lint found {count} {}{}", if *count == 1 { "error" } else { "errors" }, listed(shown))]
    Found {
        /// How many.
        count: usize,
        /// What they are, unless that has been said.
        shown: Vec<String>,
    },
}

impl LintError {
    /// Says what of `findings` stops a build; `None` where nothing does.
    pub fn of(findings: &[Finding]) -> Option<Self> {
        let stopping = findings.iter().filter(|finding| finding.stops());
        let shown: Vec<String> = stopping.map(ToString::to_string).collect();
        (!shown.is_empty()).then_some(Self::Found { count: shown.len(), shown })
    }
}

fn listed(shown: &[String]) -> String {
    shown.iter().flat_map(|finding| ["\n  ", finding]).collect()
}

impl Explain for LintError {
    fn exit(&self) -> Exit {
        Exit::Failure
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "tree_unreadable",
            Self::UnknownRule { .. } => "lint_unknown_rule",
            Self::Found { .. } => "lint_errors",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => None,
            Self::UnknownRule { meant: Some(meant), .. } => Some(format!("did you mean {meant:?}?")),
            Self::UnknownRule { known, .. } => Some(format!("the rules are {}", known.join(", "))),
            Self::Found { .. } => Some(
                "mend them, or allow them in package.toml: [lint] allow = [{ rule = \"…\", path = \"…\", reason = \"…\" }]"
                    .into(),
            ),
        }
    }
}
