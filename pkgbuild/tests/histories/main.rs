//! Random legal histories through the operations that `pkgbuild` really uses: publishes, yanks, channels, delegations,
//! rotations, thresholds, revocations and renewals. Clients at any age reach the head, and owners can always go on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends here")]

mod world;

use copkg_spec::command::Explain as _;
use proptest::prelude::*;
use proptest::sample::Index;
use world::{Client, World};

/// One thing that happens to a repository.
#[derive(Debug, Clone)]
enum Event {
    Publish { group: Index, id: u8, version: u8 },
    Yank { group: Index },
    Promote { group: Index },
    Delegate { keys: usize, threshold: usize },
    Rotate { seat: Index, keys: usize, threshold: usize },
    Threshold { seat: Index, threshold: Index },
    Revoke { key: Index },
    Renew { seat: Index },
    Resign,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let keys = || (1_usize..=3).prop_flat_map(|keys| (Just(keys), 1..=keys));
    let event = prop_oneof![
        5 => (any::<Index>(), 0_u8..4, 0_u8..30)
            .prop_map(|(group, id, version)| Event::Publish { group, id, version }),
        1 => any::<Index>().prop_map(|group| Event::Yank { group }),
        1 => any::<Index>().prop_map(|group| Event::Promote { group }),
        2 => keys().prop_map(|(keys, threshold)| Event::Delegate { keys, threshold }),
        3 => (any::<Index>(), keys())
            .prop_map(|(seat, (keys, threshold))| Event::Rotate { seat, keys, threshold }),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(seat, threshold)| Event::Threshold { seat, threshold }),
        2 => any::<Index>().prop_map(|key| Event::Revoke { key }),
        1 => any::<Index>().prop_map(|seat| Event::Renew { seat }),
        1 => Just(Event::Resign),
    ];
    prop::collection::vec(event, 1..16)
}

fn play(world: &mut World, event: &Event) {
    match event {
        Event::Publish { group, id, version } => {
            let group = group.get(&world.groups).clone();
            world.publish(&group, &[(format!("id{id}"), format!("1.{version}"))]);
        }
        Event::Yank { group } => {
            let group = group.get(&world.groups).clone();
            world.yank(&group);
        }
        Event::Promote { group } => {
            let group = group.get(&world.groups).clone();
            world.promote(&group);
        }
        Event::Delegate { keys, threshold } => world.delegate(*keys, *threshold),
        Event::Rotate { seat, keys, threshold } => {
            let seat = seat.get(&world.seats()).clone();
            world.rotate(&seat, *keys, *threshold);
        }
        Event::Threshold { seat, threshold } => {
            let seat = seat.get(&world.seats()).clone();
            world.threshold(&seat, *threshold);
        }
        Event::Revoke { key } => world.revoke(*key),
        Event::Renew { seat } => {
            let seat = seat.get(&world.seats()).clone();
            world.renew(&seat);
        }
        Event::Resign => world.resign(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn clients_of_any_age_reach_the_head(
        events in events(),
        joins in prop::collection::vec(any::<Index>(), 1..3),
        skips in prop::collection::vec(any::<bool>(), 16),
    ) {
        let mut world = World::new();
        let mut clients = vec![Client::new()];
        let joins: Vec<usize> = joins.iter().map(|join| join.index(events.len())).collect();
        for (at, event) in events.iter().enumerate() {
            play(&mut world, event);
            if joins.contains(&at) {
                clients.push(Client::new());
            }
            // The first client follows every step; the others sleep through some.
            for (number, client) in clients.iter().enumerate() {
                if number == 0 || !skips[(at + number) % skips.len()] {
                    world.check(client);
                }
            }
        }
        clients.push(Client::new());
        for client in &clients {
            world.check(client);
        }
    }
}

#[test]
fn a_group_that_grows_is_divided_and_its_keys_are_rotated_all_the_same() {
    let mut world = World::new();
    let old = Client::new();
    let group = world.groups[0].clone();
    world.publish(&group, &[("web".to_owned(), "0.1".to_owned())]);
    world.check(&old);
    let many: Vec<_> = (0..520).map(|number| ("web".to_owned(), format!("1.{number}"))).collect();
    world.publish(&group, &many);
    assert!(world.files("com.group0.-").len() == 16, "it has no bins");
    world.check(&old);
    world.rotate(&pkgbuild::repository::Seat::Group(group.clone()), 2, 2);
    world.check(&old);
    world.publish(&group, &[("web".to_owned(), "2.0".to_owned())]);
    world.check(&old);
    world.check(&Client::new());
}

#[test]
fn what_has_expired_is_refused_to_publishers_and_shown_to_owners() {
    let mut world = World::new();
    let client = Client::new();
    world.check(&client);
    world.later(400);
    world.resign();
    let error = world.refresh(&client).unwrap_err();
    assert_eq!((error.code(), error.exit()), ("metadata_expired", copkg_spec::command::Exit::Trust));
    for seat in world.seats() {
        world.renew(&seat);
    }
    world.check(&client);
}

#[test]
fn an_older_state_of_the_repository_is_refused() {
    let mut world = World::new();
    let client = Client::new();
    let before = world.snapshot();
    let group = world.groups[0].clone();
    world.publish(&group, &[("web".to_owned(), "1".to_owned())]);
    world.check(&client);
    world.restore(before);
    let error = world.refresh(&client).unwrap_err();
    assert_eq!(error.code(), "metadata_behind");
}
