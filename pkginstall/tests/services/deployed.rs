//! What is promised of deployments: all services change or none, nothing written is lost, and nobody else is touched.

use std::fs;
use std::path::PathBuf;

use copkg_spec::configuration::{SettingKind, SettingValue};
use copkg_spec::manifest::{Health, Template};
use serde_json::Value;

use super::scene::{Host, PACKAGE, Package, SERVICE, SLEEPER, eventually, setting};

/// The services of the deployment, in the order in which they change.
const SERVICES: [&str; 3] = ["1.db.shop.osl", "1.web.shop.osl", "1.worker.shop.osl"];

/// Writes down that it ran, and does not run with data of a later version.
const SERVER: &str = "#!/bin/sh\ncd \"$COPKG_RUNTIME_DIR\" || exit 1\n\
    [ VERSION = 1 ] && [ -e data/two ] && { echo 'data of a later version'; exit 9; }\n\
    [ VERSION = 2 ] && touch data/two\necho VERSION >>data/log\nexec sleep 600\n";

/// What the third service needs to fail.
const FAILING: &str = "#!/bin/sh\necho 'no queue to work on'\nexit 3\n";

fn package(server: &str) -> Package {
    Package::serving(server).with("etc/motto.conf.j2", "motto = {{ config.motto }}\n").that(|service| {
        let motto = setting(SettingKind::String, Some(SettingValue::Text("none".into())));
        service.config.insert("motto".parse().unwrap(), motto);
        service.templates =
            vec![Template { src: "etc/motto.conf.j2".parse().unwrap(), dst: "motto.conf".parse().unwrap() }];
        service.health = Some(Health { healthy_milliseconds: 0, ..Health::default() });
        let mut upgrade = service.upgrade();
        upgrade.snapshot = true;
        service.upgrade = Some(upgrade);
        service.directories = vec!["data".parse().unwrap()];
    })
}

fn version(version: &str) -> Package {
    package(&SERVER.replace("VERSION", version))
}

/// A prefix with versions 1 and 2 of three packages, and a version 3 of the last one that does not start.
fn host() -> Host {
    let host = Host::new();
    for id in ["db", "web", "worker"] {
        for number in ["1", "2"] {
            host.install(&format!("com.example:{id}:{number}"), &version(number));
        }
    }
    host.install("com.example:worker:3", &package(FAILING));
    host
}

/// The description of a deployment.
struct Shop {
    directory: PathBuf,
}

/// What differs from one revision to the next.
struct Revision<'a> {
    version: &'a str,
    db: &'a str,
    web: &'a str,
    worker: Option<&'a str>,
    motto: &'a str,
}

/// The first revision.
const FIRST: Revision<'_> = Revision { version: "1.0", db: "1", web: "1", worker: Some("1"), motto: "hello" };

impl Shop {
    fn of(host: &Host, name: &str) -> Self {
        let directory = host.root().parent().unwrap().join(name).into_std_path_buf();
        fs::create_dir_all(directory.join("env")).unwrap();
        Self { directory }
    }

    fn path(&self) -> &str {
        self.directory.to_str().unwrap()
    }

    /// Writes a revision; its services belong to `user`.
    fn write(&self, revision: &Revision<'_>, user: &str) {
        let Revision { version, db, web, worker, motto } = revision;
        let service = |name: &str, version: &str, rest: &str| {
            format!("[service.{name}]\npackage = \"com.example:{name}\"\nversion = \"{version}\"\n{rest}\n")
        };
        let settings = "settings = { motto = \"{{ values.motto }}\" }\n";
        let mut text = format!(
            "[deployment]\ngroup = \"com.example\"\nid = \"shop\"\nversion = \"{version}\"\n\n\
             [values]\nmotto = {{ type = \"string\" }}\n\n[retention]\nremoved_days = 0\n\n"
        );
        text += &service("db", db, "");
        text += &service("web", web, &format!("after = [\"db\"]\n{settings}"));
        text += &worker.map(|worker| service("worker", worker, "after = [\"web\"]\n")).unwrap_or_default();
        let names = if worker.is_some() { "\"db\", \"web\", \"worker\"" } else { "\"db\", \"web\"" };
        text += &["[role.all]\nservices = [", names, "]\n"].concat();
        fs::write(self.directory.join("deployment.toml"), text).unwrap();
        let environment = format!(
            "cell = \"osl\"\nuser = \"{user}\"\n\n[host.here]\nroles = [\"all\"]\n\n[values]\nmotto = \"{motto}\"\n"
        );
        fs::write(self.directory.join("env/dev.toml"), environment).unwrap();
    }

