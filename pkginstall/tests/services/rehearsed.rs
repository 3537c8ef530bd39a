//! What is promised of rehearsals: nothing outside of the service is touched, and values for rehearsals stand in.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;

use copkg_spec::configuration::{SettingKind, SettingValue};
use copkg_spec::manifest::{Health, Parameter, Rehearsal, Service, Template};

use super::scene::{Host, PACKAGE, Package, Ran, SERVICE, SLEEPER, setting};

const NEXT: &str = "com.example:web:2.0";

/// Connects to what its configuration says, and notes what it knows in the runtime directory's log.
const MIGRATE: &str = r#"#!/usr/bin/python3
import os, socket, sys
runtime = os.environ["COPKG_RUNTIME_DIR"]
with open(runtime + "/data/migrated", "w") as note:
    note.write(os.environ.get("COPKG_REHEARSAL", "no") + " " + open(runtime + "/etc/web.conf").read())
"#;

/// A server on a port of this host, which stands for production.
struct Production(TcpListener);

impl Production {
    fn begin() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// Asserts that nobody has connected.
    #[track_caller]
    fn assert_untouched(&self) {
        self.0.set_nonblocking(true).unwrap();
        assert!(self.0.accept().is_err(), "something reached production");
    }
}

pub(crate) fn text(value: impl Into<String>) -> SettingValue {
    SettingValue::Text(value.into())
}

/// A package with one setting, and a template that holds it.
pub(crate) fn package(kind: SettingKind, value: Option<SettingValue>) -> Package {
    let setting = setting(kind, value);
    Package::serving(SLEEPER)
        .with("etc/web.conf.j2", "{{ config.database }}\n")
        .with("script.d/migrate", MIGRATE)
        .that(|service| {
            service.migrate = Some("script.d/migrate".parse().unwrap());
            service.config.insert("database".parse().unwrap(), setting);
            service.templates =
                vec![Template { src: "etc/web.conf.j2".parse().unwrap(), dst: "web.conf".parse().unwrap() }];
            service.health = Some(Health { healthy_milliseconds: 0, ..Health::default() });
        })
}

/// Version 1.0 of a package runs, version 2.0 is installed.
pub(crate) fn host(package: &Package) -> Host {
    let host = Host::with(package);
    host.install(NEXT, package);
    host.start().ok();
    host
}

pub(crate) fn rehearse(host: &Host, more: &[&str]) -> Ran {
    host.run(&[&["--json", "rehearse", SERVICE, "--to", "2.0"], more].concat())
}

/// Asserts that a rehearsal was refused before anything was run, and that the message names `named`.
#[track_caller]
fn assert_refused(host: &Host, more: &[&str], named: &str) {
    let refused = rehearse(host, more);
    let error = refused.json()["error"].clone();
    assert_eq!((refused.exit, error["code"].as_str()), (7, Some("rehearsal_leads_outside")), "{refused:?}");
    assert!(error["message"].as_str().unwrap().contains(named), "{error}");
    assert!(!host.root().join("runtime/.rehearsal").join(SERVICE).exists());
}

#[test]
fn an_address_outside_of_the_service_is_refused_by_name() {
    let production = Production::begin();
    let host = host(&package(SettingKind::String, Some(text(production.address()))));
    assert_refused(&host, &[], "database (127.0.0.1)");
    assert_refused(&host, &["--allow-outside", "other"], "database");
    rehearse(&host, &["--set", "database=stand-in:1"]).ok();
    rehearse(&host, &["--allow-outside", "database"]).ok();
    let values = host.root().join("values.toml");
    fs::write(&values, "database = \"stand-in:2\"\n").unwrap();
    rehearse(&host, &["--values", values.as_str()]).ok();
    fs::write(&values, "datbase = \"stand-in:2\"\n").unwrap();
    let unknown = rehearse(&host, &["--values", values.as_str()]);
    assert_eq!((unknown.exit, unknown.json()["error"]["code"].as_str()), (2, Some("setting_unknown")));
    production.assert_untouched();
    assert!(!host.runtime().join("data/migrated").exists());
}

