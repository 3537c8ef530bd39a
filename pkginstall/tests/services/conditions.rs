//! Limits, umask and environment of a service: stated by its package, overridden on the host, part of the generation, enforced.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use copkg_spec::conditions::ConditionName;
use copkg_spec::configuration::{Setting, SettingKind};
use copkg_spec::manifest::{Service, Template};
use rustix::process::{Resource, getrlimit};
use serde_json::Value;

use super::scene::{Host, PACKAGE, Package, Ran, SERVICE, eventually, numbers, ran, setting};

/// Says under which conditions it runs.
const REPORTER: &str = "#!/bin/sh\n{ ulimit -n; ulimit -Hn; ulimit -c; umask; env; } >data/report.new\n\
                        mv data/report.new data/report\nexec sleep 600\n";

fn state(service: &mut Service, stated: &[(&str, &str)]) {
    for (name, value) in stated {
        let name: ConditionName = name.parse().unwrap();
        service.conditions.set(&name, &name.value_of(value)).unwrap();
    }
}

fn stating(stated: &[(&str, &str)]) -> Package {
    Package::serving(REPORTER).that(|service| state(service, stated))
}

/// What the service said: limits and umask, then its variables.
fn report(host: &Host) -> (Vec<String>, String) {
    eventually("the service says under which conditions it runs", || {
        host.runtime().join("data/report").exists()
    });
    let report = host.read("data/report");
    fs::remove_file(host.runtime().join("data/report")).unwrap();
    (report.lines().take(4).map(str::to_owned).collect(), report)
}

fn has(report: &str, variable: &str) -> bool {
    report.lines().any(|line| line == variable)
}

fn error(ran: &Ran) -> (i32, String, String) {
    let error = &ran.json()["error"];
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    (ran.exit, text("code"), text("message"))
}

fn pid(host: &Host) -> u32 {
    numbers(&host.status().json()["services"][0]["pids"])[0]
}

#[test]
fn a_service_and_its_scripts_run_under_the_conditions_of_the_package() {
    let stated = [
        ("limits.nofile", "777"),
        ("limits.core", "unlimited"),
        ("umask", "0027"),
        ("env.MOTTO", "100% $HOME \"so\""),
    ];
    let check = "#!/bin/sh\n{ ulimit -n; umask; echo \"$MOTTO\"; } >\"$COPKG_RUNTIME_DIR/data/checked\"\n";
    let package = stating(&stated).with("script.d/check", check);
    let host = Host::with(package.that(|service| service.check = Some("script.d/check".parse().unwrap())));
    host.start().ok();
    let (conditions, variables) = report(&host);
    assert_eq!(conditions, ["777", "777", "unlimited", "0027"]);
    assert!(
        has(&variables, "MOTTO=100% $HOME \"so\"") && has(&variables, &format!("COPKG_SERVICE={SERVICE}")),
        "{variables}"
    );
    host.run(&["check", SERVICE]).ok();
    assert_eq!(host.read("data/checked"), "777\n0027\n100% $HOME \"so\"\n");
    let command = ["exec", SERVICE, "--", "sh", "-c", "ulimit -n; umask; echo \"$MOTTO\""];
    assert_eq!(host.run(&command).ok().out, "777\n0027\n100% $HOME \"so\"\n");
    let status = host.status().json();
    let shown = &status["services"][0]["conditions"];
    assert_eq!((&shown["limits.nofile"], &shown["umask"]), (&"777".into(), &"0027".into()), "{status}");
    host.stop().ok();
}

