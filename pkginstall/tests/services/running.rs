//! Services while they run: several at once, in order, reloaded, asked, looked into, and their logs put aside.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use copkg_spec::manifest::{Health, Rotation, Signal};

use super::scene::{Host, PACKAGE, Package, SERVICE, SLEEPER, eventually};

/// Writes down each start, and which signals it got.
const NOTING: &str = "#!/bin/sh\ntrap 'echo signal >>data/notes' USR1\necho start >>data/notes\n\
                      while :; do sleep 0.1; done\n";

fn started(host: &Host, package: &str, services: &[&str]) {
    for service in services {
        host.run(&["start", package, "--as", service]).ok();
    }
}

fn names(host: &Host, arguments: &[&str]) -> Vec<String> {
    let document = host.run(arguments).json();
    let services = document["services"].as_array().unwrap();
    services.iter().map(|service| service["service"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_pattern_means_all_that_match_in_the_declared_order() {
    let host =
        Host::with(Package::serving(SLEEPER).that(|service| service.after = vec!["db".parse().unwrap()]));
    host.install("com.example:db:1.0", &Package::serving(SLEEPER));
    started(&host, PACKAGE, &["1.app.prod.osl", "2.app.prod.osl", "1.app.dev.osl"]);
    started(&host, "com.example:db:1.0", &["1.db.prod.osl"]);
    let prod = ["1.db.prod.osl", "1.app.prod.osl", "2.app.prod.osl"];
    assert_eq!(names(&host, &["--json", "status", "*.*.prod.*"]), prod);
    let backwards: Vec<&str> = prod.iter().copied().rev().collect();
    assert_eq!(names(&host, &["--json", "stop", "*.*.prod.osl"]), backwards);
    assert_eq!(host.run(&["status", "1.app.dev.osl"]).exit, 0);
    assert_eq!(names(&host, &["--json", "start", "*.*.prod.*"]), prod);
    assert_eq!(host.run(&["status"]).exit, 0);
    assert_eq!(names(&host, &["--json", "restart", "--all", "--dry-run"]).len(), 4);
    let refused = host.run(&["--json", "stop", "*.web.*.*"]);
    assert_eq!((refused.exit, refused.json()["error"]["code"].as_str()), (5, Some("no_match")));
    host.run(&["stop", "--all"]).ok();
    host.assert_nothing_left();
}

#[test]
fn a_reload_is_a_signal_or_a_script_and_no_restart() {
    let host =
        Host::with(Package::serving(NOTING).that(|service| service.reload_signal = Some(Signal::Usr1)));
    host.start().ok();
    eventually("it starts", || host.read("data/notes") == "start\n");
    let before = host.living();
    host.run(&["reload", SERVICE]).ok();
    eventually("it got the signal", || host.read("data/notes") == "start\nsignal\n");
    assert!(before.iter().any(|process| host.living().contains(process)));
    host.stop().ok();
    assert_eq!(host.run(&["reload", SERVICE]).exit, 3);

    let script = "#!/bin/sh\necho \"reloaded $COPKG_SERVICE\" >>data/notes\n";
    let package = Package::serving(NOTING).with("script.d/reload", script);
    let host = Host::with(package.that(|service| service.reload = Some("script.d/reload".parse().unwrap())));
    host.start().ok();
    host.run(&["reload", "*.web.*.*"]).ok();
    assert!(host.read("data/notes").contains("reloaded 1.web.dev.local\n"));
    host.stop().ok();
    host.assert_nothing_left();
}

#[test]
fn a_service_without_a_way_to_reload_says_so() {
    let host = Host::with(Package::serving(SLEEPER));
    host.start().ok();
    let refused = host.run(&["--json", "reload", SERVICE]);
    assert_eq!(refused.json()["error"]["code"], "not_reloadable");
    host.stop().ok();
}

#[test]
fn an_admin_command_has_the_environment_of_the_service_and_outlives_it() {
    let host = Host::with(Package::serving(SLEEPER));
    host.start().ok();
    let shown = host.run(&[
        "exec",
        SERVICE,
        "--",
        "sh",
        "-c",
        "pwd; echo $COPKG_SERVICE; echo ${LEAKED:-clean}; echo ${COPKG_START_ID:-none}; exit 3",
    ]);
    assert_eq!(shown.exit, 3);
    assert_eq!(shown.out, format!("{}\n{SERVICE}\nclean\nnone\n", host.runtime()));
    let mut admin = host.spawn(&["exec", SERVICE, "--", "sleep", "600"]);
    eventually("it is the command", || {
        fs::read_to_string(format!("/proc/{}/comm", admin.id())).is_ok_and(|name| name == "sleep\n")
    });
    host.stop().ok();
    assert!(admin.try_wait().unwrap().is_none(), "stopping the service ended the admin's command");
    admin.kill().unwrap();
    admin.wait().unwrap();
    assert_eq!(host.run(&["exec", SERVICE, "--", "no-such-program"]).exit, 1);
}

#[test]
fn a_service_is_asked_whether_it_is_well() {
    let check = "#!/bin/sh\n[ ! -e data/ill ] || { echo 'it coughs'; exit 1; }\n";
    let package = Package::serving(SLEEPER).with("script.d/check", check);
    let host = Host::with(package.that(|service| service.check = Some("script.d/check".parse().unwrap())));
    host.start().ok();
    assert_eq!(host.run(&["--json", "check"]).ok().json()["services"][0]["condition"], "well");
    fs::write(host.runtime().join("data/ill"), "").unwrap();
    let ailing = host.run(&["--json", "check", SERVICE]);
    assert_eq!(ailing.exit, 1);
    let why = ailing.json()["services"][0]["why"].as_str().unwrap().to_owned();
    assert_eq!(why, "script.d/check ended with exit code 1: it coughs");
    host.stop().ok();
    assert_eq!(host.run(&["check", SERVICE]).exit, 3);
    host.assert_nothing_left();
}

#[test]
fn probes_ask_a_port_and_an_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let well = Arc::new(AtomicBool::new(true));
    let is_well = Arc::clone(&well);
    // It answers until this test program ends.
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A connection that says nothing is the other probe.
            if stream.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
                let status =
                    if is_well.load(Ordering::SeqCst) { "200 OK" } else { "503 Service Unavailable" };
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .unwrap();
            }
        }
    });
    let probes = Health {
        http: Some("http://127.0.0.1:{{ parameter.port }}/health".into()),
        tcp: Some("127.0.0.1:{{ parameter.port }}".into()),
        healthy_milliseconds: 0,
        ..Health::default()
    };
    let host = Host::with(Package::serving(SLEEPER).that(|service| {
        service.health = Some(probes);
        service.parameters = vec![copkg_spec::manifest::Parameter {
            name: "port".parse().unwrap(),
            default: None,
            description: None,
        }];
    }));
    host.run(&["start", PACKAGE, "--as", SERVICE, "--", &format!("--port={}", address.port())]).ok();
    let first = host.run(&["check", SERVICE]);
    assert_eq!(first.exit, 0, "{first:?}");
    well.store(false, Ordering::SeqCst);
    let second = host.run(&["check", SERVICE]);
    assert!(second.out.contains("/health: it answers 503"), "{second:?}");
    host.stop().ok();
}

