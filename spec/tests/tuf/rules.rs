//! The workflow of a refresh, clause by clause, when nobody is hostile.

use crate::scene::*;
use copkg_spec::command::{Exit, Explain as _};
use copkg_spec::tuf::{Rule, Snapshot, Timestamp};

#[test]
fn a_first_refresh_asks_for_each_file_once_and_keeps_it_as_it_came() {
    let mut repository = Repository::new();
    repository.files.get_mut("timestamp.json").expect("it is there").extend(b" \n");
    let mut client = Client::of(&repository);
    client.refresh(&repository).expect("it is accepted");
    assert_eq!(client.requests, ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]);
    assert_eq!(client.versions(), "root 1, timestamp 1, snapshot 1, targets 1");
    assert_eq!(client.kept[&role("timestamp")], repository.files["timestamp.json"]);
}

#[test]
fn a_second_refresh_asks_for_root_and_timestamp_alone() {
    let repository = Repository::new();
    let mut client = Client::of(&repository);
    client.refresh(&repository).expect("it is accepted");
    client.refresh(&repository).expect("it is accepted");
    assert_eq!(client.requests, ["2.root.json", "timestamp.json"]);
}

#[test]
fn without_consistent_snapshots_only_roots_have_their_version_in_the_name() {
    let mut repository = Repository::new();
    repository.root.consistent_snapshot = false;
    repository.add_target("targets", "a/b", b"bytes");
    repository.publish(&["root", "targets", "snapshot", "timestamp"]);
    let mut client = Client::of(&repository);
    let mut trusted = client.refresh(&repository).expect("it is accepted");
    let expected = ["2.root.json", "3.root.json", "timestamp.json", "snapshot.json", "targets.json"];
    assert_eq!(client.requests, expected);
    let found =
        client.search(&repository, &mut trusted, "a/b").expect("it is accepted").expect("it is found");
    assert_eq!(found.location(), Some("a/b"));
}

#[test]
fn with_consistent_snapshots_a_target_has_its_digest_in_the_name() {
    let mut repository = Repository::new();
    repository.add_target("targets", "a/b", b"");
    repository.publish_all();
    let found =
        Client::of(&repository).find(&repository, "a/b").expect("it is accepted").expect("it is found");
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(found.location(), Some(&*format!("a/{digest}.b")));
}

#[test]
fn an_expired_root_on_the_way_to_a_fresh_one_does_not_matter() {
    let mut repository = Repository::new();
    repository.root.expires = time(NOW - DAY);
    repository.publish(&["root"]);
    repository.root.expires = time(NOW + DAY);
    repository.publish(&["root"]);
    let mut client = Client::of(&repository);
    client.refresh(&repository).expect("it is accepted");
    assert_eq!(client.versions(), "root 3, timestamp 1, snapshot 1, targets 1");
}

#[test]
fn an_expired_last_root_is_kept_and_ends_the_refresh() {
    let mut repository = Repository::new();
    repository.root.expires = time(NOW - DAY);
    repository.publish(&["root"]);
    let mut client = Client::of(&repository);
    let error = client.refresh(&repository).expect_err("it is refused");
    assert!(matches!(error.rule, Rule::Expired { .. }), "{error:?}");
    assert_eq!(client.versions(), "root 2");
}

#[test]
fn metadata_ends_at_its_second_of_expiry_and_not_before() {
    let repository = Repository::new();
    let mut client = Client::of(&repository);
    client.now = NOW + 30 * DAY - 1;
    client.refresh(&repository).expect("it is accepted");
    client.now = NOW + 30 * DAY;
    client.refresh(&repository).expect_err("it is refused");
}

#[test]
fn expired_metadata_that_was_kept_leads_to_what_is_new() {
    let mut repository = Repository::new();
    let mut client = Client::of(&repository);
    client.refresh(&repository).expect("it is accepted");
    let later = time(NOW + 300 * DAY);
    repository.root.expires = later;
    repository.timestamp.expires = later;
    repository.snapshot.expires = later;
    repository.targets.get_mut(&role("targets")).expect("it is there").expires = later;
    repository.publish(&["root", "targets", "snapshot", "timestamp"]);
    client.now = NOW + 200 * DAY;
    client.refresh(&repository).expect("it is accepted");
    assert_eq!(client.versions(), "root 2, timestamp 2, snapshot 2, targets 2");
}