#[test]
fn the_host_overrides_conditions_and_a_rollback_takes_them_back() {
    let host =
        Host::with(stating(&[("limits.nofile", "777"), ("umask", "0027"), ("env.A", "1"), ("env.B", "1")]));
    host.start().ok();
    report(&host);
    let before = pid(&host);
    host.run(&["config", "set", SERVICE, "service.limits.nofile=888", "service.env.B=2"]).ok();
    let shown = host.run(&["config", "show", SERVICE, "--origin"]).ok().out;
    for line in [
        "service.limits.nofile = \"888\"  # ",
        "overrides.toml, line 2",
        "service.umask = \"0027\"  # stated by com.example:web:1.0",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert_eq!(pid(&host), before, "what is set counts when it is applied");
    host.run(&["config", "apply", SERVICE]).ok();
    let (conditions, variables) = report(&host);
    assert_eq!([&conditions[0], &conditions[3]], ["888", "0027"]);
    assert!(has(&variables, "A=1") && has(&variables, "B=2"), "{variables}");
    assert_eq!(host.status().json()["services"][0]["generation"], 2);
    let again = host.run(&["--json", "config", "apply", SERVICE]).ok().json();
    assert_eq!(again["services"][0]["done"], "unchanged");
    host.run(&["restart", SERVICE]).ok();
    assert_eq!(report(&host).0[0], "888");

    host.run(&["rollback", SERVICE]).ok();
    let (conditions, variables) = report(&host);
    assert_eq!(conditions[0], "777");
    assert!(has(&variables, "B=1"), "{variables}");
    host.run(&["config", "unset", SERVICE, "service.limits.nofile", "service.env.B"]).ok();
    assert!(!host.run(&["config", "show", SERVICE]).ok().out.contains("overrides.toml"));
    host.stop().ok();
}

#[test]
fn an_upgrade_takes_the_overrides_along() {
    let host = Host::with(stating(&[("umask", "0027")]));
    host.install("com.example:web:2.0", &stating(&[("umask", "0077"), ("limits.nofile", "500")]));
    host.run(&["config", "set", SERVICE, "service.limits.nofile=600", "--package", PACKAGE]).ok();
    host.start().ok();
    assert_eq!(report(&host).0, ["600", "600", "0", "0027"]);
    host.run(&["upgrade", SERVICE, "--to", "2.0"]).ok();
    assert_eq!(report(&host).0, ["600", "600", "0", "0077"]);
    host.stop().ok();
}

#[test]
fn what_is_no_condition_is_refused_and_nothing_is_written() {
    let host = Host::with(stating(&[]));
    host.start().ok();
    let set = |text: &str| error(&host.run(&["--json", "config", "set", SERVICE, text]));
    for (text, part) in [
        ("service.limits.memory=512M", "did you mean \"512 MiB\"?"),
        ("service.limits.memori=1", "did you mean limits.memory?"),
        ("service.umask=0777", "its own files"),
        ("service.env.LD_PRELOAD=x", "start script"),
        ("service.env_file=web.env", "etc/web.env"),
    ] {
        let (exit, code, message) = set(text);
        assert_eq!((exit, code.as_str()), (2, "condition_invalid"), "{text}");
        assert!(message.contains(part), "{text}: {message}");
    }
    let file = host.prefix().service_state(&SERVICE.parse().unwrap()).join("overrides.toml");
    assert!(!file.exists());
    fs::write(&file, "[limits]\nnofile = 1\n").unwrap();
    let (exit, code, message) = error(&host.run(&["--json", "config", "apply", SERVICE]));
    assert_eq!((exit, code.as_str()), (2, "condition_invalid"));
    assert!(message.contains("overrides.toml, line 2") && message.contains("from 64"), "{message}");
    assert_eq!(host.status().json()["services"][0]["state"], "running");
    fs::remove_file(&file).unwrap();
    host.stop().ok();
}

/// Runs a command that may not raise hard limits, and whose own for open files is this.
fn limited(host: &Host, hard: u64, arguments: &[&str]) -> Option<Ran> {
    let inner = host.command(arguments);
    let mut outer = Command::new("sh");
    let lower = format!("ulimit -n {hard}; exec \"$@\"");
    outer.args(["-c", &lower, "sh"]);
    if rustix::process::geteuid().is_root() {
        let has = Command::new("setpriv")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !has {
            copkg_skip::skip("a caller who may not raise limits", "there is no setpriv here");
            return None;
        }
        outer.args(["setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource"]);
    }
    outer.arg(inner.get_program()).args(inner.get_args()).current_dir(inner.get_current_dir().unwrap());
    Some(ran(outer.output().unwrap()))
}

#[test]
fn a_limit_above_the_hard_limit_is_refused_before_anything_is_stopped() {
    let host = Host::with(stating(&[("limits.nofile", "700")]));
    host.start().ok();
    let before = pid(&host);
    host.run(&["config", "set", SERVICE, "service.limits.nofile=900"]).ok();
    let Some(refused) = limited(&host, 800, &["--json", "config", "apply", SERVICE]) else { return };
    let (exit, code, message) = error(&refused);
    assert_eq!((exit, code.as_str()), (1, "limit_above_most"), "{refused:?}");
    assert!(message.contains("limits.nofile = 900") && message.contains("800"), "{message}");
    let hint = refused.json()["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("service.limits.nofile=800"), "{hint}");
    assert_eq!(pid(&host), before, "nothing was stopped");
    // One below it can be had.
    host.run(&["config", "set", SERVICE, "service.limits.nofile=750"]).ok();
    report(&host);
    limited(&host, 800, &["config", "apply", SERVICE]).unwrap().ok();
    assert_eq!(report(&host).0[..2], ["750", "750"]);
    host.stop().ok();
}

#[test]
fn root_that_may_not_set_limits_of_others_has_the_script_set_its_own() {
    if !rustix::process::geteuid().is_root() {
        return copkg_skip::skip("a service with a user of its own", "only root can become another user");
    }
    let package = stating(&[("limits.nofile", "700"), ("limits.core", "64 KiB")]);
    let host = Host::with(package.that(|service| service.user = Some("nobody".into())));
    let Some(started) = limited(&host, 800, &["start", PACKAGE, "--as", SERVICE]) else { return };
    started.ok();
    let conditions = report(&host).0;
    assert_eq!(conditions[..2], ["700", "700"]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", pid(&host))).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(core.contains(" 65536 "), "{core}");
    host.stop().ok();
}

#[test]
fn more_open_files_than_the_kernel_allows_are_refused() {
    let most: u64 = fs::read_to_string("/proc/sys/fs/nr_open").unwrap().trim().parse().unwrap();
    let above = (most + 1).to_string();
    let host = Host::with(stating(&[("limits.nofile", &above)]));
    let (exit, code, message) = error(&host.start());
    assert_eq!((exit, code.as_str()), (1, "limit_above_most"), "{message}");
    if getrlimit(Resource::Nofile).maximum.is_none_or(|hard| hard >= most) {
        assert!(message.contains(&most.to_string()), "{message}");
    }
    host.assert_nothing_left();
}

/// A package with a file of variables that a template makes, and one that may be missing.
fn with_files() -> Package {
    stating(&[("env.A", "stated"), ("env.B", "stated"), ("env_file", "etc/web.env,-etc/local.env")])
        .with("etc/web.env.j2", "# made\nB=rendered\nPASSWORD='{{ config.password }}'\n")
        .that(|service| {
            let kind = SettingKind::Secret;
            let password = Setting { optional: true, ..setting(kind, None) };
            service.config.insert("password".parse().unwrap(), password);
            let (src, dst) = ("etc/web.env.j2".parse().unwrap(), "web.env".parse().unwrap());
            service.templates = vec![Template { src, dst }];
        })
}

#[test]
fn files_with_variables_come_after_those_that_are_stated() {
    let host = Host::with(with_files());
    let secret = host.root().join("secret");
    fs::write(&secret, "hunter2\n").unwrap();
    host.run(&["config", "set", SERVICE, &format!("password=file:{secret}"), "--package", PACKAGE]).ok();
    host.start().ok();
    let (_, variables) = report(&host);
    for variable in ["A=stated", "B=rendered", "PASSWORD=hunter2"] {
        assert!(has(&variables, variable), "{variable}: {variables}");
    }
    fs::write(host.runtime().join("etc/local.env"), "A=local\n").unwrap();
    host.run(&["restart", SERVICE]).ok();
    assert!(has(&report(&host).1, "A=local"));
    for ran in [host.status(), host.run(&["config", "show", SERVICE])] {
        assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
    }
    host.stop().ok();
}

#[test]
fn a_file_with_variables_that_is_missing_or_something_else_is_refused_while_the_service_runs() {
    let host = Host::with(with_files());
    host.start().ok();
    let before = pid(&host);
    let local = host.runtime().join("etc/local.env");
    let restart = || error(&host.run(&["--json", "restart", SERVICE]));
    fs::write(&local, "A=1\nhunter2\n").unwrap();
    let (exit, code, message) = restart();
    assert_eq!((exit, code.as_str()), (2, "env_file_invalid"));
    assert!(message.contains("etc/local.env, line 2: ") && !message.contains("hunter2"), "{message}");
    // A link that the service's account put there is not followed.
    fs::remove_file(&local).unwrap();
    fs::write(host.root().join("elsewhere"), "A=elsewhere\n").unwrap();
    symlink(host.root().join("elsewhere"), &local).unwrap();
    assert_ne!(restart().0, 0);
    fs::remove_file(&local).unwrap();
    fs::remove_file(host.runtime().join("etc/web.env")).unwrap();
    let (exit, code, message) = restart();
    assert_eq!((exit, code.as_str()), (5, "no_env_file"), "{message}");
    assert_eq!(pid(&host), before, "nothing was stopped");
    // It can be stopped all the same.
    let stopped = host.stop().ok();
    assert!(stopped.err.contains("without its variables"), "{stopped:?}");
    host.assert_nothing_left();
}

#[test]
fn an_upgrade_whose_files_with_variables_are_missing_or_something_else_stops_nothing() {
    let host = Host::with(with_files());
    host.start().ok();
    let before = pid(&host);
    let made = || with_files().with("etc/web.env.j2", "A=1\n");
    let versions = [
        // No template makes it, and nobody else did.
        ("2.0", stating(&[("env_file", "etc/by-hand.env")]), 5, "no_env_file"),
        // The version before made it, and nobody will then.
        ("3.0", stating(&[("env_file", "etc/web.env")]), 5, "no_env_file"),
        ("4.0", made().with("etc/web.env.j2", "A=1\nhunter2\n"), 2, "env_file_invalid"),
    ];
    for (version, package, exit, expected) in versions {
        host.install(&format!("com.example:web:{version}"), &package);
        let refused = host.run(&["--json", "upgrade", SERVICE, "--to", version]);
        let (found, code, message) = error(&refused);
        assert_eq!((found, code.as_str()), (exit, expected), "{version}: {refused:?}");
        assert!(!message.contains("hunter2"), "{message}");
        assert_eq!(pid(&host), before, "{version}: nothing was stopped");
        assert_eq!(host.status().json()["services"][0]["generation"], 1, "{version}");
    }
    let dry = host.run(&["--json", "upgrade", SERVICE, "--to", "2.0", "--dry-run"]);
    assert_eq!(error(&dry).1, "no_env_file", "{dry:?}");
    fs::write(host.runtime().join("etc/by-hand.env"), "A=by-hand\n").unwrap();
    host.run(&["upgrade", SERVICE, "--to", "2.0"]).ok();
    assert!(has(&report(&host).1, "A=by-hand"));
    let second = host.status().json()["services"][0]["generation"].to_string();

    // The way back to a generation whose file was kept, and on again: the one by hand was kept, too.
    host.run(&["rollback", SERVICE]).ok();
    assert!(has(&report(&host).1, "B=rendered"));
    host.run(&["rollback", SERVICE, "--to", &second]).ok();
    assert!(has(&report(&host).1, "A=by-hand"));
    host.stop().ok();
}

#[test]
fn a_file_with_variables_that_was_removed_from_what_is_kept_stops_nothing() {
    let host = Host::with(stating(&[("env_file", "etc/by-hand.env")]));
    let file = host.runtime().join("etc/by-hand.env");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "A=1\n").unwrap();
    host.start().ok();
    host.install("com.example:web:2.0", &stating(&[]));
    host.run(&["upgrade", SERVICE, "--to", "2.0"]).ok();
    let before = pid(&host);
    let kept = host.root().join(format!("runtime/.kept/{SERVICE}/1/etc/by-hand.env"));
    fs::remove_file(&kept).unwrap();
    let refused = host.run(&["--json", "rollback", SERVICE]);
    assert_eq!((error(&refused).0, error(&refused).1.as_str()), (5, "no_env_file"), "{refused:?}");
    assert_eq!(pid(&host), before, "nothing was stopped");
    fs::write(&kept, "A=2\n").unwrap();
    host.run(&["rollback", SERVICE]).ok();
    host.stop().ok();
}

/// Runs a command where no control group can be had.
fn without_groups(host: &Host, arguments: &[&str]) -> Ran {
    let inner = host.command(arguments);
    if !rustix::process::geteuid().is_root() {
        return host.run(arguments);
    }
    let hide = "for place in $(awk '$3 == \"cgroup2\" { print $2 }' /proc/mounts); do umount -l \"$place\"; done; exec \"$@\"";
    let mut outer = Command::new("unshare");
    outer.args(["--mount", "sh", "-c", hide, "sh"]).arg(inner.get_program()).args(inner.get_args());
    ran(outer.current_dir(inner.get_current_dir().unwrap()).output().unwrap())
}

fn can_hide_groups() -> bool {
    let tried = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    let can = !rustix::process::geteuid().is_root() || tried.is_ok_and(|status| status.success());
    if !can {
        copkg_skip::skip("a file system of its own", "no mount namespace can be made here");
    }
    can
}

#[test]
fn limits_that_cannot_be_enforced_are_said_and_refused_where_they_are_required() {
    if !can_hide_groups() {
        return;
    }
    let host = Host::with(stating(&[
        ("limits.memory", "512 MiB"),
        ("limits.pids", "200"),
        ("limits.nofile", "700"),
    ]));
    let started = without_groups(&host, &["start", PACKAGE, "--as", SERVICE]).ok();
    assert!(started.err.contains("these are not enforced: memory, pids ("), "{started:?}");
    let status = host.status().json();
    assert_eq!(status["services"][0]["not_enforced"], Value::from(vec!["memory", "pids"]), "{status}");
    assert!(host.run(&["status", SERVICE]).out.contains("limits that are not enforced: memory, pids"));
    assert_eq!(report(&host).0[0], "700");
    let before = pid(&host);
    host.run(&["config", "set", SERVICE, "service.limits.require=true"]).ok();
    let (exit, code, message) = error(&without_groups(&host, &["--json", "config", "apply", SERVICE]));
    assert_eq!((exit, code.as_str()), (1, "limits_not_enforced"), "{message}");
    assert!(message.starts_with(&format!("memory, pids of {SERVICE} cannot be enforced")), "{message}");
    assert_eq!(pid(&host), before, "nothing was stopped");
    host.stop().ok();
}

/// Tells whether this process may have the kernel enforce limits, and says so where it may not.
fn enforces() -> bool {
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let place = mounts.lines().find_map(|line| line.split(' ').nth(1).filter(|_| line.contains(" cgroup2 ")));
    let controllers =
        place.map(|place| fs::read_to_string(format!("{place}/cgroup.controllers")).unwrap_or_default());
    let has =
        |wanted: &str| controllers.iter().any(|there| there.split_whitespace().any(|word| word == wanted));
    let can = rustix::process::geteuid().is_root() && has("memory") && has("pids") && has("cpu");
    if !can {
        copkg_skip::skip(
            "limits in a control group",
            "no cgroup2 with the controllers memory, pids and cpu is ours to write",
        );
    }
    can
}

#[test]
fn the_kernel_keeps_a_service_within_its_limits() {
    if !enforces() {
        return;
    }
    let server = "#!/bin/sh\ncat /proc/self/cgroup >data/cgroup\n\
                  for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 600 & done 2>data/refused\necho >data/report\nwait\n";
    let limits = [("limits.memory", "64 MiB"), ("limits.pids", "9"), ("limits.cpu", "0.5")];
    let host = Host::with(Package::serving(server).that(|service| state(service, &limits)));
    let started = host.start().ok();
    assert!(!started.err.contains("not enforced"), "{started:?}");
    let group = host
        .read("data/cgroup")
        .lines()
        .find_map(|line| line.strip_prefix("0::").map(str::to_owned))
        .unwrap();
    assert!(group.contains("/copkg/") && group.contains(SERVICE), "{group}");
    assert!(host.living().len() <= 9, "{}", host.living().len());
    host.stop().ok();
    host.assert_nothing_left();
    assert!(!fs::read_to_string("/proc/mounts").unwrap().contains(&group));
}

#[test]
fn a_service_that_takes_too_much_memory_failed_for_want_of_it() {
    if !enforces() {
        return;
    }
    let server = "#!/bin/sh\nwhile [ ! -e data/eat ]; do sleep 0.05; done\nexec tail /dev/zero\n";
    let host =
        Host::with(Package::serving(server).that(|service| state(service, &[("limits.memory", "32 MiB")])));
    host.start().ok();
    fs::write(host.runtime().join("data/eat"), "").unwrap();
    let failed = || host.status().json()["services"][0]["state"] == "failed";
    eventually("the kernel kills it", failed);
    let why = host.status().json()["services"][0]["why"].as_str().unwrap().to_owned();
    assert!(why.starts_with("out of memory: the kernel killed 1 process of it at limits.memory"), "{why}");
    // A start that fails for want of memory says so, too.
    let (exit, code, message) = error(&host.run(&["--json", "start", SERVICE]));
    assert_eq!((exit, code.as_str()), (1, "out_of_memory"), "{message}");
    host.assert_nothing_left();
}

#[test]
fn a_unit_reads_a_copy_of_the_variables_that_is_its_own() {
    let host = Host::with(
        with_files().that(|service| state(service, &[("limits.memory", "512 MiB"), ("umask", "0027")])),
    );
    host.start().ok();
    fs::write(host.runtime().join("etc/local.env"), "C=\"a $b `c` \\d\"\n").unwrap();
    host.run(&["unit", SERVICE]).ok();
    let units = host.prefix().units();
    let unit = fs::read_dir(&units).unwrap().map(|entry| entry.unwrap().path());
    let text: String = unit
        .filter(|path| path.extension().is_some_and(|end| end == "service"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let copy = host.prefix().service_state(&SERVICE.parse().unwrap()).join("variables.env");
    for line in ["UMask=0027", "MemoryMax=536870912", "Environment=\"A=stated\""] {
        assert!(text.lines().any(|there| there == line), "{line}: {text}");
    }
    assert!(text.contains(&format!("EnvironmentFile={}", copy.as_str().replace('%', "%%"))), "{text}");
    let copied = fs::read_to_string(&copy).unwrap();
    assert!(
        copied.contains("B=\"rendered\"\n") && copied.contains("C=\"a \\$b \\`c\\` \\\\d\"\n"),
        "{copied}"
    );
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    host.stop().ok();
}
