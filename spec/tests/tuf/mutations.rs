//! Every single change of a field of any metadata file, made by someone without keys, is refused or harmless.

use crate::made;
use crate::scene::*;
use copkg_spec::tuf::VerifiedTarget;
use serde_json::{Value, json};

/// What a value may become.
fn replacements(value: &Value) -> Vec<Value> {
    let mut found = vec![Value::Null, json!([]), json!({}), json!(""), json!(-1), json!(true)];
    match value {
        Value::Number(number) => {
            let number = number.as_u64().unwrap_or(0);
            found.extend([
                json!(number + 1),
                json!(number.wrapping_sub(1)),
                json!(u64::MAX),
                json!(number.to_string()),
            ]);
        }
        Value::Bool(flag) => found.push(json!(!flag)),
        Value::String(text) => {
            found.push(json!(format!("{text}0")));
            found.push(json!(text.to_uppercase()));
            let mut changed = text.clone().into_bytes();
            if let Some(first) = changed.first_mut() {
                *first ^= 1;
            }
            found.push(json!(String::from_utf8_lossy(&changed)));
        }
        Value::Array(items) => {
            found.push(Value::Array(items.iter().rev().cloned().collect()));
            found.push(Value::Array([&items[..], &items[..]].concat()));
        }
        Value::Object(_) | Value::Null => {}
    }
    found.retain(|replacement| replacement != value);
    found
}

/// Returns every place in `value`, as JSON pointers.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    let step = |name: &str| format!("{here}/{}", name.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| places(member, &step(name), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| places(item, &step(&at.to_string()), found));
        }
        _ => {}
    }
}

/// Returns every version of `original` in which one field is changed, removed or added.
fn mutations(original: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    places(original, "", &mut all);
    let mut found = Vec::new();
    for place in all {
        let at = original.pointer(&place).expect("the place exists");
        for replacement in replacements(at) {
            let mut changed = original.clone();
            *changed.pointer_mut(&place).expect("the place exists") = replacement;
            found.push((format!("{place} changed"), changed));
        }
        let mut changed = original.clone();
        match changed.pointer_mut(&place) {
            Some(Value::Object(members)) => {
                members.insert("added".to_owned(), json!(1));
                found.push((format!("{place} added to"), changed));
            }
            Some(Value::Array(items)) => {
                items.push(json!("added"));
                found.push((format!("{place} added to"), changed));
            }
            _ => {}
        }
        let (parent, name) = place.rsplit_once('/').unwrap_or_default();
        let mut changed = original.clone();
        let removed = match changed.pointer_mut(parent) {
            Some(Value::Object(members)) => {
                members.remove(&name.replace("~1", "/").replace("~0", "~")).is_some()
            }
            Some(Value::Array(items)) => name.parse::<usize>().is_ok_and(|at| {
                items.remove(at);
                true
            }),
            _ => false,
        };
        if removed {
            found.push((format!("{place} removed"), changed));
        }
    }
    found
}

fn repository() -> Repository {
    let mut repository = Repository::new();
    repository.rotate("root", &[1, 5], 2, &[1, 5]);
    repository.rotate("snapshot", &[3, 6], 1, &[3, 6]);
    repository.delegate("targets", "group", &["group/*"], true, 20);
    repository.add_target("group", "group/file", b"bytes");
    repository.publish(&["root"]);
    repository.publish_all();
    repository
}

#[test]
fn every_change_of_one_field_is_refused_or_harmless() {
    let files = ["2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json", "1.group.json"];
    let believe = |repository: &Repository| {
        let mut client = Client::of(repository);
        outcome(repository, &mut client, "group/file", &["group"])
    };
    let (refused, harmless) = change_each(&repository(), &files, believe);
    assert!(refused > 1000 && harmless > 20, "{refused} changes refused, {harmless} harmless");
}

/// The same of a repository as the tools make it: a registrar, lists of packages, the head of the log, bins.
#[test]
fn every_change_of_one_field_of_what_the_tools_write_is_refused_or_harmless() {
    let honest = made::repository();
    let bin = made::bin();
    let bin_file = format!("1.{bin}.json");
    // The first root is the one that is pinned: nobody asks for it again.
    let files = [
        "timestamp.json",
        "1.snapshot.json",
        "1.targets.json",
        "1.registrar.json",
        "1.com.example.json",
        &bin_file,
    ];
    let believe = |repository: &Repository| {
        let mut client = Client::of(repository);
        outcome(repository, &mut client, made::TARGET, &["registrar", "com.example", &bin])
    };
    let (refused, harmless) = change_each(&honest, &files, believe);
    assert!(refused > 3000 && harmless > 0, "{refused} changes refused, {harmless} harmless");
}

/// Changes each field of each file in turn, and returns how many changes were refused and how many made no difference.
fn change_each(
    honest: &Repository,
    files: &[&str],
    believe: impl Fn(&Repository) -> Option<Outcome>,
) -> (usize, usize) {
    let expected = believe(honest).expect("the honest repository is accepted");
    let (mut refused, mut harmless) = (0, 0);
    for file in files {
        let original: Value = serde_json::from_slice(&honest.files[*file]).expect("it is JSON");
        let mut attacked = honest.clone();
        for (what, changed) in mutations(&original) {
            attacked.files.insert((*file).to_owned(), serde_json::to_vec(&changed).expect("it is JSON"));
            match believe(&attacked) {
                None => refused += 1,
                Some(found) => {
                    // Only what is not signed may change, and nothing that the client believes.
                    assert_eq!(found, expected, "{file}: {what}");
                    assert_eq!(changed["signed"], original["signed"], "{file}: {what}");
                    harmless += 1;
                }
            }
        }
    }
    println!("{refused} changes refused, {harmless} harmless");
    (refused, harmless)
}

type Outcome = (Vec<Value>, VerifiedTarget);

/// Returns what the client believes in the end, of these roles too, if it believes anything.
fn outcome(repository: &Repository, client: &mut Client, target: &str, roles: &[&str]) -> Option<Outcome> {
    let mut trusted = client.refresh(repository).ok()?;
    let mut believed = vec![
        serde_json::to_value(&**trusted.root()).ok()?,
        serde_json::to_value(&**trusted.timestamp()).ok()?,
        serde_json::to_value(&**trusted.snapshot()).ok()?,
        serde_json::to_value(&**trusted.targets()).ok()?,
    ];
    let found = client.search(repository, &mut trusted, target).ok()??;
    for name in roles {
        believed.push(serde_json::to_value(&**trusted.role(&role(name))?).ok()?);
    }
    Some((believed, found))
}

#[test]
fn every_cut_and_every_changed_byte_is_refused_or_harmless() {
    let honest = repository();
    let expected = outcome(&honest, &mut Client::of(&honest), "group/file", &["group"])
        .expect("the honest repository is accepted");
    let (mut refused, mut harmless) = (0, 0);
    for file in ["2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json", "1.group.json"] {
        let original = &honest.files[file];
        for at in (0..original.len()).step_by(3) {
            let mut flipped = original.clone();
            flipped[at] ^= 1 << (at % 7);
            for changed in [flipped, original[..at].to_vec()] {
                let mut attacked = honest.clone();
                attacked.files.insert(file.to_owned(), changed);
                match outcome(&attacked, &mut Client::of(&attacked), "group/file", &["group"]) {
                    None => refused += 1,
                    Some(found) => {
                        assert_eq!(found, expected, "{file}: byte {at}");
                        harmless += 1;
                    }
                }
            }
        }
    }
    println!("{refused} changes refused, {harmless} harmless");
}
