//! Says why a deployment was not changed, and what its services are now.

use std::fmt;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::coordinate::{Label, PackageCoordinate, ServiceCoordinate};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::FileError;
use crate::generation::{Blame, GenerationError, Number};
use crate::host::{HostError, LockError};
use crate::interrupt::Interrupted;
use crate::service::ServiceError;
use crate::upgrade::{Step, UpgradeError, blame_for};

/// Why a deployment cannot be looked at or changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeployError {
    /// A file of it refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no such deployment here.
    #[error("there is no deployment {name} here")]
    Unknown {
        /// The name that was asked for.
        name: Label,
        /// Those that there are.
        known: Vec<Label>,
    },
    /// There is no such generation.
    #[error("the deployment {name} has no generation {number}")]
    NoGeneration {
        /// The deployment.
        name: Label,
        /// The number that was asked for.
        number: Number,
    },
    /// Nothing before it was good.
    #[error("the deployment {name} has no generation to go back to")]
    NoWayBack {
        /// The deployment.
        name: Label,
    },
    /// That generation was never good.
    #[error("generation {number} of the deployment {name} was never good")]
    NeverGood {
        /// The deployment.
        name: Label,
        /// The number.
        number: Number,
    },
    /// The name belongs to another package or environment.
    #[error("the deployment {name} here is {there}, not {asked}")]
    OtherDeployment {
        /// The name.
        name: Label,
        /// What it is.
        there: String,
        /// What was asked for.
        asked: String,
    },
    /// A service belongs to somebody else.
    #[error("{service} is not this deployment's: it belongs to {owner}")]
    Taken {
        /// The service.
        service: ServiceCoordinate,
        /// Whose it is.
        owner: String,
    },
    /// The host is not as it was when the plan was made.
    #[error("the plan of {name} does not fit any more: {} changed since it was made", .what.join(", "))]
    Drifted {
        /// The deployment.
        name: Label,
        /// What is not as it was.
        what: Vec<String>,
    },
    /// What was installed is not what the description names.
    #[error("{service}: {package} is not the package that the description names: {why}")]
    OtherPackage {
        /// The service.
        service: ServiceCoordinate,
        /// The package.
        package: PackageCoordinate,
        /// How it differs.
        why: String,
    },
    /// The host is not what the deployment asks for.
    #[error("the deployment {name} was not changed: {}", .failed.join("; "))]
    Preflight {
        /// The deployment.
        name: Label,
        /// What failed, with its name.
        failed: Vec<String>,
    },
    /// Somebody said no where the change paused.
    #[error("the change was given up where it paused: {message}")]
    GivenUp {
        /// What was asked.
        message: String,
    },
    /// A check of the whole deployment failed.
    #[error("{what}")]
    Verification {
        /// Which, and how.
        what: String,
    },
    /// Something failed before anything was stopped.
    #[error("{service}: nothing was stopped")]
    Preparation {
        /// The service.
        service: ServiceCoordinate,
        /// Why.
        #[source]
        source: Box<DeployError>,
    },
    /// It failed and was rolled back.
    #[error(
        "the deployment {name} was not changed: generation {number} failed{}; {}",
        .at.as_ref().map(|service| format!(" at {service}")).unwrap_or_default(),
        summary(.services, *.is_finished)
    )]
    Failed {
        /// The deployment.
        name: Label,
        /// The generation that failed.
        number: Number,
        /// The service at which it failed.
        at: Option<ServiceCoordinate>,
        /// What became of each service that was changed.
        services: Vec<RolledBack>,
        /// Where the output of what failed is kept.
        logs: Vec<Utf8PathBuf>,
        /// Whether nothing is left to do.
        is_finished: bool,
        /// Why.
        #[source]
        source: Box<DeployError>,
    },
    /// It is good, and something is left to be tidied up.
    #[error("the deployment {name} is generation {number}, but its change could not be ended")]
    Unfinished {
        /// The deployment.
        name: Label,
        /// The generation.
        number: Number,
        /// Why.
        #[source]
        source: Box<DeployError>,
    },
    /// A service refused.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The change of a service failed.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    /// What is remembered of it refused.
    #[error(transparent)]
    Generation(#[from] GenerationError),
    /// The ground refused.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Another command is at work on it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A signal came. Nothing was changed.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// What became of a service when its deployment was rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// The service.
    pub service: ServiceCoordinate,
    /// What was done, for people.
    pub what: String,
    /// Why it is not what it was, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A service that could not be rolled back.
pub type NotReturned = (ServiceCoordinate, Failure);

fn summary(services: &[RolledBack], is_finished: bool) -> String {
    let failed: Vec<String> =
        services.iter().filter(|one| one.error.is_some()).map(|one| one.service.to_string()).collect();
    match (&failed[..], is_finished) {
        ([], _) if services.is_empty() => "no service was touched".into(),
        ([], _) => "every service is what it was".into(),
        (failed, true) => format!("not what they were: {}", failed.join(", ")),
        (failed, false) => {
            format!("not yet what they were: {}; the next command tries again", failed.join(", "))
        }
    }
}

impl DeployError {
    pub(super) fn file(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let failed = FileError::at(action, path);
        move |source| Self::File(failed(source))
    }

    /// Says what is to blame for a change that ended with this: the new revision, the host, or an interruption.
    pub fn blame(&self) -> Blame {
        match self {
            _ if self.exit() == Exit::Interrupted => Blame::Interruption,
            Self::Failed { source, .. } => source.blame(),
            Self::Verification { .. } | Self::GivenUp { .. } => Blame::Revision,
            Self::Upgrade(error) => error.blame(),
            Self::Service(ServiceError::Change(error)) => error.blame(),
            Self::Service(error) => blame_for(Step::Starting, error),
            _ => Blame::Host,
        }
    }

    /// Returns the step that says more than this one: a wrapper has its cause's exit.
    fn cause(&self) -> Option<&dyn Explain> {
        Some(match self {
            Self::Service(error) => error,
            Self::Upgrade(error) => error,
            Self::Generation(error) => error,
            Self::Host(error) => error,
            Self::Lock(error) => error,
            Self::Interrupted(error) => error,
            Self::Preparation { source, .. } => &**source,
            _ => return None,
        })
    }
}

impl Explain for DeployError {
    fn exit(&self) -> Exit {
        if let Some(cause) = self.cause() {
            return cause.exit();
        }
        match self {
            Self::Unknown { .. } | Self::NoGeneration { .. } | Self::NoWayBack { .. } => Exit::NotFound,
            Self::NeverGood { .. }
            | Self::OtherDeployment { .. }
            | Self::Taken { .. }
            | Self::Drifted { .. } => Exit::Conflict,
            Self::OtherPackage { .. } => Exit::Trust,
            Self::Failed { source, .. } if source.exit() == Exit::Interrupted => Exit::Interrupted,
            _ => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "deployment_file",
            Self::Unknown { .. } => "no_such_deployment",
            Self::NoGeneration { .. } => "no_such_deployment_generation",
            Self::NoWayBack { .. } => "deployment_no_way_back",
            Self::NeverGood { .. } => "deployment_never_good",
            Self::OtherDeployment { .. } => "deployment_name_taken",
            Self::Taken { .. } => "service_of_another",
            Self::Drifted { .. } => "plan_drifted",
            Self::OtherPackage { .. } => "deployment_package_differs",
            Self::Preflight { .. } => "preflight_failed",
            Self::GivenUp { .. } => "deployment_given_up",
            Self::Verification { .. } => "verification_failed",
            Self::Failed { .. } => "deployment_failed",
            Self::Unfinished { .. } => "deployment_unfinished",
            Self::Preparation { source, .. } => source.code(),
            Self::Service(error) => error.code(),
            Self::Upgrade(error) => error.code(),
            Self::Generation(error) => error.code(),
            Self::Host(error) => error.code(),
            Self::Lock(error) => error.code(),
            Self::Interrupted(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        if let Some(cause) = self.cause() {
            return cause.hint();
        }
        match self {
            Self::Unknown { known, .. } if known.is_empty() => {
                Some("`pkginstall deploy apply` makes the first one".into())
            }
            Self::Unknown { known, .. } => {
                let known: Vec<_> = known.iter().map(ToString::to_string).collect();
                Some(format!("there is {}", known.join(", ")))
            }
            Self::NoGeneration { name, .. } | Self::NoWayBack { name } | Self::NeverGood { name, .. } => {
                Some(format!("`pkginstall deploy history {name}` lists them"))
            }
            Self::OtherDeployment { .. } => Some("give it a name of its own here: `--as NAME`".into()),
            Self::Taken { service, .. } => Some(format!(
                "give the service another name in the description or in the environment, or remove what is there with \
                 `pkginstall stop {service}` and `pkginstall forget {service}`"
            )),
            Self::Preflight { .. } => Some(
                "`pkginstall deploy check` runs the checks alone; an environment tolerates one by its name and a reason, in \
                 `[tolerate]`"
                    .into(),
            ),
            Self::Drifted { .. } => Some("make a new plan with `pkginstall deploy plan`".into()),
            Self::Failed { logs, source, .. } => {
                let logs: Vec<_> = logs.iter().map(ToString::to_string).collect();
                if logs.is_empty() { source.hint() } else { Some(format!("its output is in {}", logs.join(", "))) }
            }
            Self::Unfinished { .. } => Some("the next command, or `pkginstall recover`, ends it".into()),
            _ => None,
        }
    }
}

impl fmt::Display for RolledBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            None => write!(f, "{}: {}", self.service, self.what),
            Some(why) => write!(f, "{}: not what it was: {why}", self.service),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Label {
        "shop".parse().unwrap()
    }

    fn service() -> ServiceCoordinate {
        "1.web.shop.osl".parse().unwrap()
    }

    fn failed(error: Option<String>, is_finished: bool) -> DeployError {
        DeployError::Failed {
            name: shop(),
            number: Number::FIRST,
            at: Some(service()),
            services: vec![RolledBack { service: service(), what: "is what it was".into(), error }],
            logs: vec!["/srv/log".into()],
            is_finished,
            source: Box::new(DeployError::Verification { what: "verify shop: exit status: 1".into() }),
        }
    }

    #[test]
    fn every_error_says_what_failed_why_and_what_to_do() {
        let errors = [
            DeployError::Unknown { name: shop(), known: vec!["other".parse().unwrap()] },
            DeployError::NoGeneration { name: shop(), number: Number::FIRST },
            DeployError::NoWayBack { name: shop() },
            DeployError::NeverGood { name: shop(), number: Number::FIRST },
            DeployError::OtherDeployment {
                name: shop(),
                there: "com.example:shop in the environment prod on the host a".into(),
                asked: "com.example:shop in the environment test on the host a".into(),
            },
            DeployError::Taken { service: service(), owner: "the deployment other".into() },
            DeployError::Drifted { name: shop(), what: vec![service().to_string()] },
            DeployError::OtherPackage {
                service: service(),
                package: "com.example:web:1".parse().unwrap(),
                why: "its digest is another one".into(),
            },
            DeployError::Preflight {
                name: shop(),
                failed: vec!["preflight users: there is no account web".into()],
            },
            DeployError::GivenUp { message: "Is it well?".into() },
            failed(None, true),
            failed(Some("it did not start".into()), true),
            failed(Some("it did not start".into()), false),
        ];
        let said = errors.iter().map(|error| {
            let failure = Failure::of(error);
            format!("{} (exit {})\n{failure}", failure.code, failure.exit.code())
        });
        insta::assert_snapshot!(said.collect::<Vec<_>>().join("\n\n"));
    }
}
