//! The survey: what is needed, by whom, and why.

use std::collections::{BTreeMap, BTreeSet};

use copkg_spec::command::Failure;
use copkg_spec::coordinate::{Label, PackageCoordinate, ServiceCoordinate};
use serde::Serialize;

use super::pins;
use crate::content::{ContentChange, ContentStore, Served};
use crate::deploy::DeploymentStore;
use crate::follow::{SubscriptionName, Subscriptions};
use crate::generation::{Generation, Generations, Number};
use crate::host::Prefix;
use crate::service::{self, ServiceRecord};
use crate::upgrade::SetAside;

/// Why something is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum Reason {
    /// It is what a service is.
    Current {
        /// The service.
        service: ServiceCoordinate,
        /// The generation.
        number: Number,
    },
    /// It is what a service was when it was last good: where `rollback` leads.
    LastGood {
        /// The service.
        service: ServiceCoordinate,
        /// The generation.
        number: Number,
    },
    /// It is one of the last generations of a service.
    Recent {
        /// The service.
        service: ServiceCoordinate,
        /// The generation.
        number: Number,
    },
    /// A service runs from it, or is to.
    Running {
        /// The service.
        service: ServiceCoordinate,
    },
    /// Data that it wrote was set aside, and only it may be able to read that.
    SetAside {
        /// The service.
        service: ServiceCoordinate,
        /// The generation.
        number: Number,
    },
    /// A deployment is, or was when it was last good, what this package describes.
    Deployment {
        /// The deployment.
        deployment: Label,
        /// Its generation.
        number: Number,
    },
    /// It was made ready for what follows a channel, and waits for its maintenance window.
    Staged {
        /// What follows.
        subscription: SubscriptionName,
    },
    /// It is a revision of a content that is served, was activated, or is edited.
    Content {
        /// The content.
        content: Label,
    },
    /// Somebody pinned it.
    Pinned,
    /// A service may need it: what it is cannot be read.
    Unreadable {
        /// The service.
        service: ServiceCoordinate,
    },
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Current { service, number } => write!(f, "it is what {service} is: generation {number}"),
            Self::LastGood { service, number } => {
                write!(f, "a rollback of {service} leads to it: generation {number}")
            }
            Self::Recent { service, number } => {
                write!(f, "it is one of the last generations of {service}: {number}")
            }
            Self::Running { service } => write!(f, "{service} has it on record"),
            Self::SetAside { service, number } => {
                write!(f, "data that it wrote is set aside for {service}: generation {number}")
            }
            Self::Deployment { deployment, number } => {
                write!(f, "it is of the deployment {deployment}: generation {number}")
            }
            Self::Staged { subscription } => write!(f, "it is made ready for {subscription}"),
            Self::Content { content } => {
                write!(f, "it is what the content {content} is, or is edited on top of")
            }
            Self::Pinned => f.write_str("it is pinned"),
            Self::Unreadable { service } => {
                write!(f, "{service} may need it: what is on record of that cannot be read")
            }
        }
    }
}

/// What is kept of one service.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// The generations.
    pub generations: BTreeSet<Number>,
    /// The generations whose data is kept.
    pub data: BTreeSet<Number>,
}

/// What is needed below a prefix.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    services: BTreeMap<ServiceCoordinate, Kept>,
    packages: BTreeMap<PackageCoordinate, BTreeSet<Reason>>,
    unreadable: BTreeMap<ServiceCoordinate, Failure>,
}

impl Survey {
    /// Looks at all services and pins; `retain` generations of each service are kept beside the needed ones.
    ///
    /// Of a service of which something cannot be read nothing may go, and no package that it may need.
    ///
    /// # Errors
    /// When services or pins cannot be listed: then nothing may go.
    pub fn of(prefix: &Prefix, retain: usize) -> Result<Self, Failure> {
        let mut survey = Self::default();
        for package in pins::list(prefix)? {
            survey.keep(package, Reason::Pinned);
        }
        survey.look_at_deployments(prefix)?;
        survey.look_at_subscriptions(prefix)?;
        survey.look_at_contents(prefix)?;
        for service in service::known(prefix)? {
            let mut kept = Kept::default();
            match survey.look_at(prefix, &service, retain, &mut kept) {
                Ok(()) => _ = survey.services.insert(service, kept),
                Err(failure) => _ = survey.unreadable.insert(service, failure),
            }
        }
        Ok(survey)
    }

    /// Returns the services of which something cannot be read, and why.
    pub fn unreadable(&self) -> impl Iterator<Item = (&ServiceCoordinate, &Failure)> {
        self.unreadable.iter()
    }

