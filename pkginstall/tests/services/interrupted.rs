//! INT, TERM and HUP while something is changed: it ends at once, all is as before, and the command says so.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command};

use copkg_spec::manifest::Health;

use super::scene::{Host, PACKAGE, Package, Ran, SERVICE, eventually, ran};

const NEXT: &str = "com.example:web:2.0";

/// Writes one line into its data when it starts.
const SERVER: &str = "#!/bin/sh\ncd \"$COPKG_RUNTIME_DIR\"\necho VERSION >>data/lines\nexec sleep 600\n";

fn version(number: &str, healthy_milliseconds: u32) -> Package {
    Package::serving(&SERVER.replace("VERSION", number)).that(|service| {
        service.settle_milliseconds = 50;
        let deadline_milliseconds = healthy_milliseconds + 60_000;
        service.health = Some(Health {
            healthy_milliseconds,
            deadline_milliseconds,
            interval_milliseconds: 50,
            ..Health::default()
        });
        let mut upgrade = service.upgrade();
        upgrade.snapshot = true;
        service.upgrade = Some(upgrade);
    })
}

/// Version 1.0 runs; version 2.0 is installed and would be on trial for an hour.
fn host() -> Host {
    let host = Host::with(version("1.0", 0));
    host.install(NEXT, &version("2.0", 3_600_000));
    host.start().ok();
    host
}

fn send(signal: &str, to: &Child) {
    Command::new("kill").args([&format!("-{signal}"), &to.id().to_string()]).status().unwrap();
}

fn ended(child: Child) -> Ran {
    ran(child.wait_with_output().unwrap())
}

fn journal(host: &Host) -> String {
    let state = host.prefix().service_state(&SERVICE.parse().unwrap());
    fs::read_to_string(state.join("change.json")).unwrap_or_default()
}

fn on_trial(host: &Host, arguments: &[&str]) -> Child {
    let child = host.spawn(arguments);
    eventually("the new one is on trial", || journal(host).contains("\"step\": \"trial\""));
    child
}

const UPGRADE: [&str; 5] = ["--json", "upgrade", SERVICE, "--to", "2.0"];

