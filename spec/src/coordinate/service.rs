//! Service coordinates, `instance.service.user.cell`: the grammar of cloudname 2.x.

use std::fmt;
use std::str::FromStr;

use super::label::{LABEL_MAX, is_label_char};
use super::{CoordinateError, serde_as_text, text_type};

/// Names one running service: `instance.service.user.cell`, e.g. `1.idee.prod.trd`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceCoordinate {
    // The order of the fields is the order of a listing: all of a cell together, instances by number.
    cell: ServiceLabel,
    user: ServiceLabel,
    service: ServiceLabel,
    instance: u32,
}

impl ServiceCoordinate {
    /// Joins the four parts.
    pub fn new(instance: u32, service: ServiceLabel, user: ServiceLabel, cell: ServiceLabel) -> Self {
        Self { cell, user, service, instance }
    }

    /// Returns the instance number.
    pub fn instance(&self) -> u32 {
        self.instance
    }

    /// Returns the service's name.
    pub fn service(&self) -> &ServiceLabel {
        &self.service
    }

    /// Returns the user that the service belongs to: a name in the coordinate, not an account.
    pub fn user(&self) -> &ServiceLabel {
        &self.user
    }

    /// Returns the cell, e.g. a data centre.
    pub fn cell(&self) -> &ServiceLabel {
        &self.cell
    }
}

/// One name of a service coordinate: `[a-z][a-z0-9_-]*`, at most 63 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceLabel(String);
text_type!(ServiceLabel);

impl ServiceLabel {
    /// Parses one name.
    ///
    /// # Errors
    /// Names the first rule of the grammar that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, CoordinateError> {
        let error = |why: String| CoordinateError::new("service name", text, why);
        if text.len() > LABEL_MAX {
            return Err(error(format!("it has {} bytes, the limit is {LABEL_MAX}", text.len())));
        }
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(error("it starts with a lower-case letter".into()));
        }
        if let Some(c) = text.chars().find(|&c| !is_label_char(c)) {
            return Err(error(format!("{c:?} is not allowed; a name has a-z, 0-9, '_' and '-'")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for ServiceCoordinate {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let error = |why: String| CoordinateError::new("service coordinate", text, why);
        let parts: Vec<&str> = text.split('.').collect();
        let [instance, service, user, cell] = parts[..] else {
            return Err(error("expected instance.service.user.cell, such as 1.web.prod.osl".into()));
        };
        let instance = parse_instance(instance).map_err(error)?;
        Ok(Self { cell: cell.parse()?, user: user.parse()?, service: service.parse()?, instance })
    }
}

fn parse_instance(text: &str) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(format!("the instance {text:?} is not a whole number without leading zeros"));
    }
    text.parse().map_err(|_| format!("the instance {text} is above {}", u32::MAX))
}

impl fmt::Display for ServiceCoordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}.{}.{}", self.instance, self.service, self.user, self.cell))
    }
}

serde_as_text!(ServiceCoordinate);
