//! A model of a service's life: random sequences of what may happen to it, against the real program, with an oracle of its data.
//!
//! The data are numbered records whose values a migration multiplies, so that one that runs twice, or not at all, shows. Each start of
//! a version writes one, and so do clients. Whatever happens, every record that was acknowledged is in the data of the service or in
//! data that was set aside, with the value that the version which it is for reads.
//!
//! `COPKG_MODEL=10000` runs so many sequences, `COPKG_MODEL_SEED=17` the one with that seed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use camino::Utf8Path;
use copkg_spec::manifest::{Downgrade, Health};
use pkginstall::generation::Generations;
use pkginstall::upgrade::SetAside;

use super::scene::{Host, Package, Ran, SERVICE, ran};

/// How many sequences are run where nobody says otherwise.
const SEQUENCES: u64 = 500;

/// How many things happen in one.
const LENGTH: usize = 6;

/// Writes a record and acknowledges it, then runs, or does not.
const START: &str = "#!/bin/sh\nfor o; do case $o in --runtime-dir=*) cd \"${o#*=}\";; esac; done\n\
    n=0; while read -r last; do n=$last; done 2>/dev/null <log/acknowledged; n=$((n+1))\n\
    echo \"$n $((n*FACTOR))\" >>data/db && echo $n >>log/acknowledged\nEND\nsleep 600 &\necho $! >run/start.pid\n";

const STOP: &str = "#!/bin/sh\nexit 0\n";

/// Multiplies every value by what lies between the two versions; a second time it would do so again.
const MIGRATE: &str = "#!/bin/sh\nfor o; do case $o in --runtime-dir=*) cd \"${o#*=}\";; --from=*) from=${o#*=};; --to=*) to=${o#*=};; esac; done\n\
    f() { case $1 in 1.*) echo 1;; 2.0|5.0|6.0) echo 10;; *) echo 70;; esac; }\n\
    while read -r n v; do echo \"$n $((v*$(f $to)/$(f $from)))\"; BREAK; done <data/db >data/new\nmv data/new data/db\n";

/// The versions: what a record is multiplied by, and what they are like. The broken ones write and end; the migration of `HALF`
/// ends half-way. Below 2.0 nothing is migrated, and each reads what the others wrote.
const VERSIONS: [(&str, u64); 7] =
    [("1.0", 1), ("1.1", 1), ("1.2", 1), ("2.0", 10), ("3.0", 70), ("5.0", 10), ("6.0", 10)];
const BROKEN: [&str; 2] = ["1.2", "5.0"];
const HALF: &str = "6.0";

fn factor(package: &str) -> u64 {
    let version = package.rsplit(':').next().unwrap();
    VERSIONS.iter().find(|(known, _)| *known == version).unwrap().1
}

fn package(version: &str) -> Package {
    let end = if BROKEN.contains(&version) { "exit 3" } else { "" };
    let start = START.replace("FACTOR", &factor(version).to_string()).replace("END", end);
    let package = Package::serving("").with("script.d/start", &start).with("script.d/stop", STOP);
    let migrates = !version.starts_with("1.");
    let package = if migrates {
        let end = if version == HALF { "mv data/new data/db; exit 4" } else { ":" };
        package.with("script.d/migrate", &MIGRATE.replace("BREAK", end))
    } else {
        package
    };
    package.that(|service| {
        service.settle_milliseconds = 0;
        service.health = Some(Health { healthy_milliseconds: 0, ..Health::default() });
        service.migrate = migrates.then(|| "script.d/migrate".parse().unwrap());
        let mut upgrade = service.upgrade();
        upgrade.snapshot = true;
        if version == "3.0" {
            upgrade.downgrade = Downgrade::Hook;
        }
        service.upgrade = Some(upgrade);
    })
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    /// A client writes.
    Write,
    /// A command runs to its end, or until it is struck at that step of its journal.
    Command { arguments: Vec<String>, strike: Option<(&'static str, &'static str)> },
    /// What the oldest, or another, set of data that was set aside says of itself is done.
    BringBack(usize),
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn event(&mut self) -> Event {
        let strings = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let number = (1 + self.below(5)).to_string();
        let arguments = match self.below(20) {
            0..3 => return Event::Write,
            3 | 4 => return Event::BringBack(self.below(3)),
            5 => strings(&["stop", SERVICE]),
            6 => strings(&["start", SERVICE]),
            7 => strings(&["restart", SERVICE]),
            8..12 => {
                strings(&["upgrade", SERVICE, "--to", self.one(&["1.1", "1.2", "2.0", "3.0", "5.0", HALF])])
            }
            12 => strings(&["upgrade", SERVICE, "--to", "1.2", "--on-return", "keep"]),
            13 => strings(&["rollback", SERVICE]),
            14 | 15 => strings(&["rollback", SERVICE, "--restore-data"]),
            16 => strings(&["rollback", SERVICE, "--to", &number, "--restore-data"]),
            17 => strings(&["rollback", SERVICE, "--to", &number]),
            18 => strings(&["gc", "--keep", "1"]),
            _ => strings(&["recover"]),
        };
        let steps = ["stopping", "saving", "migrating", "switching", "starting", "trial", "good"];
        let strike =
            (self.below(4) == 0).then(|| (self.one(&["KILL", "KILL", "INT", "TERM"]), self.one(&steps)));
        Event::Command { arguments, strike }
    }
}

