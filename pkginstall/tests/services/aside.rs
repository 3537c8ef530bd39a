//! What was written since is never deleted by a way back: it is set aside, or stays, and the message says where and what brings it back.

use std::fs;

use copkg_spec::manifest::{Downgrade, Health, OnReturn, Upgrade};
use serde_json::Value;

use super::scene::{Host, PACKAGE, Package, Ran, SERVICE, eventually};

const NEXT: &str = "com.example:web:2.0";

/// Writes a line into its data at each start.
const SERVER: &str = "#!/bin/sh\ncd \"$COPKG_RUNTIME_DIR\"\necho VERSION >>data/lines\nexec sleep 600\n";

/// Multiplies by 100 whatever it is handed: a second time it would do so again.
const MIGRATE: &str = "#!/bin/sh\ncd \"$COPKG_RUNTIME_DIR\"\nwhile read -r n; do echo $((n*100)); done <data/numbers >data/new\n\
    mv data/new data/numbers\n";

fn version(number: &str, change: impl FnOnce(&mut Upgrade)) -> Package {
    Package::serving(&SERVER.replace("VERSION", number)).that(|service| {
        service.settle_milliseconds = 50;
        service.health = Some(Health { healthy_milliseconds: 0, ..Health::default() });
        let mut upgrade = service.upgrade();
        upgrade.snapshot = true;
        change(&mut upgrade);
        service.upgrade = Some(upgrade);
    })
}

/// The same, but it is never well.
fn ailing(change: impl FnOnce(&mut Upgrade)) -> Package {
    version("2.0", change).with("script.d/check", "#!/bin/sh\n[ ! -e log/ailing ]\n").that(|service| {
        service.check = Some("script.d/check".parse().unwrap());
        service.health = Some(Health {
            healthy_milliseconds: 0,
            deadline_milliseconds: 300,
            interval_milliseconds: 100,
            ..Health::default()
        });
    })
}

fn host(next: &Package) -> Host {
    let host = Host::with(version("1.0", |_| ()));
    host.install(NEXT, next);
    host.start().ok();
    fs::write(host.runtime().join("log/ailing"), "").unwrap();
    host
}

fn upgrade(host: &Host) -> Ran {
    host.run(&["--json", "upgrade", SERVICE, "--to", "2.0"])
}

/// Runs the command that was said to bring something back.
fn bring_back(host: &Host, aside: &Value) -> Ran {
    let command = aside["command"].as_str().unwrap();
    let arguments: Vec<&str> = command.strip_prefix("pkginstall ").unwrap().split(' ').collect();
    host.run(&arguments)
}

fn set_aside(host: &Host) -> Value {
    host.run(&["--json", "history", SERVICE]).ok().json()["set_aside"].clone()
}

#[test]
fn what_a_failed_version_wrote_is_set_aside_and_the_command_in_the_message_brings_it_back() {
    let host = host(&ailing(|_| ()));
    let failed = upgrade(&host);
    assert_eq!((failed.exit, &failed.json()["error"]["code"]), (1, &"reverted".into()), "{failed:?}");
    assert_eq!(host.read("data/lines"), "1.0\n1.0\n");
    let aside = set_aside(&host)[0].clone();
    let path = aside["path"].as_str().unwrap();
    assert_eq!(fs::read_to_string(format!("{path}/lines")).unwrap(), "1.0\n2.0\n");
    let hint = failed.json()["error"]["hint"].to_string();
    assert!(hint.contains(path) && hint.contains(aside["command"].as_str().unwrap()), "{hint}");
    let status = host.run(&["status", SERVICE]).ok().out;
    assert!(status.contains(path), "{status}");

    // Version 1.0 reads what 2.0 wrote, and goes on with it.
    bring_back(&host, &aside).ok();
    assert_eq!(host.read("data/lines"), "1.0\n2.0\n1.0\n");
    let now = set_aside(&host);
    assert_eq!(now.as_array().unwrap().len(), 1, "{now}");
    bring_back(&host, &now[0]).ok();
    assert_eq!(host.read("data/lines"), "1.0\n1.0\n1.0\n");
    host.stop().ok();
}