#[test]
fn a_signal_during_the_trial_rolls_the_upgrade_back_and_is_reported() {
    let host = host();
    for signal in ["INT", "TERM", "HUP"] {
        let upgrading = on_trial(&host, &UPGRADE);
        send(signal, &upgrading);
        // A second one is no shortcut out of the way back.
        send(signal, &upgrading);
        let ran = ended(upgrading);
        assert_eq!(ran.exit, 130, "{signal}: {ran:?}");
        let error = &ran.json()["error"];
        assert_eq!(error["code"], "interrupted", "{signal}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("was interrupted while the new one was on trial"), "{signal}: {message}");
        assert!(message.contains(&format!("it runs {PACKAGE} as before")), "{signal}: {message}");
        assert!(error["causes"].to_string().contains(&format!("SIG{signal}")), "{signal}: {error}");
        host.status().ok();
        assert_eq!(journal(&host), "");
    }
    // Each way back started the old one once more, and nothing of the new one is in its data.
    assert_eq!(host.read("data/lines"), "1.0\n".repeat(4));
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn a_signal_during_a_migration_ends_the_script_and_puts_the_data_back() {
    let host = Host::with(version("1.0", 0));
    let migrating = "#!/bin/sh\ncd \"$COPKG_RUNTIME_DIR\"\necho half >data/lines\nexec sleep 600\n";
    let next = version("2.0", 0)
        .with("script.d/migrate", migrating)
        .that(|service| service.migrate = Some("script.d/migrate".parse().unwrap()));
    host.install(NEXT, &next);
    host.start().ok();
    let upgrading = host.spawn(&UPGRADE);
    eventually("it migrates", || host.read("data/lines") == "half\n");
    send("TERM", &upgrading);
    let ran = ended(upgrading);
    assert_eq!((ran.exit, &ran.json()["error"]["code"]), (130, &"interrupted".into()), "{ran:?}");
    assert_eq!(host.read("data/lines"), "1.0\n".repeat(2));
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn a_rollback_and_a_way_down_are_interrupted_like_an_upgrade() {
    let held = version("1.0", 0)
        .with("script.d/check", "#!/bin/sh\n[ ! -e hold ]\n")
        .that(|service| service.check = Some("script.d/check".parse().unwrap()));
    let host = Host::with(held);
    host.install(NEXT, &version("2.0", 0));
    host.start().ok();
    host.run(&UPGRADE).ok();
    fs::write(host.runtime().join("hold"), "").unwrap();
    let state = host.prefix().service_state(&SERVICE.parse().unwrap());
    for arguments in [&["--json", "rollback", SERVICE][..], &["--json", "upgrade", SERVICE, "--to", "1.0"]] {
        let changing = on_trial(&host, arguments);
        send("HUP", &changing);
        let ran = ended(changing);
        assert_eq!((ran.exit, &ran.json()["error"]["code"]), (130, &"interrupted".into()), "{ran:?}");
        assert_eq!(host.status().ok().json()["services"][0]["package"], NEXT);
        assert_eq!(fs::read_link(state.join("current")).unwrap().to_str(), Some("generations/2"));
    }
    host.stop().ok();
}

#[test]
fn a_change_that_was_killed_is_shown_and_is_not_well_until_it_is_recovered() {
    let host = host();
    let upgrading = on_trial(&host, &UPGRADE);
    let under_way = host.status().ok().json()["services"][0]["change"].clone();
    assert_eq!(
        (&under_way["step"], &under_way["cut_short"]),
        (&"trial".into(), &false.into()),
        "{under_way}"
    );
    send("KILL", &upgrading);
    ended(upgrading);
    let status = host.status();
    assert_eq!(status.exit, 4, "{status:?}");
    assert_eq!(status.json()["services"][0]["change"]["cut_short"], true);
    let status = host.run(&["status", SERVICE]);
    assert!(status.out.contains("was cut short while the new one was on trial"), "{status:?}");
    let check = host.run(&["--json", "check", SERVICE]);
    assert_eq!(
        (check.exit, &check.json()["services"][0]["condition"]),
        (1, &"interrupted".into()),
        "{check:?}"
    );
    assert_eq!(host.run(&["--json", "recover", "--dry-run"]).ok().json()["services"][0]["step"], "trial");
    host.run(&["recover"]).ok();
    assert_eq!(host.status().ok().json()["services"][0]["package"], PACKAGE);
    assert_eq!(host.run(&["check", SERVICE]).exit, 0);
    assert_eq!(host.read("data/lines"), "1.0\n".repeat(2));
    host.stop().ok();
}

#[test]
fn a_rehearsal_that_is_interrupted_is_removed_and_one_that_was_killed_is_found() {
    let host = host();
    let copy = host.prefix().rehearsal(&SERVICE.parse().unwrap());
    let rehearsing = |signal| {
        let child = host.spawn(&["--json", "rehearse", SERVICE, "--to", "2.0"]);
        let change = copy.service_state(&SERVICE.parse().unwrap()).join("change.json");
        let step = || fs::read_to_string(&change).unwrap_or_default();
        eventually("the copy is on trial", || step().contains("\"step\": \"trial\""));
        assert_eq!(host.status().ok().json()["services"][0]["left_rehearsal"], serde_json::Value::Null);
        send(signal, &child);
        ended(child)
    };
    let ran = rehearsing("INT");
    assert_eq!((ran.exit, &ran.json()["error"]["code"]), (130, &"interrupted".into()), "{ran:?}");
    assert!(!copy.root().exists(), "the copy is left");
    assert_eq!(host.living().len(), 1, "processes of the copy are left");

    rehearsing("KILL");
    assert_eq!(host.status().json()["services"][0]["left_rehearsal"], true);
    let found = host.run(&["--json", "recover", "--dry-run"]).ok().json();
    assert_eq!(found["rehearsals"][0], SERVICE);
    assert_eq!(host.run(&["--json", "recover"]).ok().json()["changed"], true);
    assert!(!copy.root().exists(), "the copy is left");
    assert_eq!(host.living().len(), 1, "processes of the copy are left");
    assert_eq!(host.read("data/lines"), "1.0\n");
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn whoever_waits_for_a_lock_ends_at_a_signal() {
    let host = host();
    let upgrading = on_trial(&host, &UPGRADE);
    let stopping = host.spawn(&["--json", "stop", SERVICE]);
    let caught = || {
        // Without its handlers the signal would kill it in silence.
        let status = fs::read_to_string(format!("/proc/{}/status", stopping.id())).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim();
        u64::from_str_radix(mask, 16).unwrap() & (1 << 14) != 0
    };
    eventually("it catches signals", caught);
    send("TERM", &stopping);
    let ran = ended(stopping);
    assert_eq!((ran.exit, &ran.json()["error"]["code"]), (130, &"interrupted".into()), "{ran:?}");
    send("TERM", &upgrading);
    ended(upgrading);
    host.status().ok();
    host.stop().ok();
}

#[test]
fn a_stop_that_has_begun_is_finished_and_the_next_one_is_not_begun() {
    let stubborn = "#!/bin/sh\ntrap 'echo asked >data/asked' TERM\nwhile :; do sleep 0.05; done\n";
    let host = Host::with(
        Package::serving(stubborn)
            .with("script.d/stop", "#!/bin/sh\nexit 0\n")
            .that(|service| service.stop_timeout_seconds = 2),
    );
    let other = "2.web.dev.local";
    host.run(&["start", PACKAGE, "--as", other]).ok();
    host.start().ok();
    // The one that was started last, by name, is stopped first.
    let stopping = host.spawn(&["--json", "stop", "--all"]);
    let asked =
        |service: &str| host.prefix().runtime_dir(&service.parse().unwrap()).join("data/asked").exists();
    eventually("one of them is asked to end", || asked(SERVICE) || asked(other));
    let (first, second) = if asked(SERVICE) { (SERVICE, other) } else { (other, SERVICE) };
    send("INT", &stopping);
    let ran = ended(stopping);
    assert_eq!((ran.exit, &ran.json()["error"]["code"]), (130, &"interrupted".into()), "{ran:?}");
    let message = ran.json()["error"]["message"].to_string();
    assert!(message.contains(&format!("not begun: {second}")), "{message}");
    assert_eq!(host.run(&["status", first]).exit, 3);
    assert_eq!(host.run(&["status", second]).exit, 0);
    host.run(&["stop", "--all"]).ok();
}

#[test]
fn an_installation_from_a_server_that_keeps_silent_ends_at_a_signal() {
    let host = Host::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let installing = host.spawn(&["--json", "install", PACKAGE, "--repo", &url]);
    let connection = server.accept().unwrap();
    send("INT", &installing);
    let ran = ended(installing);
    drop(connection);
    assert_eq!((ran.exit, &ran.json()["error"]["code"]), (130, &"interrupted".into()), "{ran:?}");
}

#[test]
fn a_command_below_nohup_outlives_the_terminal() {
    let host = host();
    let mut command = Command::new("nohup");
    let upgrade = host.command(&UPGRADE);
    command.arg(upgrade.get_program()).args(upgrade.get_args());
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    let upgrading = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    eventually("the new one is on trial", || journal(&host).contains("\"step\": \"trial\""));
    send("HUP", &upgrading);
    send("TERM", &upgrading);
    let ran = ended(upgrading);
    assert!(ran.json()["error"]["causes"].to_string().contains("SIGTERM"), "{ran:?}");
    host.stop().ok();
}

#[test]
fn a_restart_that_has_begun_is_finished() {
    let slow = "#!/bin/sh\necho begins >>data/begins\nexec sleep 600\n";
    let host = Host::with(Package::serving(slow).that(|service| service.settle_milliseconds = 1000));
    host.start().ok();
    let restarting = host.spawn(&["--json", "restart", SERVICE]);
    eventually("it starts again", || host.read("data/begins").lines().count() == 2);
    send("INT", &restarting);
    let ran = ended(restarting).ok();
    assert!(ran.err.contains("SIGINT") && ran.err.contains("finished"), "{ran:?}");
    assert_eq!(host.status().ok().json()["services"][0]["state"], "running");
    host.stop().ok();
}
