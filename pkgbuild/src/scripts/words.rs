//! Splits a command line into words, as a shell does with quotes, but without the rest of a shell.
//!
//! A variable is never split or globbed, so `$RUNTIME_DIR/my file` needs quotes for its own space only and works
//! with any prefix. What would start a pipe, a list, a redirection or a substitution is refused.

use std::iter::Peekable;
use std::str::Chars;

use super::ScriptError;
use super::quote::quote;
use super::variable::Variables;

/// One word: literal text and variables in turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Variable(String),
}

impl Word {
    /// Returns the word `<variable>/<self>`.
    pub(super) fn below(mut self, variable: &str) -> Self {
        self.0.splice(..0, [Piece::Variable(variable.into()), Piece::Literal("/".into())]);
        self
    }

    /// Returns the literal text that the word starts with.
    pub(super) fn start(&self) -> &str {
        match self.0.first() {
            Some(Piece::Literal(text)) => text,
            _ => "",
        }
    }

    /// Tells whether the word is this text and nothing else.
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(&self.0[..], [Piece::Literal(literal)] if literal == text)
    }

    /// Takes `NAME=` from the front, when the word is an assignment.
    pub(super) fn split_assignment(&self) -> Option<(String, Self)> {
        let (name, rest) = self.start().split_once('=')?;
        let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !first || !name.chars().all(is_name_char) {
            return None;
        }
        let mut value = self.clone();
        value.0[0] = Piece::Literal(rest.to_owned());
        Some((name.to_owned(), value))
    }

    /// Tells whether the word has a `/` of its own.
    pub(super) fn has_slash(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Literal(text) if text.contains('/')))
    }

    /// Returns the whole paths below the directory that a variable holds, without that directory; a list has them with `:`
    /// between. A path that another variable is a part of is not known.
    pub(super) fn paths_below(&self, variable: &str) -> Vec<String> {
        let mut paths = Vec::new();
        for (at, piece) in self.0.iter().enumerate() {
            if !matches!(piece, Piece::Variable(name) if name == variable) {
                continue;
            }
            let literals = self.0[at + 1..].iter().map_while(|piece| match piece {
                Piece::Literal(text) => Some(text.as_str()),
                Piece::Variable(_) => None,
            });
            let literals: Vec<&str> = literals.collect();
            let text = literals.concat();
            let Some(below) = text.strip_prefix('/') else { continue };
            let (path, ends) = match below.split_once([':', ',', ';']) {
                Some((path, _)) => (path, true),
                None => (below, self.0.len() == at + 1 + literals.len()),
            };
            if ends && !path.is_empty() {
                paths.push(path.trim_end_matches('/').to_owned());
            }
        }
        paths
    }

    /// Writes the word for a shell.
    pub(super) fn to_shell(&self) -> String {
        let shown = |piece: &Piece| match piece {
            Piece::Literal(text) if text.is_empty() => String::new(),
            Piece::Literal(text) => quote(text),
            Piece::Variable(name) => format!("\"${name}\""),
        };
        let text: String = self.0.iter().map(shown).collect();
        if text.is_empty() { "''".into() } else { text }
    }

    fn push(&mut self, c: char) {
        match self.0.last_mut() {
            Some(Piece::Literal(text)) => text.push(c),
            _ => self.0.push(Piece::Literal(c.into())),
        }
    }
}

/// Splits `text`, the value of `field`, into words.
pub(super) fn split(
    field: &'static str,
    text: &str,
    variables: &Variables,
) -> Result<Vec<Word>, ScriptError> {
    let mut splitter = Splitter {
        field,
        text,
        variables,
        rest: text.trim().chars().peekable(),
        words: Vec::new(),
        word: None,
    };
    while let Some(c) = splitter.rest.next() {
        splitter.take(c)?;
    }
    splitter.words.extend(splitter.word);
    Ok(splitter.words)
}

struct Splitter<'a> {
    field: &'static str,
    text: &'a str,
    variables: &'a Variables,
    rest: Peekable<Chars<'a>>,
    words: Vec<Word>,
    word: Option<Word>,
}

