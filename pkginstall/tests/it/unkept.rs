//! What a refused state leaves behind: nothing that an honest copy would be held against.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::repositories::{scene, steady};
use crate::signed::Signed;
use crate::support::{Host, package};

const WEB: [&str; 2] = ["resolve", "com.example:web"];

/// The files of the cache but its lock and the evidence of forks.
fn cache(host: &Host) -> BTreeMap<PathBuf, Vec<u8>> {
    let directory = host.prefix(".copkg/repositories/main");
    let mut found = BTreeMap::new();
    for directory in [directory.join("metadata"), directory] {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && !path.ends_with("lock") {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Serves what was copied to `from` in place of what is served.
fn serve(host: &Host, from: &str) {
    fs::remove_dir_all(host.path("repository")).unwrap();
    fs::rename(host.path(from), host.path("repository")).unwrap();
}

fn resolved(host: &Host) -> String {
    host.json(&WEB)["package"].as_str().unwrap().to_owned()
}

/// A host that has seen commit 3; an honest commit 4 lies in `honest`, which nobody serves; and whoever stole the online keys forks
/// the log before commit 3, with commit numbers from 600 on.
fn forked() -> (Host, Signed) {
    let (host, mut repository) = scene();
    let mut thief = repository.clone();
    repository.publish(&[&package("com.example:web:3")]);
    host.ok(&WEB);
    repository.publish(&[&package("com.example:web:4")]);
    repository.copy(&host.path("honest"));
    thief.skip_to(600);
    thief.files_of(&repository);
    thief.commit();
    (host, repository)
}

#[test]
fn after_a_refused_fork_the_honest_copy_is_accepted() {
    let (host, _) = forked();
    let before = cache(&host);
    for _ in 0..2 {
        host.fails(6, &WEB);
        assert_eq!(cache(&host), before);
    }
    host.fails(6, &["install", "com.example:web"]);
    serve(&host, "honest");
    assert_eq!(resolved(&host), "com.example:web:4");
}

#[test]
fn a_mirror_is_not_held_against_the_fork_that_another_copy_shows() {
    let (host, repository) = forked();
    fs::rename(host.path("honest"), host.path("mirror")).unwrap();
    host.ok(&["repo", "add", "main", &repository.directory(), "--mirror", "mirror", "--offline"]);
    let output = host.run(&WEB);
    assert!(output.status.success(), "{}", host.text(&output.stderr));
    assert!(host.text(&output.stdout).contains("com.example:web:4"));
    assert!(host.text(&output.stderr).contains("asking the next copy"));
}

#[test]
fn what_too_few_witnesses_have_seen_is_not_kept() {
    let host = Host::bare();
    let mut repository = Signed::found(&host.path("repository"));
    repository.publish(&[&package("com.example:web:1")]);
    repository.cosign(&[31]);
    let (directory, root, key) =
        (repository.directory(), repository.fingerprint(), crate::witnessed::witness(31));
    host.ok(&["repo", "add", "main", &directory, "--root", &root, "--witness", &key]);
    host.ok(&WEB);
    repository.copy(&host.path("witnessed"));
    let before = cache(&host);
    repository.publish(&[&package("com.example:web:2")]);
    host.fails(6, &WEB);
    assert_eq!(cache(&host), before);
    serve(&host, "witnessed");
    assert_eq!(resolved(&host), "com.example:web:1");
}

/// A host that has seen a commit, and the timestamp of the one before it, which is good for so many seconds from now on.
fn older(lifetime: i64) -> (Host, Signed, Vec<u8>) {
    let (host, mut repository) = scene();
    repository.lifetime = lifetime;
    repository.commit();
    let old = fs::read(repository.metadata("timestamp.json")).unwrap();
    repository.lifetime = 86_400;
    repository.publish(&[&package("com.example:web:3")]);
    host.ok(&WEB);
    (host, repository, old)
}

/// Shows the host an older timestamp, and returns what it says; then the host goes on as before.
fn shown(lifetime: i64, exit: i32) -> String {
    let (host, repository, old) = older(lifetime);
    let (before, new) = (cache(&host), fs::read(repository.metadata("timestamp.json")).unwrap());
    fs::write(repository.metadata("timestamp.json"), &old).unwrap();
    let said = host.fails(exit, &WEB);
    assert_eq!(cache(&host), before);
    fs::write(repository.metadata("timestamp.json"), new).unwrap();
    assert_eq!(resolved(&host), "com.example:web:3");
    said
}

#[test]
fn an_older_state_that_has_ended_is_a_rollback_and_changes_nothing() {
    assert!(shown(-60, 6).contains("a rollback attack"));
}

#[test]
fn an_older_state_that_is_in_date_is_a_copy_that_is_behind_and_changes_nothing() {
    insta::assert_snapshot!(steady(&shown(86_400, 8)));
}

#[test]
fn a_refused_freeze_changes_nothing() {
    let (host, mut repository) = scene();
    host.ok(&WEB);
    let before = cache(&host);
    let mut frozen = repository.clone();
    repository.publish(&[&package("com.example:web:3")]);
    repository.copy(&host.path("honest"));
    // A snapshot that has ended below a timestamp that has not: the timestamp alone is no reason to believe anything.
    frozen.skip_to(7);
    frozen.commit_with(86_400, -60);
    let said = host.fails(6, &WEB);
    assert!(said.contains("snapshot metadata") && said.contains("it expired"), "{said}");
    assert_eq!(cache(&host), before);
    serve(&host, "honest");
    assert_eq!(resolved(&host), "com.example:web:3");
}

#[test]
fn a_copy_that_is_half_way_through_an_update_does_not_spoil_the_next_one() {
    let (host, mut repository) = scene();
    host.ok(&WEB);
    repository.copy(&host.path("mirror"));
    let before = cache(&host);
    repository.commit();
    fs::remove_file(repository.metadata(&format!("{}.snapshot.json", repository.commit_number()))).unwrap();
    let output = host.run(&["resolve", "com.example:web", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), said["error"]["code"].as_str()), (Some(8), Some("metadata_absent")));
    assert_eq!(cache(&host), before);
    host.ok(&["repo", "add", "main", &repository.directory(), "--mirror", "mirror"]);
    assert_eq!(resolved(&host), "com.example:web:1.1.0");
}

#[test]
fn a_root_that_was_followed_stays_when_what_it_leads_to_is_refused() {
    let (host, mut repository) = scene();
    host.ok(&WEB);
    let stolen = repository.clone();
    repository.rotate_online();
    fs::remove_file(repository.metadata(&format!("{}.snapshot.json", repository.commit_number()))).unwrap();
    host.fails(8, &WEB);
    // Whoever has the keys that were retired, and withholds the new root, is not believed any more.
    fs::remove_file(repository.metadata("2.root.json")).unwrap();
    let mut stolen = stolen;
    stolen.skip_to(9);
    stolen.commit();
    let said = host.fails(6, &WEB);
    assert!(said.contains("0 of the role's keys signed it"), "{said}");
}
