//! The order of versions: tables from the notations that people use, and from what real projects have released.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cmp::Ordering;

use copkg_spec::coordinate::Version;
use debversion::Version as DebianVersion;
use proptest::prelude::*;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// Every version of a list comes before all that follow it.
fn assert_ascending(notation: &str, list: &[&str]) -> usize {
    let mut pairs = 0;
    let mut wrong = Vec::new();
    for (at, low) in list.iter().enumerate() {
        for high in &list[at + 1..] {
            let found = (version(low).cmp(&version(high)), version(high).cmp(&version(low)));
            if found != (Ordering::Less, Ordering::Greater) {
                wrong.push(format!("{low} < {high}"));
            }
            pairs += 1;
        }
    }
    assert!(wrong.is_empty(), "{notation}: {wrong:?}");
    pairs
}

/// What each notation says of itself, from its own specification, where versions may have its characters here.
const NOTATIONS: &[(&str, &[&str])] = &[
    // https://peps.python.org/pep-0440/#summary-of-permitted-suffixes-and-relative-ordering
    (
        "PEP 440",
        &[
            "1.0.dev1",
            "1.0.dev2",
            "1.0a1.dev1",
            "1.0a1",
            "1.0a2",
            "1.0b1",
            "1.0rc1.dev3",
            "1.0rc1",
            "1.0rc2",
            "1.0",
            "1.0+abc.5",
            "1.0+abc.7",
            "1.0.post1.dev2",
            "1.0.post1",
            "1.0.1",
            "1.1.dev1",
            "1.1",
        ],
    ),
    ("PEP 440, spelled otherwise", &["1.0.alpha-1", "1.0_beta2", "1.0-c1", "1.0", "1.0-1"]),
    // https://semver.org/#spec-item-11
    (
        "SemVer",
        &[
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.0+20130313144700",
            "2.0.0",
            "2.1.0",
            "2.1.1",
        ],
    ),
    ("SemVer, words of one's own", &["1.0.0-canary.2", "1.0.0-canary.10", "1.0.0-rc.1", "1.0.0"]),
    // https://www.debian.org/doc/debian-policy/ch-controlfields.html#version
    (
        "Debian",
        &[
            "1.0~beta1",
            "1.0~rc1-1",
            "1.0-1~bpo12+1",
            "1.0-1~deb12u1",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1+deb12u1",
            "1.0-1ubuntu1",
            "1.0-1.1",
            "1.0-2",
            "1.0+dfsg-1",
            "1.0a-1",
            "1.0.1-1",
            "1.10-1",
        ],
    ),
    ("Debian's tildes", &["1.0~~", "1.0~~a", "1.0~", "1.0", "1.0a"]),
    // rpmvercmp of rpm, with %{version}-%{release} as one
    (
        "RPM",
        &[
            "1.0~rc1-1.el9",
            "1.0-0.1.rc1.fc40",
            "1.0-1.el9",
            "1.0-1.el9.1",
            "1.0-14.el9",
            "1.0a-1",
            "1.0.1-1",
            "1.5-1",
            "1.05.1-1",
        ],
    ),
    // https://maven.apache.org/pom.html#version-order-specification
    (
        "Maven",
        &[
            "1-alpha-1",
            "1-alpha-2",
            "1-beta-1",
            "1-milestone-1",
            "1-m2",
            "1-rc-1",
            "1-cr2",
            "1-SNAPSHOT",
            "1-sp",
            "1-jre",
            "1.0.1",
            "1.1-SNAPSHOT",
            "1.1",
        ],
    ),
    // https://docs.ruby-lang.org/en/master/Gem/Version.html
    (
        "gems",
        &[
            "1.0.0.alpha",
            "1.0.0.beta.1",
            "1.0.0.pre1",
            "1.0.0.pre2",
            "1.0.0.rc1",
            "1.0.0",
            "1.0.1.pre",
            "1.0.1",
        ],
    ),
    ("git describe", &["1.2.2", "1.2.3", "1.2.3-1-g1d2c3b4", "1.2.3-14-gabcdef1", "1.2.4"]),
];