#[test]
fn a_timestamp_that_says_the_same_in_other_words_changes_nothing() {
    let mut repository = Repository::new();
    let mut client = Client::of(&repository);
    client.refresh(&repository).expect("it is accepted");
    let kept = client.kept.clone();
    repository.timestamp.meta.snapshot.version = version(100);
    repository.sign_timestamp();
    client.refresh(&repository).expect("it is accepted");
    assert_eq!(client.requests, ["2.root.json", "timestamp.json"]);
    assert_eq!(client.kept, kept);
}

#[test]
fn lengths_and_hashes_of_metadata_are_checked_where_they_are_given() {
    let mut repository = Repository::new();
    repository.exact = true;
    repository.publish(&["targets", "snapshot", "timestamp"]);
    let mut client = Client::of(&repository);
    client.refresh(&repository).expect("it is accepted");
    repository.publish(&["targets"]);
    let named = repository.snapshot.meta.get_mut("targets.json").expect("it is there");
    named.hashes = Some(copkg_spec::tuf::Hashes::of(b"other bytes"));
    repository.publish(&["snapshot", "timestamp"]);
    let error = client.refresh(&repository).expect_err("it is refused");
    assert!(matches!(error.rule, Rule::File(_)), "{error:?}");
    assert_eq!(client.versions(), "root 1, timestamp 3, snapshot 3, targets 2");
}

#[test]
fn a_file_that_is_not_there_ends_the_refresh_after_what_was_right_is_kept() {
    let mut repository = Repository::new();
    repository.publish(&["targets", "snapshot", "timestamp"]);
    for (missing, versions) in [
        ("2.targets.json", "root 1, timestamp 2, snapshot 2"),
        ("2.snapshot.json", "root 1, timestamp 2"),
        ("timestamp.json", "root 1"),
    ] {
        repository.files.remove(missing);
        let mut client = Client::of(&repository);
        let error = client.refresh(&repository).expect_err("it is refused");
        assert!(matches!(error.rule, Rule::Absent { .. }), "{error:?}");
        assert_eq!(client.versions(), versions);
    }
}

#[test]
fn fields_that_nobody_knows_are_signed_and_kept() {
    let mut repository = Repository::new();
    let unknown = serde_json::json!({ "nested": [1, "two", null] });
    repository.root.other.insert("custom-field".to_owned(), unknown.clone());
    repository.root.roles.root.other.insert("another".to_owned(), unknown.clone());
    repository.timestamp.other.insert("checkpoint".to_owned(), unknown.clone());
    repository.publish(&["root", "snapshot", "timestamp"]);
    let mut client = Client::of(&repository);
    let trusted = client.refresh(&repository).expect("it is accepted");
    assert_eq!(trusted.root().other["custom-field"], unknown);
    assert_eq!(trusted.root().roles.root.other["another"], unknown);
    assert_eq!(trusted.timestamp().other["checkpoint"], unknown);
}

#[test]
fn one_good_signature_is_enough_beside_bad_ones_when_the_threshold_is_one() {
    let mut repository = Repository::new();
    repository.rotate("timestamp", &[2, 5], 1, &[2, 5]);
    repository.publish(&["root", "timestamp"]);
    for bad in ["", "00", "not hexadecimal", &"00".repeat(64)] {
        repository.resign::<Timestamp>("timestamp.json", |signatures| bad.clone_into(&mut signatures[0].sig));
        Client::of(&repository).refresh(&repository).expect("it is accepted");
    }
}

#[test]
fn a_refresh_follows_no_more_roots_than_its_limit() {
    let mut repository = Repository::new();
    for _ in 0..5 {
        repository.publish(&["root"]);
    }
    let mut client = Client::of(&repository);
    client.limits.root_rotations = 3;
    client.refresh(&repository).expect("it is accepted");
    assert_eq!(client.versions(), "root 4, timestamp 1, snapshot 1, targets 1");
    client.refresh(&repository).expect("it is accepted");
    assert_eq!(client.versions(), "root 6, timestamp 1, snapshot 1, targets 1");
}

/// Keys, threshold and signers of one root.
type Rotation = (&'static [u8], u32, &'static [u8]);

