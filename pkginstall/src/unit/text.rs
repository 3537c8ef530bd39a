//! The text of a unit: what the recipe says, in the words of systemd, in a sandbox.

use copkg_spec::coordinate::ServiceCoordinate;

use camino::Utf8Path;

use super::names::recovery_name;
use super::{Manager, UnitError, target_name, unit_name};
use crate::host::Prefix;
use crate::process::StartId;
use crate::service::{InstalledService, ServiceRecord};

/// What a unit of the host may not do. A service that needs more gets a drop-in: `systemctl edit`.
const SYSTEM_SANDBOX: &str = "\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RemoveIPC=yes
KeyringMode=private
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
";

/// What a unit of a user may not do: only what needs no privilege to be forbidden.
const USER_SANDBOX: &str = "\
NoNewPrivileges=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
";

/// A service with the package that it runs from.
pub(super) struct Subject<'a> {
    pub(super) prefix: &'a Prefix,
    pub(super) record: &'a ServiceRecord,
    pub(super) installed: &'a InstalledService,
    /// The services of the prefix that it comes after.
    pub(super) after: Vec<ServiceCoordinate>,
}

/// Writes the unit of a service.
pub(super) fn service(subject: &Subject<'_>, manager: Manager) -> Result<String, UnitError> {
    let Subject { prefix, record, installed, after } = subject;
    let contract = &installed.service;
    let service = &record.service;
    let runtime = prefix.runtime_dir(service);
    let after: Vec<String> = after.iter().map(|other| unit_name(prefix, other)).collect();
    let mut text = format!(
        "# Made by pkginstall for {service}; it is written anew. Changes go into a drop-in: `systemctl edit {}`.\n\
         [Unit]\nDescription={service} ({})\nAfter=network.target {} {}\nPartOf={}\n\
         StartLimitIntervalSec=600\nStartLimitBurst=10\n\n[Service]\nType=forking\n",
        unit_name(prefix, service),
        record.package,
        recovery_name(prefix),
        after.join(" "),
        target_name(prefix),
    );
    let mut line = |key: &str, value: String| {
        text.push_str(key);
        text.push('=');
        text.push_str(&value);
        text.push('\n');
    };
    line("PIDFile", path(runtime.join("run/start.pid").as_str())?);
    line("WorkingDirectory", path(runtime.as_str())?);
    line("UMask", "0022".into());
    if let (Some(user), Manager::System) = (&contract.user, manager) {
        line("User", user.clone());
    }
    for (name, value) in [
        ("COPKG_SERVICE", service.to_string()),
        ("COPKG_PACKAGE", record.package.to_string()),
        ("COPKG_PREFIX", prefix.root().to_string()),
        ("COPKG_RUNTIME_DIR", runtime.to_string()),
        ("COPKG_SOFTWARE_DIR", installed.directory.to_string()),
    ] {
        line("Environment", quoted(&format!("{name}={value}"))?);
    }
    // The processes are found by it, also when systemd has started them again.
    if let Some(run) = &record.run {
        line("Environment", format!("{}={}", StartId::VARIABLE, run.start_id.as_str()));
    }
    let options = [format!("--runtime-dir={runtime}"), format!("--coordinate={service}")];
    let start = installed.path(&contract.start).to_string();
    let words: Vec<&String> = std::iter::once(&start).chain(&options).chain(&record.parameters).collect();
    let output = runtime.join(if contract.console { "console" } else { "log" }).join("console.log");
    let printing = |words: &[&String]| printing_to(&output, words);
    line("ExecStart", printing(&words)?);
    line("ExecStop", printing(&[&installed.path(&contract.stop).to_string(), &options[0]])?);
    if let Some(reload) = &contract.reload {
        line("ExecReload", printing(&[&installed.path(reload).to_string(), &options[0], &options[1]])?);
    } else if let Some(signal) = contract.reload_signal {
        line("ExecReload", format!("/bin/kill -{signal} $MAINPID"));
    }
    line("KillSignal", format!("SIG{}", contract.stop_signal));
    line(
        "TimeoutStartSec",
        (contract.start_timeout_seconds + contract.settle_milliseconds.div_ceil(1000)).to_string(),
    );
    line("TimeoutStopSec", contract.stop_timeout_seconds.to_string());
    line("Restart", "on-failure".into());
    line("RestartSec", "2".into());
    line("StandardOutput", "journal".into());
    line("StandardError", "inherit".into());
    text.push('\n');
    text.push_str(&sandbox(prefix, runtime.as_str(), manager)?);
    text.push_str("\n[Install]\nWantedBy=");
    text.push_str(&target_name(prefix));
    text.push('\n');
    Ok(text)
}

