//! What is not believed of a repository: each rule once, on real files, with what the user reads.

use std::fs;

use copkg_spec::tuf::{Root, Version};

use crate::repositories::{scene, steady};
use crate::signed::{Signed, now, signed, time};
use crate::support::{Host, package};

/// Lets `change` loose on a repository that a host has seen, and returns what the user reads then. Afterwards the host
/// believes the honest repository again.
fn attacked(change: impl FnOnce(&mut Signed)) -> String {
    let (host, mut repository) = scene();
    host.ok(&["resolve", "com.example:web"]);
    change(&mut repository);
    let said = steady(&host.fails(6, &["resolve", "com.example:web"]));
    host.fails(6, &["install", "com.example:web"]);
    assert!(host.software().is_empty());
    said
}

/// The same, with a host that the repository is new to.
fn attacked_when_new(change: impl FnOnce(&mut Signed)) -> String {
    let (_its_owner, mut repository) = scene();
    change(&mut repository);
    let host = Host::bare();
    let (place, root) = (repository.directory(), repository.fingerprint());
    host.ok(&["repo", "add", "main", &place, "--root", &root, "--offline"]);
    steady(&host.fails(6, &["resolve", "com.example:web"])).replace(&place, "[REPOSITORY]")
}

#[test]
fn every_refusal_names_the_rule_and_the_role() {
    let mut said = Vec::new();
    let mut attack = |name: &str, text: String| said.push(format!("--- {name}\n{text}"));
    attack("an older state of the repository, which has ended", {
        let (host, mut repository) = scene();
        repository.lifetime = -60;
        repository.commit();
        repository.copy(&host.path("old"));
        repository.lifetime = 60;
        repository.publish(&[&package("com.example:web:3")]);
        host.ok(&["resolve", "com.example:web"]);
        fs::copy(host.path("old/metadata/timestamp.json"), repository.metadata("timestamp.json")).unwrap();
        steady(&host.fails(6, &["resolve", "com.example:web"]))
    });
    attack(
        "news that are held back",
        attacked(|repository| {
            repository.lifetime = -60;
            repository.commit();
        }),
    );
    attack(
        "a mix of two states",
        attacked(|repository| {
            repository.publish(&[&package("com.example:web:3")]);
            fs::copy(repository.metadata("1.com.example.json"), repository.metadata("2.com.example.json"))
                .unwrap();
        }),
    );
    attack(
        "a snapshot of other bytes",
        attacked(|repository| {
            repository.commit();
            let file = repository.metadata(&format!("{}.snapshot.json", repository.commit_number()));
            fs::write(file, b"{}").unwrap();
        }),
    );
    attack(
        "a root that nobody signed",
        attacked(|repository| {
            let root: Root = repository.root().clone();
            let root = Root { version: Version::new(2).unwrap(), ..root };
            fs::write(repository.metadata("2.root.json"), signed(root, &[99])).unwrap();
        }),
    );
    attack(
        "a root that has ended",
        attacked(|repository| {
            let root: Root = repository.root().clone();
            let root = Root { version: Version::new(2).unwrap(), expires: time(now() - 60), ..root };
            fs::write(repository.metadata("2.root.json"), signed(root, &[11])).unwrap();
        }),
    );
    attack(
        "endless data",
        attacked(|repository| {
            let mut bytes = fs::read(repository.metadata("timestamp.json")).unwrap();
            bytes.resize(1 << 20, b' ');
            fs::write(repository.metadata("timestamp.json"), bytes).unwrap();
        }),
    );
    attack(
        "something else than a repository",
        attacked(|repository| {
            fs::write(repository.metadata("timestamp.json"), b"something else").unwrap();
        }),
    );
    attack(
        "a group that is signed by strangers",
        attacked(|repository| {
            repository.publish(&[&package("com.example:web:3")]);
            repository.sign_group_again(99);
        }),
    );
    attack(
        "a role that vanishes",
        attacked(|repository| {
            repository.forget("com.example");
        }),
    );
    attack(
        "a role that the snapshot does not name",
        attacked_when_new(|repository| {
            repository.forget("com.example");
        }),
    );
    attack(
        "online keys that were stolen",
        attacked_when_new(|repository| {
            repository.sign_online_with(99);
        }),
    );
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn what_may_be_there_soon_is_no_attack() {
    let mut said = Vec::new();
    let mut unlucky = |name: &str, change: &dyn Fn(&mut Signed)| {
        let (host, mut repository) = scene();
        host.ok(&["resolve", "com.example:web"]);
        change(&mut repository);
        said.push(format!("--- {name}\n{}", steady(&host.fails(8, &["resolve", "com.example:web"]))));
    };
    unlucky("a file that is not there yet", &|repository| {
        repository.publish(&[&package("com.example:web:3")]);
        fs::remove_file(repository.metadata("2.com.example.json")).unwrap();
    });
    unlucky("a login page", &|repository| {
        fs::write(repository.metadata("2.root.json"), b"<html>").unwrap();
        fs::write(repository.metadata("timestamp.json"), b"\n<!DOCTYPE html>").unwrap();
    });
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn what_is_no_repository_is_not_added_and_is_no_attack() {
    let host = Host::bare();
    let (place, root) = (host.repository(), "0".repeat(64));
    let add = ["repo", "add", "main", &place, "--root", &root];
    let mut said = Vec::new();
    for answer in [None, Some("<!DOCTYPE html>"), Some("{}"), Some("")] {
        if let Some(answer) = answer {
            crate::support::write(&host.path("repository/metadata/1.root.json"), answer.as_bytes());
        }
        said.push(host.fails(5, &add));
    }
    insta::assert_snapshot!(said.join("\n"));
    assert!(!host.prefix(".copkg/config.toml").exists());
}

#[test]
fn a_failure_in_json_has_the_code_of_the_rule() {
    let (host, mut repository) = scene();
    repository.lifetime = -60;
    repository.commit();
    let output = host.run(&["resolve", "com.example:web", "--json"]);
    assert_eq!(output.status.code(), Some(6));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["error"]["code"], "metadata_expired");
}

#[test]
fn after_the_online_keys_were_rotated_what_a_thief_made_up_is_forgotten() {
    let (host, mut repository) = scene();
    let mut thief = repository.clone();
    thief.skip_to(600);
    thief.commit();
    host.ok(&["resolve", "com.example:web"]);
    repository.commit();
    host.fails(8, &["resolve", "com.example:web"]);
    repository.rotate_online();
    let output = host.run(&["resolve", "com.example:web"]);
    assert!(output.status.success());
    insta::assert_snapshot!(host.text(&output.stderr));
    host.ok(&["resolve", "com.example:web"]);
}

#[test]
fn a_log_that_takes_back_what_it_said_is_refused_and_both_states_are_kept() {
    let (host, mut repository) = scene();
    let mut thief = repository.clone();
    repository.publish(&[&package("com.example:web:3")]);
    host.ok(&["resolve", "com.example:web"]);
    repository.commit();
    host.ok(&["resolve", "com.example:web"]);
    // Whoever has the online keys can sign newer versions of everything, and cannot make the log begin with what was seen.
    thief.skip_to(repository.commit_number() + 1);
    thief.files_of(&repository);
    thief.commit();
    insta::assert_snapshot!(steady(&host.fails(6, &["resolve", "com.example:web"])));
    // Again and again: what was seen stays.
    host.fails(6, &["install", "com.example:web"]);
    let evidence: Vec<_> = fs::read_dir(host.prefix(".copkg/repositories/main/evidence")).unwrap().collect();
    assert_eq!(evidence.len(), 2);
    let said = steady(&host.ok(&["repo", "list"]));
    assert!(said.contains("log        4 entries"), "{said}");
}

#[test]
fn a_copy_without_the_files_of_the_log_is_not_enough() {
    let (host, mut repository) = scene();
    repository.commit();
    fs::remove_dir_all(host.path("repository/tlog")).unwrap();
    insta::assert_snapshot!(steady(&host.fails(6, &["resolve", "com.example:web"])));
}

#[test]
fn a_damaged_cache_is_made_anew() {
    let (host, repository) = scene();
    host.ok(&["resolve", "com.example:web"]);
    let cache = host.prefix(".copkg/repositories/main");
    let files = ["root", "timestamp", "snapshot", "targets", "registrar", "com.example"];
    for file in
        files.map(|role| format!("metadata/{role}.json")).into_iter().chain(["pinned.root.json".into()])
    {
        let path = cache.join(&file);
        let honest = fs::read(&path).unwrap();
        for damage in [Vec::new(), honest[..honest.len() / 2].to_vec(), vec![0; honest.len()]] {
            fs::write(&path, damage).unwrap();
            host.ok(&["resolve", "com.example:web"]);
            assert_eq!(fs::read(&path).unwrap(), honest, "{file}");
        }
    }
    assert_eq!(host.json(&["repo", "list"])["repositories"][0]["kept"]["head"], repository.commit_number());
}

#[test]
fn who_may_not_write_the_cache_resolves_all_the_same() {
    let (host, mut repository) = scene();
    repository.publish(&[&package("com.example:web:3")]);
    let cache = host.prefix(".copkg/repositories/main");
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere: what is shown is another way for a cache to be unwritable.
        return a_file_in_place_of_the_cache(&host, &cache);
    }
    let mut permissions = fs::metadata(&cache).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o500);
    fs::set_permissions(&cache, permissions).unwrap();
    assert_eq!(host.json(&["resolve", "com.example:web"])["package"], "com.example:web:3");
}