    fn apply(&self, host: &Host) -> super::scene::Ran {
        host.run(&["--json", "deploy", "apply", self.path(), "--yes"])
    }
}

/// A host on which the first revision runs.
fn deployed() -> (Host, Shop) {
    let host = host();
    let shop = Shop::of(&host, "shop");
    shop.write(&FIRST, "shop");
    shop.apply(&host).ok();
    (host, shop)
}

fn view(host: &Host, service: &str) -> Value {
    host.run(&["--json", "status", service]).json()["services"][0].clone()
}

fn pids(host: &Host) -> Vec<Value> {
    SERVICES.iter().map(|service| view(host, service)["pids"].clone()).collect()
}

fn file(host: &Host, service: &str, path: &str) -> String {
    let runtime = host.prefix().runtime_dir(&service.parse().unwrap());
    fs::read_to_string(runtime.join(path)).unwrap_or_default()
}

fn status(host: &Host) -> super::scene::Ran {
    host.run(&["--json", "deploy", "status", "shop"])
}

/// Asserts that every service of the first revision runs.
#[track_caller]
fn assert_first_revision_runs(host: &Host) {
    for (service, id) in SERVICES.iter().zip(["db", "web", "worker"]) {
        let view = view(host, service);
        assert_eq!(view["state"], "running", "{view}");
        assert_eq!(view["package"], format!("com.example:{id}:1"), "{view}");
    }
    let status = status(host).ok().json();
    assert_eq!(status["deployments"][0]["generation"], 1, "{status}");
    assert_eq!(status["deployments"][0]["services"][1]["drift"], Value::Null, "{status}");
    assert_eq!(file(host, SERVICES[1], "etc/motto.conf"), "motto = hello\n");
    assert!(host.prefix().journal().read_dir_utf8().unwrap().next().is_none(), "an intent is left");
}

