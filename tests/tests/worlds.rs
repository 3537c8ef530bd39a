//! A whole environment on one machine: `examples/shop`, from its source to a shop that takes orders, through what happens to one.
//!
//! nginx, Redis, two web instances and a worker, of two hosts with an address each; all of it real, and none of it needs root.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use copkg_skip::skip;
use copkg_tests::programs::project;
use copkg_tests::scene::Scene;
use serde_json::Value;

type Outcome = Result<(), Box<dyn Error>>;

/// A developer's machine: a copy of the examples, and a home.
struct Machine(Scene);

impl Machine {
    fn new() -> Result<Self, Box<dyn Error>> {
        let machine = Self(Scene::new()?);
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(project().join("examples")).arg(machine.0.path());
        assert!(copy.status()?.success());
        Ok(machine)
    }

    fn shop(&self) -> PathBuf {
        self.0.path().join("examples/shop")
    }

    /// Runs `pkginstall` in the directory of the shop. No prefix is set: the hosts have their own.
    fn run(&self, arguments: &[&str]) -> Result<Output, Box<dyn Error>> {
        let mut command = self.0.command("pkginstall", arguments);
        Ok(command.current_dir(self.shop()).env_remove("COPKG_PREFIX").stdin(Stdio::null()).output()?)
    }

