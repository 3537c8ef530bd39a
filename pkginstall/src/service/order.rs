//! The order of services: those that a service is declared to come `after` go first.

use std::collections::{BTreeMap, VecDeque};

use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate, ServiceLabel};

use super::ServiceRecord;
use crate::host::Prefix;
use crate::receipts;

/// Sorts `services` so that each comes behind those that it is declared to come after; otherwise they stay as they were.
/// Where declarations go in a circle, the circle stays as it was, too.
/// One whose package is gone, or whose record cannot be read, has no say.
pub fn in_order(prefix: &Prefix, services: Vec<ServiceCoordinate>) -> Vec<ServiceCoordinate> {
    // Many services run from few packages.
    let mut declared: BTreeMap<PackageCoordinate, Vec<ServiceLabel>> = BTreeMap::new();
    let mut after = BTreeMap::new();
    for service in &services {
        let Ok(Some(record)) = ServiceRecord::read(prefix, service) else { continue };
        let labels =
            declared.entry(record.package).or_insert_with_key(|package| declared_by(prefix, package));
        if !labels.is_empty() {
            after.insert(service.clone(), labels.clone());
        }
    }
    sorted(services, &after)
}

/// Reads what the services of `package` come after; nothing where the package is gone.
fn declared_by(prefix: &Prefix, package: &PackageCoordinate) -> Vec<ServiceLabel> {
    let manifest =
        receipts::require(prefix, package).and_then(|receipt| receipts::manifest(prefix, &receipt));
    manifest.ok().and_then(|manifest| Some(manifest.service()?.after.clone())).unwrap_or_default()
}

fn sorted(
    services: Vec<ServiceCoordinate>,
    after: &BTreeMap<ServiceCoordinate, Vec<ServiceLabel>>,
) -> Vec<ServiceCoordinate> {
    let (mut left, mut sorted) = (VecDeque::from(services), Vec::new());
    while !left.is_empty() {
        let is_free = |service: &ServiceCoordinate| {
            let Some(waits_for) = after.get(service) else { return true };
            let beside = |other: &ServiceCoordinate| {
                other != service && (other.user(), other.cell()) == (service.user(), service.cell())
            };
            !left.iter().any(|other| beside(other) && waits_for.contains(other.service()))
        };
        let next = left.iter().position(is_free).unwrap_or(0);
        sorted.extend(left.remove(next));
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(services: &[&str], after: &[(&str, &[&str])]) -> Vec<String> {
        let services = services.iter().map(|service| service.parse().unwrap()).collect();
        let labels = |labels: &[&str]| labels.iter().map(|label| label.parse().unwrap()).collect();
        let after = after.iter().map(|(service, after)| (service.parse().unwrap(), labels(after))).collect();
        sorted(services, &after).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_comes_after_comes_after() {
        let services = ["1.web.prod.osl", "2.web.prod.osl", "1.db.prod.osl", "1.db.prod.trd"];
        let after: [(&str, &[&str]); 2] =
            [("1.web.prod.osl", &["db"]), ("2.web.prod.osl", &["db", "nothing"])];
        assert_eq!(
            order(&services, &after),
            ["1.db.prod.osl", "1.web.prod.osl", "2.web.prod.osl", "1.db.prod.trd"]
        );
    }

    #[test]
    fn without_declarations_and_in_a_circle_the_order_stays() {
        assert_eq!(order(&["2.b.x.y", "1.a.x.y"], &[]), ["2.b.x.y", "1.a.x.y"]);
        let circle: [(&str, &[&str]); 2] = [("2.b.x.y", &["a"]), ("1.a.x.y", &["b"])];
        assert_eq!(order(&["2.b.x.y", "1.a.x.y"], &circle), ["2.b.x.y", "1.a.x.y"]);
    }
}
