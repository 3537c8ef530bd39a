//! Ten real services from Debian's packages, each through its life: started, checked, reloaded, upgraded, rolled back, with its data.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use copkg_skip::skip;
use copkg_tests::execution::Execution;
use copkg_tests::network::{free_port, http};
use copkg_tests::programs::project;
use copkg_tests::scene::{GROUP, Scene};

use crate::Outcome;

/// What is done with a service besides the commands that every one gets.
struct Life {
    /// Its example.
    name: &'static str,
    /// Parameters besides the port that take a free port.
    more_ports: &'static [&'static str],
    /// Whether it reads its configuration again while it runs.
    reload: Reload,
    /// Writes something that must survive the upgrade. A shell script with SOFTWARE, RUNTIME and PORT.
    write: Option<&'static str>,
    /// Prints what was written.
    read: Option<(&'static str, &'static str)>,
    /// What it answers over HTTP.
    page: Option<(&'static str, &'static str)>,
}

#[derive(PartialEq, Eq)]
enum Reload {
    Possible,
    NotOffered,
}

const PSQL: &str = "LD_LIBRARY_PATH=$SOFTWARE/usr/lib/x86_64-linux-gnu $SOFTWARE/usr/lib/postgresql/15/bin/psql -h 127.0.0.1 -p $PORT -U postgres -qAt";

const PLAIN: Life =
    Life { name: "", more_ports: &[], reload: Reload::Possible, write: None, read: None, page: None };

#[test]
fn nginx_lives() -> Outcome {
    live(&Life { name: "nginx", page: Some(("/greeting", "Hello from nginx")), ..PLAIN })
}

#[test]
fn haproxy_lives() -> Outcome {
    live(&Life { name: "haproxy", page: Some(("/-/alive", "200")), ..PLAIN })
}

#[test]
fn memcached_lives() -> Outcome {
    live(&Life { name: "memcached", reload: Reload::NotOffered, ..PLAIN })
}

#[test]
fn mosquitto_lives() -> Outcome {
    live(&Life { name: "mosquitto", ..PLAIN })
}

#[test]
fn prometheus_lives() -> Outcome {
    live(&Life { name: "prometheus", page: Some(("/-/ready", "Ready")), ..PLAIN })
}

#[test]
fn etcd_lives() -> Outcome {
    live(&Life {
        name: "etcd",
        more_ports: &["peer-port"],
        reload: Reload::NotOffered,
        page: Some(("/health", "true")),
        write: Some("ETCDCTL_API=3 $SOFTWARE/usr/bin/etcdctl --endpoints=127.0.0.1:$PORT put answer 42"),
        read: Some((
            "ETCDCTL_API=3 $SOFTWARE/usr/bin/etcdctl --endpoints=127.0.0.1:$PORT get --print-value-only answer",
            "42",
        )),
    })
}

#[test]
fn nats_lives() -> Outcome {
    live(&Life { name: "nats", ..PLAIN })
}

#[test]
fn php_fpm_lives() -> Outcome {
    live(&Life { name: "php-fpm", ..PLAIN })
}

#[test]
fn postgresql_lives() -> Outcome {
    let write = format!("{PSQL} -c 'create table answers (n int); insert into answers values (42)'");
    let read = format!("{PSQL} -c 'select n from answers'");
    live(&Life { name: "postgresql", write: Some(write.leak()), read: Some((read.leak(), "42")), ..PLAIN })
}

#[test]
fn mariadb_lives() -> Outcome {
    const CLIENT: &str = "$SOFTWARE/usr/bin/mariadb --no-defaults --user=root --socket=$RUNTIME/run/mariadb.sock --batch --skip-column-names";
    let write = format!(
        "{CLIENT} --execute='create database answers; create table answers.answers (n int); insert into answers.answers values (42)'"
    );
    let read = format!("{CLIENT} --execute='select n from answers.answers'");
    live(&Life {
        name: "mariadb",
        reload: Reload::NotOffered,
        write: Some(write.leak()),
        read: Some((read.leak(), "42")),
        ..PLAIN
    })
}

