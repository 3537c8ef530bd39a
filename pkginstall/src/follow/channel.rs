//! The channel of a package: `group:id@channel`.

use std::fmt;
use std::str::FromStr;

use copkg_spec::coordinate::{Group, Label};
use serde::{Deserialize, Serialize};

use super::FollowError;
use crate::repository::Wanted;

/// A channel that is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FollowedChannel {
    group: Group,
    id: Label,
    channel: Label,
}

impl FollowedChannel {
    /// Names the channel of a package.
    pub fn new(group: Group, id: Label, channel: Label) -> Self {
        Self { group, id, channel }
    }

    /// Returns the group of the package.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Returns the id of the package.
    pub fn id(&self) -> &Label {
        &self.id
    }

    /// Returns the channel alone.
    pub fn channel(&self) -> &Label {
        &self.channel
    }

    /// Returns what a repository is asked for.
    pub fn wanted(&self) -> Wanted {
        let Self { group, id, channel } = self.clone();
        Wanted::Channel { group, id, channel }
    }
}

impl FromStr for FollowedChannel {
    type Err = FollowError;

    fn from_str(text: &str) -> Result<Self, FollowError> {
        match text.parse() {
            Ok(Wanted::Channel { group, id, channel }) => Ok(Self { group, id, channel }),
            Ok(_) => Err(FollowError::NoChannel { text: text.to_owned() }),
            Err(source) => Err(FollowError::NotAChannel { text: text.to_owned(), source }),
        }
    }
}

impl TryFrom<String> for FollowedChannel {
    type Error = FollowError;

    fn try_from(text: String) -> Result<Self, FollowError> {
        text.parse()
    }
}

impl From<FollowedChannel> for String {
    fn from(channel: FollowedChannel) -> Self {
        channel.to_string()
    }
}

impl fmt::Display for FollowedChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}@{}", self.group, self.id, self.channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_written_as_it_is_read_and_nothing_else_is_one() {
        let text = "com.example:web@stable";
        assert_eq!(text.parse::<FollowedChannel>().unwrap().to_string(), text);
        for text in ["com.example:web", "com.example:web:1.0", "web@stable", "com.example:web@"] {
            assert!(text.parse::<FollowedChannel>().is_err(), "{text}");
        }
    }
}
