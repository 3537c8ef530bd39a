//! Which services a command is about: named, by a pattern, or all, in the order in which they are declared to start.

use std::fmt;
use std::str::FromStr;

use copkg_spec::command::Failure;
use copkg_spec::coordinate::ServiceCoordinate;
use globset::{GlobBuilder, GlobMatcher};

use super::Context;
use crate::service::{self, ServiceError};

/// A service, or a pattern of services: `1.web.prod.osl`, `*.web.prod.*`.
#[derive(Debug, Clone)]
pub(super) enum Selector {
    One(ServiceCoordinate),
    Pattern(String, GlobMatcher),
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains(['*', '?', '[', '{']) {
            return text
                .parse()
                .map(Self::One)
                .map_err(|error: copkg_spec::coordinate::CoordinateError| error.to_string());
        }
        let why = "a pattern has four parts joined by dots, such as *.web.prod.*";
        if text.split('.').count() != 4 || text.contains('/') {
            return Err(why.into());
        }
        // The parts of a coordinate are what the parts of a path are to a glob.
        let glob = GlobBuilder::new(&text.replace('.', "/")).literal_separator(true).build();
        glob.map(|glob| Self::Pattern(text.to_owned(), glob.compile_matcher())).map_err(|_| why.into())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(service) => write!(f, "{service}"),
            Self::Pattern(text, _) => f.write_str(text),
        }
    }
}

impl Selector {
    /// Tells whether a service is meant.
    pub(super) fn matches(&self, service: &ServiceCoordinate) -> bool {
        match self {
            Self::One(one) => one == service,
            Self::Pattern(_, glob) => glob.is_match(service.to_string().replace('.', "/")),
        }
    }
}

/// Finds the services that are meant, each once. Without a selector: all that were ever started here.
pub(super) fn select(
    selectors: &[Selector],
    context: &Context<'_>,
) -> Result<Vec<ServiceCoordinate>, Failure> {
    let prefix = context.prefix()?;
    let known = service::known(&prefix)?;
    let mut selected: Vec<ServiceCoordinate> = Vec::new();
    for selector in selectors {
        let matching: Vec<ServiceCoordinate> = match selector {
            Selector::One(service) => vec![service.clone()],
            Selector::Pattern(_, glob) => {
                let matches =
                    |service: &&ServiceCoordinate| glob.is_match(service.to_string().replace('.', "/"));
                known.iter().filter(matches).cloned().collect()
            }
        };
        if matching.is_empty() {
            return Err(ServiceError::NoMatch { pattern: selector.to_string() }.into());
        }
        for service in matching {
            if !selected.contains(&service) {
                selected.push(service);
            }
        }
    }
    let selected = if selectors.is_empty() { known } else { selected };
    Ok(service::in_order(&prefix, selected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, service: &str) -> bool {
        pattern.parse::<Selector>().unwrap().matches(&service.parse().unwrap())
    }

    #[test]
    fn a_pattern_is_about_the_four_parts() {
        assert!(matches("*.web.prod.*", "1.web.prod.osl"));
        assert!(matches("1.web.prod.osl", "1.web.prod.osl"));
        assert!(matches("[12].w*.{prod,dev}.?sl", "2.web.dev.osl"));
        assert!(!matches("*.web.prod.*", "1.db.prod.osl"));
        assert!(!matches("*.web.prod.*", "1.web.production.osl"));
    }

    #[test]
    fn what_is_neither_a_coordinate_nor_a_pattern_is_refused() {
        for text in ["*", "*.web", "web", "1.web.prod", "*.web.prod.osl.x", "*.[.prod.osl"] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
    }
}
