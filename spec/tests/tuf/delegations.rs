//! The search: which roles are asked for a target, in which order, and which is believed.

use crate::scene::*;
use copkg_spec::tuf::{
    DelegatedPaths, DelegatedRole, Delegations, HashBins, Role, RoleIs, Rule, Targets, Terminating,
};

/// A delegation: from, to, patterns, whether it is terminating.
type Edge = (&'static str, &'static str, &'static [&'static str], bool);

const ANY: &[&str] = &["*"];
const PY: &[&str] = &["*.py"];

fn graph(edges: &[Edge]) -> Repository {
    let mut repository = Repository::new();
    for (number, (from, to, patterns, terminating)) in (20..).zip(edges) {
        let seed = repository.signers.get(&role(to)).map_or(number, |seeds| seeds[0]);
        repository.delegate(from, to, patterns, *terminating, seed);
    }
    repository.publish_all();
    repository
}

#[test]
fn roles_are_visited_depth_first_in_the_order_of_trust() {
    let cases: &[(&[Edge], &str)] = &[
        (&[("targets", "A", ANY, false)], "A"),
        (&[("targets", "A", ANY, false), ("targets", "B", ANY, false)], "A B"),
        (&[("targets", "A", ANY, false), ("targets", "B", ANY, false), ("B", "C", ANY, false)], "A B C"),
        (
            &[
                ("targets", "A", ANY, false),
                ("targets", "B", ANY, false),
                ("A", "C", ANY, false),
                ("A", "D", ANY, false),
            ],
            "A C D B",
        ),
        (
            &[
                ("targets", "A", ANY, false),
                ("targets", "B", ANY, false),
                ("A", "C", ANY, false),
                ("C", "D", ANY, false),
            ],
            "A C D B",
        ),
        (
            &[
                ("targets", "A", ANY, false),
                ("targets", "B", ANY, false),
                ("A", "C", ANY, true),
                ("A", "D", ANY, false),
            ],
            "A C",
        ),
        (
            &[
                ("targets", "A", ANY, false),
                ("targets", "B", ANY, false),
                ("A", "C", ANY, true),
                ("C", "D", ANY, false),
            ],
            "A C D",
        ),
        (&[("targets", "A", PY, false), ("targets", "B", ANY, false), ("A", "C", ANY, false)], "B"),
        (
            &[
                ("targets", "A", ANY, false),
                ("targets", "B", ANY, false),
                ("A", "C", PY, false),
                ("C", "D", ANY, false),
            ],
            "A B",
        ),
        (
            &[
                ("targets", "A", ANY, false),
                ("targets", "B", ANY, false),
                ("B", "C", ANY, false),
                ("C", "D", ANY, false),
                ("D", "B", ANY, false),
            ],
            "A B C D",
        ),
        (
            &[
                ("targets", "A", ANY, false),
                ("targets", "B", ANY, false),
                ("B", "C", ANY, false),
                ("A", "C", ANY, false),
            ],
            "A C B",
        ),
        (
            &[
                ("targets", "A", ANY, false),
                ("targets", "B", ANY, false),
                ("B", "C", ANY, false),
                ("A", "C", PY, false),
            ],
            "A B C",
        ),
    ];
    for (number, (edges, visited)) in cases.iter().enumerate() {
        let repository = graph(edges);
        let mut client = Client::of(&repository);
        assert_eq!(client.find(&repository, "missingpath").expect("it is accepted"), None);
        let expected: Vec<String> = visited.split(' ').map(|name| format!("1.{name}.json")).collect();
        assert_eq!(client.requests, expected, "case {number}");
    }
}

#[test]
fn a_target_is_believed_when_every_role_of_the_chain_may_speak_for_it() {
    let mut repository = graph(&[
        ("targets", "A", &["*.doc", "*.md"], false),
        ("targets", "B", &["releases/*/*"], false),
        ("B", "C", &["releases/x/*"], false),
        ("B", "D", &["releases/y/*.zip"], false),
    ]);
    for (role, target) in [
        ("targets", "targetfile"),
        ("A", "README.md"),
        ("C", "releases/x/x_v1"),
        ("D", "releases/y/y_v1.zip"),
        ("D", "releases/z/z_v1.zip"),
    ] {
        repository.add_target(role, target, target.as_bytes());
    }
    repository.publish_all();
    for (target, believed, visited) in [
        ("targetfile", Some("targets"), ""),
        ("README.md", Some("A"), "1.A.json"),
        ("releases/x/x_v1", Some("C"), "1.B.json 1.C.json"),
        ("releases/y/y_v1.zip", Some("D"), "1.B.json 1.D.json"),
        ("releases/z/z_v1.zip", None, "1.B.json"),
    ] {
        let mut client = Client::of(&repository);
        let found = client.find(&repository, target).expect("it is accepted");
        assert_eq!(found.map(|found| found.role().to_string()).as_deref(), believed, "{target}");
        assert_eq!(client.requests.join(" "), visited, "{target}");
    }
}