#[test]
fn a_version_that_wrote_nothing_leaves_nothing_aside() {
    let host = host(&Package::serving("#!/bin/sh\nexit 3\n").that(|service| {
        service.upgrade = Some(Upgrade { snapshot: true, ..service.upgrade() });
    }));
    assert_eq!(upgrade(&host).exit, 1);
    assert_eq!(set_aside(&host).as_array().unwrap().len(), 0);
    host.stop().ok();
}

#[test]
fn data_that_only_the_failed_version_reads_comes_back_with_it() {
    let host = host(&ailing(|upgrade| upgrade.downgrade = Downgrade::Forbidden));
    upgrade(&host);
    let aside = set_aside(&host)[0].clone();
    assert_eq!(aside["command"], format!("pkginstall upgrade {SERVICE} --to 2.0 --data-of 2"));
    fs::remove_file(host.runtime().join("log/ailing")).unwrap();
    bring_back(&host, &aside).ok();
    assert_eq!(host.read("data/lines"), "1.0\n2.0\n2.0\n");
    assert_eq!(set_aside(&host)[0]["package"], PACKAGE);
    host.stop().ok();
}

#[test]
fn a_trial_whose_command_was_killed_loses_nothing_to_the_next_command() {
    let host = host(&ailing(|_| ()).that(|service| {
        service.health.as_mut().unwrap().deadline_milliseconds = 3_600_000;
    }));
    let mut upgrading = host.spawn(&["upgrade", SERVICE, "--to", "2.0"]);
    eventually("the new one writes", || host.read("data/lines").contains("2.0"));
    upgrading.kill().unwrap();
    upgrading.wait().unwrap();
    let stopped = host.run(&["stop", SERVICE]).ok();
    let aside = set_aside(&host)[0].clone();
    let path = aside["path"].as_str().unwrap();
    assert!(stopped.err.contains(path), "{stopped:?}");
    assert!(fs::read_to_string(format!("{path}/lines")).unwrap().ends_with("2.0\n"));
    host.assert_nothing_left();
}

#[test]
fn a_recipe_and_a_flag_leave_the_data_to_the_version_before() {
    for (recipe, flag, lines) in [
        (OnReturn::Keep, None, "1.0\n2.0\n1.0\n"),
        (OnReturn::Restore, Some("keep"), "1.0\n2.0\n1.0\n"),
        (OnReturn::Keep, Some("restore"), "1.0\n1.0\n"),
    ] {
        let host = host(&ailing(|upgrade| upgrade.on_return = recipe));
        let mut arguments = vec!["--json", "upgrade", SERVICE, "--to", "2.0"];
        arguments.extend(flag.iter().flat_map(|flag| ["--on-return", flag]));
        let failed = host.run(&arguments);
        assert_eq!(failed.json()["error"]["code"], "reverted", "{failed:?}");
        assert_eq!(host.read("data/lines"), lines, "{recipe:?} {flag:?}");
        let hint = failed.json()["error"]["hint"].to_string();
        assert!(hint.contains(if lines.contains("2.0") { "the data is as" } else { "set aside" }), "{hint}");
        host.stop().ok();
    }
    let host = host(&ailing(|upgrade| upgrade.downgrade = Downgrade::Forbidden));
    let refused = host.run(&["--json", "upgrade", SERVICE, "--to", "2.0", "--on-return", "keep"]);
    assert_eq!(
        (refused.exit, &refused.json()["error"]["code"]),
        (7, &"cannot_keep_data".into()),
        "{refused:?}"
    );
    host.stop().ok();
}

