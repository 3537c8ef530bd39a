//! What is promised of the verdict of a rehearsal: what counts in it, how long, and that another host believes only the right keys.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use copkg_spec::configuration::SettingKind;

use super::rehearsed::{host, package, rehearse, text};
use super::scene::{Host, PACKAGE, Package, Ran, SERVICE};

/// Keys that sign verdicts.
struct Keys(tempfile::TempDir);

impl Keys {
    /// Two keys, `good` and `other`.
    fn make() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, seed) in [("good", 1), ("other", 2)] {
            let key = copkg_spec::keys::SecretKey::from_seed(&[seed; 32]);
            let path = directory.path().join(format!("{name}.key"));
            fs::write(&path, key.to_plain_pem().unwrap()).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            fs::write(directory.path().join(format!("{name}.pub")), key.public().to_pem().unwrap()).unwrap();
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Rehearses on `host`, signed with `key`; returns the file.
    fn attest(&self, host: &Host, key: &str) -> String {
        let (key, file) = (self.path(key), self.path("verdict.json"));
        rehearse(host, &["--attest", &key, "-o", &file, "--set", "database=stand-in"]).ok();
        file
    }
}

fn upgrade(host: &Host, verdict: &str) -> Ran {
    host.run(&["--json", "upgrade", SERVICE, "--to", "2.0", "--rehearsed", verdict])
}

#[track_caller]
fn assert_untrusted(ran: &Ran, code: &str) {
    assert_eq!((ran.exit, ran.json()["error"]["code"].as_str()), (6, Some(code)), "{ran:?}");
}

#[test]
fn a_verdict_is_accepted_on_another_host_that_trusts_its_key() {
    let keys = Keys::make();
    // The value that something stood in for may be another one there.
    let staging = host(&package(SettingKind::String, Some(text("fast"))));
    let verdict = keys.attest(&staging, "good.key");
    let production = host(&package(SettingKind::String, Some(text("fast"))));
    assert_untrusted(&upgrade(&production, &verdict), "verdict_untrusted");
    production.run(&["trust", "add", "com.example", &keys.path("good.pub"), "--rehearsals"]).ok();
    upgrade(&production, &keys.attest(&staging, "other.key"));
    assert_untrusted(&upgrade(&production, &verdict), "verdict_untrusted");
    let verdict = keys.attest(&staging, "good.key");
    let text = fs::read_to_string(&verdict).unwrap();
    fs::write(&verdict, text.replace("\"loopback\"", "\"host\"")).unwrap();
    if text.contains("\"loopback\"") {
        assert_untrusted(&upgrade(&production, &verdict), "verdict_untrusted");
    }
    fs::write(&verdict, "{}").unwrap();
    assert_untrusted(&upgrade(&production, &verdict), "not_a_verdict");
    fs::write(&verdict, text).unwrap();
    production.run(&["config", "set", SERVICE, "database=other"]).ok();
    upgrade(&production, &verdict).ok();
    assert_untrusted(&upgrade(&production, &verdict), "not_rehearsed");
}

#[test]
fn a_verdict_of_another_service_build_or_configuration_is_refused() {
    let keys = Keys::make();
    let first = package(SettingKind::String, Some(text("fast"))).with("share/setting", "");
    let staging = host(&first);
    let verdict = keys.attest(&staging, "good.key");
    let trusting = |package: &Package| {
        let production = host(package);
        production.run(&["trust", "add", "com.example", &keys.path("good.pub")]).ok();
        production
    };
    assert_untrusted(&upgrade(&trusting(&first.with("share/other", "build")), &verdict), "not_rehearsed");

    let second = package(SettingKind::String, Some(text("fast"))).with("share/setting", "");
    let edited = trusting(&second);
    fs::write(edited.runtime().join("etc/web.conf"), "by hand\n").unwrap();
    assert_untrusted(&upgrade(&edited, &verdict), "not_rehearsed");

    let other = trusting(&second);
    let service = "2.web.dev.local";
    other.run(&["start", PACKAGE, "--as", service]).ok();
    let foreign = other.run(&["--json", "upgrade", service, "--to", "2.0", "--rehearsed", &verdict]);
    assert_untrusted(&foreign, "not_rehearsed");
    other.run(&["stop", service]).ok();
}

#[test]
fn a_setting_that_counted_is_part_of_the_verdict() {
    let host = host(&package(SettingKind::String, Some(text("fast"))));
    rehearse(&host, &[]).ok();
    host.run(&["config", "set", SERVICE, "database=slow"]).ok();
    let ran = host.run(&["--json", "upgrade", SERVICE, "--to", "2.0", "--rehearsed"]);
    assert_untrusted(&ran, "not_rehearsed");
    host.run(&["config", "set", SERVICE, "database=fast"]).ok();
    let other = host.run(&["--json", "upgrade", SERVICE, "--to", "2.0", "--rehearsed", "--", "--more=1"]);
    assert_untrusted(&other, "not_rehearsed");
}

#[test]
fn a_verdict_that_is_too_old_is_refused() {
    let host = host(&package(SettingKind::String, Some(text("fast"))));
    rehearse(&host, &["--valid-days", "1"]).ok();
    let directory = host.prefix().service_state(&SERVICE.parse().unwrap()).join("rehearsals");
    let file = fs::read_dir(&directory).unwrap().next().unwrap().unwrap().path();
    let mut verdict: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    verdict["expires"] = verdict["time"].clone();
    fs::write(&file, verdict.to_string()).unwrap();
    let ran = host.run(&["--json", "upgrade", SERVICE, "--to", "2.0", "--rehearsed"]);
    assert_untrusted(&ran, "not_rehearsed");
}