#[test]
fn a_root_needs_the_thresholds_of_the_one_before_and_its_own() {
    let all: &'static [u8] = &[10, 11, 12, 13, 14];
    let other: &'static [u8] = &[15, 16, 17, 18, 19];
    let one_rotated: &'static [u8] = &[10, 11, 13, 14, 15];
    let cases: &[(bool, &[Rotation])] = &[
        (true, &[(&[11], 1, &[11]), (&[12], 1, &[12, 11]), (&[12], 1, &[12])]),
        (true, &[(&[11], 1, &[13, 11, 14]), (&[12], 1, &[13, 12, 11, 14]), (&[12], 1, &[13, 12, 14])]),
        (true, &[(all, 3, &[10, 12, 14]), (all, 3, &[10, 14, 11]), (all, 3, &[10, 11, 13])]),
        (true, &[(all, 3, &[10, 12, 14]), (one_rotated, 3, &[10, 14, 11])]),
        (true, &[(all, 3, &[10, 12, 14]), (one_rotated, 3, &[10, 12, 14, 15])]),
        (true, &[(all, 3, &[10, 12, 14]), (other, 3, &[10, 12, 14, 15, 16, 17]), (other, 3, &[15, 16, 17])]),
        (true, &[(&[11, 12, 13], 1, &[11]), (&[11, 12, 13], 2, &[11, 12])]),
        (true, &[(&[11, 12, 13], 2, &[11, 12]), (&[11, 12, 13], 1, &[11, 12]), (&[11, 12, 13], 1, &[11])]),
        (true, &[(&[11], 1, &[11]), (&[11, 12], 2, &[11, 12])]),
        (false, &[(&[11], 1, &[11]), (&[12], 1, &[12, 13, 14])]),
        (false, &[(&[11], 1, &[11]), (&[12], 1, &[11, 13, 14])]),
        (false, &[(all, 3, &[10, 12, 14]), (one_rotated, 3, &[10, 12, 14])]),
        (false, &[(all, 3, &[10, 12, 14]), (one_rotated, 3, &[10, 14, 15])]),
        (false, &[(&[11, 12, 13], 1, &[11]), (&[11, 12, 13], 2, &[12])]),
        (false, &[(&[11, 12, 13], 2, &[11, 12]), (&[11, 12, 13], 1, &[11])]),
    ];
    for (number, (accepted, rotations)) in cases.iter().enumerate() {
        let mut repository = Repository::new();
        repository.files.clear();
        for (at, (keys, threshold, signers)) in rotations.iter().enumerate() {
            repository.rotate("root", keys, *threshold, signers);
            repository.root.version = version(at as u64 + 1);
            repository.sign_root();
        }
        repository.first_root = repository.files["1.root.json"].clone();
        repository.publish(&["targets", "snapshot", "timestamp"]);
        let mut client = Client::of(&repository);
        assert_eq!(client.refresh(&repository).is_ok(), *accepted, "case {number}");
        let last = rotations.len() - usize::from(!accepted);
        assert_eq!(
            client.kept[&role("root")],
            repository.files[&format!("{last}.root.json")],
            "case {number}"
        );
    }
}

#[test]
fn every_role_needs_its_threshold() {
    let all: &[u8] = &[10, 11, 12, 13, 14];
    let one_rotated: &[u8] = &[10, 11, 13, 14, 15];
    let cases: &[(bool, &[u8], u32, &[u8])] = &[
        (true, &[12], 1, &[12]),
        (true, &[11], 1, &[13, 11, 14]),
        (false, &[12], 1, &[11, 13, 14]),
        (false, one_rotated, 3, &[10, 12, 14]),
        (false, one_rotated, 3, &[10, 14]),
        (true, all, 3, &[10, 12, 14]),
        (true, all, 3, &[12, 13, 14]),
        (false, all, 6, all),
    ];
    for name in ["timestamp", "snapshot", "targets"] {
        for (number, (accepted, keys, threshold, signers)) in cases.iter().enumerate() {
            let mut repository = Repository::new();
            let mut client = Client::of(&repository);
            repository.rotate(name, keys, *threshold, signers);
            repository.publish(&["root", "targets", "snapshot", "timestamp"]);
            let result = client.refresh(&repository);
            assert_eq!(result.is_ok(), *accepted, "{name}, case {number}");
        }
    }
}