    /// Runs `deploy` in the directory of the shop, and returns the document that it prints.
    #[track_caller]
    fn deploy(&self, arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
        let output = self.run(&[&["--json", "deploy"], arguments].concat())?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {output:?}\n{said}");
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Changes a file below `examples/shop`.
    fn edit(&self, file: &str, change: impl Fn(&str) -> String) -> Outcome {
        let path = self.shop().join(file);
        let (before, after) = (fs::read_to_string(&path)?, change(&fs::read_to_string(&path)?));
        assert_ne!(before, after, "{file}");
        Ok(fs::write(path, after)?)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for environment in ["dev", "second"] {
            let _ = self.run(&["deploy", "down", "--env", environment, "--destroy", "--yes"]);
        }
    }
}

/// Returns a line for each service: host, service, whether it is well.
fn services(document: &Value) -> Vec<String> {
    let hosts = document["hosts"].as_array().cloned().unwrap_or_default();
    let rows = hosts.iter().flat_map(|host| {
        let services = host["services"].as_array().cloned().unwrap_or_default();
        services.into_iter().map(|one| {
            format!("{} {} {}", text(&host["host"]), text(&one["service"]), text(&one["condition"]))
        })
    });
    rows.collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Returns `ADDRESS:PORT` of the front.
fn front(document: &Value) -> String {
    let hosts = document["hosts"].as_array().cloned().unwrap_or_default();
    let all = hosts.iter().flat_map(|host| host["services"].as_array().cloned().unwrap_or_default());
    let url = { all }.find_map(|one| one["url"].as_str().map(ToOwned::to_owned)).unwrap_or_default();
    url.trim_start_matches("http://").trim_end_matches('/').to_owned()
}

/// Places an order; its number when it was acknowledged.
fn order(front: &str) -> Option<u64> {
    let output = Command::new("curl")
        .args(["-sf", "-m", "5", "-d", "a book", &format!("http://{front}/orders")])
        .output()
        .ok()?;
    serde_json::from_slice::<Value>(&output.stdout).ok()?["number"].as_u64()
}

fn is_known(front: &str, number: u64) -> bool {
    let url = format!("http://{front}/orders/{number}");
    Command::new("curl").args(["-sf", "-m", "5", &url]).output().is_ok_and(|output| output.status.success())
}

/// Keeps ordering while `act` runs; returns what it returns and every number that was acknowledged.
fn ordering<T>(front: &str, act: impl FnOnce() -> T) -> (T, Vec<u64>) {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let orders = scope.spawn(|| {
            let mut numbers = Vec::new();
            while !ended.load(Ordering::SeqCst) {
                numbers.extend(order(front));
                // No faster than the worker ships: the verification waits for its own order.
                thread::sleep(Duration::from_millis(200));
            }
            numbers
        });
        let done = {
            // Even where `act` panics the customers go home.
            let _end = End(&ended);
            act()
        };
        (done, orders.join().unwrap_or_default())
    })
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

const WELL: [&str; 5] = [
    "data1 1.redis.dev.local well",
    "web1 1.web.dev.local well",
    "web1 2.web.dev.local well",
    "web1 1.front.dev.local well",
    "web1 1.worker.dev.local well",
];

/// Gives parts of the shop other versions, in the description and where they are built.
fn set_versions(machine: &Machine, versions: &[(&str, &str, &str)]) -> Outcome {
    for (part, before, after) in versions {
        machine.edit("deployment.toml", |text| {
            let service = format!("package = \"org.copkg.examples:shop-{part}\"\nversion = ");
            let text = text.replace(&format!("{service}\"{before}\""), &format!("{service}\"{after}\""));
            let build = |line: &str| match line.strip_prefix("build = ").and_then(|_| line.strip_suffix('\''))
            {
                Some(line) => format!("{line} --version {part}={after}'"),
                None => line.to_owned(),
            };
            text.lines().map(build).collect::<Vec<_>>().join("\n")
        })?;
    }
    Ok(())
}

#[test]
fn a_shop_comes_up_from_source_and_survives_what_happens_to_one() -> Outcome {
    if !Path::new("/usr/bin/apt-get").exists() || !has("curl") {
        skip(
            "examples/shop from source",
            "it is built from Debian's packages with apt-get, and asked with curl",
        );
        return Ok(());
    }
    let machine = Machine::new()?;
    let up = machine.deploy(&["up", "--env", "dev"])?;
    assert_eq!(services(&up), WELL);
    let front = front(&up);
    assert!(front.starts_with("127.0."), "{front}");
    let first = order(&front).ok_or("the first order was not taken")?;

    // Another environment beside it: other ports, another address, nothing in common.
    let second = machine.deploy(&["up", "--env", "second"])?;
    assert_eq!(services(&second).len(), 5);
    assert_ne!(self::front(&second), front);

    // Everything is upgraded while customers order.
    let next = [
        ("redis", "7.0.15", "7.0.16"),
        ("web", "1.0.0", "1.1.0"),
        ("worker", "1.0.0", "1.1.0"),
        ("front", "1.22.1", "1.22.2"),
    ];
    set_versions(&machine, &next)?;
    let (upgraded, orders) = ordering(&front, || machine.deploy(&["up", "--env", "dev"]));
    assert_eq!(services(&upgraded?), WELL);
    assert!(!orders.is_empty());
    let lost: Vec<_> = orders.iter().filter(|number| !is_known(&front, **number)).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", orders.len());

    // A revision whose worker does not start: everything of that host returns, and no order is lost.
    machine.edit("app/worker.py", |text| format!("raise SystemExit(3)\n{text}"))?;
    set_versions(&machine, &[("web", "1.1.0", "1.2.0"), ("worker", "1.1.0", "1.2.0")])?;
    let (failed, orders) = ordering(&front, || machine.run(&["--json", "deploy", "up", "--env", "dev"]));
    let failed = failed?;
    let error: Value = serde_json::from_slice(&failed.stdout)?;
    assert_eq!(
        (failed.status.code(), text(&error["error"]["code"])),
        (Some(1), "deployment_failed".to_owned()),
        "{error}"
    );
    assert!(text(&error["error"]["message"]).starts_with("web1: "), "{error}");
    let hosts = machine.deploy(&["hosts", "--env", "dev"])?;
    assert_eq!(services(&hosts), WELL);
    let lost: Vec<_> = orders.iter().filter(|number| !is_known(&front, **number)).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", orders.len());

    // The generation before the last good one, all services of the host as one.
    let web1 = PathBuf::from(text(&hosts["world"])).join("hosts/web1");
    let rolled_back =
        machine.run(&["--prefix", &web1.to_string_lossy(), "deploy", "rollback", "shop", "--yes"])?;
    assert!(rolled_back.status.success(), "{rolled_back:?}");
    assert!(is_known(&front, first));

    // A host is rebuilt from nothing; what the other one stores stays.
    machine.edit("app/worker.py", |text| text.replace("raise SystemExit(3)\n", ""))?;
    set_versions(&machine, &[("worker", "1.2.0", "1.3.0")])?;
    let unasked = machine.run(&["--json", "deploy", "recreate", "web1", "--env", "dev"])?;
    assert_eq!(unasked.status.code(), Some(2), "{unasked:?}");
    let recreated = machine.deploy(&["recreate", "web1", "--env", "dev", "--yes"])?;
    assert_eq!(services(&recreated), WELL);
    assert!(is_known(&front, first) && order(&front).is_some());

    machine.deploy(&["down", "--env", "dev"])?;
    assert_eq!(machine.run(&["deploy", "hosts", "--env", "dev"])?.status.code(), Some(3));
    let again = machine.deploy(&["up", "--env", "dev", "--no-build"])?;
    assert_eq!(services(&again), WELL);
    assert!(is_known(&front, first));
    let destroyed = machine.deploy(&["down", "--env", "dev", "--destroy", "--yes"])?;
    assert_eq!(destroyed["destroyed"], true);
    assert!(!web1.exists());
    Ok(())
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
