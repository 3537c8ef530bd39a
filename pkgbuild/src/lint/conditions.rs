//! Conditions that do harm or stop the start: `open-umask` and `unmade-env-file`.

use copkg_spec::conditions::EnvFile;
use copkg_spec::manifest::Service;

use super::{Finding, Rule};

pub(super) fn check(service: Option<&Service>) -> Vec<Finding> {
    let Some(service) = service else { return Vec::new() };
    let mut findings = Vec::new();
    if let Some(umask) = service.conditions.umask.filter(|umask| umask.opens_to_all()) {
        let message = format!(
            "under umask {umask} every account of the host may change the files that the service makes"
        );
        findings.push(Finding::of_package(Rule::OpenUmask, message));
    }
    let is_made = |file: &&EnvFile| {
        let rendered = file.path().as_str().strip_prefix("etc/");
        service.templates.iter().any(|template| rendered == Some(template.dst.as_str()))
    };
    let unmade = service.conditions.env_files().iter().filter(|file| !file.is_optional() && !is_made(file));
    findings.extend(unmade.map(|file| {
        let message = format!(
            "no template makes {file}, and the service does not start without it: write \"-{file}\" where it may be missing"
        );
        Finding::of_package(Rule::UnmadeEnvFile, message)
    }));
    findings
}

#[cfg(test)]
mod tests {
    use copkg_spec::manifest::Template;

    use super::*;

    #[test]
    fn conditions_that_do_harm_are_found() {
        let mut service = Service::new("script.d/start".parse().unwrap(), "script.d/stop".parse().unwrap());
        service.conditions.umask = Some("0020".parse().unwrap());
        let files = ["etc/made.env", "etc/unmade.env", "-etc/maybe.env"];
        service.conditions.env_file = Some(files.iter().map(|file| file.parse().unwrap()).collect());
        let (src, dst) = ("etc/made.env.j2".parse().unwrap(), "made.env".parse().unwrap());
        service.templates = vec![Template { src, dst }];
        let found: Vec<(Rule, bool)> = check(Some(&service))
            .into_iter()
            .map(|finding| (finding.rule, finding.message.contains("etc/unmade.env")))
            .collect();
        assert_eq!(found, [(Rule::OpenUmask, false), (Rule::UnmadeEnvFile, true)]);
        service.conditions.umask = Some("0027".parse().unwrap());
        service.conditions.env_file = None;
        assert!(check(Some(&service)).is_empty());
        assert!(check(None).is_empty());
    }
}
