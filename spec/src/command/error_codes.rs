//! `explain CODE`, of all three programs: what an error code means, from the page that documents all of them.

use clap::Args;
use serde::Serialize;
use thiserror::Error;

use super::{Exit, Explain, Report, closest};

/// Every code, as a table. A test holds that it has every code that a program can say, and none else.
const PAGE: &str = include_str!("../../../docs/errors.md");

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainCode {
    /// The code of an error, as `--json` has it: `not_installed`; all codes without it
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// What a code means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Meaning<'p> {
    /// The code.
    pub code: &'p str,
    /// The exit code, or those, that go with it.
    pub exit: &'p str,
    /// What the message says.
    pub meaning: String,
}

/// Returns the meanings of all codes, in their order.
pub fn meanings() -> impl Iterator<Item = Meaning<'static>> {
    PAGE.lines().filter_map(|line| {
        let row = line.strip_prefix("| `")?.strip_suffix(" |")?;
        let (code, rest) = row.split_once("` | ")?;
        let (exit, meaning) = rest.split_once(" | ")?;
        Some(Meaning { code, exit, meaning: meaning.replace('`', "").replace("\\|", "|") })
    })
}

/// Prints the meaning of a code, or of all.
///
/// # Errors
/// When no program says it.
pub fn explain_code(args: &ExplainCode, report: &mut Report) -> Result<Exit, UnknownCode> {
    let Some(code) = &args.code else {
        let all: Vec<Meaning<'_>> = meanings().collect();
        report.data(&serde_json::json!({ "codes": all }), || {
            all.iter()
                .map(|one| format!("{:32} {:8} {}", one.code, one.exit, one.meaning))
                .collect::<Vec<_>>()
                .join("\n")
        });
        return Ok(Exit::Ok);
    };
    let found = meanings().find(|one| one.code == code);
    let found = found.ok_or_else(|| UnknownCode { code: code.clone() })?;
    report.data(&found, || {
        let Meaning { code, exit, meaning } = &found;
        let exits: Vec<String> = Exit::ALL
            .iter()
            .filter(|known| numbers_in(exit).any(|number| number == known.code()))
            .map(|known| format!("{}: {}", known.code(), known.meaning()))
            .collect();
        format!("{code}\n  {meaning}\nexit {}", exits.join("\nexit "))
    });
    Ok(Exit::Ok)
}

/// Returns the exit codes in a cell of the table: `1`, `1 or 5`.
fn numbers_in(exit: &str) -> impl Iterator<Item = u8> {
    exit.split([' ', ',']).filter_map(|word| word.parse().ok())
}

/// No program says this code.
#[derive(Debug, Error)]
#[error("there is no error code {code:?}")]
pub struct UnknownCode {
    code: String,
}

impl Explain for UnknownCode {
    fn exit(&self) -> Exit {
        Exit::NotFound
    }

    fn code(&self) -> &'static str {
        "no_such_code"
    }

    fn hint(&self) -> Option<String> {
        let codes: Vec<String> = meanings().map(|one| one.code.to_owned()).collect();
        let meant = closest(&self.code, &codes).map(|code| format!("did you mean {code}? "));
        Some(format!("{}`explain` without a code prints all", meant.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_page_is_read_and_names_known_exit_codes() {
        let rows = PAGE.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(meanings().count(), rows);
        for Meaning { code, exit, meaning } in meanings() {
            let is_known = |number: u8| Exit::ALL.iter().any(|exit| exit.code() == number);
            assert!(numbers_in(exit).next().is_some() && numbers_in(exit).all(is_known), "{code}: {exit}");
            assert!(!meaning.is_empty(), "{code}");
        }
    }
}
