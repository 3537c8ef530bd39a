//! A table of attacks: each is a sentence, what the attacker does, and what the user reads.

use crate::scene::*;
use copkg_spec::tuf::{Root, Snapshot, Target, Timestamp};

struct Attack {
    sentence: &'static str,
    /// Changes the repository after the client has refreshed once.
    act: fn(&mut Repository),
    /// Whether the client asks for `target` too.
    searches: bool,
}

const ATTACKS: &[Attack] = &[
    refresh("a mirror serves the timestamp of last week, with its old version", |repository| {
        repository.timestamp.version = version(1);
        repository.sign_timestamp();
    }),
    refresh("a mirror serves a snapshot of last week under a new timestamp", |repository| {
        repository.snapshot.version = version(1);
        repository.sign_snapshot();
        repository.publish(&["timestamp"]);
    }),
    refresh("whoever holds the online keys rolls one role back", |repository| {
        repository.snapshot.meta.get_mut("targets.json").expect("it is there").version = version(1);
        repository.publish(&["snapshot", "timestamp"]);
    }),
    refresh("whoever holds the online keys makes a role disappear", |repository| {
        repository.snapshot.meta.remove("group.json");
        repository.publish(&["snapshot", "timestamp"]);
    }),
    refresh("a mirror is frozen until its timestamp expires", |repository| {
        repository.timestamp.expires = time(NOW);
        repository.publish(&["timestamp"]);
    }),
    refresh("a snapshot has expired under a fresh timestamp", |repository| {
        repository.snapshot.expires = time(NOW - DAY);
        repository.publish(&["snapshot", "timestamp"]);
    }),
    refresh("the owner of targets is gone and its metadata has expired", |repository| {
        repository.targets.get_mut(&role("targets")).expect("it is there").expires = time(NOW - DAY);
        repository.publish(&["targets", "snapshot", "timestamp"]);
    }),
    refresh("a mirror mixes the targets of one state with the snapshot of another", |repository| {
        repository.exact = true;
        repository.publish(&["targets", "snapshot", "timestamp"]);
        let old = repository.files["2.targets.json"].clone();
        repository.files.insert("3.targets.json".to_owned(), old);
    }),
    refresh("a mirror serves another version than the one that was named", |repository| {
        repository.publish(&["snapshot", "timestamp"]);
        let old = repository.files["2.snapshot.json"].clone();
        repository.files.insert("3.snapshot.json".to_owned(), old);
    }),
    refresh("someone without keys writes a timestamp", |repository| {
        repository.signers.insert(role("timestamp"), vec![99]);
        repository.publish(&["timestamp"]);
    }),
    refresh("someone strips the signatures", |repository| {
        repository.publish(&["timestamp"]);
        repository.resign::<Timestamp>("timestamp.json", Vec::clear);
    }),
    refresh("the key of another role signs the snapshot", |repository| {
        repository.signers.insert(role("snapshot"), vec![2]);
        repository.publish(&["snapshot", "timestamp"]);
    }),
    refresh("one key signs twice for a threshold of two", |repository| {
        repository.rotate("snapshot", &[3, 5], 2, &[3]);
        repository.publish(&["root", "snapshot", "timestamp"]);
        repository.resign::<Snapshot>("3.snapshot.json", |signatures| {
            let again = signatures[0].clone();
            signatures.push(again);
        });
    }),
    refresh("one key signs under two ids for a threshold of two", |repository| {
        repository.rotate("snapshot", &[3, 5], 2, &[3]);
        let twin = key(5).public().id().into();
        let three = repository.root.keys[&key(3).public().id().into()].clone();
        repository.root.keys.insert(twin, three);
        repository.publish(&["root", "snapshot", "timestamp"]);
        repository.resign::<Snapshot>("3.snapshot.json", |signatures| {
            let mut again = signatures[0].clone();
            again.keyid = key(5).public().id().into();
            signatures.push(again);
        });
    }),
    refresh("a snapshot is passed off as a timestamp that both keys sign", |repository| {
        repository.rotate("snapshot", &[2], 1, &[2]);
        let meta = repository.timestamp.meta.snapshot.clone();
        repository.snapshot.meta.insert("snapshot.json".to_owned(), meta);
        repository.publish(&["root", "snapshot"]);
        let snapshot = repository.files["snapshot.json"].clone();
        repository.files.insert("timestamp.json".to_owned(), snapshot);
    }),
    refresh("a root appears that the keys of the last one did not sign", |repository| {
        repository.rotate("root", &[66], 1, &[66]);
        repository.publish(&["root"]);
    }),
    refresh("a root appears that its own keys did not sign", |repository| {
        repository.rotate("root", &[66], 1, &[1]);
        repository.publish(&["root"]);
    }),
    refresh("a root skips a version", |repository| {
        repository.root.version = version(3);
        repository.sign_root();
        let third = repository.files["3.root.json"].clone();
        repository.files.insert("2.root.json".to_owned(), third);
    }),
    refresh("the same root is served again as the next", |repository| {
        let first = repository.first_root.clone();
        repository.files.insert("2.root.json".to_owned(), first);
    }),
    refresh("a server answers without end", |repository| {
        repository.files.insert("timestamp.json".to_owned(), vec![b' '; (64 << 10) + 1]);
    }),
    refresh("a file is longer than the repository promised", |repository| {
        repository.exact = true;
        repository.publish(&["targets", "snapshot", "timestamp"]);
        repository.files.get_mut("3.snapshot.json").expect("it is there").push(b' ');
    }),
    refresh("a captive portal answers with a page of its own", |repository| {
        repository
            .files
            .insert("timestamp.json".to_owned(), b"<!DOCTYPE html><title>Log in</title>".to_vec());
    }),
    refresh("a key occurs twice, so that two readers read two versions", |repository| {
        let text = String::from_utf8(repository.files["timestamp.json"].clone()).expect("it is UTF-8");
        let twice = text.replace("\"version\":2}}", "\"version\":1,\"version\":9}}");
        assert_ne!(text, twice);
        repository.files.insert("timestamp.json".to_owned(), twice.into_bytes());
    }),
    refresh("metadata follows a specification of tomorrow", |repository| {
        let text = String::from_utf8(repository.files["timestamp.json"].clone()).expect("it is UTF-8");
        repository.files.insert("timestamp.json".to_owned(), text.replace("1.0.34", "2.0.0").into_bytes());
    }),
    search("a publisher signs for a group that is not his", |repository| {
        repository.signers.insert(role("group"), vec![21]);
        repository.publish(&["group", "snapshot", "timestamp"]);
    }),
    search("a publisher's key was revoked and still signs", |repository| {
        let targets = repository.targets.get_mut(&role("targets")).expect("it is there");
        let delegations = targets.delegations.take().expect("they are there");
        let mut roles = delegations.roles.clone();
        if let copkg_spec::tuf::Delegated::Roles(roles) = &mut roles {
            roles[0].role = role_keys(&[22], 1);
        }
        let keys = copkg_spec::tuf::list_keys(&[key(22).public()]);
        targets.delegations = Some(copkg_spec::tuf::Delegations { keys, roles, other: delegations.other });
        repository.publish(&["targets", "snapshot", "timestamp"]);
    }),
    search("a group's metadata has expired", |repository| {
        repository.targets.get_mut(&role("group")).expect("it is there").expires = time(NOW - DAY);
        repository.publish(&["group", "snapshot", "timestamp"]);
    }),
    search("a group's metadata is withheld", |repository| {
        repository.publish(&["group", "snapshot", "timestamp"]);
        repository.files.remove("2.group.json");
    }),
    search("a group delegates on and on", |repository| {
        let names: Vec<String> = (0..40).map(|number| format!("role{number}")).collect();
        for pair in names.windows(2) {
            if pair[0] == "role0" {
                repository.delegate("group", "role0", &["*"], false, 30);
            }
            repository.delegate(&pair[0], &pair[1], &["*"], false, 30);
        }
        repository.targets.get_mut(&role("group")).expect("it is there").targets.clear();
        for name in &names {
            repository.sign_targets(&role(name));
        }
        repository.publish(&["group", "snapshot", "timestamp"]);
    }),
];

