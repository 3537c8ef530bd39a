//! The parameters of a start, checked against what the package declares.

use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::manifest::Parameter;

use super::ServiceError;
use super::package::StartScript;

/// What the start script gets anyway.
const RESERVED: [&str; 2] = ["runtime-dir", "coordinate"];

/// Checks `given`. A package that declares no parameters and has a start script of its own knows better: it takes anything
/// but the options that we give ourselves. A generated script takes what is declared, and nothing else.
pub(super) fn check(
    package: &PackageCoordinate,
    declared: &[Parameter],
    script: StartScript,
    given: &[String],
) -> Result<(), ServiceError> {
    let refuse = |given: &str, why: &str| {
        Err(ServiceError::Parameter {
            package: package.clone(),
            given: given.to_owned(),
            why: why.to_owned(),
            known: declared.iter().map(|parameter| format!("--{}=…", parameter.name)).collect(),
        })
    };
    for option in given {
        let name = name_of(option);
        if name.is_some_and(|name| RESERVED.contains(&name)) {
            return refuse(option, "that option is given by pkginstall itself");
        }
        if declared.is_empty() && script == StartScript::Own {
            continue;
        }
        let Some(name) = name.filter(|_| option.contains('=')) else {
            return refuse(option, "a parameter is written --name=value");
        };
        if !declared.iter().any(|parameter| parameter.name.as_str() == name) {
            return refuse(option, "it has no such parameter");
        }
    }
    let is_given = |name: &str| given.iter().any(|option| name_of(option) == Some(name));
    let missing = declared.iter().find(|p| p.default.is_none() && !is_given(p.name.as_str()));
    match missing {
        Some(parameter) => refuse("what was given", &format!("--{}=… is missing", parameter.name)),
        None => Ok(()),
    }
}

/// Tells whether two starts were asked for with the same parameters. The order does not matter.
pub(crate) fn are_same(one: &[String], other: &[String]) -> bool {
    let sorted = |parameters: &[String]| {
        let mut parameters = parameters.to_vec();
        parameters.sort();
        parameters
    };
    sorted(one) == sorted(other)
}

fn name_of(option: &str) -> Option<&str> {
    let option = option.strip_prefix("--")?;
    Some(option.split_once('=').map_or(option, |(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(given: &[&str]) -> Result<(), ServiceError> {
        let declared = [("port", Some("1")), ("data", None)].map(|(name, default)| Parameter {
            name: name.parse().unwrap(),
            default: default.map(str::to_owned),
            description: None,
        });
        let given: Vec<String> = given.iter().map(ToString::to_string).collect();
        check(&"com.example:web:1".parse().unwrap(), &declared, StartScript::Own, &given)
    }

    #[test]
    fn declared_parameters_are_taken_and_others_refused() {
        checked(&["--data=x", "--port="]).unwrap();
        checked(&["--data=a=b"]).unwrap();
        for wrong in
            [&["--data=x", "--prot=1"][..], &["--port=1"], &["data=x"], &["--data"], &["--data=x", "y"]]
        {
            assert!(checked(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn our_own_options_cannot_be_given_twice() {
        let package = "com.example:web:1".parse().unwrap();
        check(&package, &[], StartScript::Own, &["-x".into(), "anything".into()]).unwrap();
        assert!(check(&package, &[], StartScript::Own, &["--runtime-dir=/".into()]).is_err());
    }

    #[test]
    fn a_generated_script_takes_what_is_declared_alone() {
        let package = "com.example:web:1".parse().unwrap();
        check(&package, &[], StartScript::Generated, &[]).unwrap();
        assert!(check(&package, &[], StartScript::Generated, &["--port=1".into()]).is_err());
    }
}
