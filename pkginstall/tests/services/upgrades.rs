//! What is promised of changes: generations, upgrades, the way back, rehearsals, and what is remembered of them.

use std::fs;

use copkg_spec::manifest::{Downgrade, Strategy, Upgrade};
use pkginstall::process::ProcessIdentity;
use serde_json::Value;

use super::scene::{Host, PACKAGE, Package, SERVICE, SLEEPER, numbers};

const NEXT: &str = "com.example:web:2.0";

/// Runs only with data of its own version; brings data of its own along where there is none.
const SERVER: &str = "#!/bin/sh\ncd \"$COPKG_RUNTIME_DIR\"\n[ -e data/format ] || echo VERSION >data/format\n\
    [ \"$(cat data/format)\" = VERSION ] || { echo 'data of another version'; exit 9; }\nexec sleep 600\n";

/// Brings the data from one version to the other, in two steps.
const MIGRATE: &str = "#!/bin/sh\nfor o; do case $o in --to=*) to=${o#*=} ;; esac; done\n\
    cd \"$COPKG_RUNTIME_DIR\"\necho half >data/format\necho migrating to \"$to\"\nFAIL\necho \"$to\" >data/format\n";

fn version(version: &str) -> Package {
    Package::serving(&SERVER.replace("VERSION", version))
}

fn migrating(version_number: &str, fail: &str) -> Package {
    version(version_number)
        .with("script.d/migrate", &MIGRATE.replace("FAIL", fail))
        .that(|service| service.migrate = Some("script.d/migrate".parse().unwrap()))
}

fn upgradable(change: impl FnOnce(&mut Upgrade)) -> impl FnOnce(&mut copkg_spec::manifest::Service) {
    move |service| {
        let mut upgrade = service.upgrade();
        change(&mut upgrade);
        service.upgrade = Some(upgrade);
    }
}

/// Version 1.0 runs, version 2.0 is installed.
fn host(next: &Package) -> Host {
    let host = Host::with(version("1.0"));
    host.install(NEXT, next);
    host.start().ok();
    fs::write(host.runtime().join("etc/edited"), "by hand").unwrap();
    host
}

fn upgrade(host: &Host) -> super::scene::Ran {
    host.run(&["--json", "upgrade", SERVICE, "--to", "2.0"])
}

fn status(host: &Host) -> Value {
    host.status().json()["services"][0].clone()
}

fn history(host: &Host) -> Value {
    host.run(&["--json", "history", SERVICE]).ok().json()
}

#[test]
fn what_a_service_wrote_into_its_package_is_named_by_an_upgrade_and_kept_by_gc() {
    let host = host(&migrating("2.0", ""));
    let package = host.prefix().install_dir(&PACKAGE.parse().unwrap());
    fs::write(package.join("rows.db"), "rows").unwrap();
    let done = upgrade(&host).ok();
    assert!(done.err.contains("files that are not the package's lie in"), "{}", done.err);
    assert!(done.err.contains("rows.db"), "{}", done.err);
    // One that nothing needs goes, and what is in it stays.
    let unused = "com.example:web:0.5";
    host.install(unused, &version("0.5"));
    fs::write(host.prefix().install_dir(&unused.parse().unwrap()).join("rows.db"), "more rows").unwrap();
    let swept = host.run(&["--json", "gc", "--unused"]).ok();
    let kept = swept.json()["removed"]["foreign"][0]["path"].as_str().unwrap().to_owned();
    assert!(swept.err.contains(&kept), "{}", swept.err);
    assert_eq!(fs::read_to_string(std::path::Path::new(&kept).join("rows.db")).unwrap(), "more rows");
    assert_eq!(fs::read_to_string(package.join("rows.db")).unwrap(), "rows", "a rollback needs that package");
}