/// Takes a service through its life.
fn live(life: &Life) -> Outcome {
    let scene = Scene::new()?;
    let Some((old, new)) = packages(&scene, life)? else { return Ok(()) };
    // The service may have an account of its own, which must reach the prefix.
    let place = tempfile::Builder::new().prefix("copkg-life-").permissions(open_to_all()).tempdir()?;
    let scene = scene.with_prefix(place.path().join("host"));
    scene.trust()?;
    for package in [&old, &new] {
        scene.pkginstall([Path::new("install"), &package.file])?.success()?;
    }
    let service = format!("1.{}.dev.local", life.name);
    let port = free_port()?;
    let lived = walk(&scene, life, [&old, &new], &service, port);
    let stopped = scene.pkginstall(["stop", &service])?;
    lived?;
    stopped.success()?;
    Ok(())
}

fn walk(scene: &Scene, life: &Life, [old, new]: [&Package; 2], service: &str, port: u16) -> Outcome {
    let mut start =
        vec!["start".to_owned(), old.coordinate(life), "--as".into(), service.into(), "--".into()];
    start.push(format!("--port={port}"));
    for name in life.more_ports {
        start.push(format!("--{name}={}", free_port()?));
    }
    scene.pkginstall(&start)?.success()?;
    healthy(scene, life, service, port)?;
    let reload = scene.pkginstall(["reload", service])?;
    match life.reload {
        Reload::Possible => reload.success().map(drop)?,
        Reload::NotOffered => assert!(!reload.is_success(), "{}", reload.out),
    }
    if let Some(write) = life.write {
        run(scene, write, &old.coordinate(life), service, port)?;
    }
    scene.pkginstall(["upgrade", service, "--to", &new.version])?.success()?;
    healthy(scene, life, service, port)?;
    same_data(scene, life, new, service, port)?;
    // Where a lower version cannot read the data of the higher one, the data that the lower one left comes back.
    if !scene.pkginstall(["rollback", service])?.is_success() {
        scene.pkginstall(["rollback", service, "--restore-data"])?.success()?;
    }
    healthy(scene, life, service, port)?;
    same_data(scene, life, old, service, port)
}

/// Waits until the service says that it is healthy, and asks for its page.
fn healthy(scene: &Scene, life: &Life, service: &str, port: u16) -> Outcome {
    scene.pkginstall(["check", service])?.success()?;
    if let Some((path, expected)) = life.page {
        let answer = http(port, "GET", path, "")?;
        assert!(answer.contains(expected), "{}: {answer}", life.name);
    }
    Ok(())
}

fn same_data(scene: &Scene, life: &Life, package: &Package, service: &str, port: u16) -> Outcome {
    if let Some((read, expected)) = life.read {
        assert_eq!(
            run(scene, read, &package.coordinate(life), service, port)?.trim(),
            expected,
            "{}",
            life.name
        );
    }
    Ok(())
}

/// Runs a shell script that knows where the software and the service are.
fn run(
    scene: &Scene,
    script: &str,
    package: &str,
    service: &str,
    port: u16,
) -> Result<String, Box<dyn Error>> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-euc", script]).env("SOFTWARE", scene.software(package));
    shell.env("RUNTIME", scene.prefix().join("runtime").join(service)).env("PORT", port.to_string());
    Ok(scene.run(&mut shell)?.success()?.out)
}

/// A package of an example.
struct Package {
    version: String,
    file: PathBuf,
}

impl Package {
    fn coordinate(&self, life: &Life) -> String {
        format!("{GROUP}:{}:{}", life.name, self.version)
    }
}

/// Builds the example in the version that Debian has, and once more as the version after it.
fn packages(scene: &Scene, life: &Life) -> Result<Option<(Package, Package)>, Box<dyn Error>> {
    let tree = scene.path().join(life.name);
    let mut fetch = Command::new(project().join("examples/debian.py"));
    fetch.arg(life.name).arg(&tree);
    let done = match Execution::of(&mut fetch) {
        Ok(done) if done.is_success() => done,
        Ok(done) => {
            skip(life.name, done.err.trim());
            return Ok(None);
        }
        Err(error) => {
            skip(life.name, format!("examples/debian.py cannot run: {error}"));
            return Ok(None);
        }
    };
    let version = done.out.split(' ').nth(1).ok_or("no version")?.to_owned();
    let old = Package { file: scene.build(&tree)?, version };
    let recipe = tree.join("package.toml");
    let next = format!("{}.1", old.version);
    let text = fs::read_to_string(&recipe)?;
    fs::write(
        &recipe,
        text.replacen(&format!("version = \"{}\"", old.version), &format!("version = \"{next}\""), 1),
    )?;
    let new = Package { file: scene.build(&tree)?, version: next };
    Ok(Some((old, new)))
}

fn open_to_all() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(0o755)
}
