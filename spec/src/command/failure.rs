//! A failure as a person and as a script read it: what failed, why, what to do.

use std::error::Error;
use std::fmt;
use std::io;

use serde::Serialize;

use super::Exit;

/// An error that knows its exit code, its stable code and what to do about it.
///
/// Each step's error enum implements this beside its variants, so that a new variant cannot be forgotten.
pub trait Explain: Error {
    /// Returns the class of the cause.
    fn exit(&self) -> Exit;

    /// Returns the stable code for `--json`, in `snake_case`. Scripts depend on it: never change one.
    fn code(&self) -> &'static str;

    /// Says what the user can do, where there is something.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// What a failed command says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The class of the cause.
    #[serde(skip)]
    pub exit: Exit,
    /// The stable code.
    pub code: String,
    /// What failed, and to what.
    pub message: String,
    /// Why, from the outermost cause to the first.
    pub causes: Vec<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    /// Collects what `error` and its sources say.
    pub fn of(error: &dyn Explain) -> Self {
        let message = without_number(error.to_string());
        let mut causes: Vec<String> = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = said(cause);
            // A wrapper often repeats its source; say it once.
            if !causes.last().unwrap_or(&message).ends_with(&text) {
                causes.push(text);
            }
            source = cause.source();
        }
        Self {
            exit: error.exit(),
            code: error.code().to_owned(),
            message,
            causes,
            hint: error.hint().or_else(|| first_cause_hint(error)),
        }
    }

    /// Returns what failed and why, as one text for a record or a note.
    pub fn in_one_line(&self) -> String {
        let parts = std::iter::once(&self.message).chain(&self.causes);
        parts.map(String::as_str).collect::<Vec<_>>().join(": ")
    }
}

/// Returns what the cause of an error says, without what helps nobody: the number behind what the operating system says, and
/// the names that types have in this program.
pub fn said(cause: &(dyn Error + 'static)) -> String {
    in_plain_words(&without_number(cause.to_string()))
}

/// What a parser expected, and what a person calls that.
const TYPES: [(&str, &str); 8] = [
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number, 0 or more"),
    ("usize", "a whole number, 0 or more"),
    ("a boolean", "true or false"),
    ("a sequence", "a list"),
    ("a map", "a table"),
];

fn in_plain_words(text: &str) -> String {
    let Some((before, expected)) = text.rsplit_once(", expected ") else { return text.to_owned() };
    let word =
        |name: &str| expected.strip_prefix(name).filter(|rest| !rest.starts_with(char::is_alphanumeric));
    match TYPES.iter().find_map(|(name, plain)| Some((plain, word(name)?))) {
        Some((plain, rest)) => format!("{before}, expected {plain}{rest}"),
        None => text.to_owned(),
    }
}

fn without_number(text: String) -> String {
    match text.rsplit_once(" (os error ") {
        Some((words, number)) if number.ends_with(')') => words.to_owned(),
        _ => text,
    }
}

/// Says what helps against what the operating system refused, for a step that has nothing better to say.
fn first_cause_hint(error: &dyn Explain) -> Option<String> {
    let mut causes = std::iter::successors(error.source(), |cause| (**cause).source());
    let kind = causes.find_map(|cause| cause.downcast_ref::<io::Error>())?.kind();
    let hint = match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there, then try again",
        io::ErrorKind::ReadOnlyFilesystem => "mount it writable, or choose another place",
        io::ErrorKind::IsADirectory => "it is a directory: name a file",
        io::ErrorKind::NotADirectory => "it is a file, or a part of its path is: name a directory",
        io::ErrorKind::PermissionDenied => "run this as a user who may, or choose another place",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Lets `?` turn any step's error into what the command says.
impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        for cause in &self.causes {
            write!(f, "\n  cause: {cause}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    #[error("cannot write the list")]
    struct CannotWrite(#[source] io::Error);

    impl Explain for CannotWrite {
        fn exit(&self) -> Exit {
            Exit::Failure
        }

        fn code(&self) -> &'static str {
            "cannot_write"
        }
    }

    #[test]
    fn a_full_disk_has_a_hint_even_where_the_step_has_none() {
        let failure = Failure::of(&CannotWrite(io::ErrorKind::StorageFull.into()));
        assert_eq!(failure.hint.as_deref(), Some("make room there, then try again"));
    }

    #[test]
    fn what_a_parser_expected_is_said_in_words_of_people() {
        let said = |text: &str| in_plain_words(text);
        let number = "invalid type: string \"soon\", expected u32\n";
        assert_eq!(
            said(number),
            "invalid type: string \"soon\", expected a whole number from 0 to 4294967295\n"
        );
        assert_eq!(said("x, expected a boolean"), "x, expected true or false");
        assert_eq!(said("x, expected a mapping"), "x, expected a mapping");
        assert_eq!(said("No space left on device"), "No space left on device");
    }

    #[test]
    fn an_error_without_advice_has_no_hint() {
        assert_eq!(Failure::of(&CannotWrite(io::ErrorKind::InvalidData.into())).hint, None);
    }
}