#[test]
fn an_address_is_found_wherever_a_value_may_hold_one() {
    let reached = |kind, value, named: &str| assert_refused(&host(&package(kind, Some(value))), &[], named);
    reached(SettingKind::Endpoint, text("db:5432"), "database (db)");
    reached(SettingKind::String, text("postgres://app:pw@db.example.com/app"), "database (db.example.com)");
    reached(SettingKind::String, text("/run/no-such/app.sock"), "database (/run/no-such/app.sock)");
    let hosts = SettingValue::List(vec!["a".into(), "db1.example.com".into()]);
    reached(SettingKind::List, hosts, "database (db1.example.com)");
}

#[test]
fn a_secret_that_holds_an_address_is_refused_and_not_repeated() {
    let host = Host::with(package(SettingKind::Secret, None));
    host.install(NEXT, &package(SettingKind::Secret, None));
    let [dsn, harmless] = ["dsn", "harmless"].map(|name| host.root().join(name));
    fs::write(&dsn, "postgres://app:hunter2@db.example.com/app\n").unwrap();
    fs::write(&harmless, "postgres:hunter2\n").unwrap();
    host.run(&["config", "set", SERVICE, &format!("database=file:{dsn}"), "--package", PACKAGE]).ok();
    host.start().ok();
    let refused = rehearse(&host, &[]);
    assert_eq!(refused.json()["error"]["code"], "rehearsal_leads_outside");
    assert!(!format!("{refused:?}").contains("hunter2") && !format!("{refused:?}").contains("db.example"));
    rehearse(&host, &["--set", &format!("database=file:{harmless}")]).ok();
}

#[test]
fn a_variable_of_the_caller_reaches_a_rehearsal_only_as_the_secret_that_it_is() {
    let host = Host::with(package(SettingKind::Secret, None));
    host.install(NEXT, &package(SettingKind::Secret, None));
    host.run(&["config", "set", SERVICE, "database=env:DATABASE_URL", "--package", PACKAGE]).ok();
    let run = |arguments: &[&str], value: &str| {
        super::scene::ran(host.command(arguments).env("DATABASE_URL", value).output().unwrap())
    };
    run(&["start", PACKAGE, "--as", SERVICE], "postgres://db/app").ok();
    let rehearsal = ["--json", "rehearse", SERVICE, "--to", "2.0"];
    let refused = run(&rehearsal, "postgres://db/app");
    assert_eq!(refused.json()["error"]["code"], "rehearsal_leads_outside", "{refused:?}");
    run(&rehearsal, "none").ok();
}

#[test]
fn a_parameter_that_leads_outside_is_refused_too() {
    let package = package(SettingKind::String, Some(text("fast"))).that(|service| {
        let parameter =
            |name: &str| Parameter { name: name.parse().unwrap(), default: None, description: None };
        service.parameters = vec![parameter("dsn"), parameter("listen")];
    });
    let host = Host::with(&package);
    host.install(NEXT, &package);
    let given = ["--dsn=mysql://db.example.com/app", "--listen=0.0.0.0:8080"];
    host.run(&[&["start", PACKAGE, "--as", SERVICE, "--"], &given[..]].concat()).ok();
    assert_refused(&host, &[], "--dsn (db.example.com)");
    let passed = rehearse(&host, &["--set", "dsn=none"]).ok().json();
    let parameters = passed["rehearsal"]["parameters"].to_string();
    assert!(parameters.contains("--dsn=none") && parameters.contains("--listen=127.0.0.1:"), "{passed}");
    rehearse(&host, &["--", "--dsn=none", "--listen=127.0.0.1:8080"]).ok();
}

