//! Coordinates and versions: what parses prints as it was, what is refused says why, and the order is an order.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::cmp::Ordering;

use copkg_spec::coordinate::{Group, Label, PackageCoordinate, ServiceCoordinate, Version};
use copkg_spec::index::EntryPath;
use copkg_spec::keys::PublicKey;
use copkg_spec::platform::Platform;
use copkg_spec::trust::GroupPattern;
use proptest::prelude::*;

const LABEL: &str = "[a-z0-9][a-z0-9_-]{0,62}";
const VERSION: &str = "[0-9A-Za-z][0-9A-Za-z.+_~-]{0,63}";

/// Versions as people write them, which share numbers and words and so come close to one another.
fn realistic_version() -> impl Strategy<Value = String> {
    let number = prop_oneof![Just("0"), Just("1"), Just("01"), Just("2"), Just("10"), Just("20240101")];
    let word = prop_oneof![
        Just("rc1"),
        Just("rc"),
        Just("alpha"),
        Just("beta2"),
        Just("a"),
        Just("deb12u1"),
        Just("r3"),
        Just("X")
    ];
    let part = prop_oneof![3 => number.prop_map(str::to_owned), 1 => word.prop_map(str::to_owned)];
    let glue = prop_oneof![4 => Just("."), 1 => Just("-"), 1 => Just("+"), 1 => Just("~"), 1 => Just("_")];
    (part.clone(), proptest::collection::vec((glue, part), 0..5))
        .prop_map(|(first, rest)| rest.into_iter().fold(first, |text, (glue, part)| text + glue + &part))
}

fn any_version() -> impl Strategy<Value = Version> {
    prop_oneof![3 => realistic_version(), 1 => VERSION.prop_map(String::from)]
        .prop_map(|text| text.parse().expect("the strategy makes versions"))
}

proptest! {
    #[test]
    fn a_package_coordinate_prints_as_it_was_parsed(
        group in proptest::collection::vec(LABEL, 1..3), id in LABEL, version in VERSION,
    ) {
        let group = group.join(".");
        prop_assume!(group.len() <= 127);
        let text = format!("{group}:{id}:{version}");
        let coordinate: PackageCoordinate = text.parse().unwrap();
        prop_assert_eq!(coordinate.to_string(), &text[..]);
        let json = serde_json::to_string(&coordinate).unwrap();
        prop_assert_eq!(serde_json::from_str::<PackageCoordinate>(&json).unwrap(), coordinate);
    }

    #[test]
    fn a_service_coordinate_prints_as_it_was_parsed(
        instance: u32, names in proptest::collection::vec("[a-z][a-z0-9_-]{0,62}", 3),
    ) {
        let text = format!("{instance}.{}", names.join("."));
        prop_assert_eq!(text.parse::<ServiceCoordinate>().unwrap().to_string(), text);
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>()) {
        let _ = text.parse::<PackageCoordinate>();
        let _ = text.parse::<ServiceCoordinate>();
        let _ = text.parse::<Version>();
        let _ = text.parse::<Platform>();
        let _ = text.parse::<EntryPath>();
        let _ = text.parse::<GroupPattern>();
        let _ = text.parse::<PublicKey>();
    }

    #[test]
    fn what_parses_prints_as_it_was(text in "[a-zA-Z0-9.:_~+-]{0,20}") {
        if let Ok(coordinate) = text.parse::<PackageCoordinate>() {
            prop_assert_eq!(coordinate.to_string(), &text[..]);
        }
        if let Ok(coordinate) = text.parse::<ServiceCoordinate>() {
            prop_assert_eq!(coordinate.to_string(), &text[..]);
        }
    }

    #[test]
    fn the_order_of_versions_is_total(a in any_version(), b in any_version(), c in any_version()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
        let mut all = [&a, &b, &c];
        all.sort();
        prop_assert!(all[0] <= all[2], "{} {} {}", all[0], all[1], all[2]);
        if a < b && b < c {
            prop_assert!(a < c, "{a} < {b} < {c}");
        }
    }

    #[test]
    fn a_path_stays_inside(text in any::<String>()) {
        if let Ok(path) = text.parse::<EntryPath>() {
            let inside = std::path::Path::new("/root").join(path.as_str());
            prop_assert!(inside.starts_with("/root"));
            prop_assert!(inside.components().all(|c| c != std::path::Component::ParentDir));
        }
    }
}

#[test]
fn versions_are_ordered_as_their_authors_meant() {
    let order = [
        "0.9",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.0+build",
        "1.0.1",
        "1.2",
        "1.10",
        "2.1.1",
        "10.0",
        "2024.11.2",
    ];
    let versions: Vec<Version> = order.iter().map(|text| text.parse().unwrap()).collect();
    for pair in versions.windows(2) {
        assert!(pair[0] < pair[1], "{} < {}", pair[0], pair[1]);
    }
}

#[test]
fn a_coordinate_leads_to_one_path_on_a_host_and_one_in_a_repository() {
    let coordinate: PackageCoordinate = "com.comoyo:id-cassandra:2.1.1".parse().unwrap();
    assert_eq!(coordinate.install_path(), "com/comoyo/id-cassandra/2.1.1");
    let platform = "x86_64-linux".parse().unwrap();
    assert_eq!(
        coordinate.target_path(&platform),
        "62/com.comoyo/id-cassandra/2.1.1/id-cassandra-2.1.1-x86_64-linux.copkg"
    );
}

#[test]
fn coordinates_that_nest_are_refused_with_both_names() {
    let coordinate = |text: &str| text.parse::<PackageCoordinate>().unwrap();
    let error = coordinate("a:b:c").check_beside(&coordinate("a.b:c:1")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a:b:c and a.b:c:1 cannot be installed side by side: one path lies inside the other"
    );
    assert!(coordinate("a.b:c:1").check_beside(&coordinate("a:b:c")).is_err());
    assert!(coordinate("a:b:c").check_beside(&coordinate("a:b:cc")).is_ok());
    assert!(coordinate("a:b:c").check_beside(&coordinate("a:b:c")).is_ok());
}

#[test]
fn what_is_refused_says_why() {
    let error = |text: &str| text.parse::<PackageCoordinate>().unwrap_err().to_string();
    let service = |text: &str| text.parse::<ServiceCoordinate>().unwrap_err().to_string();
    let long = format!("a:{}:1", "b".repeat(64));
    let all = [
        error(""),
        error("a:b"),
        error("a:b:c:d"),
        error("a..b:c:1"),
        error("A:b:1"),
        error("a:B:1"),
        error("a:b:"),
        error("a:b:.."),
        error("a:b:1/2"),
        error(&long),
        error("-a:b:1"),
        service("1.idee.prod"),
        service("01.idee.prod.trd"),
        service("x.idee.prod.trd"),
        service("1.2dee.prod.trd"),
        service("4294967296.idee.prod.trd"),
        service("-1.idee.prod.trd"),
        service("1.Idee.prod.trd"),
        "sparc-linux".parse::<Platform>().unwrap_err().to_string(),
        "..".parse::<Group>().unwrap_err().to_string(),
        "a b".parse::<Label>().unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(all.join("\n"));
}