/// What projects have released, in the order in which they did.
const PROJECTS: &[(&str, &[&str])] = &[
    ("CPython", &["3.12.0a7", "3.12.0b4", "3.12.0rc1", "3.12.0rc3", "3.12.0", "3.12.1", "3.13.0a1"]),
    ("Django", &["4.2.8", "4.2.9", "5.0a1", "5.0b1", "5.0rc1", "5.0", "5.0.1"]),
    ("MariaDB of Percona", &["10.6.17-13", "10.6.18", "10.6.18-14", "10.6.19-15"]),
    ("PostgreSQL", &["16.4", "17beta1", "17beta3", "17rc1", "17.0", "17.1"]),
    (
        "OpenSSL",
        &[
            "0.9.8",
            "0.9.8a",
            "1.0.2z",
            "1.0.2za",
            "1.0.2zh",
            "1.1.1-pre9",
            "1.1.1",
            "1.1.1a",
            "1.1.1w",
            "3.0.0-alpha17",
            "3.0.0-beta2",
            "3.0.0",
        ],
    ),
    ("OpenSSH", &["9.6p1", "9.7p1", "9.9p1", "9.9p2", "10.0p1"]),
    ("tzdata", &["2023c", "2023d", "2024a", "2024b", "2025a"]),
    ("sudo", &["1.9.15", "1.9.15p1", "1.9.15p5", "1.9.16b1", "1.9.16rc1", "1.9.16", "1.9.16p1"]),
    ("tmux", &["3.3-rc", "3.3", "3.3a", "3.4"]),
    ("Linux", &["6.9.12", "6.10-rc1", "6.10-rc7", "6.10", "6.10.1"]),
    ("Debian's Linux", &["6.1.0-9-amd64", "6.1.0-28-amd64", "6.12.0-1-amd64"]),
    ("git", &["2.44.0", "2.45.0-rc0", "2.45.0-rc1", "2.45.0", "2.45.1"]),
    ("PHP", &["8.3.0alpha1", "8.3.0beta3", "8.3.0RC6", "8.3.0", "8.3.1RC1", "8.3.1"]),
    (
        "Ruby",
        &[
            "1.9.3-p0",
            "1.9.3-p551",
            "2.7.0.preview1",
            "2.7.0.rc1",
            "2.7.0",
            "3.3.0-preview1",
            "3.3.0-rc1",
            "3.3.0",
        ],
    ),
    ("Go", &["1.21.6", "1.22beta1", "1.22rc1", "1.22rc2", "1.22.0"]),
    ("Node.js", &["v21.7.0", "v22.0.0-nightly20240401", "v22.0.0-rc.1", "v22.0.0", "22.1.0"]),
    ("OpenJDK 8", &["8u45-b13", "8u202-b08", "8u392-b08", "8u402-b06"]),
    ("OpenJDK", &["17.0.9+8", "17.0.9+9", "17.0.9+9.1", "17.0.10+7", "21-ea+35", "21+35", "21.0.1+12"]),
    ("Erlang", &["26.2.5", "27.0-rc1", "27.0-rc3", "27.0", "27.0.1"]),
    ("Spring", &["5.3.31", "6.0.0-M6", "6.0.0-RC4", "6.0.0", "6.0.1"]),
    ("Spring, before", &["5.0.0.M1", "5.0.0.M5", "5.0.0.RC4", "5.0.0.RELEASE", "5.0.1.RELEASE"]),
    ("Hibernate", &["6.0.0.Alpha9", "6.0.0.Beta3", "6.0.0.CR2", "6.0.0.Final", "6.0.1.Final"]),
    ("Guava", &["30.1-jre", "30.1.1-jre", "31.0-jre", "31.1-android", "31.1-jre"]),
    ("PostgreSQL's JDBC driver", &["42.2.5", "42.2.5.jre7", "42.2.6"]),
    ("Kafka", &["3.6.2", "3.7.0-rc0", "3.7.0-rc4", "3.7.0"]),
    ("Elasticsearch", &["7.17.9", "8.0.0-alpha1", "8.0.0-beta1", "8.0.0-rc2", "8.0.0"]),
    ("ImageMagick", &["7.1.1-9", "7.1.1-29", "7.1.2-0"]),
    ("Boost", &["1_83_0", "1_84_0", "1_84_1"]),
    ("vim", &["9.0.2190", "9.1.0016", "9.1.0412"]),
    ("TypeScript", &["5.4.5", "5.5.0-beta", "5.5.1-rc", "5.5.2", "5.6.0-dev.20240701", "5.6.2"]),
    ("dates", &["20231231", "20240101.1", "20240101.2", "20240102"]),
];

#[test]
fn each_notation_is_ordered_as_its_specification_says() {
    let pairs: usize = NOTATIONS.iter().map(|(notation, list)| assert_ascending(notation, list)).sum();
    assert!(pairs >= 60, "{pairs} pairs");
}