#[test]
fn a_role_that_was_read_is_not_read_again() {
    let repository = graph(&[("targets", "A", ANY, false)]);
    let mut client = Client::of(&repository);
    let mut trusted = client.refresh(&repository).expect("it is accepted");
    client.search(&repository, &mut trusted, "one").expect("it is accepted");
    client.requests.clear();
    client.search(&repository, &mut trusted, "two").expect("it is accepted");
    assert_eq!(client.find(&repository, "three").expect("it is accepted"), None);
    assert_eq!(client.requests, [""; 0]);
}

#[test]
fn a_role_that_was_read_for_one_delegator_is_verified_again_for_another() {
    let mut repository = graph(&[
        ("targets", "A", &["a/*"], false),
        ("targets", "B", &["b/*"], false),
        ("A", "C", &["*/*"], false),
    ]);
    // B delegates to the same role under a key that never signed it.
    repository.delegate("B", "C", &["*/*"], false, 77);
    repository.add_target("C", "b/target", b"");
    repository.publish_all();
    let mut client = Client::of(&repository);
    let mut trusted = client.refresh(&repository).expect("it is accepted");
    assert_eq!(client.search(&repository, &mut trusted, "a/missing").expect("it is accepted"), None);
    let error = client.search(&repository, &mut trusted, "b/target").expect_err("it is refused");
    assert!(matches!(error.rule, Rule::Threshold { .. }), "{error:?}");
    assert_eq!(error.role, role("C"));
}

#[test]
fn strange_role_names_are_asked_for_by_encoded_names() {
    for (name, file) in [
        ("?", "1.%3F.json"),
        ("#", "1.%23.json"),
        ("/delegatedrole", "1.%2Fdelegatedrole.json"),
        ("../delegatedrole", "1...%2Fdelegatedrole.json"),
        ("..", "1....json"),
        ("a b", "1.a%20b.json"),
        ("ä", "1.%C3%A4.json"),
    ] {
        let mut repository = Repository::new();
        repository.delegate("targets", name, ANY, false, 20);
        repository.publish_all();
        let mut client = Client::of(&repository);
        client.find(&repository, "missing").expect("it is accepted");
        assert_eq!(client.requests, [file]);
        assert_eq!(client.kept.len(), 5);
    }
}

#[test]
fn a_search_ends_at_its_limit_of_roles() {
    let edges: Vec<Edge> = vec![("targets", "A", ANY, false), ("A", "B", ANY, false), ("B", "C", ANY, false)];
    let repository = graph(&edges);
    let mut client = Client::of(&repository);
    client.limits.delegations = 3;
    client.find(&repository, "missing").expect("it is accepted");
    client.limits.delegations = 2;
    let error = client.find(&repository, "missing").expect_err("it is refused");
    assert!(matches!(error.rule, Rule::TooManyRoles { limit: 2 }), "{error:?}");
    assert_eq!(client.requests, [""; 0], "all of them were kept by the first search");
}

#[test]
fn a_role_that_the_snapshot_does_not_name_ends_the_search() {
    let mut repository = graph(&[("targets", "A", ANY, false)]);
    repository.snapshot.meta.remove("A.json");
    repository.publish(&["snapshot", "timestamp"]);
    let error = Client::of(&repository).find(&repository, "missing").expect_err("it is refused");
    assert!(matches!(error.rule, Rule::NotInSnapshot), "{error:?}");
}

#[test]
fn only_roles_on_the_way_are_read_so_that_one_bad_publisher_stops_nobody_else() {
    let mut repository = graph(&[("targets", "A", &["a/*"], false), ("targets", "B", &["b/*"], false)]);
    repository.add_target("B", "b/target", b"");
    repository.publish_all();
    repository.files.insert("1.A.json".to_owned(), b"garbage".to_vec());
    let found = Client::of(&repository).find(&repository, "b/target").expect("it is accepted");
    assert!(found.is_some());
    Client::of(&repository).find(&repository, "a/target").expect_err("its own users are stopped");
}

#[test]
fn paths_are_divided_by_prefixes_of_their_hash() {
    let mut repository = Repository::new();
    for (seed, (name, prefixes)) in (20..).zip([("low", "01234567"), ("high", "89abcdef")]) {
        let paths = DelegatedPaths::HashPrefixes(prefixes.chars().map(String::from).collect());
        let name = name.parse().expect("it is a name");
        let delegated =
            DelegatedRole { name, terminating: Terminating(false), paths, role: role_keys(&[seed], 1) };
        repository.delegate_role("targets", delegated, seed);
    }
    repository.publish_all();
    // sha256("a") begins with ca, sha256("b") with 3e.
    for (target, file) in [("a", "1.high.json"), ("b", "1.low.json")] {
        let mut client = Client::of(&repository);
        client.find(&repository, target).expect("it is accepted");
        assert_eq!(client.requests, [file]);
    }
}