/// Records by their number.
type Records = BTreeMap<u64, u64>;

/// What is seen of the service.
struct Seen {
    package: String,
    records: Records,
    /// What is set aside: its package, its records, and the command that brings it back.
    aside: Vec<(String, Records, String)>,
    /// Numbers of all records that were acknowledged.
    acknowledged: BTreeSet<u64>,
}

fn records_at(path: &Utf8Path) -> Records {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = |line: &str| {
        let (number, value) = line.split_once(' ')?;
        Some((number.parse().ok()?, value.parse().ok()?))
    };
    let all: Vec<_> =
        text.lines().map(|text| line(text).unwrap_or_else(|| panic!("{path}: {text}"))).collect();
    let (lines, records) = (all.len(), all.into_iter().collect::<Records>());
    assert_eq!(lines, records.len(), "{path} has a record twice: {text}");
    records
}

struct Life {
    host: Host,
    told: Vec<String>,
}

impl Life {
    fn begin() -> Self {
        let host = Host::new();
        for (version, _) in VERSIONS {
            host.install(&format!("com.example:web:{version}"), &package(version));
        }
        host.run(&["start", "com.example:web:1.0", "--as", SERVICE]).ok();
        Self { host, told: Vec::new() }
    }

    fn look(&self) -> Seen {
        let (prefix, service) = (self.host.prefix(), SERVICE.parse().unwrap());
        let current = Generations::of(&prefix, &service).current().unwrap().unwrap();
        let aside = |one: SetAside| (one.package.to_string(), records_at(&one.path.join("db")), one.command);
        Seen {
            package: current.package.to_string(),
            records: records_at(&self.host.runtime().join("data/db")),
            aside: SetAside::list(&prefix, &service).unwrap().into_iter().map(aside).collect(),
            acknowledged: self.host.read("log/acknowledged").lines().map(|n| n.parse().unwrap()).collect(),
        }
    }

    fn check(&self, before: &Seen, after: &Seen, event: &Event) {
        let told = || format!("{:#?}\n{event:?}", self.told);
        let right = |package: &str, records: &Records| {
            let wrong: Vec<_> =
                records.iter().filter(|(number, value)| **value != **number * factor(package)).collect();
            assert!(wrong.is_empty(), "{package} cannot read {wrong:?}\n{}", told());
        };
        right(&after.package, &after.records);
        let mut all: BTreeSet<u64> = after.records.keys().copied().collect();
        for (package, records, _) in &after.aside {
            right(package, records);
            all.extend(records.keys());
        }
        let lost: Vec<_> = after.acknowledged.difference(&all).collect();
        assert!(lost.is_empty(), "lost: {lost:?} of {:?}\n{}", after.acknowledged, told());
        let is_restore = match event {
            Event::BringBack(_) => true,
            Event::Command { arguments, .. } => arguments.iter().any(|word| word == "--restore-data"),
            Event::Write => false,
        };
        if !is_restore {
            let gone: Vec<_> =
                before.records.keys().filter(|number| !after.records.contains_key(number)).collect();
            assert!(gone.is_empty(), "gone without being asked for: {gone:?}\n{}", told());
        }
        let state = self.host.prefix().service_state(&SERVICE.parse().unwrap());
        assert!(!state.join("change.json").exists(), "a change is pending\n{}", told());
    }