#[test]
fn what_projects_released_is_in_the_order_in_which_they_did() {
    let pairs: usize = PROJECTS.iter().map(|(project, list)| assert_ascending(project, list)).sum();
    assert!(pairs >= 60, "{pairs} pairs");
}

#[test]
fn pre_releases_are_told_from_releases_in_every_notation() {
    let before = [
        "3.12.0rc1",
        "5.0a1",
        "5.0b2",
        "1.0c1",
        "1.0.dev3",
        "1.0a1.dev1",
        "1.0.post1.dev2",
        "1.0.0-alpha",
        "1.0.0-rc.1",
        "1.0.0-rc.1+build.5",
        "1.0.0-foo",
        "1.0.0-canary.12",
        "v22.0.0-nightly20240401",
        "1.0-SNAPSHOT",
        "5.0.0.M1",
        "6.0.0-M6",
        "5.0.0.RC4",
        "6.0.0.CR2",
        "6.0.0.Alpha9",
        "1.0-milestone-1",
        "2.7.0.preview1",
        "1.0.0.pre",
        "21-ea+35",
        "1.0~rc1",
        "1.0~git20240101",
        "1.0~rc1-1",
        "6.10-rc7",
        "17beta1",
        "1.22rc1",
        "8.3.0RC6",
        "1.0-0.1.rc1.fc40",
        "1.0-2-SNAPSHOT",
        "1.0_rc1",
        "1.0alpha",
        "3.3-rc",
    ];
    for text in before {
        assert!(version(text).is_prerelease(), "{text} is a pre-release");
    }
    let releases = [
        "1.0.0",
        "1.0.0+build",
        "1.0+rc1",
        "1.0-1",
        "10.6.18-14",
        "1.0-1~bpo12+1",
        "1.0-1~deb12u1",
        "1.0-1+b1",
        "1.0-1ubuntu1",
        "1.0+dfsg-1",
        "1.1.1w",
        "1.0.2zh",
        "2024a",
        "9.9p1",
        "1.9.3-p551",
        "8u202-b08",
        "3.3a",
        "1.0.post1",
        "5.0.0.RELEASE",
        "6.0.0.Final",
        "31.1-jre",
        "31.1-android",
        "1-sp",
        "1_84_0",
        "6.1.0-28-amd64",
        "1.2.3-14-gabcdef1",
        "1.0-1.el9",
        "1.0m",
        "0",
        "20240101",
        "r42",
        "jammy",
    ];
    for text in releases {
        assert!(!version(text).is_prerelease(), "{text} is a release");
    }
}

#[test]
fn zeros_at_the_end_of_the_numbers_count_for_nothing_but_never_make_two_versions_one() {
    assert_ascending("zeros", &["1.0rc1", "1.0.0rc2", "1", "1.0", "1.0.0", "1.0.0-1", "1.0.0.1"]);
    assert_ascending("zeros in front", &["1.2", "1.03", "1.3", "1.04"]);
    assert_ascending("nothing but zeros", &["0-rc", "0", "0.0", "0.0.1"]);
    assert_ne!(version("1.0"), version("1.00"));
}

#[test]
fn a_word_that_no_notation_knows_is_named() {
    assert_eq!(version("1.0.0-foo.1").unknown_word(), Some("foo"));
    for text in ["1.0.0-rc.1", "1.0.0-1", "1.0-1-foo", "1.0foo", "1.0+foo", "31.1-jre"] {
        assert_eq!(version(text).unknown_word(), None, "{text}");
    }
}

proptest! {
    /// Where no word has a meaning and no zero ends the numbers, the order is Debian's.
    #[test]
    fn numbers_tildes_and_revisions_are_ordered_as_debian_orders_them(
        a in "[1-9][0-9]?(\\.[1-9][0-9]?){0,3}(~[1-9])?(\\+[1-9])?(-[1-9][0-9]?(\\.[1-9])?)?",
        b in "[1-9][0-9]?(\\.[1-9][0-9]?){0,3}(~[1-9])?(\\+[1-9])?(-[1-9][0-9]?(\\.[1-9])?)?",
    ) {
        let debian = |text: &str| text.parse::<DebianVersion>().unwrap();
        prop_assert_eq!(version(&a).cmp(&version(&b)), debian(&a).cmp(&debian(&b)), "{} {}", a, b);
    }
}
