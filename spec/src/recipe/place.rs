//! Places in a recipe: which key of which table, and on which line.

use std::fmt;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A key, or the item of a list, in a recipe. Shown as `[package] id` or `[[source]] #2 sha256`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Item(usize),
}

impl Place {
    /// The recipe as a whole.
    pub(crate) fn top() -> Self {
        Self::default()
    }

    /// The table or key `name` at the top.
    pub(crate) fn table(name: &str) -> Self {
        Self::top().key(name)
    }

    /// The key `name` of the table at this place.
    pub(crate) fn key(&self, name: &str) -> Self {
        self.with(Step::Key(name.to_owned()))
    }

    /// The item `number`, from 0, of the list at this place.
    pub(crate) fn item(&self, number: usize) -> Self {
        self.with(Step::Item(number))
    }

    /// The table or list that this place is in.
    pub(crate) fn parent(mut self) -> Self {
        self.0.pop();
        self
    }

    /// Returns the names of the keys from the top, without the numbers of items.
    pub(crate) fn names(&self) -> Vec<&str> {
        let name = |step: &'_ Step| matches!(step, Step::Key(_));
        self.0.iter().filter(|step| name(step)).map(Step::name).collect()
    }

    /// Shows the place in a file in which the tables of `named` have tables of the author's own names: `[service.web] package`.
    pub(crate) fn shown_with(&self, named: &[&str]) -> String {
        match self.0.as_slice() {
            [] => String::new(),
            [Step::Key(table), Step::Key(name), rest @ ..] if named.contains(&table.as_str()) => {
                let joined = [Step::Key(format!("{table}.{name}"))];
                Self(joined.into_iter().chain(rest.iter().cloned()).collect()).to_string()
            }
            _ => self.to_string(),
        }
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl Step {
    fn name(&self) -> &str {
        match self {
            Self::Key(name) => name,
            Self::Item(_) => "",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = self.0.as_slice();
        match steps {
            [] => return f.write_str("the recipe"),
            [Step::Key(table), Step::Item(number), rest @ ..] => {
                write!(f, "[[{table}]] #{}", number + 1)?;
                steps = rest;
            }
            [first, rest @ ..] => {
                write!(f, "[{}]", first.name())?;
                steps = rest;
            }
        }
        let mut before = " ";
        for step in steps {
            match step {
                Step::Key(name) => write!(f, "{before}{name}")?,
                Step::Item(number) => write!(f, " #{}", number + 1)?,
            }
            before = if matches!(step, Step::Key(_)) { "." } else { " " };
        }
        Ok(())
    }
}

/// Finds lines and places in the parsed text of a recipe.
#[derive(Debug)]
pub(crate) struct Locator<'a> {
    text: &'a str,
    root: DeTable<'a>,
}

impl<'a> Locator<'a> {
    pub(crate) fn new(text: &'a str, root: DeTable<'a>) -> Self {
        Self { text, root }
    }

    /// Returns the line of `place`, or of the nearest place around it that the text has.
    pub(crate) fn line_of(&self, place: &Place) -> usize {
        line_at(self.text, self.offset_of(place))
    }

    /// Returns the innermost place that holds the byte `offset`.
    pub(crate) fn place_at(&self, offset: usize) -> Place {
        place_in_table(&self.root, &Place::top(), offset).unwrap_or_default()
    }

    fn offset_of(&self, place: &Place) -> usize {
        let mut offset = 0;
        let mut value: Option<&DeValue<'_>> = None;
        for step in &place.0 {
            let found = match (step, value) {
                (Step::Key(name), None) => self.root.get_key_value(name.as_str()),
                (Step::Key(name), Some(DeValue::Table(table))) => table.get_key_value(name.as_str()),
                (Step::Item(number), Some(DeValue::Array(items))) => match items.get(*number) {
                    Some(item) => {
                        offset = item.span().start;
                        value = Some(item.get_ref());
                        continue;
                    }
                    None => return offset,
                },
                _ => None,
            };
            let Some((key, inner)) = found else { return offset };
            offset = key.span().start;
            value = Some(inner.get_ref());
        }
        offset
    }
}

/// Returns the line, from 1, that the byte `offset` of `text` is on.
pub fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

fn place_in_table(table: &DeTable<'_>, here: &Place, offset: usize) -> Option<Place> {
    table.iter().find_map(|(key, value)| {
        let place = here.key(key.get_ref());
        if key.span().contains(&offset) {
            return Some(place);
        }
        place_in_value(value.get_ref(), &value.span(), &place, offset)
    })
}

/// The span of a table that was opened by a header ends with the header, so what is inside is asked first.
fn place_in_value(value: &DeValue<'_>, span: &Range<usize>, here: &Place, offset: usize) -> Option<Place> {
    let inside = match value {
        DeValue::Table(table) => place_in_table(table, here, offset),
        DeValue::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(n, item)| place_in_value(item.get_ref(), &item.span(), &here.item(n), offset)),
        _ => None,
    };
    inside.or_else(|| span.contains(&offset).then(|| here.clone()))
}
