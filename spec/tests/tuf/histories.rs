//! Random legal histories: whatever an honest repository does, a client of any age reaches its head.

use crate::scene::*;
use proptest::prelude::*;
use proptest::sample::Index;

/// One thing that an honest repository does.
#[derive(Debug, Clone)]
enum Event {
    Publish { group: Index, name: u8 },
    Delegate { terminating: bool },
    RotateRoot { keys: usize, threshold: usize },
    RotateRole { role: Index, keys: usize, threshold: usize },
    RotateGroup { group: Index },
    Resign,
    Describe { exact: bool },
    Consistent(bool),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let keys = || (1usize..=4).prop_flat_map(|keys| (Just(keys), 1..=keys));
    let event = prop_oneof![
        4 => (any::<Index>(), 0u8..20).prop_map(|(group, name)| Event::Publish { group, name }),
        2 => any::<bool>().prop_map(|terminating| Event::Delegate { terminating }),
        1 => keys().prop_map(|(keys, threshold)| Event::RotateRoot { keys, threshold }),
        2 => (any::<Index>(), keys()).prop_map(|(role, (keys, threshold))| Event::RotateRole { role, keys, threshold }),
        1 => any::<Index>().prop_map(|group| Event::RotateGroup { group }),
        2 => Just(Event::Resign),
        1 => any::<bool>().prop_map(|exact| Event::Describe { exact }),
        1 => any::<bool>().prop_map(Event::Consistent),
    ];
    prop::collection::vec(event, 1..24)
}

/// A repository with the keys that it has not used yet.
struct History {
    repository: Repository,
    groups: Vec<String>,
    next_seed: u8,
}

impl History {
    fn new() -> Self {
        let mut history = Self { repository: Repository::new(), groups: Vec::new(), next_seed: 20 };
        history.play(&Event::Delegate { terminating: true });
        history
    }

    fn seeds(&mut self, count: usize) -> Vec<u8> {
        (0..count)
            .map(|_| {
                self.next_seed += 1;
                self.next_seed
            })
            .collect()
    }

    fn play(&mut self, event: &Event) {
        match event {
            Event::Publish { group, name } => {
                let group = group.get(&self.groups).clone();
                let target = format!("{group}/file{name}");
                self.repository.add_target(&group, &target, &[*name]);
                self.repository.publish(&[&group, "snapshot", "timestamp"]);
            }
            Event::Delegate { terminating } => {
                let group = format!("group{}", self.groups.len());
                let seed = self.seeds(1)[0];
                let pattern = format!("{group}/*");
                self.repository.delegate("targets", &group, &[&pattern], *terminating, seed);
                self.repository.sign_targets(&role(&group));
                self.repository.publish(&["targets", "snapshot", "timestamp"]);
                self.groups.push(group);
            }
            Event::RotateRoot { keys, threshold } => {
                let before = self.repository.signers[&role("root")].clone();
                let seeds = self.seeds(*keys);
                let both = [before, seeds.clone()].concat();
                self.repository.rotate(
                    "root",
                    &seeds,
                    u32::try_from(*threshold).expect("it is small"),
                    &both,
                );
                self.repository.publish(&["root"]);
                self.repository.signers.insert(role("root"), seeds);
            }
            Event::RotateRole { role: name, keys, threshold } => {
                let name = *name.get(&["timestamp", "snapshot", "targets"]);
                let seeds = self.seeds(*keys);
                let signers = seeds[..*threshold].to_vec();
                self.repository.rotate(
                    name,
                    &seeds,
                    u32::try_from(*threshold).expect("it is small"),
                    &signers,
                );
                self.repository.publish(&["root", "targets", "snapshot", "timestamp"]);
            }
            Event::RotateGroup { group } => self.rotate_group(group.index(self.groups.len())),
            Event::Resign => self.repository.publish(&["timestamp"]),
            Event::Describe { exact } => self.repository.exact = *exact,
            Event::Consistent(consistent) => {
                self.repository.root.consistent_snapshot = *consistent;
                self.repository.publish(&["root"]);
            }
        }
    }

    fn rotate_group(&mut self, at: usize) {
        let seed = self.seeds(1)[0];
        let group = self.groups[at].clone();
        let targets = self.repository.targets.get_mut(&role("targets")).expect("it is there");
        let delegations = targets.delegations.as_mut().expect("they are there");
        delegations.keys.extend(copkg_spec::tuf::list_keys(&[key(seed).public()]));
        if let copkg_spec::tuf::Delegated::Roles(roles) = &mut delegations.roles {
            roles[at].role = role_keys(&[seed], 1);
        }
        self.repository.signers.insert(role(&group), vec![seed]);
        self.repository.publish(&[&group, "targets", "snapshot", "timestamp"]);
    }

    /// Checks that a client is where the repository is, and finds what is there.
    fn check(&self, client: &mut Client) {
        let mut trusted =
            client.refresh(&self.repository).unwrap_or_else(|error| panic!("{}", says::<()>(Err(error))));
        assert_eq!(trusted.root().version, self.repository.root.version);
        assert_eq!(trusted.timestamp().version, self.repository.timestamp.version);
        assert_eq!(**trusted.snapshot(), self.repository.snapshot);
        assert_eq!(**trusted.targets(), self.repository.targets[&role("targets")]);
        for group in &self.groups {
            for (target, expected) in &self.repository.targets[&role(group)].targets {
                let found = client
                    .search(&self.repository, &mut trusted, target.as_str())
                    .unwrap_or_else(|error| panic!("{}", says::<()>(Err(error))));
                assert_eq!(found.expect("it is found").target(), expected);
            }
            let missing = client.search(&self.repository, &mut trusted, &format!("{group}/missing"));
            assert_eq!(missing.unwrap_or_else(|error| panic!("{}", says::<()>(Err(error)))), None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn clients_of_any_age_reach_the_head(events in events(), joins in prop::collection::vec(any::<Index>(), 1..4), skips in prop::collection::vec(any::<bool>(), 24)) {
        let mut history = History::new();
        let mut clients = vec![Client::of(&history.repository)];
        let joins: Vec<usize> = joins.iter().map(|join| join.index(events.len())).collect();
        for (at, event) in events.iter().enumerate() {
            history.play(event);
            if joins.contains(&at) {
                clients.push(Client::of(&history.repository));
            }
            // The first client follows every step; the others sleep through some.
            for (number, client) in clients.iter_mut().enumerate() {
                if number == 0 || !skips[(at + number) % skips.len()] {
                    history.check(client);
                }
            }
        }
        for client in &mut clients {
            history.check(client);
        }
    }
}
