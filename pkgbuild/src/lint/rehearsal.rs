//! Defaults that lead outside of the service: `leads-outside`. A rehearsal refuses them.

use copkg_spec::manifest::{Service, outside_by_default};

use super::{Finding, Rule};

pub(super) fn check(service: Option<&Service>) -> Vec<Finding> {
    let found = service.map(outside_by_default).unwrap_or_default();
    let finding = |(name, to): (String, _)| {
        let message = format!(
            "the default of {name} leads outside of the service, to {to}: rehearsals refuse it until [service.rehearsal] has a \
             value for it, or names it in allow_outside"
        );
        Finding::of_package(Rule::LeadsOutside, message)
    };
    found.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use copkg_spec::configuration::SettingValue;
    use copkg_spec::manifest::{Parameter, Rehearsal};

    use super::*;

    fn messages(service: &Service) -> Vec<String> {
        check(Some(service)).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_default_that_leads_outside_is_found_until_the_recipe_says_what_stands_in() {
        let mut service = Service::new("script.d/start".parse().unwrap(), "script.d/stop".parse().unwrap());
        let parameter = |name: &str, default: &str| Parameter {
            name: name.parse().unwrap(),
            default: Some(default.into()),
            description: None,
        };
        service.parameters = vec![parameter("db", "db:5432"), parameter("listen", "0.0.0.0:80")];
        let [found] = &messages(&service)[..] else { panic!("{:?}", messages(&service)) };
        assert!(found.starts_with("the default of --db leads outside of the service, to db:"), "{found}");
        let values = BTreeMap::from([("db".into(), SettingValue::Text("stand-in:1".into()))]);
        service.rehearsal = Some(Rehearsal { values, ..Rehearsal::default() });
        assert_eq!(messages(&service), [""; 0]);
    }
}
