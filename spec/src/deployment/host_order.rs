//! The order of the hosts of an environment: each after those whose services its own come after.
//!
//! A host alone changes its services in order and waits for no other. This order is for whoever brings up several of them.

use std::collections::{BTreeMap, BTreeSet};

use super::description::Deployment;
use super::environment::{Environment, EnvironmentHost};
use super::name::HostId;
use super::order::order;
use crate::coordinate::ServiceLabel;

/// Returns the hosts of `environment`, each after those it waits for; by name where nothing else decides.
///
/// Hosts that wait for one another in a circle, which services do not, are taken by name.
pub fn host_order(deployment: &Deployment, environment: &Environment) -> Vec<HostId> {
    let mut waits: BTreeMap<HostId, BTreeSet<HostId>> = BTreeMap::new();
    for (name, host) in &environment.hosts {
        let after = services_of(deployment, host)
            .filter_map(|service| deployment.services.get(service))
            .flat_map(|service| &service.after)
            .collect::<BTreeSet<_>>();
        let others = environment.hosts.iter().filter(|(other, _)| *other != name);
        let runs_one = |host: &EnvironmentHost| services_of(deployment, host).any(|one| after.contains(one));
        waits.insert(
            name.clone(),
            others.filter(|(_, host)| runs_one(host)).map(|(name, _)| name.clone()).collect(),
        );
    }
    loop {
        match order(&waits) {
            Ok(hosts) => return hosts,
            Err(circle) => {
                for (host, next) in circle.0.iter().zip(circle.0.iter().skip(1)) {
                    if host < next {
                        waits.entry(host.clone()).or_default().remove(next);
                    }
                }
            }
        }
    }
}

fn services_of<'a>(
    deployment: &'a Deployment,
    host: &'a EnvironmentHost,
) -> impl Iterator<Item = &'a ServiceLabel> {
    host.roles.iter().filter_map(|role| deployment.roles.get(role)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(services: &str, hosts: &str) -> Vec<String> {
        let about = "[deployment]\ngroup = \"com.example\"\nid = \"shop\"\nversion = \"1\"\n";
        let deployment = Deployment::parse(&format!("{about}{services}")).unwrap();
        let text = format!("cell = \"local\"\nuser = \"dev\"\n{hosts}");
        let environment = Environment::parse(&"dev".parse().unwrap(), &text, &deployment).unwrap();
        host_order(&deployment, &environment).iter().map(ToString::to_string).collect()
    }

    const SERVICES: &str = r#"
        [service.store]
        package = "com.example:store"
        version = "1"
        [service.web]
        package = "com.example:web"
        version = "1"
        after = ["store"]
        [service.report]
        package = "com.example:report"
        version = "1"
        after = ["web"]
        [role.store]
        services = ["store"]
        [role.web]
        services = ["web"]
        [role.mixed]
        services = ["store", "report"]
    "#;

    #[test]
    fn a_host_comes_after_those_that_its_services_wait_for() {
        let hosts =
            "[host.a]\nroles = [\"web\"]\n[host.b]\nroles = [\"web\"]\n[host.z]\nroles = [\"store\"]\n";
        assert_eq!(ordered(SERVICES, hosts), ["z", "a", "b"]);
    }

    #[test]
    fn hosts_that_wait_for_one_another_are_taken_by_name() {
        let hosts =
            "[host.b]\nroles = [\"web\"]\n[host.c]\nroles = [\"mixed\"]\n[host.a]\nroles = [\"web\"]\n";
        assert_eq!(ordered(SERVICES, hosts), ["a", "b", "c"]);
    }
}