    fn happen(&mut self, event: &Event, before: &Seen) {
        match event {
            Event::Write => {
                let number = before.acknowledged.last().unwrap() + 1;
                let append = |path: &str, line: String| {
                    let path = self.host.runtime().join(path);
                    fs::write(&path, fs::read_to_string(&path).unwrap_or_default() + &line).unwrap();
                };
                append("data/db", format!("{number} {}\n", number * factor(&before.package)));
                append("log/acknowledged", format!("{number}\n"));
            }
            Event::Command { arguments, strike } => {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let ran = self.run(&arguments, *strike);
                assert!([0, 1, 3, 5, 7, 130, 137].contains(&ran.exit), "{ran:?}\n{:#?}", self.told);
                self.told.push(format!("{arguments:?} {strike:?}: {} {}", ran.exit, ran.err));
                if ran.exit == 137 {
                    let recovered = self.host.run(&["recover"]);
                    self.told.push(format!("recover: {}", recovered.err));
                    recovered.ok();
                }
            }
            Event::BringBack(which) => {
                let Some((package, records, command)) = before.aside.get(which % before.aside.len().max(1))
                else {
                    return;
                };
                let arguments: Vec<&str> = command.split(' ').skip(1).collect();
                let ran = self.run(&arguments, None);
                self.told.push(format!("{command}: {} {}", ran.exit, ran.err));
                // A version that is broken stays so; any other must have its data again.
                if !BROKEN.iter().any(|broken| package.ends_with(broken)) {
                    assert_eq!(ran.exit, 0, "{ran:?}\n{:#?}", self.told);
                    let now = records_at(&self.host.runtime().join("data/db"));
                    assert!(
                        records.keys().all(|number| now.contains_key(number)),
                        "{command}\n{:#?}",
                        self.told
                    );
                }
            }
        }
    }

    /// Runs a command; where it is to be struck, as soon as its journal has come to the step.
    fn run(&self, arguments: &[&str], strike: Option<(&str, &str)>) -> Ran {
        let Some((signal, step)) = strike else { return self.host.run(arguments) };
        let mut child = self.host.spawn(arguments);
        let journal = self.host.prefix().service_state(&SERVICE.parse().unwrap()).join("change.json");
        let step = format!("\"step\": \"{step}\"");
        while child.try_wait().unwrap().is_none() {
            if fs::read_to_string(&journal).is_ok_and(|text| text.contains(&step)) {
                Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).output().unwrap();
                break;
            }
        }
        let output = child.wait_with_output().unwrap();
        let killed = output.status.signal().map(|signal| 128 + signal);
        let ran = ran(output);
        Ran { exit: killed.unwrap_or(ran.exit), ..ran }
    }
}

fn sequence(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut life = Life::begin();
    let mut before = life.look();
    for _ in 0..LENGTH {
        let event = random.event();
        life.happen(&event, &before);
        let after = life.look();
        life.check(&before, &after, &event);
        before = after;
    }
    life.host.run(&["stop", SERVICE]);
}

#[test]
fn no_life_of_a_service_loses_a_record() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("COPKG_MODEL_SEED") {
        return sequence(seed);
    }
    let (sequences, next) = (number("COPKG_MODEL").unwrap_or(SEQUENCES), AtomicU64::new(0));
    // The commands wait for the disk and for processes most of the time.
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get) * 8;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= sequences {
                        return;
                    }
                    let lived = std::panic::catch_unwind(|| sequence(seed));
                    assert!(lived.is_ok(), "COPKG_MODEL_SEED={seed} shows it again");
                }
            });
        }
    });
}
