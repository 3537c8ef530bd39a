//! A subscription: what follows which channel, and who said so.

use std::fmt;
use std::str::FromStr;

use copkg_spec::coordinate::{Label, ServiceCoordinate};
use copkg_spec::deployment::HostId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FollowError, FollowedChannel};
use crate::generation::Actor;

const SCHEMA_VERSION: u32 = 1;

/// What follows a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Follower {
    /// One service.
    Service {
        /// The service.
        service: ServiceCoordinate,
    },
    /// A content.
    Content {
        /// Its name here.
        content: Label,
    },
    /// A deployment.
    Deployment {
        /// Its name here.
        deployment: Label,
        /// The environment.
        environment: Label,
        /// This host, as the environment names it.
        host: HostId,
    },
}

impl Follower {
    /// Returns the name of its subscription.
    pub fn name(&self) -> SubscriptionName {
        SubscriptionName(match self {
            Self::Content { content } => return SubscriptionName::of_content(content),
            Self::Service { service } => service.to_string(),
            Self::Deployment { deployment, .. } => deployment.to_string(),
        })
    }
}

/// What the name of the subscription of a content begins with.
const CONTENT: &str = "content.";

/// The name of a subscription: the service, the name of the deployment, or `content.` and the name of the content. A service has
/// three dots, a deployment none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SubscriptionName(String);

impl SubscriptionName {
    /// Names the subscription of a content.
    pub fn of_content(content: &Label) -> Self {
        Self(format!("{CONTENT}{content}"))
    }

    /// Returns it as text, which is a file name, too.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubscriptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for SubscriptionName {
    type Err = FollowError;

    fn from_str(text: &str) -> Result<Self, FollowError> {
        let content = text.strip_prefix(CONTENT).is_some_and(|name| name.parse::<Label>().is_ok());
        let is_one = content || text.parse::<ServiceCoordinate>().is_ok() || text.parse::<Label>().is_ok();
        if is_one {
            return Ok(Self(text.to_owned()));
        }
        Err(FollowError::NotAName { text: text.to_owned() })
    }
}

/// A service or a deployment that follows a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    schema_version: u32,
    /// What follows.
    #[serde(flatten)]
    pub follower: Follower,
    /// The channel.
    pub channel: FollowedChannel,
    /// Who said so.
    pub actor: Actor,
    /// When.
    pub since: Timestamp,
}

impl Subscription {
    /// Makes a subscription.
    pub fn new(follower: Follower, channel: FollowedChannel, actor: Actor, since: Timestamp) -> Self {
        Self { schema_version: SCHEMA_VERSION, follower, channel, actor, since }
    }

    /// Tells whether both say the same, whoever said it and when.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.follower, &self.channel) == (&other.follower, &other.channel)
    }

    /// Returns its name.
    pub fn name(&self) -> SubscriptionName {
        self.follower.name()
    }

    /// Tells whether this program can read it.
    pub(super) fn is_of_this_version(&self) -> bool {
        self.schema_version == SCHEMA_VERSION
    }
}