#[test]
fn a_variable_of_the_environment_that_leads_outside_is_refused_and_can_be_replaced() {
    const GIVEN: [&str; 4] = ["--set", "env.DATABASE_HOST=127.0.0.1:1", "--set", "database=stand-in:1"];
    let production = Production::begin();
    let checks = "#!/bin/sh\necho \"$DATABASE_HOST $HTTP_PORT\" >\"$COPKG_RUNTIME_DIR/data/seen\"\n";
    let package =
        package(SettingKind::String, Some(text("x"))).with("script.d/migrate", checks).that(|service| {
            for (name, value) in
                [("env.DATABASE_HOST", production.address()), ("env.HTTP_PORT", "8080".into())]
            {
                let value = copkg_spec::conditions::Written::Text(value);
                service.conditions.set(&name.parse().unwrap(), &value).unwrap();
            }
        });
    let host = host(&package);
    assert_refused(&host, &[], "env.DATABASE_HOST");
    let passed = rehearse(&host, &GIVEN).ok().json();
    assert_eq!(passed["rehearsal"]["replaced"]["env.DATABASE_HOST"], "127.0.0.1:1", "{passed}");
    assert_ne!(passed["rehearsal"]["replaced"]["env.HTTP_PORT"], "8080", "{passed}");
    production.assert_untouched();
    // The service itself has what it had.
    let shown = host.status().json();
    assert_eq!(shown["services"][0]["conditions"]["env.DATABASE_HOST"], production.address(), "{shown}");
    // What stands in a file that no template makes is looked through, and not shown: it may be a secret.
    host.run(&["config", "set", SERVICE, "service.env_file=etc/local.env"]).ok();
    fs::write(
        host.runtime().join("etc/local.env"),
        format!("UPSTREAM_URL=http://{}/\n", production.address()),
    )
    .unwrap();
    let refused = rehearse(&host, &GIVEN);
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("env.UPSTREAM_URL (a secret)") && !message.contains(&production.address()),
        "{message}"
    );
    host.stop().ok();
}

#[test]
fn what_a_person_wrote_into_the_configuration_is_looked_through() {
    let host = host(&package(SettingKind::String, Some(text("fast"))));
    fs::write(
        host.runtime().join("etc/web.conf"),
        "fast\n# see https://example.com\nreplica = db2.example.com\n",
    )
    .unwrap();
    assert_refused(&host, &[], "etc/web.conf (db2.example.com)");
    rehearse(&host, &["--allow-outside", "etc/web.conf"]).ok();
}

#[test]
fn the_recipe_says_what_stands_in_and_every_script_knows_that_it_is_a_rehearsal() {
    let rehearsal = |service: &mut Service| {
        let values = BTreeMap::from([("database".to_owned(), text("stand-in:1"))]);
        service.rehearsal = Some(Rehearsal { values, ..Rehearsal::default() });
        service.check = Some("script.d/check".parse().unwrap());
    };
    let seen = "[ \"$COPKG_REHEARSAL\" = 1 ] && [ \"$(cat data/migrated)\" = '1 stand-in:1' ]";
    let server = format!(
        "#!/bin/sh\ncd \"$COPKG_RUNTIME_DIR\"\nif [ -e data/migrated ]; then {seen} || exit 9; fi\nexec sleep 600\n"
    );
    let check = format!("#!/bin/sh\n[ ! -e data/migrated ] || {{ {seen}; }}\n");
    let package = package(SettingKind::Endpoint, Some(text("db:5432")))
        .with("bin/server", &server)
        .with("script.d/check", &check)
        .that(rehearsal);
    let host = host(&package);
    let passed = rehearse(&host, &[]).ok().json();
    assert_eq!(passed["rehearsal"]["replaced"]["database"], "stand-in:1", "{passed}");
}

#[test]
fn a_second_hop_is_asked_for_its_own_addresses() {
    let host = host(&package(SettingKind::String, Some(text("fast"))));
    host.install("com.example:web:3.0", &package(SettingKind::String, Some(text("db.example.com:1"))));
    rehearse(&host, &[]).ok();
    host.run(&["upgrade", SERVICE, "--to", "2.0", "--rehearsed"]).ok();
    let refused = host.run(&["--json", "rehearse", SERVICE, "--to", "3.0"]);
    assert_eq!(refused.json()["error"]["code"], "rehearsal_leads_outside", "{refused:?}");
}

