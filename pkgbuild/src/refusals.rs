//! Everything in a tree that no package may hold, said at once and grouped by the rule.

use std::fmt;
use std::mem::discriminant;

use copkg_spec::command::{Exit, Explain};
use copkg_spec::policy::{Refused, Rule};
use thiserror::Error;

/// How many entries of one rule a message names.
const SHOWN: usize = 40;
/// How many entries the hint leaves out.
const SUGGESTED: usize = 8;

/// Entries that the archive policy refuses; never none.
#[derive(Debug, Error)]
pub struct Refusals(Vec<Refusal>);

/// One entry.
#[derive(Debug, Clone)]
struct Refusal {
    refused: Refused,
    /// Where it leads, if it is a link.
    target: Option<String>,
}

impl Refusals {
    /// Returns what was refused; `None` where nothing was.
    pub(crate) fn of(list: RefusalList) -> Option<Self> {
        (!list.0.is_empty()).then_some(Self(list.0))
    }

    fn groups(&self) -> Vec<Vec<&Refusal>> {
        let mut groups: Vec<Vec<&Refusal>> = Vec::new();
        for refusal in &self.0 {
            let same = |group: &&mut Vec<&Refusal>| {
                discriminant(group[0].refused.rule()) == discriminant(refusal.refused.rule())
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(refusal),
                None => groups.push(vec![refusal]),
            }
        }
        groups
    }
}

/// Entries that were refused so far.
#[derive(Debug, Default)]
pub(crate) struct RefusalList(Vec<Refusal>);

impl RefusalList {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, refused: Refused) {
        self.0.push(Refusal { refused, target: None });
    }

    pub(crate) fn add_link(&mut self, refused: Refused, target: &[u8]) {
        self.0.push(Refusal { refused, target: Some(target.escape_ascii().to_string()) });
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = &self.0[..] {
            write!(f, "{}", only.refused)?;
            return only.target.as_ref().map_or(Ok(()), |target| write!(f, " ({target})"));
        }
        write!(f, "{} entries are refused", self.0.len())?;
        for group in self.groups() {
            write!(f, "\n  {}: {}", group.len(), heading(group[0].refused.rule()))?;
            for Refusal { refused, target } in group.iter().take(SHOWN) {
                let target = target.as_ref().map(|target| format!(" → {target}")).unwrap_or_default();
                write!(f, "\n    {}{target}", refused.entry())?;
            }
            if group.len() > SHOWN {
                write!(f, "\n    and {} more", group.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}

/// Says the rule for several entries: without what is of one alone.
fn heading(rule: &Rule) -> String {
    match rule {
        Rule::LinkChain(_) => "symbolic links that lead in a circle".into(),
        Rule::LinkAbsolute => "symbolic links to an absolute path".into(),
        Rule::LinkEscapes => "symbolic links that leave the package".into(),
        Rule::LinkTarget(_) => "symbolic links whose target is refused".into(),
        other => other.to_string(),
    }
}

impl Explain for Refusals {
    fn exit(&self) -> Exit {
        Exit::Trust
    }

    fn code(&self) -> &'static str {
        "refused_entry"
    }

    fn hint(&self) -> Option<String> {
        let links =
            self.0.iter().any(|one| matches!(one.refused.rule(), Rule::LinkAbsolute | Rule::LinkEscapes));
        let advice = if links {
            "make a link relative to something in the package, or leave it out"
        } else {
            "rename it, or leave it out"
        };
        let names: Vec<String> = self.0.iter().take(SUGGESTED).map(|one| one.refused.entry()).collect();
        let more = if self.0.len() > SUGGESTED { ", …" } else { "" };
        Some(format!(
            "{advice}: excludes = [{}{more}] in [[source]], or relative to src in [[contents]]",
            names.join(", ")
        ))
    }
}