#[test]
fn what_a_service_wrote_is_put_aside_and_nothing_of_it_is_lost() {
    let server =
        "#!/bin/sh\nn=0\nwhile [ $n -lt 20000 ]; do n=$((n+1)); echo \"line $n\"; done\nexec sleep 600\n";
    let rules = Rotation { max_bytes: 4096, max_age_seconds: 0, keep: 50, compress: true };
    let host = Host::with(Package::serving(server).that(|service| {
        service.console = true;
        service.logs = Some(rules);
    }));
    host.start().ok();
    let mut rotated = 0;
    // While it writes, and when it has written all.
    eventually("it has written all", || {
        let document = host.run(&["--json", "logs", "--rotate", SERVICE]).ok().json();
        rotated += document["rotated"].as_array().unwrap().len();
        host.read("console/console.log").ends_with("line 20000\n")
    });
    host.run(&["logs", "--rotate"]).ok();
    let mut all = String::new();
    let console = host.runtime().join("console");
    let mut names: Vec<String> = console
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned())
        .filter(|name| name.starts_with("console.log."))
        .collect();
    names.sort();
    assert!(rotated > 0 && !names.is_empty());
    for name in &names {
        let unpacked = Command::new("zstd").args(["-dcq"]).arg(console.join(name)).output().unwrap();
        all.push_str(&String::from_utf8(unpacked.stdout).unwrap());
    }
    all.push_str(&host.read("console/console.log"));
    let expected = (1..=20000).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n") + "\n";
    // Where the file system cannot cut, an instant may be missing; nothing is there twice.
    if Command::new("fallocate")
        .args(["-c", "-o", "0", "-l", "4096"])
        .arg(probe(&host))
        .status()
        .unwrap()
        .success()
    {
        assert_eq!(all, expected);
    } else {
        assert!(all.len() <= expected.len());
    }
    host.stop().ok();
}