#[test]
fn a_deployment_starts_its_services_in_order_and_the_same_again_changes_nothing() {
    let host = host();
    let shop = Shop::of(&host, "shop");
    shop.write(&FIRST, "shop");
    let applied = shop.apply(&host).ok().json();
    let order: Vec<&str> =
        applied["services"].as_array().unwrap().iter().map(|one| one["service"].as_str().unwrap()).collect();
    assert_eq!(order, SERVICES);
    assert_first_revision_runs(&host);
    let before = pids(&host);
    let again = shop.apply(&host).ok().json();
    assert_eq!((again["changed"].clone(), again["to"].clone()), (false.into(), Value::Null), "{again}");
    assert_eq!(pids(&host), before);
    assert_eq!(
        host.run(&["--json", "deploy", "history", "shop"]).ok().json()["generations"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn an_upgrade_of_one_service_leaves_the_others_alone() {
    let (host, shop) = deployed();
    let before = pids(&host);
    shop.write(&Revision { version: "1.1", web: "2", ..FIRST }, "shop");
    let applied = shop.apply(&host).ok().json();
    assert_eq!(applied["services"].as_array().unwrap().len(), 1, "{applied}");
    let after = pids(&host);
    assert_eq!((&after[0], &after[2]), (&before[0], &before[2]));
    assert_ne!(after[1], before[1]);
    assert_eq!(view(&host, SERVICES[1])["package"], "com.example:web:2");
}

#[test]
fn a_plan_shows_versions_settings_and_configuration_line_by_line_and_changes_nothing() {
    let (host, shop) = deployed();
    let before = pids(&host);
    shop.write(&Revision { version: "1.1", db: "2", motto: "bye", worker: None, ..FIRST }, "shop");
    let plan = host.run(&["deploy", "plan", shop.path()]).ok().out;
    for expected in [
        "1.worker.shop.osl  removed: stopped and kept",
        "package: com.example:db:1 → com.example:db:2",
        "motto: hello → bye  (deployment.toml, line",
        "-motto = hello",
        "+motto = bye",
        "3 of 3 services change",
    ] {
        assert!(plan.contains(expected), "{expected}: {plan}");
    }
    assert_eq!(pids(&host), before);
    assert_first_revision_runs(&host);
}

#[test]
fn a_service_that_hides_its_environment_outlives_the_changes_of_those_after_it() {
    let host = host();
    // As Redis and nginx do: nothing in its environment says whose it is.
    let hiding = "#!/bin/sh\nexec env -i /bin/sleep 600\n";
    host.install("com.example:db:7", &package(hiding));
    let shop = Shop::of(&host, "shop");
    shop.write(&FIRST, "shop");
    shop.apply(&host).ok();
    // The first one is started anew by the command that then stops and starts the second one, and fails at the third.
    shop.write(&Revision { version: "1.1", db: "7", web: "2", ..FIRST }, "shop");
    shop.apply(&host).ok();
    assert_eq!(view(&host, SERVICES[0])["state"], "running");
    let before = view(&host, SERVICES[0])["pids"].clone();
    shop.write(&Revision { version: "1.2", db: "7", web: "1", worker: Some("3"), ..FIRST }, "shop");
    assert_eq!(shop.apply(&host).exit, 1);
    assert_eq!(view(&host, SERVICES[0])["pids"], before);
    assert_eq!(view(&host, SERVICES[1])["state"], "running");
}

#[test]
fn limits_of_a_deployment_count_more_than_the_package_and_return_with_the_rest() {
    let (host, shop) = deployed();
    let limited = |limits: &str, worker: &str| {
        shop.write(&Revision { version: "1.1", worker: Some(worker), ..FIRST }, "shop");
        let text = fs::read_to_string(shop.directory.join("deployment.toml")).unwrap();
        let text = text.replace("after = [\"db\"]", &format!("after = [\"db\"]\nlimits = {limits}"));
        fs::write(shop.directory.join("deployment.toml"), text).unwrap();
    };
    let shown = |name: &str| {
        let settings = host.run(&["--json", "config", "show", SERVICES[1]]).ok().json();
        let all = settings["conditions"].as_array().cloned().unwrap_or_default();
        let found = all.into_iter().find(|one| one["name"] == name).unwrap_or_default();
        found["value"].as_str().map(ToOwned::to_owned)
    };
    limited("{ nofile = 300, core = \"0\" }", "1");
    let plan = host.run(&["deploy", "plan", shop.path()]).ok().out;
    assert!(plan.contains("limits.nofile: 300") && plan.contains("1 of 3 services change"), "{plan}");
    let applied = shop.apply(&host).ok().json();
    assert_eq!(applied["services"].as_array().unwrap().len(), 1, "{applied}");
    let open_files = || {
        let pid = view(&host, SERVICES[1])["pids"][0].clone();
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap().to_owned();
        line.split_whitespace().nth(3).unwrap().to_owned()
    };
    assert_eq!((open_files(), shown("service.limits.nofile")), ("300".into(), Some("300".into())));
    assert!(!shop.apply(&host).ok().json()["changed"].as_bool().unwrap());
    // The host counts more, and says so.
    host.run(&["config", "set", SERVICES[1], "service.limits.nofile=400"]).ok();
    assert!(host.run(&["deploy", "plan", shop.path()]).ok().out.contains("limits.nofile: 300 → 400"));
    host.run(&["config", "unset", SERVICES[1], "service.limits.nofile"]).ok();
    // A revision that fails later takes its limits with it.
    limited("{ nofile = 500 }", "3");
    assert_eq!(shop.apply(&host).exit, 1);
    assert_eq!((open_files(), shown("service.limits.nofile")), ("300".into(), Some("300".into())));
    // What the deployment no longer states is the package's again.
    shop.write(&Revision { version: "1.2", ..FIRST }, "shop");
    shop.apply(&host).ok();
    assert_eq!(shown("service.limits.nofile"), None);
    // What nobody could keep is refused before anything is stopped.
    limited("{ nofile = 1073741823 }", "1");
    let refused = shop.apply(&host);
    assert_eq!(refused.json()["error"]["code"], "limit_above_most", "{refused:?}");
    assert_eq!(view(&host, SERVICES[1])["state"], "running");
}

#[test]
fn when_the_third_service_fails_all_return_and_nothing_that_was_written_is_lost() {
    let (host, shop) = deployed();
    shop.write(&Revision { version: "2.0", db: "2", web: "2", worker: Some("3"), motto: "bye" }, "shop");
    let failed = shop.apply(&host);
    assert_eq!(failed.exit, 1, "{failed:?}");
    let error = failed.json()["error"].clone();
    assert_eq!(error["code"], "deployment_failed", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("failed at 1.worker.shop.osl; every service is what it was"), "{message}");
    assert!(error["causes"].to_string().contains("no queue to work on"), "{error}");
    assert_first_revision_runs(&host);
    // What the new version of the first service wrote is not in place, and not gone.
    assert_eq!(file(&host, SERVICES[0], "data/two"), "");
    assert!(!host.prefix().runtime_dir(&SERVICES[0].parse().unwrap()).join("data/two").exists());
    let aside = view(&host, SERVICES[0])["set_aside"][0]["path"].as_str().unwrap().to_owned();
    assert!(PathBuf::from(aside).join("two").exists());
    // The failed generation says what happened, and where the output is.
    let history = host.run(&["--json", "deploy", "history", "shop"]).ok().json();
    let last = &history["generations"][1];
    assert_eq!((last["outcome"].as_str(), last["parent"].as_u64()), (Some("failed"), Some(1)), "{last}");
    let log = PathBuf::from(last["failure"]["logs"][0].as_str().unwrap());
    assert!(fs::read_dir(log).unwrap().next().is_some(), "{last}");
    // A revision that is mended goes through.
    shop.write(&Revision { version: "2.1", db: "2", web: "2", worker: Some("2"), motto: "bye" }, "shop");
    shop.apply(&host).ok();
    assert_eq!(view(&host, SERVICES[2])["package"], "com.example:worker:2");
    assert_eq!(file(&host, SERVICES[1], "etc/motto.conf"), "motto = bye\n");
}

#[test]
fn a_first_apply_that_fails_leaves_nothing_running() {
    let host = host();
    let shop = Shop::of(&host, "shop");
    shop.write(&Revision { worker: Some("3"), ..FIRST }, "shop");
    let failed = shop.apply(&host);
    assert_eq!(failed.json()["error"]["code"], "deployment_failed", "{failed:?}");
    host.assert_nothing_left();
    shop.write(&FIRST, "shop");
    shop.apply(&host).ok();
    assert_eq!(status(&host).ok().json()["deployments"][0]["generation"], 2);
}

#[test]
fn an_earlier_generation_is_brought_back_as_one() {
    let (host, shop) = deployed();
    shop.write(&Revision { version: "1.1", web: "2", worker: None, motto: "bye", ..FIRST }, "shop");
    shop.apply(&host).ok();
    assert_eq!(view(&host, SERVICES[2])["state"], "stopped");
    // Version 1 of the service cannot read what version 2 left: the data that it had is brought back with it.
    let done = host.run(&["--json", "deploy", "rollback", "shop", "--yes", "--restore-data"]).ok().json();
    assert_eq!((done["from"].as_u64(), done["to"].as_u64()), (Some(2), Some(3)), "{done}");
    for service in SERVICES {
        assert_eq!(view(&host, service)["state"], "running");
    }
    assert_eq!(view(&host, SERVICES[1])["package"], "com.example:web:1");
    assert_eq!(file(&host, SERVICES[1], "etc/motto.conf"), "motto = hello\n");
    let difference = host.run(&["deploy", "diff", "shop", "1", "2"]).ok().out;
    assert!(difference.contains("1.worker.shop.osl: removed"), "{difference}");
    assert!(difference.contains("motto hello → bye"), "{difference}");
}

#[test]
fn a_removed_deployment_leaves_neighbours_and_data_and_can_be_brought_back() {
    let (host, _shop) = deployed();
    let neighbour = Shop::of(&host, "neighbour");
    neighbour.write(&FIRST, "other");
    host.run(&["deploy", "apply", neighbour.path(), "--yes", "--as", "other"]).ok();
    let beside = view(&host, "1.db.other.osl")["pids"].clone();
    host.run(&["deploy", "remove", "shop", "--yes"]).ok();
    for service in SERVICES {
        assert_eq!(view(&host, service)["state"], "stopped");
        assert!(file(&host, service, "data/log").contains('1'));
    }
    assert_eq!(view(&host, "1.db.other.osl")["pids"], beside);
    host.run(&["deploy", "rollback", "shop", "--yes"]).ok();
    assert_eq!(view(&host, SERVICES[0])["state"], "running");
    // Once their time is up, what they stored is set aside, and the neighbour is still there.
    host.run(&["deploy", "remove", "shop", "--yes"]).ok();
    let swept = host.run(&["--json", "gc"]).ok().json();
    let aside = PathBuf::from(swept["removed"]["retired"][0]["set_aside"].as_str().unwrap());
    assert!(aside.join("runtime/data/log").exists(), "{swept}");
    assert_eq!(host.run(&["deploy", "status", "shop"]).exit, 5);
    assert_eq!(view(&host, "1.db.other.osl")["pids"], beside);
}

#[test]
fn a_service_of_somebody_else_is_refused_with_its_owner() {
    let (host, shop) = deployed();
    let second = host.run(&["--json", "deploy", "apply", shop.path(), "--yes", "--as", "second"]);
    let error = second.json()["error"].clone();
    assert_eq!((second.exit, error["code"].as_str()), (7, Some("service_of_another")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("the deployment shop"), "{error}");
    let by_hand = "1.db.mine.osl";
    host.run(&["start", "com.example:db:1", "--as", by_hand]).ok();
    shop.write(&FIRST, "mine");
    let third = host.run(&["--json", "deploy", "apply", shop.path(), "--yes", "--as", "third"]);
    let error = third.json()["error"].clone();
    assert_eq!(error["code"], "service_of_another", "{error}");
    assert!(error["message"].as_str().unwrap().contains("started it by hand"), "{error}");
    assert_eq!(view(&host, by_hand)["state"], "running");
}

#[test]
fn a_plan_is_applied_as_long_as_the_host_is_what_it_was() {
    let (host, shop) = deployed();
    shop.write(&Revision { version: "1.1", web: "2", ..FIRST }, "shop");
    let plan = host.root().parent().unwrap().join("plan.json");
    host.run(&["deploy", "plan", shop.path(), "-o", plan.as_str()]).ok();
    host.run(&["upgrade", SERVICES[0], "--to", "2"]).ok();
    let refused = host.run(&["--json", "deploy", "apply", plan.as_str()]);
    let error = refused.json()["error"].clone();
    assert_eq!((refused.exit, error["code"].as_str()), (7, Some("plan_drifted")), "{error}");
    assert!(error["message"].as_str().unwrap().contains(SERVICES[0]), "{error}");
    assert_eq!(view(&host, SERVICES[1])["package"], "com.example:web:1");
    // A new plan is applied without a question. It takes the first service back to what the deployment says, for which its
    // package allows no way: so it stays what it is in a revision that names it.
    shop.write(&Revision { version: "1.2", db: "2", web: "2", ..FIRST }, "shop");
    host.run(&["deploy", "plan", shop.path(), "-o", plan.as_str()]).ok();
    host.run(&["deploy", "apply", plan.as_str()]).ok();
    assert_eq!(view(&host, SERVICES[1])["package"], "com.example:web:2");
    // A description that is another one since is refused, too.
    host.run(&["deploy", "plan", shop.path(), "-o", plan.as_str()]).ok();
    shop.write(&Revision { version: "1.3", db: "2", web: "2", motto: "bye", ..FIRST }, "shop");
    let refused = host.run(&["--json", "deploy", "apply", plan.as_str()]);
    assert_eq!(refused.json()["error"]["code"], "plan_outdated", "{refused:?}");
}

#[test]
fn an_apply_whose_command_is_killed_is_rolled_back_by_the_next_command() {
    let host = host();
    let gate = host.root().parent().unwrap().join("gate");
    let waiting = format!("#!/bin/sh\ntouch '{gate}'\nsleep 600\n");
    host.install("com.example:worker:4", &package(SLEEPER).with("script.d/start", &waiting));
    let shop = Shop::of(&host, "shop");
    shop.write(&FIRST, "shop");
    shop.apply(&host).ok();
    shop.write(&Revision { version: "2.0", db: "2", web: "2", worker: Some("4"), motto: "bye" }, "shop");
    for recovery in [&["recover"][..], &["restart", SERVICES[0]]] {
        let _ = fs::remove_file(&gate);
        let mut command = host.spawn(&["deploy", "apply", shop.path(), "--yes"]);
        eventually("the third service is being started", || gate.exists());
        command.kill().unwrap();
        command.wait().unwrap();
        assert_eq!(status(&host).exit, 4);
        host.run(recovery).ok();
        assert_first_revision_runs(&host);
    }
}

#[test]
fn gc_keeps_as_many_generations_of_a_deployment_as_its_description_says_and_the_one_to_return_to() {
    let (host, shop) = deployed();
    for (version, motto) in [("1.1", "a"), ("1.2", "b"), ("1.3", "c")] {
        shop.write(&Revision { version, motto, ..FIRST }, "shop");
        let description = shop.directory.join("deployment.toml");
        let text = fs::read_to_string(&description).unwrap();
        fs::write(&description, text.replace("removed_days = 0", "removed_days = 0\ngenerations = 1"))
            .unwrap();
        shop.apply(&host).ok();
    }
    let swept = host.run(&["--json", "gc"]).ok().json();
    assert_eq!(swept["removed"]["deployments"].as_array().unwrap().len(), 2, "{swept}");
    let history = host.run(&["--json", "deploy", "history", "shop"]).ok().json();
    let kept: Vec<u64> = history["generations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["number"].as_u64().unwrap())
        .collect();
    assert_eq!(kept, [3, 4]);
    host.run(&["deploy", "rollback", "shop", "--yes"]).ok();
    assert_eq!(file(&host, SERVICES[1], "etc/motto.conf"), "motto = b\n");
}

#[test]
fn a_mistake_is_found_before_anything_is_stopped() {
    let (host, shop) = deployed();
    let before = pids(&host);
    shop.write(&Revision { version: "1.1", db: "2", ..FIRST }, "shop");
    let description = shop.directory.join("deployment.toml");
    let text = fs::read_to_string(&description).unwrap().replace("{ motto =", "{ moto =");
    fs::write(&description, text).unwrap();
    let refused = shop.apply(&host);
    let error = refused.json()["error"].clone();
    assert_eq!(error["code"], "setting_unknown", "{error}");
    assert!(error.to_string().contains("deployment.toml, line"), "{error}");
    assert_eq!(pids(&host), before);
    assert_first_revision_runs(&host);
    // Neither is a service that was started by hand taken for one of the deployment.
    host.install(PACKAGE, &Package::serving(SLEEPER));
    host.start().ok();
    assert_eq!(view(&host, SERVICE)["state"], "running");
}