#[test]
fn collecting_keeps_what_was_set_aside_for_the_stated_time_and_says_so() {
    let host = host(&ailing(|_| ()));
    upgrade(&host);
    let path = set_aside(&host)[0]["path"].as_str().unwrap().to_owned();
    let kept = host.run(&["gc", "--keep", "0", "--unused"]).ok();
    assert!(kept.err.contains(&path) && kept.err.contains("stays until"), "{kept:?}");
    assert!(fs::metadata(&path).is_ok());
    // Only the version that wrote it may read it: it stays, too.
    assert!(host.run(&["list"]).ok().out.contains("2.0"));
    let would = host.run(&["--json", "gc", "--keep-data", "0s", "--dry-run"]).ok().json();
    assert_eq!(would["removed"]["set_aside"][0]["path"], path.as_str(), "{would}");
    assert!(fs::metadata(&path).is_ok());
    let gone = host.run(&["gc", "--keep-data", "0s"]).ok();
    assert!(gone.out.contains(&path), "{gone:?}");
    assert!(fs::metadata(&path).is_err());
    assert_eq!(set_aside(&host).as_array().unwrap().len(), 0);
    assert_eq!(host.run(&["gc", "--keep-data", "soon"]).exit, 2);
    host.stop().ok();
}

#[test]
fn restored_data_is_not_migrated_again() {
    let next = version("2.0", |upgrade| upgrade.downgrade = Downgrade::Forbidden)
        .with("script.d/migrate", MIGRATE)
        .that(|service| service.migrate = Some("script.d/migrate".parse().unwrap()));
    let host = host(&next);
    let numbers = host.runtime().join("data/numbers");
    fs::write(&numbers, "5\n").unwrap();
    upgrade(&host).ok();
    assert_eq!(host.read("data/numbers"), "500\n");
    fs::write(&numbers, "500\n777\n").unwrap();
    host.run(&["rollback", SERVICE, "--restore-data"]).ok();
    assert_eq!(host.read("data/numbers"), "5\n");
    host.run(&["rollback", SERVICE, "--to", "2", "--restore-data"]).ok();
    assert_eq!(host.read("data/numbers"), "500\n777\n");
    // Data of 1.0 has to be migrated before 2.0 reads it: that is what an upgrade of 1.0 is for.
    let refused = host.run(&["--json", "rollback", SERVICE, "--data-of", "1"]);
    assert_eq!((refused.exit, &refused.json()["error"]["code"]), (7, &"data_of_another_version".into()));
    host.stop().ok();
}

#[test]
fn what_two_returns_leave_is_kept_apart() {
    let host = host(&version("2.0", |upgrade| upgrade.downgrade = Downgrade::Forbidden));
    upgrade(&host).ok();
    for _ in 0..2 {
        host.run(&["rollback", SERVICE, "--restore-data"]).ok();
        host.run(&["rollback", SERVICE, "--to", "2"]).ok();
    }
    host.run(&["rollback", SERVICE, "--restore-data"]).ok();
    let asides = set_aside(&host);
    let asides = asides.as_array().unwrap();
    assert_eq!(asides.len(), 3, "{asides:#?}");
    for aside in asides {
        let path = aside["path"].as_str().unwrap();
        assert!(fs::read_to_string(format!("{path}/lines")).unwrap().ends_with("2.0\n"), "{aside}");
    }
    host.stop().ok();
}

#[test]
fn clients_reach_a_version_only_when_it_is_good() {
    let admit = "#!/bin/sh\necho \"$COPKG_PACKAGE\" >>log/admitted\n";
    let admitting = |package: Package| {
        package
            .with("script.d/admit", admit)
            .that(|service| service.admit = Some("script.d/admit".parse().unwrap()))
    };
    let host = Host::with(admitting(version("1.0", |_| ())));
    host.install(NEXT, &admitting(ailing(|_| ())));
    host.start().ok();
    let admitted = || host.read("log/admitted").lines().count();
    assert_eq!(admitted(), 1);
    fs::write(host.runtime().join("log/ailing"), "").unwrap();
    assert_eq!(upgrade(&host).exit, 1);
    // The old one again, and never the new one.
    assert_eq!(admitted(), 2);
    fs::remove_file(host.runtime().join("log/ailing")).unwrap();
    upgrade(&host).ok();
    assert_eq!(admitted(), 3);
    host.stop().ok();
}
