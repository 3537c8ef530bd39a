//! The configuration of services: rendered, shown, changed by hand, merged, and refused where it contradicts itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use copkg_spec::configuration::{Setting, SettingKind, SettingValue};
use copkg_spec::manifest::{Health, Template};

use super::scene::{Host, PACKAGE, Package, SERVICE, SLEEPER, eventually, setting};

/// A package whose template has this text.
fn package(template: &str) -> Package {
    Package::serving(SLEEPER).with("etc/web.conf.j2", template).that(|service| {
        let port =
            Setting { min: Some(1024), ..setting(SettingKind::Integer, Some(SettingValue::Integer(8080))) };
        service.config.insert("port".parse().unwrap(), port);
        let secret = Setting { optional: true, ..setting(SettingKind::Secret, None) };
        service.config.insert("password".parse().unwrap(), secret);
        service.templates =
            vec![Template { src: "etc/web.conf.j2".parse().unwrap(), dst: "web.conf".parse().unwrap() }];
        service.health = Some(Health { healthy_milliseconds: 0, ..Health::default() });
    })
}

/// A server to which a reload is nothing.
const IGNORING: &str = "#!/bin/sh\ntrap '' USR1\nexec sleep 600\n";

const FIRST: &str = "port = {{ config.port }}\nworkers = 2\nmotto = old\n";

#[test]
fn templates_are_rendered_before_the_service_starts() {
    let host = Host::with(package("{{ service.coordinate }} {{ runtime_dir }}\nport = {{ config.port }}\n"));
    host.run(&["config", "set", SERVICE, "port=9090", "--package", PACKAGE]).ok();
    host.start().ok();
    assert_eq!(host.read("etc/web.conf"), format!("{SERVICE} {}\nport = 9090\n", host.runtime()));
    let shown = host.run(&["config", "show", SERVICE]).ok().out;
    assert!(shown.contains("port = 9090  # ") && shown.contains("values.toml, line 1"), "{shown}");
    host.stop().ok();
}

#[test]
fn a_secret_is_in_the_file_and_nowhere_else() {
    let host = Host::with(package("password = {{ config.password }}\n"));
    let secret = host.root().join("secret");
    fs::write(&secret, "hunter2\n").unwrap();
    let reference = format!("password=file:{secret}");
    let said = [
        host.run(&["config", "set", SERVICE, &reference, "--package", PACKAGE]).ok(),
        host.start().ok(),
        host.run(&["--json", "config", "show", SERVICE]).ok(),
        host.status().ok(),
    ];
    assert_eq!(host.read("etc/web.conf"), "password = hunter2\n");
    let file = host.runtime().join("etc/web.conf");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&file, "password = hunter3\n").unwrap();
    let diff = host.run(&["config", "diff", SERVICE]).ok();
    assert!(diff.out.contains("may hold a secret"), "{diff:?}");
    for ran in said.iter().chain([&diff]) {
        assert!(!format!("{ran:?}").contains("hunter"), "{ran:?}");
    }
    let refused = host.run(&["config", "set", SERVICE, "password=hunter2"]);
    assert!(refused.exit == 2 && !refused.err.contains("hunter2"), "{refused:?}");
    host.stop().ok();
}

