//! What is checked before anything is stopped: names, ports, space, accounts, commands, libraries, the clock, and what the author
//! checks by commands of their own.

use std::collections::BTreeSet;
use std::net::{IpAddr, ToSocketAddrs as _};

use camino::Utf8Path;
use copkg_spec::deployment::{BuiltInCheck, HostDeployment, HostPreflight};
use nix::unistd::User;
use rustix::fs::statvfs;

use super::result::Timed;
use super::{CheckKind, CheckResult, libraries, of_command, ports};
use crate::deploy::{DeployError, Survey};
use crate::service::Site;

/// Checks the host for what the deployment is to be. Checks that nothing asks for are left out.
///
/// # Errors
/// When a signal came.
pub fn preflight(
    site: &mut Site<'_>,
    host: &HostDeployment,
    survey: &Survey,
) -> Result<Vec<CheckResult>, DeployError> {
    let asked = &host.preflight;
    let mut results = Vec::new();
    for check in BuiltInCheck::ALL {
        let timed = Timed::begin(CheckKind::Preflight, check.name().to_owned());
        if let Some(ended) = built_in(site, check, asked, (host, survey)) {
            results.push(timed.end(ended).tolerated(asked.tolerance(check)));
        }
    }
    for command in &asked.own {
        let result = of_command(site, CheckKind::Preflight, command, &survey.desired)?;
        let reason = asked.tolerances.get(command.name.as_str()).map(String::as_str);
        results.push(result.tolerated(reason));
    }
    Ok(results)
}

/// Runs a built-in check; `None` where nothing asks for it.
fn built_in(
    site: &Site<'_>,
    check: BuiltInCheck,
    asked: &HostPreflight,
    (host, survey): (&HostDeployment, &Survey),
) -> Option<Result<(), String>> {
    let some = |asks: bool| asks.then_some(());
    match check {
        BuiltInCheck::Names => some(!asked.names.is_empty()).map(|()| names(asked)),
        BuiltInCheck::Ports => {
            let listens = host.services.iter().any(|instance| !instance.ports.is_empty());
            some(listens).map(|()| ports::check(site, host, survey))
        }
        BuiltInCheck::Disk => some(asked.disk_bytes > 0).map(|()| disk(site, asked.disk_bytes)),
        BuiltInCheck::Users => some(!asked.users.is_empty()).map(|()| {
            let is_there = |name: &str| matches!(User::from_name(name), Ok(Some(_)));
            all("account", &asked.users, is_there)
        }),
        BuiltInCheck::Commands => some(!asked.commands.is_empty()).map(|()| {
            let path = site.environment.get("PATH").map_or("/usr/local/bin:/usr/bin:/bin", String::as_str);
            all("command", &asked.commands, |name| is_in_path(path, name))
        }),
        BuiltInCheck::Libraries => some(!asked.libraries.is_empty())
            .map(|()| all("library", &asked.libraries, libraries::is_there)),
        BuiltInCheck::Time => asked.time.map(|_| {
            Err("this program cannot measure how far the clock is off; check it by a command of your own".into())
        }),
        BuiltInCheck::Rehearsed => some(!asked.rehearsed.is_empty()).map(|()| {
            Err("this program does not record what a deployment was rehearsed on; check it by a command of your own"
                .into())
        }),
    }
}

fn names(asked: &HostPreflight) -> Result<(), String> {
    let mut wrong = Vec::new();
    for (name, expected) in &asked.names {
        let Ok(found) = (name.as_str(), 0).to_socket_addrs() else {
            wrong.push(format!("{name} does not resolve"));
            continue;
        };
        let found: BTreeSet<IpAddr> = found.map(|address| address.ip()).collect();
        let expected: BTreeSet<IpAddr> =
            expected.iter().filter_map(|text| text.trim().parse().ok()).collect();
        if !expected.is_empty() && expected != found {
            let words =
                |all: &BTreeSet<IpAddr>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            wrong.push(format!("{name} is {}, not {}", words(&found), words(&expected)));
        }
    }
    summed_up(&wrong)
}

fn disk(site: &Site<'_>, needed: u64) -> Result<(), String> {
    let root = site.prefix.root();
    let there = root.ancestors().find(|path| path.exists()).unwrap_or(Utf8Path::new("/"));
    let disk = statvfs(there.as_std_path()).map_err(|error| format!("{there}: {error}"))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= needed {
        return Ok(());
    }
    Err(format!("{free} bytes are free at {there}, {needed} are asked for"))
}

fn is_in_path(path: &str, name: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let is_program = |directory: &str| {
        let file = Utf8Path::new(directory).join(name);
        file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    path.split(':').filter(|directory| !directory.is_empty()).any(is_program)
}

/// Names what is not there.
fn all(what: &str, asked: &[String], is_there: impl Fn(&str) -> bool) -> Result<(), String> {
    let missing = asked.iter().filter(|name| !is_there(name));
    let missing: Vec<String> = missing.map(|name| format!("there is no {what} {name}")).collect();
    summed_up(&missing)
}

fn summed_up(wrong: &[String]) -> Result<(), String> {
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let asked = ["sh".to_owned(), "no-such-command-here".to_owned()];
        let found = all("command", &asked, |name| is_in_path("/usr/bin:/bin", name));
        assert_eq!(found, Err("there is no command no-such-command-here".into()));
        assert!(!is_in_path("", "sh"));
    }
}