    /// Returns the services.
    pub fn services(&self) -> impl Iterator<Item = &ServiceCoordinate> {
        self.services.keys()
    }

    /// Tells whether a generation is kept.
    pub fn keeps_generation(&self, service: &ServiceCoordinate, number: Number) -> bool {
        self.services.get(service).is_none_or(|kept| kept.generations.contains(&number))
    }

    /// Tells whether the data that a generation left is kept.
    pub fn keeps_data(&self, service: &ServiceCoordinate, number: Number) -> bool {
        self.services.get(service).is_none_or(|kept| kept.data.contains(&number))
    }

    /// Says why a package is kept; nothing when nothing needs it.
    pub fn reasons(&self, package: &PackageCoordinate) -> Vec<Reason> {
        let unreadable =
            self.unreadable.keys().map(|service| Reason::Unreadable { service: service.clone() });
        self.packages.get(package).into_iter().flatten().cloned().chain(unreadable).collect()
    }

    /// Keeps the packages of every deployment as it is, and as it was when it was last good: where `deploy rollback` leads.
    fn look_at_deployments(&mut self, prefix: &Prefix) -> Result<(), Failure> {
        for deployment in DeploymentStore::names(prefix)? {
            let store = DeploymentStore::of(prefix, &deployment);
            let Some(current) = store.current_number()? else { continue };
            let before = store.last_good_ancestor(current)?;
            for number in before.into_iter().chain([current]) {
                let desired = store.read(number)?.desired;
                let packages = desired.services.into_iter().map(|one| one.package);
                for package in packages.chain([desired.package]) {
                    self.keep(package, Reason::Deployment { deployment: deployment.clone(), number });
                }
            }
        }
        Ok(())
    }

    /// Keeps what was made ready. Of a subscription that cannot be read that is fetched again.
    fn look_at_subscriptions(&mut self, prefix: &Prefix) -> Result<(), Failure> {
        let subscriptions = Subscriptions::of(prefix);
        for subscription in subscriptions.names()? {
            for package in
                subscriptions.progress(&subscription).map(|progress| progress.staged).unwrap_or_default()
            {
                self.keep(package, Reason::Staged { subscription: subscription.clone() });
            }
        }
        Ok(())
    }

    /// Keeps what is served of each content, and what its edits are compared and merged with.
    fn look_at_contents(&mut self, prefix: &Prefix) -> Result<(), Failure> {
        for name in ContentStore::names(prefix)? {
            let store = ContentStore::of(prefix, &name);
            let content = store.require()?;
            let mut needed = Vec::new();
            if let Some(Served::Revision(package)) = store.served(&content)? {
                needed.push(package);
            }
            if let Some(hold) = store.hold()? {
                needed.extend(hold.heads.into_values().map(|version| content.package(version)));
                needed.push(hold.base.package);
            }
            if let Some(ContentChange::Switch { to, .. }) = store.change()? {
                needed.push(to);
            }
            for package in needed {
                self.keep(package, Reason::Content { content: name.clone() });
            }
        }
        Ok(())
    }

    fn look_at(
        &mut self,
        prefix: &Prefix,
        service: &ServiceCoordinate,
        retain: usize,
        kept: &mut Kept,
    ) -> Result<(), Failure> {
        if let Some(record) = ServiceRecord::read(prefix, service)? {
            self.keep(record.package, Reason::Running { service: service.clone() });
        }
        let generations = Generations::of(prefix, service);
        let all = generations.list()?;
        if let Some(current) = generations.current()? {
            let number = current.number;
            kept.generations.insert(number);
            self.keep(current.package, Reason::Current { service: service.clone(), number });
            if let Some(Generation { number, package, .. }) = generations.last_good_ancestor(number)? {
                kept.generations.insert(number);
                kept.data.insert(number);
                self.keep(package, Reason::LastGood { service: service.clone(), number });
            }
        }
        for aside in SetAside::list(prefix, service)? {
            kept.generations.insert(aside.generation);
            let service = service.clone();
            self.keep(aside.package, Reason::SetAside { service, number: aside.generation });
        }
        let rest = all.iter().rev().filter(|number| !kept.generations.contains(number));
        let recent: Vec<Number> = rest.take(retain).copied().collect();
        for number in recent {
            kept.generations.insert(number);
            let package = generations.read(number)?.package;
            self.keep(package, Reason::Recent { service: service.clone(), number });
        }
        Ok(())
    }

    fn keep(&mut self, package: PackageCoordinate, reason: Reason) {
        self.packages.entry(package).or_default().insert(reason);
    }
}