#[test]
fn an_upgrade_migrates_the_data_and_every_change_is_remembered() {
    let host = host(&migrating("2.0", ""));
    let done = upgrade(&host).ok().json();
    assert_eq!((done["from"].as_u64(), done["to"].as_u64()), (Some(1), Some(2)), "{done}");
    assert!(done["downtime_milliseconds"].as_u64().is_some(), "{done}");
    assert_eq!(host.read("data/format"), "2.0\n");
    assert_eq!(status(&host)["package"], NEXT);
    assert_eq!(upgrade(&host).ok().json()["changed"], false);

    let history = history(&host);
    let told: Vec<(&str, &str)> = history["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["cause"].as_str().unwrap(), change["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("start", "good"), ("upgrade", "good")]);
    assert_eq!(history["current"], 2);
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn a_migration_that_fails_half_way_leaves_the_old_version_its_data_and_its_configuration() {
    let host = host(&migrating("2.0", "exit 4"));
    let failed = upgrade(&host);
    assert_eq!(failed.exit, 1);
    let error = &failed.json()["error"];
    assert_eq!(error["code"], "reverted");
    assert!(error["message"].as_str().unwrap().contains("it runs com.example:web:1.0 as before"), "{error}");
    assert!(error["causes"].to_string().contains("exit code 4"), "{error}");
    assert!(error["causes"].to_string().contains("migrating to 2.0"), "{error}");
    assert_eq!(host.read("data/format"), "1.0\n");
    assert_eq!(host.read("etc/edited"), "by hand");
    assert_eq!(status(&host)["state"], "running");
    assert_eq!(status(&host)["package"], PACKAGE);

    let state = host.prefix().service_state(&SERVICE.parse().unwrap());
    let log = fs::read_to_string(state.join("generations/2/log/log-hooks-migrate.log")).unwrap();
    assert!(log.contains("migrating to 2.0"), "{log}");
    assert_eq!(history(&host)["current"], 1);
    // What failed once is tried anew, under a number of its own.
    assert_eq!(upgrade(&host).exit, 1);
    assert_eq!(history(&host)["changes"][2]["to"], 3);
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn a_version_that_does_not_start_is_left_for_the_one_that_did() {
    let host = host(&Package::serving("#!/bin/sh\necho broken >etc/edited\necho no >data/format\nexit 3\n"));
    let next =
        Package::serving("#!/bin/sh\ncd \"$COPKG_RUNTIME_DIR\"\necho no >data/format\necho broken\nexit 3\n")
            .that(upgradable(|upgrade| upgrade.snapshot = true));
    host.install("com.example:web:3.0", &next);
    let failed = host.run(&["--json", "upgrade", SERVICE, "--to", "3.0", "--keep-failed"]);
    assert_eq!(failed.json()["error"]["code"], "reverted", "{failed:?}");
    assert_eq!(host.read("data/format"), "1.0\n");
    assert_eq!(status(&host)["state"], "running");
    let kept = host.prefix().kept(&SERVICE.parse().unwrap()).join("2/data/format");
    assert_eq!(fs::read_to_string(kept).unwrap(), "no\n");

    let archive = host.root().join("failed.tar");
    host.run(&["history", SERVICE, "--export", "2", "--out", archive.as_str()]).ok();
    let listed = std::process::Command::new("tar").args(["-tf", archive.as_str()]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for part in ["generation.json", "outcome.json", "kept/data/format", "log/log-console.log"] {
        assert!(listed.contains(part), "{part} is not in {listed}");
    }
}

#[test]
fn a_rollback_leads_to_the_last_good_one_and_not_to_a_failed_one() {
    let host = host(&version("1.0"));
    host.install("com.example:web:3.0", &Package::serving("#!/bin/sh\nexit 3\n"));
    upgrade(&host).ok();
    assert_eq!(host.run(&["upgrade", SERVICE, "--to", "3.0"]).exit, 1);
    let done = host.run(&["--json", "rollback", SERVICE, "--reason", "slow"]).ok().json();
    assert_eq!((done["from"].as_u64(), done["to"].as_u64()), (Some(2), Some(1)), "{done}");
    assert_eq!(status(&host)["package"], PACKAGE);
    let last = history(&host)["changes"][3].clone();
    assert_eq!((last["cause"].as_str(), last["reason"].as_str()), (Some("rollback"), Some("slow")));
    assert_eq!(host.run(&["--json", "rollback", SERVICE]).json()["error"]["code"], "no_way_back");
    assert_eq!(host.run(&["--json", "rollback", SERVICE, "--to", "3"]).json()["error"]["code"], "never_good");
    host.run(&["rollback", SERVICE, "--to", "2"]).ok();
    assert_eq!(status(&host)["package"], NEXT);
}

#[test]
fn a_forbidden_way_down_needs_the_data_that_was_left() {
    let host = host(&migrating("2.0", ""));
    upgrade(&host).ok();
    fs::write(host.runtime().join("data/later"), "written since").unwrap();
    let refused = host.run(&["--json", "rollback", SERVICE]);
    assert_eq!(refused.json()["error"]["code"], "downgrade_forbidden");
    assert_eq!(refused.exit, 7);
    host.run(&["rollback", SERVICE, "--restore-data"]).ok();
    assert_eq!(host.read("data/format"), "1.0\n");
    assert_eq!(host.read("data/later"), "");
    // What was set aside is not lost.
    host.run(&["rollback", SERVICE, "--to", "2", "--restore-data"]).ok();
    assert_eq!(host.read("data/format"), "2.0\n");
    assert_eq!(host.read("data/later"), "written since");
}

#[test]
fn a_hook_brings_the_data_down() {
    let next = migrating("2.0", "").that(upgradable(|upgrade| upgrade.downgrade = Downgrade::Hook));
    let host = host(&next);
    upgrade(&host).ok();
    host.run(&["rollback", SERVICE]).ok();
    assert_eq!(host.read("data/format"), "1.0\n");
    assert_eq!(status(&host)["package"], PACKAGE);
}

#[test]
fn a_service_that_can_run_twice_is_never_down() {
    let together = |package: Package| package.that(upgradable(|u| u.strategy = Strategy::StartStop));
    let host = host(&together(version("1.0")));
    let before = numbers(&status(&host)["pids"]);
    let done = upgrade(&host).ok().json();
    assert!(done["downtime_milliseconds"].is_null(), "{done}");
    let after = numbers(&status(&host)["pids"]);
    assert_eq!(status(&host)["package"], NEXT);
    assert_eq!(host.living().iter().map(ProcessIdentity::pid).collect::<Vec<_>>(), after);
    assert_ne!(before, after);

    // One that fails never touches the one that runs.
    host.install("com.example:web:3.0", &together(Package::serving("#!/bin/sh\nexit 3\n")));
    assert_eq!(host.run(&["upgrade", SERVICE, "--to", "3.0"]).exit, 1);
    assert_eq!(numbers(&status(&host)["pids"]), after);
    assert_eq!(status(&host)["state"], "running");
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn a_stopped_service_is_tried_and_stopped_again() {
    let host = host(&migrating("2.0", ""));
    host.stop().ok();
    let done = upgrade(&host).ok().json();
    assert!(done["downtime_milliseconds"].is_null());
    assert_eq!(host.status().exit, 3);
    assert_eq!(history(&host)["current"], 2);
    host.assert_nothing_left();
    host.run(&["start", NEXT, "--as", SERVICE]).ok();
    assert_eq!(history(&host)["changes"].as_array().unwrap().len(), 2);
}

#[test]
fn a_first_start_that_fails_is_no_generation_to_stay_on() {
    let host = Host::with(Package::serving("#!/bin/sh\nexit 3\n"));
    assert_eq!(host.start().json()["error"]["code"], "service_ended");
    assert_eq!(history(&host)["current"], Value::Null);
    assert_eq!(history(&host)["changes"][0]["verdict"], "failed");
    assert_eq!(host.status().exit, 3);
}

#[test]
fn pre_stop_has_a_say_before_anything_is_stopped() {
    let careful = version("1.0").with("script.d/pre-stop", "#!/bin/sh\necho busy\nexit 5\n");
    let careful = careful.that(|service| service.pre_stop = Some("script.d/pre-stop".parse().unwrap()));
    let host = Host::with(careful);
    host.install(NEXT, &version("1.0"));
    host.start().ok();
    let before = numbers(&status(&host)["pids"]);
    let failed = upgrade(&host).json();
    assert!(failed["error"]["message"].as_str().unwrap().contains("before anything was stopped"), "{failed}");
    assert_eq!(numbers(&status(&host)["pids"]), before);
}

#[test]
fn a_rehearsal_touches_nothing_and_counts_for_its_digest_alone() {
    let host = host(&migrating("2.0", ""));
    let before = numbers(&status(&host)["pids"]);
    let refused = host.run(&["--json", "upgrade", SERVICE, "--to", "2.0", "--rehearsed"]);
    assert_eq!(refused.json()["error"]["code"], "not_rehearsed");
    let rehearsed = host.run(&["--json", "rehearse", SERVICE, "--to", "2.0"]).ok().json();
    assert_eq!(rehearsed["passed"], true);
    assert_eq!(numbers(&status(&host)["pids"]), before);
    assert_eq!(host.read("data/format"), "1.0\n");
    assert!(!host.root().join("runtime/.rehearsal").join(SERVICE).exists());
    assert_eq!(host.living().len(), before.len());
    host.run(&["upgrade", SERVICE, "--to", "2.0", "--rehearsed"]).ok();
    assert_eq!(host.read("data/format"), "2.0\n");
}

#[test]
fn a_rehearsal_that_fails_says_why_and_is_no_licence() {
    let host = host(&migrating("2.0", "exit 4"));
    let failed = host.run(&["--json", "rehearse", SERVICE, "--to", "2.0"]);
    assert_eq!(failed.json()["error"]["code"], "rehearsal_failed", "{failed:?}");
    assert!(failed.json()["error"]["causes"].to_string().contains("exit code 4"), "{failed:?}");
    assert_eq!(host.read("data/format"), "1.0\n");
    let refused = host.run(&["--json", "upgrade", SERVICE, "--to", "2.0", "--rehearsed"]);
    assert_eq!(refused.json()["error"]["code"], "not_rehearsed");
}

#[test]
fn what_is_not_needed_goes_and_what_is_needed_says_why() {
    let host = host(&version("1.0"));
    for number in 3..8 {
        let next = format!("com.example:web:{number}.0");
        host.install(&next, &version("1.0"));
        host.run(&["upgrade", SERVICE, "--to", &format!("{number}.0"), "--retain", "1"]).ok();
    }
    let left = history(&host)["generations"].clone();
    assert_eq!(left, serde_json::json!([4, 5, 6]), "current, last good, and one more");
    let installed = host.run(&["--json", "list"]).ok().out;
    assert!(!installed.contains("com.example:web:3.0") && installed.contains("com.example:web:7.0"));
    let why = host.run(&["gc", "--why", "com.example:web:6.0"]).ok().out;
    assert!(why.contains("a rollback of 1.web.dev.local leads to it"), "{why}");

    host.run(&["gc", "--pin", NEXT]).ok();
    let would = host.run(&["--json", "gc", "--keep", "0", "--unused", "--dry-run"]).ok().json();
    assert_eq!(would["removed"]["packages"], serde_json::json!(["com.example:web:5.0"]), "{would}");
    host.run(&["gc", "--keep", "0", "--unused"]).ok();
    assert_eq!(host.run(&["--json", "gc", "--keep", "0"]).ok().json()["changed"], false);
    let kept = host.run(&["--json", "list"]).ok().out;
    assert!(kept.contains(NEXT) && !kept.contains("com.example:web:5.0"), "{kept}");
    host.run(&["rollback", SERVICE]).ok();
    assert_eq!(status(&host)["package"], "com.example:web:6.0");
}

#[test]
fn why_and_diff_lead_back_to_what_was_installed() {
    let host = host(&version("1.0").with("share/new", "file"));
    host.run(&["upgrade", SERVICE, "--to", "2.0", "--reason", "a new file", "--", "--port=1"]).ok();
    let why = host.run(&["--json", "why", SERVICE]).ok().json();
    assert_eq!(why["generation"]["reason"], "a new file");
    assert_eq!(why["generation"]["asked"], "--to 2.0");
    assert_eq!(why["vouched"]["verdict"], "nobody", "no repository is configured: {why}");
    assert_eq!(why["generation_as_recorded"], true);
    assert_eq!(why["differences"], 0);
    assert_eq!(why["trusted"]["verdict"], "not", "nobody signed the packages of this test");
    assert_eq!(why["processes"].as_array().unwrap().len(), 1);
    let diff = host.run(&["--json", "diff", SERVICE, "1", "2"]).ok().json();
    assert_eq!(diff["files"], serde_json::json!([{ "change": "added", "path": "share/new" }]), "{diff}");
    assert_eq!(diff["parameters_added"], serde_json::json!(["--port=1"]));
}

#[test]
fn a_history_that_was_changed_is_not_believed() {
    let host = host(&version("1.0"));
    let first = host.prefix().service_state(&SERVICE.parse().unwrap()).join("history/00000001.json");
    upgrade(&host).ok();
    fs::write(&first, fs::read_to_string(&first).unwrap().replace("started", "Started")).unwrap();
    let broken = host.run(&["--json", "history", SERVICE]);
    assert_eq!((broken.exit, broken.json()["error"]["code"].as_str()), (6, Some("history_broken")));
}

#[test]
fn a_start_with_other_parameters_makes_a_new_generation() {
    let host = Host::with(version("1.0"));
    host.start().ok();
    host.stop().ok();
    host.start().ok();
    assert_eq!(status(&host)["generation"], 1, "the same again is the same generation");
    host.stop().ok();
    host.run(&["start", PACKAGE, "--as", SERVICE, "--", "--motto=other"]).ok();
    let now = status(&host);
    assert_eq!((&now["generation"], &now["outcome"]), (&2.into(), &"good".into()), "{now}");
    let diff = host.run(&["--json", "diff", SERVICE, "1", "2"]).ok().json();
    assert_eq!(diff["parameters_added"], serde_json::json!(["--motto=other"]));
    let shown = host.run(&["status", SERVICE]).ok().out;
    assert!(shown.contains("generation 2 (good)"), "{shown}");
}

#[test]
fn what_a_rollback_leads_to_is_not_removed() {
    let host = host(&version("1.0"));
    upgrade(&host).ok();
    let refused = host.run(&["--json", "remove", PACKAGE]);
    assert_eq!((refused.exit, refused.json()["error"]["code"].as_str()), (7, Some("needed")), "{refused:?}");
    let message = refused.json()["error"]["message"].to_string();
    assert!(message.contains("a rollback of 1.web.dev.local leads to it: generation 1"), "{message}");
    host.run(&["gc", "--keep", "0", "--unused"]).ok();
    host.run(&["rollback", SERVICE]).ok();
    host.run(&["remove", "--force", NEXT]).ok();
}

#[test]
fn several_services_are_upgraded_and_a_failure_stops_the_rest_only_when_asked() {
    let host = Host::with(Package::serving(SLEEPER));
    let bad =
        Package::serving("#!/bin/sh\n[ \"$COPKG_SERVICE\" = 2.web.dev.local ] && exit 9\nexec sleep 600\n");
    host.install("com.example:web:2.0", &bad);
    let services = ["1.web.dev.local", "2.web.dev.local", "3.web.dev.local"];
    for service in services {
        host.run(&["start", PACKAGE, "--as", service]).ok();
    }
    let runs = || {
        let document = host.run(&["--json", "status"]).json();
        let package = |at: usize| document["services"][at]["package"].as_str().unwrap().to_owned();
        [package(0), package(1), package(2)].map(|package| package.rsplit(':').next().unwrap().to_owned())
    };
    let parameters = host.run(&["--json", "upgrade", "*.web.*.*", "--to", "2.0", "--", "--port=1"]);
    assert_eq!((parameters.exit, &parameters.json()["error"]["code"]), (2, &"shared_parameters".into()));
    let stopped = host.run(&["--json", "upgrade", "*.web.*.*", "--to", "2.0", "--stop-at-failure"]);
    assert_eq!(stopped.exit, 1, "{stopped:?}");
    assert_eq!(stopped.json()["untouched"], serde_json::json!(["3.web.dev.local"]));
    assert_eq!(runs(), ["2.0", "1.0", "1.0"]);
    let done = host.run(&["--json", "upgrade", "*.web.*.*", "--to", "2.0"]);
    assert_eq!(done.exit, 1, "{done:?}");
    assert_eq!(done.json()["services"][1]["error"]["code"], "reverted");
    assert_eq!(runs(), ["2.0", "1.0", "2.0"]);
    host.run(&["stop", "--all"]).ok();
}