#[test]
fn a_name_beyond_the_last_hash_bin_is_none() {
    for bits in [1, 3, 4, 5, 8] {
        let bins = HashBins::new(bits, "bin".to_owned(), role_keys(&[20], 1)).expect("they are bins");
        let keys = copkg_spec::tuf::list_keys(&[key(20).public()]);
        let delegations = Delegations::to_bins(keys, bins);
        let width = bits.div_ceil(4) as usize;
        let name = |number: u32| format!("bin-{number:0width$x}").parse().expect("it is a name");
        assert!(delegations.authority(&name(0)).is_some());
        assert!(delegations.authority(&name((1 << bits) - 1)).is_some());
        assert!(delegations.authority(&name(1 << bits)).is_none(), "{bits} bits");
        for other in ["bin-00000", "bin-", "bin", "bin-x", "bin-+1", "bins-0", "bin-F"] {
            assert!(delegations.authority(&other.parse().expect("it is a name")).is_none(), "{other}");
        }
    }
    for bits in [0, 33] {
        assert!(HashBins::new(bits, "bin".to_owned(), role_keys(&[20], 1)).is_err(), "{bits} bits");
    }
    assert!(HashBins::new(32, "bin".to_owned(), role_keys(&[20], 1)).is_ok());
}

#[test]
fn paths_are_divided_into_succinct_hash_bins() {
    for (bits, last, bin_of_a) in
        [(1, "bin-1", "bin-1"), (4, "bin-f", "bin-c"), (5, "bin-1f", "bin-19"), (8, "bin-ff", "bin-ca")]
    {
        let bins = HashBins::new(bits, "bin".to_owned(), role_keys(&[20], 1)).expect("they are bins");
        assert_eq!(bins.names().count(), 1 << bits);
        assert_eq!(bins.names().last().expect("there is one").as_str(), last);
        let mut repository = Repository::new();
        let keys = copkg_spec::tuf::list_keys(&[key(20).public()]);
        let targets = repository.targets.get_mut(&role("targets")).expect("it is there");
        targets.delegations = Some(Delegations::to_bins(keys, bins.clone()));
        for name in bins.names() {
            repository
                .targets
                .insert(Role::Delegated(name.clone()), Targets::new(version(1), time(NOW + DAY)));
            repository.signers.insert(Role::Delegated(name), vec![20]);
        }
        repository.add_target(bin_of_a, "a", b"");
        repository.publish_all();
        let mut client = Client::of(&repository);
        let found = client.find(&repository, "a").expect("it is accepted").expect("it is found");
        assert_eq!(found.role().as_str(), bin_of_a);
        assert_eq!(client.requests, [format!("1.{bin_of_a}.json")]);
    }
}

#[test]
fn delegations_of_two_kinds_or_to_one_role_twice_are_refused() {
    let key = serde_json::json!({ "keyids": [], "threshold": 1 });
    let role = |extra: serde_json::Value| {
        let mut role = serde_json::json!({ "name": "A", "keyids": [], "threshold": 1, "terminating": false });
        role.as_object_mut()
            .expect("it is an object")
            .extend(extra.as_object().expect("it is an object").clone());
        role
    };
    let plain = role(serde_json::json!({ "paths": ["*"] }));
    let accepted = serde_json::json!({ "keys": {}, "roles": [plain], "extra": 1 });
    let delegations: Delegations = serde_json::from_value(accepted.clone()).expect("it is accepted");
    assert_eq!(serde_json::to_value(&delegations).expect("it is JSON"), accepted);
    let mut bins = key.clone();
    bins["bit_length"] = 3.into();
    bins["name_prefix"] = "bin".into();
    for refused in [
        serde_json::json!({ "keys": {}, "roles": [plain, plain] }),
        serde_json::json!({ "keys": {}, "roles": [], "succinct_roles": bins }),
        serde_json::json!({ "keys": {} }),
        serde_json::json!({ "keys": {}, "roles": [role(serde_json::json!({}))] }),
        serde_json::json!({ "keys": {}, "roles": [role(serde_json::json!({ "paths": [], "path_hash_prefixes": [] }))] }),
        serde_json::json!({ "keys": {}, "roles": [role(serde_json::json!({ "paths": [], "threshold": 0 }))] }),
        serde_json::json!({ "keys": {}, "roles": [role(serde_json::json!({ "paths": [], "keyids": ["a", "a"] }))] }),
        serde_json::json!({ "keys": {}, "roles": [role(serde_json::json!({ "paths": [], "name": "root" }))] }),
    ] {
        assert!(serde_json::from_value::<Delegations>(refused.clone()).is_err(), "{refused}");
    }
}

#[test]
fn a_role_is_read_by_its_name_through_the_role_that_delegates_to_it() {
    let repository = graph(&[("targets", "A", ANY, false), ("A", "B", ANY, false)]);
    let mut client = Client::of(&repository);
    let mut trusted = client.refresh(&repository).expect("it is accepted");
    let mut read =
        |delegator: &str, name: &str| client.read(&repository, &mut trusted, &role(delegator), name);
    assert_eq!(read("A", "B").expect("it is accepted"), RoleIs::NotDelegated, "A was not read yet");
    assert_eq!(read("targets", "A").expect("it is accepted"), RoleIs::Read);
    assert_eq!(read("targets", "B").expect("it is accepted"), RoleIs::NotDelegated);
    assert_eq!(read("A", "B").expect("it is accepted"), RoleIs::Read);
    assert_eq!(trusted.role(&role("B")).map(|targets| targets.version), Some(version(1)));
}