#[test]
fn what_is_unknown_or_missing_is_named_with_file_line_and_key() {
    let host = Host::with(package("a\nb = {{ config.password }}\n").that(|service| {
        service.config.insert("name".parse().unwrap(), setting(SettingKind::String, None));
    }));
    host.install("com.example:other:1", &package("a\n\nb = {{ config['prot'] }}\n"));
    let error = |arguments: &[&str]| {
        let ran = host.run(arguments);
        ran.json()["error"]["message"].as_str().unwrap().replace(host.root().as_str(), "PREFIX")
    };
    let start = ["--json", "start", PACKAGE, "--as", SERVICE];
    let values = "PREFIX/.copkg/services/1.web.dev.local/values.toml";
    assert_eq!(
        error(&start),
        format!("{values}: name: it has no value, and {PACKAGE} has no default for it")
    );
    assert_eq!(
        error(&["--json", "start", "com.example:other:1", "--as", SERVICE]),
        "etc/web.conf.j2, line 3: config['prot']: it has no value"
    );
    let file = host.root().join(".copkg/services/1.web.dev.local/values.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "name = 'x'\n\nprot = 1\n").unwrap();
    assert_eq!(error(&start), format!("{values}, line 3: prot: {PACKAGE} has no such setting"));
    fs::write(&file, "name = 'x'\nport = 80\n").unwrap();
    assert_eq!(error(&start), format!("{values}, line 2: port: the least is 1024"));
    fs::write(&file, "name = \n").unwrap();
    assert!(error(&start).starts_with(&format!("{values}, line 1: ")));
    host.assert_nothing_left();
}

#[test]
fn an_upgrade_keeps_what_was_changed_by_hand() {
    let host = Host::with(package(FIRST));
    for (version, text) in
        [("1.1", FIRST), ("1.3", "port = {{ config.port }}\nworkers = 2\nmotto = new\nextra = 1\n")]
    {
        host.install(&format!("com.example:web:{version}"), &package(text));
    }
    host.start().ok();
    let file = host.runtime().join("etc/web.conf");
    fs::write(&file, "# by hand\nport = 8080\nworkers = 2\nmotto = old\n").unwrap();
    let diff = host.run(&["config", "diff", SERVICE]).ok().out;
    assert!(diff.contains("+# by hand"), "{diff}");
    host.run(&["upgrade", SERVICE, "--to", "1.3"]).ok();
    assert_eq!(host.read("etc/web.conf"), "# by hand\nport = 8080\nworkers = 2\nmotto = new\nextra = 1\n");
    host.stop().ok();
}

#[test]
fn a_conflict_stops_before_anything_is_stopped_and_can_be_decided() {
    let host = Host::with(package(FIRST));
    host.install("com.example:web:1.3", &package("port = {{ config.port }}\nworkers = 2\nmotto = new\n"));
    host.start().ok();
    let before = host.living();
    let file = host.runtime().join("etc/web.conf");
    fs::write(&file, "port = 8080\nworkers = 2\nmotto = mine\n").unwrap();
    let refused = host.run(&["--json", "upgrade", SERVICE, "--to", "1.3"]);
    assert_eq!((refused.exit, refused.json()["error"]["code"].as_str()), (7, Some("configuration_conflict")));
    assert_eq!(host.living(), before, "something was stopped");
    assert_eq!(host.read("etc/web.conf"), "port = 8080\nworkers = 2\nmotto = mine\n");

    let conflicts = host.run(&["--json", "config", "diff", SERVICE]).ok().json();
    let laid_out = conflicts["conflicts"][0]["file"].as_str().unwrap().to_owned();
    assert_eq!(host.run(&["config", "resolve", SERVICE, "--edited"]).exit, 7, "it still has both sides");
    fs::write(&laid_out, "port = 8080\nworkers = 2\nmotto = ours and theirs\n").unwrap();
    host.run(&["config", "resolve", SERVICE, "web.conf", "--edited"]).ok();
    host.run(&["upgrade", SERVICE, "--to", "1.3"]).ok();
    assert_eq!(host.read("etc/web.conf"), "port = 8080\nworkers = 2\nmotto = ours and theirs\n");
    host.stop().ok();
}

#[test]
fn a_side_can_be_taken_at_once() {
    for (side, motto) in [("ours", "mine"), ("theirs", "new")] {
        let host = Host::with(package(FIRST));
        host.install("com.example:web:1.3", &package("port = {{ config.port }}\nworkers = 3\nmotto = new\n"));
        host.start().ok();
        fs::write(host.runtime().join("etc/web.conf"), "port = 8080\nworkers = 2\nmotto = mine\n").unwrap();
        host.run(&["upgrade", SERVICE, "--to", "1.3", "--accept", side]).ok();
        let text = host.read("etc/web.conf");
        assert!(text.contains(&format!("motto = {motto}\n")), "{side}: {text}");
        host.stop().ok();
    }
}

#[test]
fn a_new_value_counts_after_a_reload_or_a_restart() {
    let server = "#!/bin/sh\ntrap 'echo signal >>data/notes' USR1\ncat etc/web.conf >>data/notes\nwhile :; do sleep 0.1; done\n";
    for reloads in [true, false] {
        let host = Host::with(package(FIRST).with("bin/server", server).that(|service| {
            service.reload_signal = reloads.then_some(copkg_spec::manifest::Signal::Usr1);
        }));
        host.start().ok();
        let first = host.status().json()["services"][0]["pids"].clone();
        host.run(&["config", "set", SERVICE, "port=9090"]).ok();
        let tried = host.run(&["--json", "config", "apply", "--dry-run", SERVICE]).ok().json();
        assert_eq!(
            (tried["changed"].as_bool(), tried["services"][0]["done"].as_str()),
            (Some(false), Some("different"))
        );
        let applied = host.run(&["--json", "config", "apply", SERVICE]).ok().json();
        let how = if reloads { "reloaded" } else { "restarted" };
        assert_eq!(applied["services"][0]["done"], how, "{applied}");
        assert!(host.read("etc/web.conf").starts_with("port = 9090\n"));
        assert_eq!(host.status().json()["services"][0]["pids"] == first, reloads);
        let sign = if reloads { "signal" } else { "port = 9090" };
        eventually("the service knows", || host.read("data/notes").contains(sign));
        let again = host.run(&["--json", "config", "apply", SERVICE]).ok().json();
        assert_eq!(again["services"][0]["done"], "unchanged");
        host.stop().ok();
    }
}

#[test]
fn a_configuration_with_which_a_service_is_not_well_is_taken_back() {
    let check = "#!/bin/sh\ngrep -q 'port = 8080' etc/web.conf\n";
    for reloads in [true, false] {
        let host = Host::with(
            package(FIRST).with("script.d/check", check).with("bin/server", IGNORING).that(|service| {
                service.check = Some("script.d/check".parse().unwrap());
                service.reload_signal = reloads.then_some(copkg_spec::manifest::Signal::Usr1);
                let health =
                    Health { healthy_milliseconds: 0, deadline_milliseconds: 1000, ..Health::default() };
                service.health = Some(health);
            }),
        );
        host.start().ok();
        host.run(&["config", "set", SERVICE, "port=9090"]).ok();
        assert_ne!(host.run(&["config", "apply", SERVICE]).exit, 0);
        assert_eq!(
            host.read("etc/web.conf"),
            "port = 8080\nworkers = 2\nmotto = old\n",
            "reloads: {reloads}"
        );
        assert_eq!(host.run(&["check", SERVICE]).exit, 0);
        host.stop().ok();
    }
}