fn a_file_in_place_of_the_cache(host: &Host, cache: &std::path::Path) {
    fs::remove_dir_all(cache).unwrap();
    fs::write(cache, b"").unwrap();
    let said = host.fails(1, &["resolve", "com.example:web"]);
    assert!(said.contains("cannot keep what repositories say"), "{said}");
}

#[test]
fn a_stale_copy_is_passed_over_and_a_right_one_is_never_believed_less() {
    let (host, mut repository) = scene();
    repository.copy(&host.path("stale"));
    repository.publish(&[&package("com.example:web:3")]);
    let root = repository.fingerprint();
    host.ok(&["repo", "add", "main", &repository.directory(), "--root", &root]);
    host.ok(&["resolve", "com.example:web"]);
    host.ok(&["repo", "add", "main", "stale", "--mirror", &repository.directory()]);
    let output = host.run(&["resolve", "com.example:web"]);
    insta::assert_snapshot!(steady(&host.text(&output.stderr)));
    assert!(host.text(&output.stdout).contains("com.example:web:3"));
    // Where only the stale one would be left, it is not even added.
    assert!(host.fails(8, &["repo", "add", "main", "stale", "--forget", "mirrors"]).contains("is behind"));
}

#[test]
fn two_commands_at_once_take_turns() {
    let (host, mut repository) = scene();
    let packages: Vec<_> = (10..18).map(|n| package(&format!("com.example:web:{n}"))).collect();
    repository.publish(&packages.iter().collect::<Vec<_>>());
    let children: Vec<_> = (10..18)
        .map(|n| host.command(&["install", &format!("com.example:web:{n}")]).spawn().unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(host.json(&["list"])["packages"].as_array().unwrap().len(), 8);
}
