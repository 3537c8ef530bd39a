//! Says why something cannot follow a channel.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain};
use copkg_spec::coordinate::{CoordinateError, Group, Label, PackageCoordinate, ServiceCoordinate};
use jiff::Timestamp;
use thiserror::Error;

use super::{FollowedChannel, SubscriptionName};
use crate::FileError;
use crate::host::LockError;

/// Why a subscription cannot be made, read or kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FollowError {
    /// Too much or too little was given.
    #[error("it is not said what is to follow which channel")]
    Arguments,
    /// The text names a package without a channel.
    #[error("{text} names no channel")]
    NoChannel {
        /// The text.
        text: String,
    },
    /// The text is no channel of a package.
    #[error("{text:?} is no channel of a package")]
    NotAChannel {
        /// The text.
        text: String,
        /// Why.
        #[source]
        source: CoordinateError,
    },
    /// The text is the name of no subscription.
    #[error("{text:?} is neither a service nor the name of a deployment")]
    NotAName {
        /// The text.
        text: String,
    },
    /// An environment was given for a service.
    #[error("{service} is a service, and environments are of deployments")]
    EnvironmentOfService {
        /// The service.
        service: ServiceCoordinate,
    },
    /// There is no such subscription.
    #[error("{name} follows no channel")]
    Unknown {
        /// The name.
        name: SubscriptionName,
    },
    /// The service was never started.
    #[error("{service} was never started here, and so cannot follow a channel")]
    NoService {
        /// The service.
        service: ServiceCoordinate,
    },
    /// The channel is of another package.
    #[error("{service} runs {runs}, and {channel} is a channel of another package")]
    OtherPackage {
        /// The service.
        service: ServiceCoordinate,
        /// What it runs.
        runs: PackageCoordinate,
        /// The channel.
        channel: FollowedChannel,
    },
    /// It follows another channel already.
    #[error("{name} follows {channel} already")]
    FollowsAlready {
        /// The name.
        name: SubscriptionName,
        /// The channel that it follows.
        channel: FollowedChannel,
    },
    /// The service belongs to a deployment.
    #[error("{service} belongs to the deployment {deployment}, which changes it")]
    OfDeployment {
        /// The service.
        service: ServiceCoordinate,
        /// The deployment.
        deployment: Label,
    },
    /// A service of the deployment follows a channel itself.
    #[error("{service} of the deployment {deployment} follows {channel} itself")]
    ServiceFollows {
        /// The service.
        service: ServiceCoordinate,
        /// The deployment.
        deployment: Label,
        /// The channel.
        channel: FollowedChannel,
    },
    /// Nothing signed says where the channel leads.
    #[error("{channel} is not vouched for by the metadata of a repository")]
    NotVouched {
        /// The channel.
        channel: FollowedChannel,
    },
    /// What the channel names failed here.
    #[error("{package} failed here at {time:.0} and is not tried again: {why}")]
    RevisionFailed {
        /// What follows.
        name: SubscriptionName,
        /// What failed.
        package: PackageCoordinate,
        /// When.
        time: Timestamp,
        /// Why.
        why: String,
    },
    /// The text is no maintenance window.
    #[error("{text:?} is no maintenance window: {why}")]
    Window {
        /// The text.
        text: String,
        /// Why.
        why: &'static str,
    },
    /// The time zone of the host is not known.
    #[error("the time zone of this host is not known: {why}")]
    TimeZone {
        /// Why.
        why: String,
    },
    /// The interval is too short, or cannot be written in a crontab.
    #[error("{seconds} seconds cannot be the interval: {why}")]
    Interval {
        /// The interval.
        seconds: u64,
        /// Why.
        why: &'static str,
    },
    /// A record is of a later version of this program.
    #[error("{path} was written by a later version of pkginstall")]
    LaterVersion {
        /// The record.
        path: Utf8PathBuf,
    },
    /// A record cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another command is at work on it.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl FollowError {
    pub(super) fn file(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let failed = FileError::at(action, path);
        move |source| Self::File(failed(source))
    }

    /// Returns the group that a package is looked for in, for hints.
    fn example(group: &Group, id: &Label) -> String {
        format!("{group}:{id}@stable")
    }
}

