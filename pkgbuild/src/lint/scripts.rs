//! A service needs a start and a stop script: `missing-start-script`, `missing-stop-script`.

use copkg_spec::manifest::Kind;

use super::{Finding, Rule, Subject};
use crate::collect::{SCRIPTS, find_script};

pub(super) fn check(subject: Subject<'_>) -> Vec<Finding> {
    if subject.kind != Kind::Service {
        return Vec::new();
    }
    let missing = |name, rule| {
        let message = format!(
            "a service needs {SCRIPTS}/{name}, of any extension: write one, or [service] exec to have both generated"
        );
        find_script(subject.tree, name).is_none().then(|| Finding::of_package(rule, message))
    };
    let start = missing("start", Rule::MissingStartScript);
    start.into_iter().chain(missing("stop", Rule::MissingStopScript)).collect()
}
