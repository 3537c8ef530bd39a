//! What is asked for: one version, the newest, or the one that a channel names.

use std::fmt;
use std::str::FromStr;

use copkg_spec::coordinate::{CoordinateError, Group, Label, PackageCoordinate};
use serde::{Serialize, Serializer};

/// A package, and which of its versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wanted {
    /// `com.example:web:1.2.0`: this version and no other.
    Exactly(PackageCoordinate),
    /// `com.example:web`: the newest that is neither yanked nor a pre-release.
    Newest {
        /// The group.
        group: Group,
        /// The id.
        id: Label,
    },
    /// `com.example:web@stable`: the one that the channel names.
    Channel {
        /// The group.
        group: Group,
        /// The id.
        id: Label,
        /// The channel.
        channel: Label,
    },
}

impl Wanted {
    /// Returns the group.
    pub fn group(&self) -> &Group {
        match self {
            Self::Exactly(package) => package.group(),
            Self::Newest { group, .. } | Self::Channel { group, .. } => group,
        }
    }

    /// Returns the id.
    pub fn id(&self) -> &Label {
        match self {
            Self::Exactly(package) => package.id(),
            Self::Newest { id, .. } | Self::Channel { id, .. } => id,
        }
    }
}

impl From<PackageCoordinate> for Wanted {
    fn from(package: PackageCoordinate) -> Self {
        Self::Exactly(package)
    }
}

impl FromStr for Wanted {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        let (name, channel) = match text.split_once('@') {
            Some((name, channel)) => (name, Some(channel.parse()?)),
            None => (text, None),
        };
        let parts: Vec<&str> = name.split(':').collect();
        match (&parts[..], channel) {
            ([group, id], None) => Ok(Self::Newest { group: group.parse()?, id: id.parse()? }),
            ([group, id], Some(channel)) => {
                Ok(Self::Channel { group: group.parse()?, id: id.parse()?, channel })
            }
            ([_, _, _], None) => Ok(Self::Exactly(text.parse()?)),
            ([_, _, _], Some(_)) => {
                let why = "it names a version and a channel".to_owned();
                Err(CoordinateError::new("package coordinate", text, why))
            }
            _ => {
                let why = format!("it has {} parts, group:id:version has three", parts.len());
                Err(CoordinateError::new("package coordinate", text, why))
            }
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(package) => package.fmt(f),
            Self::Newest { group, id } => f.pad(&format!("{group}:{id}")),
            Self::Channel { group, id, channel } => f.pad(&format!("{group}:{id}@{channel}")),
        }
    }
}

impl Serialize for Wanted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_written_as_it_is_read() {
        for text in ["com.example:web", "com.example:web@stable", "com.example:web:1.0+x~1"] {
            assert_eq!(text.parse::<Wanted>().unwrap().to_string(), text);
        }
        for text in
            ["web", "com.example:web:1.0@stable", "com.example:web@", "com.example:", "a:b:c:d", "a:b@c d"]
        {
            assert!(text.parse::<Wanted>().is_err(), "{text}");
        }
    }
}