impl Explain for FollowError {
    fn exit(&self) -> Exit {
        match self {
            Self::Arguments
            | Self::NoChannel { .. }
            | Self::NotAChannel { .. }
            | Self::NotAName { .. }
            | Self::EnvironmentOfService { .. }
            | Self::Window { .. }
            | Self::TimeZone { .. }
            | Self::Interval { .. } => Exit::Usage,
            Self::Unknown { .. } | Self::NoService { .. } => Exit::NotFound,
            Self::OtherPackage { .. }
            | Self::FollowsAlready { .. }
            | Self::OfDeployment { .. }
            | Self::ServiceFollows { .. } => Exit::Conflict,
            Self::NotVouched { .. } => Exit::Trust,
            Self::RevisionFailed { .. } | Self::LaterVersion { .. } | Self::File(_) => Exit::Failure,
            Self::Lock(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Arguments => "nothing_to_follow",
            Self::NoChannel { .. } => "no_channel",
            Self::NotAChannel { .. } => "not_a_channel",
            Self::NotAName { .. } => "not_a_subscription_name",
            Self::EnvironmentOfService { .. } => "environment_of_service",
            Self::Unknown { .. } => "no_such_subscription",
            Self::NoService { .. } => "follower_never_started",
            Self::OtherPackage { .. } => "channel_of_another_package",
            Self::FollowsAlready { .. } => "follows_already",
            Self::OfDeployment { .. } => "follower_of_deployment",
            Self::ServiceFollows { .. } => "service_follows",
            Self::NotVouched { .. } => "channel_not_vouched",
            Self::RevisionFailed { .. } => "followed_revision_failed",
            Self::Window { .. } => "bad_window",
            Self::TimeZone { .. } => "time_zone_unknown",
            Self::Interval { .. } => "bad_interval",
            Self::LaterVersion { .. } => "subscription_of_later_version",
            Self::File(_) => "subscription_file",
            Self::Lock(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Arguments => {
                "`pkginstall follow SERVICE GROUP:ID@CHANNEL` for a service, `pkginstall follow \
                 GROUP:ID@CHANNEL --env NAME` for a deployment"
                    .into()
            }
            Self::NoChannel { text } => format!("add one: {text}@stable"),
            Self::NotAChannel { .. } => "give group:id@channel, such as com.example:web@stable".into(),
            Self::NotAName { .. } | Self::Unknown { .. } => {
                "`pkginstall follow` lists what follows what".into()
            }
            Self::EnvironmentOfService { .. } => "leave `--env`, `--host` and `--as` out".into(),
            Self::NoService { service } => {
                format!("start it first: `pkginstall start PACKAGE --as {service}`")
            }
            Self::OtherPackage { runs, .. } => {
                format!(
                    "follow a channel of what it runs, such as {}",
                    Self::example(runs.group(), runs.id())
                )
            }
            Self::FollowsAlready { name, .. } => format!("`pkginstall unfollow {name}` first"),
            Self::OfDeployment { .. } => "let the deployment follow a channel instead".into(),
            Self::ServiceFollows { service, .. } => format!("`pkginstall unfollow {service}` first"),
            Self::NotVouched { .. } => {
                "pin the root of its repository: `pkginstall repo add NAME URL --root FINGERPRINT`".into()
            }
            Self::RevisionFailed { name, .. } => {
                format!("`pkginstall follow --retry {name}` tries it again")
            }
            Self::Window { .. } => {
                "write \"Mon-Fri 02:00-04:00\", \"Sat,Sun 22:00-06:00 UTC\" or \"03:00-04:00\"".into()
            }
            Self::TimeZone { .. } => "add UTC to the window: \"Mon-Fri 02:00-04:00 UTC\"".into(),
            Self::Interval { .. } => return None,
            Self::LaterVersion { .. } => "use that version of pkginstall".into(),
            Self::File(_) => {
                "where a record is damaged, `pkginstall unfollow NAME` and `follow` make it anew".into()
            }
            Self::Lock(error) => return error.hint(),
        })
    }
}

#[cfg(test)]
mod tests {
    use copkg_spec::command::Failure;

    use super::*;

    #[test]
    fn every_error_says_what_failed_why_and_what_to_do() {
        let service = || "1.web.prod.osl".parse::<ServiceCoordinate>().unwrap();
        let channel = || "com.example:web@stable".parse::<FollowedChannel>().unwrap();
        let name = || "1.web.prod.osl".parse::<SubscriptionName>().unwrap();
        let deployment = || "shop".parse::<Label>().unwrap();
        let wrong = |text: &str| text.parse::<FollowedChannel>().unwrap_err();
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "EOF while parsing");
        let errors = [
            FollowError::Arguments,
            wrong("com.example:web"),
            wrong("web@stable"),
            "Web!".parse::<SubscriptionName>().unwrap_err(),
            FollowError::EnvironmentOfService { service: service() },
            FollowError::Unknown { name: name() },
            FollowError::NoService { service: service() },
            FollowError::OtherPackage {
                service: service(),
                runs: "com.example:api:1".parse().unwrap(),
                channel: channel(),
            },
            FollowError::FollowsAlready { name: name(), channel: channel() },
            FollowError::OfDeployment { service: service(), deployment: deployment() },
            FollowError::ServiceFollows { service: service(), deployment: deployment(), channel: channel() },
            FollowError::NotVouched { channel: channel() },
            FollowError::RevisionFailed {
                name: name(),
                package: "com.example:web:2".parse().unwrap(),
                time: Timestamp::UNIX_EPOCH,
                why: "1.web.prod.osl did not start".into(),
            },
            "25:00-26:00".parse::<super::super::MaintenanceWindow>().unwrap_err(),
            FollowError::TimeZone { why: "TZ names none".into() },
            FollowError::Interval { seconds: 5, why: "it is at least 60 seconds" },
            FollowError::LaterVersion { path: "/srv/subscription.json".into() },
            FollowError::file("read", Utf8Path::new("/srv/subscription.json"))(broken()),
        ];
        let said = errors.iter().map(|error| {
            let failure = Failure::of(error);
            format!("{} (exit {})\n{failure}", failure.code, failure.exit.code())
        });
        insta::assert_snapshot!(said.collect::<Vec<_>>().join("\n\n"));
    }
}
