//! What a service of a deployment is on this host, before anything is done to it.

use std::collections::BTreeMap;

use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::digest::Digest;
use serde::Serialize;

use super::DeployError;
use crate::conditions;
use crate::configure;
use crate::generation::{Generation, Generations};
use crate::host::Prefix;
use crate::runtime::RuntimeDirectory;
use crate::service::{self, Desired as Wish, ServiceError, State, View};

/// The largest file of a configuration that is looked at.
const LIMIT: u64 = 8 << 20;

/// A service as it is.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    pub(super) generation: Option<Generation>,
    /// The text of its file of values.
    pub(super) values: Option<String>,
    /// The text of the file in which a deployment states its conditions.
    pub(super) conditions: Option<String>,
    /// `None` where it was never started here.
    pub(super) view: Option<View>,
}

/// What of a service must stay as it is between a plan and its apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Fingerprint {
    service: ServiceCoordinate,
    generation: Option<Digest>,
    values: Option<Digest>,
    conditions: Option<Digest>,
    should_run: bool,
    /// The files of its configuration as they lie in the runtime directory.
    configuration: BTreeMap<String, Option<Digest>>,
}

impl Observed {
    /// Looks at a service.
    ///
    /// # Errors
    /// When something of it cannot be read, or nobody can say whether it runs.
    pub(super) fn at(prefix: &Prefix, service: &ServiceCoordinate) -> Result<Self, DeployError> {
        let view = match service::view(prefix, service) {
            Err(ServiceError::NeverStarted { .. }) => None,
            view => Some(view?),
        };
        if let Some(View { state: State::Unknown, why, .. }) = &view {
            let (service, why) = (service.clone(), why.clone().unwrap_or_default());
            service::refuse_started_by_hand(prefix, &service)?;
            return Err(ServiceError::Unknown { service, why }.into());
        }
        let generation = Generations::of(prefix, service).current()?;
        let values = configure::read_values_text(prefix, service).map_err(ServiceError::from)?;
        let conditions = conditions::read_deployed(prefix, service).map_err(ServiceError::from)?;
        Ok(Self { generation, values, conditions, view })
    }

    /// Tells whether it runs.
    pub(super) fn runs(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.state == State::Running)
    }

    /// Tells whether it runs, or should and died.
    pub(super) fn should_run(&self) -> bool {
        self.view
            .as_ref()
            .is_some_and(|view| view.state == State::Running || view.desired == Some(Wish::Running))
    }

    /// Returns what must stay as it is until an apply.
    pub(super) fn fingerprint(
        &self,
        prefix: &Prefix,
        service: &ServiceCoordinate,
    ) -> Result<Fingerprint, DeployError> {
        let generations = Generations::of(prefix, service);
        let generation =
            self.generation.as_ref().map(|current| generations.digest(current.number)).transpose()?;
        let mut configuration = BTreeMap::new();
        let runtime = RuntimeDirectory::open(prefix, service).map_err(ServiceError::from)?;
        if let (Some(current), Some(runtime)) = (&self.generation, runtime) {
            for path in current.configuration.keys() {
                let bytes = runtime.read_file(&format!("etc/{path}"), LIMIT).map_err(ServiceError::from)?;
                configuration.insert(path.to_string(), bytes.map(|bytes| Digest::of(&bytes)));
            }
        }
        Ok(Fingerprint {
            service: service.clone(),
            generation,
            values: self.values.as_ref().map(|text| Digest::of(text.as_bytes())),
            conditions: self.conditions.as_ref().map(|text| Digest::of(text.as_bytes())),
            should_run: self.should_run(),
            configuration,
        })
    }
}