#[test]
fn after_a_fast_forward_attack_new_keys_lead_back() {
    let far = version(99_999);
    let mut repository = Repository::new();
    repository.timestamp.version = far;
    repository.snapshot.version = far;
    repository.targets.get_mut(&role("targets")).expect("it is there").version = far;
    repository.sign_targets(&role("targets"));
    repository.sign_snapshot();
    repository.sign_timestamp();
    let mut client = Client::of(&repository);
    client.refresh(&repository).expect("it is accepted");

    repository.timestamp.version = version(1);
    repository.snapshot.version = version(1);
    repository.targets.get_mut(&role("targets")).expect("it is there").version = version(1);
    repository.publish(&["targets", "snapshot", "timestamp"]);
    client.refresh(&repository).expect_err("without new keys it is a rollback");

    repository.rotate("snapshot", &[7], 1, &[7]);
    repository.rotate("timestamp", &[8], 1, &[8]);
    repository.publish(&["root", "snapshot", "timestamp"]);
    client.refresh(&repository).expect("it is accepted");
    assert_eq!(client.versions(), "root 2, timestamp 3, snapshot 3, targets 2");
}

#[test]
fn retired_keys_lead_back_even_if_the_client_died_before_it_forgot() {
    let mut repository = Repository::new();
    repository.timestamp.version = version(99_999);
    repository.sign_timestamp();
    let mut client = Client::of(&repository);
    client.refresh(&repository).expect("it is accepted");
    repository.rotate("timestamp", &[8], 1, &[8]);
    repository.timestamp.version = version(1);
    repository.publish(&["root", "timestamp"]);
    client.kept.insert(role("root"), repository.files["2.root.json"].clone());
    client.refresh(&repository).expect("it is accepted");
    assert_eq!(client.versions(), "root 2, timestamp 2, snapshot 1, targets 1");
}

#[test]
fn a_key_that_is_added_does_not_open_the_way_back() {
    let mut repository = Repository::new();
    repository.publish(&["timestamp", "timestamp"]);
    let mut client = Client::of(&repository);
    client.refresh(&repository).expect("it is accepted");
    repository.rotate("timestamp", &[2, 8], 1, &[2]);
    repository.timestamp.version = version(1);
    repository.publish(&["root", "timestamp"]);
    let error = client.refresh(&repository).expect_err("it is refused");
    assert!(matches!(error.rule, Rule::Behind { .. }), "{error:?}");
}

#[test]
fn an_older_timestamp_is_behind_or_a_rollback_and_never_believed() {
    let in_date = |repository: &mut Repository| repository.timestamp.expires = time(NOW + DAY);
    let ended = |repository: &mut Repository| repository.timestamp.expires = time(NOW);
    // What names a newer snapshot than a newer timestamp is not of its past.
    let of_no_past = |repository: &mut Repository| repository.timestamp.meta.snapshot.version = version(9);
    let older = |change: &dyn Fn(&mut Repository)| {
        let mut repository = Repository::new();
        repository.publish(&["timestamp", "timestamp"]);
        let mut client = Client::of(&repository);
        client.refresh(&repository).expect("it is accepted");
        let kept = client.kept.clone();
        repository.timestamp.version = version(2);
        change(&mut repository);
        repository.sign_timestamp();
        let error = client.refresh(&repository).expect_err("it is refused");
        assert_eq!(client.kept, kept);
        (error.code(), error.exit())
    };
    assert_eq!(older(&in_date), ("metadata_behind", Exit::TryAgain));
    assert_eq!(older(&ended), ("metadata_rollback", Exit::Trust));
    assert_eq!(older(&of_no_past), ("metadata_rollback", Exit::Trust));
}

#[test]
fn a_signature_is_added_without_touching_what_is_signed() {
    let repository = Repository::new();
    let bytes = repository.files["1.snapshot.json"].clone();
    let mut document = copkg_spec::tuf::Document::<Snapshot>::parse(bytes).expect("it is metadata");
    let before = document.payload().to_vec();
    document.co_sign(&key(9)).expect("it is signed");
    document.co_sign(&key(9)).expect("it is signed");
    assert_eq!(document.signatures().len(), 2);
    let again =
        copkg_spec::tuf::Document::<Snapshot>::parse(document.bytes().to_vec()).expect("it is metadata");
    assert_eq!(again.payload(), before);
    again.verify(repository.root.snapshot_authority()).expect("it is still signed");
}