impl Splitter<'_> {
    fn take(&mut self, c: char) -> Result<(), ScriptError> {
        match c {
            ' ' | '\t' => self.words.extend(self.word.take()),
            '\'' => self.single_quoted()?,
            '"' => self.double_quoted()?,
            '\\' => self.escaped()?,
            '$' => self.variable()?,
            _ => match shell_syntax(c, self.word.is_none()) {
                Some(found) => return Err(self.syntax(found)),
                None => self.word().push(c),
            },
        }
        Ok(())
    }

    fn single_quoted(&mut self) -> Result<(), ScriptError> {
        self.quoted_part();
        loop {
            match self.rest.next() {
                Some('\'') => return Ok(()),
                Some(c) => self.word().push(c),
                None => return Err(self.unfinished("single quotes")),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<(), ScriptError> {
        self.quoted_part();
        loop {
            match self.rest.next() {
                Some('"') => return Ok(()),
                Some('$') => self.variable()?,
                Some('`') => return Err(self.syntax("a command substitution")),
                Some('\\') => match self.rest.next() {
                    Some('\n') => {}
                    Some(c @ ('"' | '\\' | '$' | '`')) => self.word().push(c),
                    Some(c) => {
                        self.word().push('\\');
                        self.word().push(c);
                    }
                    None => return Err(self.unfinished("double quotes")),
                },
                Some(c) => self.word().push(c),
                None => return Err(self.unfinished("double quotes")),
            }
        }
    }

    fn escaped(&mut self) -> Result<(), ScriptError> {
        match self.rest.next() {
            // A line that goes on in the next.
            Some('\n') => Ok(()),
            Some(c) => {
                self.word().push(c);
                Ok(())
            }
            None => Err(self.unfinished("a backslash")),
        }
    }

    fn variable(&mut self) -> Result<(), ScriptError> {
        let name = match self.rest.peek() {
            Some('{') => {
                self.rest.next();
                let name = self.name();
                match self.rest.next() {
                    Some('}') => name,
                    Some(_) => return Err(self.syntax("a parameter expansion")),
                    None => return Err(self.unfinished("${")),
                }
            }
            Some('(') => return Err(self.syntax("a command substitution")),
            _ => self.name(),
        };
        if name.is_empty() {
            return Err(self.syntax("a $ without a name"));
        }
        if !self.variables.contains(&name) {
            let known = self.variables.names().to_vec();
            return Err(ScriptError::UnknownVariable { field: self.field, name, known });
        }
        self.word().0.push(Piece::Variable(name));
        Ok(())
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|&c| is_name_char(c)) {
            name.push(c);
        }
        name
    }

    fn word(&mut self) -> &mut Word {
        self.word.get_or_insert_default()
    }

    /// Begins a word that quotes may leave empty.
    fn quoted_part(&mut self) {
        let pieces = &mut self.word().0;
        if !matches!(pieces.last(), Some(Piece::Literal(_))) {
            pieces.push(Piece::Literal(String::new()));
        }
    }

    fn syntax(&self, found: &'static str) -> ScriptError {
        ScriptError::ShellSyntax { field: self.field, text: self.text.into(), found }
    }

    fn unfinished(&self, inside: &'static str) -> ScriptError {
        ScriptError::Unfinished { field: self.field, text: self.text.into(), inside }
    }
}

/// Names what an unquoted character would mean to a shell, when it means something.
fn shell_syntax(c: char, at_start: bool) -> Option<&'static str> {
    Some(match c {
        ';' => "a list of commands (;)",
        '&' => "a background command (&)",
        '|' => "a pipe (|)",
        '<' | '>' => "a redirection (< or >)",
        '(' | ')' => "a subshell (parentheses)",
        '`' => "a command substitution (`)",
        '*' | '?' | '[' => "a file name pattern (*, ? or [)",
        '\n' | '\r' => "several lines",
        '#' if at_start => "a comment (#)",
        '~' if at_start => "a home directory (~)",
        c if c.is_control() => "a control character",
        _ => return None,
    })
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