/// A file of two blocks on the file system of the service.
fn probe(host: &Host) -> std::path::PathBuf {
    let path = host.runtime().join("data/probe");
    fs::write(&path, vec![0; 1 << 16]).unwrap();
    path.into_std_path_buf()
}

#[test]
fn of_what_was_put_aside_only_so_many_are_kept() {
    let rules = Rotation { max_bytes: 4096, max_age_seconds: 0, keep: 2, compress: false };
    let host = Host::with(Package::serving(SLEEPER).that(|service| service.logs = Some(rules)));
    host.start().ok();
    for round in 0..4 {
        fs::write(host.runtime().join("log/console.log"), format!("{round}\n")).unwrap();
        host.run(&["logs", "--rotate", "--force", SERVICE]).ok();
    }
    let names = host
        .runtime()
        .join("log")
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned());
    let mut aside: Vec<String> = names.filter(|name| name.starts_with("console.log.")).collect();
    aside.sort();
    let texts: Vec<String> = aside.iter().map(|name| host.read(&format!("log/{name}"))).collect();
    assert_eq!(texts, ["2\n", "3\n"]);
    assert_eq!(host.read("log/console.log"), "");
    host.stop().ok();
}

#[test]
fn what_was_put_aside_goes_when_it_is_too_old() {
    let rules = Rotation { max_bytes: 4096, max_age_seconds: 86_400, keep: 50, compress: false };
    let host = Host::with(Package::serving(SLEEPER).that(|service| service.logs = Some(rules)));
    host.start().ok();
    let log = host.runtime().join("log");
    let now = jiff::Timestamp::now();
    let name = |hours: i64| {
        let date = now - jiff::SignedDuration::from_hours(hours);
        format!("console.log.{}", date.strftime("%Y%m%dT%H%M%S%fZ"))
    };
    let (old, young) = (name(25), name(23));
    for file in [&old, &young] {
        fs::write(log.join(file), "lines").unwrap();
    }
    let would = host.run(&["--json", "logs", "--rotate", "--dry-run", SERVICE]).ok().json();
    assert_eq!(would["changed"], false);
    assert!(would["rotated"].to_string().contains(&old) && log.join(&old).exists(), "{would}");
    host.run(&["logs", "--rotate", SERVICE]).ok();
    assert!(!log.join(&old).exists() && log.join(&young).exists());
    host.stop().ok();
}

#[test]
fn a_start_that_is_interrupted_leaves_nothing() {
    let start = "#!/bin/sh\nsetsid sleep 600 &\nsleep 600\n";
    let host = Host::with(Package::serving("").with("script.d/start", start).that(|service| {
        service.start_timeout_seconds = 600;
    }));
    for signal in ["-INT", "-TERM", "-HUP"] {
        let starting = host.spawn(&["--json", "start", PACKAGE, "--as", SERVICE]);
        eventually("its script runs", || host.living().len() >= 2);
        Command::new("kill").args([signal, &starting.id().to_string()]).status().unwrap();
        let ran = super::scene::ran(starting.wait_with_output().unwrap());
        assert_eq!(ran.exit, 130, "{ran:?}");
        assert_eq!(ran.json()["error"]["code"], "interrupted");
        host.assert_nothing_left();
        assert_eq!(host.status().exit, 3);
    }
}