/// Connects to what its configuration says, at once and from a process that outlives it, and does not mind if nobody answers.
const CONNECTING: &str = r#"#!/usr/bin/python3
import os, socket
host, port = open(os.environ["COPKG_RUNTIME_DIR"] + "/etc/web.conf").read().strip().rsplit(":", 1)
def connect():
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        pass
connect()
if os.fork() == 0:
    os.setsid()
    connect()
"#;

#[test]
fn a_rehearsal_has_a_network_of_its_own_that_ends_at_loopback() {
    let production = Production::begin();
    let package =
        package(SettingKind::String, Some(text(production.address()))).with("script.d/migrate", CONNECTING);
    let host = host(&package);
    let alone = rehearse(&host, &["--allow-outside", "database", "--network", "loopback"]);
    if alone.exit != 0 {
        assert_eq!(alone.json()["error"]["code"], "no_rehearsal_network", "{alone:?}");
        copkg_skip::skip("a network namespace for a rehearsal", "the kernel does not allow one");
        return;
    }
    production.assert_untouched();
    let default = rehearse(&host, &["--allow-outside", "database"]).ok().json();
    assert_eq!(default["rehearsal"]["network"], "loopback");
    production.assert_untouched();
    let shared = rehearse(&host, &["--allow-outside", "database", "--network", "host"]).ok().json();
    assert_eq!(shared["rehearsal"]["network"], "host");
    assert!(production.0.accept().is_ok(), "with the network of the host it is reached");
    assert_eq!(host.living().len(), 1, "only the service itself runs");
}

/// Answers on the port that it is given.
const ANSWERING: &str = "#!/usr/bin/python3\nimport http.server, sys\n\
    port = [a.split('=')[1] for a in sys.argv if a.startswith('--port=')][0]\n\
    class Handler(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.send_response(204)\n        self.end_headers()\n\
    http.server.HTTPServer(('127.0.0.1', int(port)), Handler).serve_forever()\n";

#[test]
fn the_probes_of_a_rehearsal_ask_the_copy() {
    let free = Production::begin().0.local_addr().unwrap().port();
    let package = Package::serving(ANSWERING).that(|service| {
        let name = "port".parse().unwrap();
        service.parameters = vec![Parameter { name, default: None, description: None }];
        service.health = Some(Health {
            http: Some("http://127.0.0.1:{{ parameter.port }}/".into()),
            tcp: Some("127.0.0.1:{{ parameter.port }}".into()),
            healthy_milliseconds: 0,
            interval_milliseconds: 50,
            ..Health::default()
        });
    });
    let host = Host::with(&package);
    host.install(NEXT, &package);
    host.run(&["start", PACKAGE, "--as", SERVICE, "--", &format!("--port={free}")]).ok();
    rehearse(&host, &[]).ok();
    let silent = Package::serving(SLEEPER).that(|service| {
        service.clone_from(&package.service);
        if let Some(health) = &mut service.health {
            health.deadline_milliseconds = 300;
        }
    });
    host.install("com.example:web:3.0", &silent);
    let failed = host.run(&["--json", "rehearse", SERVICE, "--to", "3.0"]);
    assert_eq!(failed.json()["error"]["code"], "rehearsal_failed", "{failed:?}");
}

#[test]
fn a_link_that_leads_out_of_the_copy_is_refused() {
    let elsewhere = tempfile::tempdir().unwrap();
    let host = host(&package(SettingKind::String, Some(text("fast"))));
    let data = host.runtime().join("data");
    std::os::unix::fs::symlink(elsewhere.path(), data.join("tables")).unwrap();
    std::os::unix::fs::symlink(data.join("inside"), data.join("current")).unwrap();
    assert_refused(&host, &[], "data/tables (");
    rehearse(&host, &["--allow-outside", "data/tables"]).ok();
}