const fn refresh(sentence: &'static str, act: fn(&mut Repository)) -> Attack {
    Attack { sentence, act, searches: false }
}

const fn search(sentence: &'static str, act: fn(&mut Repository)) -> Attack {
    Attack { sentence, act, searches: true }
}

/// A repository of some history: every role at version 2, and a group that has a target.
fn repository() -> Repository {
    let mut repository = Repository::new();
    repository.delegate("targets", "group", &["*"], true, 20);
    repository.add_target("group", "target", b"bytes");
    repository.publish_all();
    repository
}

#[test]
fn every_attack_is_refused_by_its_rule_and_leaves_the_client_able_to_go_on() {
    let mut table = String::new();
    for attack in ATTACKS {
        let honest = repository();
        let mut client = Client::of(&honest);
        client.refresh(&honest).expect("the honest repository is accepted");
        let mut attacked = honest.clone();
        (attack.act)(&mut attacked);
        let said = if attack.searches {
            says(client.find(&attacked, "target"))
        } else {
            says(client.refresh(&attacked))
        };
        assert_ne!(said, "accepted", "{}", attack.sentence);
        table += &[attack.sentence, "\n", &said, "\n\n"].concat();
        recovers(client, &attacked, attack.sentence);
    }
    insta::assert_snapshot!("attacks", table);
}

/// 5: "Errors raised during the update process should not leave clients in an unrecoverable state."
fn recovers(mut client: Client, attacked: &Repository, sentence: &str) {
    // The owner comes back: his root and keys are the last that the client trusts, all versions go on from the attack's.
    let mut honest = repository();
    let kept: Root =
        Root::clone(&copkg_spec::tuf::load_root(client.kept[&role("root")].clone()).expect("it is a root"));
    honest.root = kept;
    honest.signers = attacked.signers.clone();
    for (name, seeds) in [("timestamp", [71]), ("snapshot", [72]), ("targets", [73])] {
        honest.rotate(name, &seeds, 1, &seeds);
    }
    let root_signers: Vec<u8> = (0..=99).filter(|seed| is_listed(&honest.root, *seed)).collect();
    honest.signers.insert(role("root"), root_signers);
    honest.signers.insert(role("group"), vec![20]);
    for _ in 0..3 {
        honest.publish(&["group", "targets", "snapshot", "timestamp"]);
    }
    honest.publish(&["root"]);
    let found = client
        .find(&honest, "target")
        .unwrap_or_else(|error| panic!("{sentence}: {}", says::<()>(Err(error))));
    assert_eq!(found.map(|found| found.target().clone()), Some(Target::of(b"bytes")), "{sentence}");
}

fn is_listed(root: &Root, seed: u8) -> bool {
    root.roles.root.keyids().contains(&key(seed).public().id().into())
}