/// Writes the unit that puts right, before any service is started at boot, what a crash left.
pub(super) fn recovery(prefix: &Prefix, program: &Utf8Path) -> Result<String, UnitError> {
    let place = [program.as_str(), "--prefix", prefix.root().as_str()];
    let told = prefix.is_as_root().then_some("--as-root");
    let rest = ["--lock-timeout", "0", "recover", "--boot"];
    let words: Vec<String> = place.into_iter().chain(told).chain(rest).map(str::to_owned).collect();
    let command = command(&words.iter().collect::<Vec<_>>())?;
    Ok(format!(
        "# Made by pkginstall for all services below {root}; it is written anew.\n[Unit]\n\
         Description=Recovery of the services below {root}\nAfter=local-fs.target\nPartOf={target}\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nTimeoutStartSec=900\nExecStart={command}\n",
        root = prefix.root(),
        target = target_name(prefix),
    ))
}

/// Writes the target of a prefix: `services` are started with it.
pub(super) fn target(prefix: &Prefix, services: &[ServiceCoordinate], manager: Manager) -> String {
    let services = services.iter().map(|service| unit_name(prefix, service));
    let units: Vec<String> = std::iter::once(recovery_name(prefix)).chain(services).collect();
    let wanted_by = match manager {
        Manager::System => "multi-user.target",
        Manager::User => "default.target",
    };
    format!(
        "# Made by pkginstall for all services below {}; it is written anew.\n[Unit]\nDescription=Services below {}\n\
         Wants={}\n\n[Install]\nWantedBy={wanted_by}\n",
        prefix.root(),
        prefix.root(),
        units.join(" "),
    )
}

fn sandbox(prefix: &Prefix, runtime: &str, manager: Manager) -> Result<String, UnitError> {
    if manager == Manager::User {
        return Ok(USER_SANDBOX.into());
    }
    // A prefix in a home directory must stay visible.
    let at_home = ["/home", "/root", "/run/user"].iter().any(|home| prefix.root().starts_with(home));
    let home = if at_home { "read-only" } else { "yes" };
    Ok(format!("{SYSTEM_SANDBOX}ProtectHome={home}\nReadWritePaths={}\n", quoted(runtime)?))
}

/// The command of a script whose output goes to the end of a file that the service's account may replace by a link.
///
/// `StandardOutput=append:` would have systemd open it as root. Here a shell opens it, which runs as that account already, and then
/// becomes the script.
fn printing_to(output: &Utf8Path, words: &[&String]) -> Result<String, UnitError> {
    let shell = ["/bin/sh", "-c", "exec \"$@\" >>\"$0\" 2>&1", output.as_str()].map(str::to_owned);
    command(&shell.iter().chain(words.iter().copied()).collect::<Vec<_>>())
}

fn command(words: &[&String]) -> Result<String, UnitError> {
    let words = words.iter().map(|word| quoted(&word.replace('$', "$$"))).collect::<Result<Vec<_>, _>>()?;
    Ok(words.join(" "))
}

/// A word between quotes, as systemd reads it.
fn quoted(word: &str) -> Result<String, UnitError> {
    Ok(format!("\"{}\"", path(word)?.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A path that stands alone: it needs no quotes, whatever is in it, but specifiers start with `%`.
fn path(text: &str) -> Result<String, UnitError> {
    if text.chars().any(char::is_control) {
        return Err(UnitError::Control { text: text.escape_debug().to_string() });
    }
    Ok(text.replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_a_script_is_opened_by_its_own_account() {
        let word = "/p/start".to_owned();
        let text = printing_to("/p/log/console.log".into(), &[&word]).unwrap();
        let expected =
            "\"/bin/sh\" \"-c\" \"exec \\\"$$@\\\" >>\\\"$$0\\\" 2>&1\" \"/p/log/console.log\" \"/p/start\"";
        assert_eq!(text, expected);
    }

    #[test]
    fn words_are_quoted_for_systemd() {
        let word = "--motto=100% \"so\" $HOME \\o/".to_owned();
        assert_eq!(command(&[&word]).unwrap(), "\"--motto=100%% \\\"so\\\" $$HOME \\\\o/\"");
        assert!(command(&[&"a\nb".to_owned()]).is_err());
    }
}
