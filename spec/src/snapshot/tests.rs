//! The shapes: bytes as text, lists as the kernel has them, objects that nobody else made, chains that hold.

use std::collections::BTreeSet;

use super::*;
use crate::digest::Digest;
use crate::keys::SecretKey;

fn key() -> EpochKey {
    EpochKey::from_bytes([5; 32])
}

fn frame(plain: &[u8]) -> ObjectId {
    ObjectId { kind: ObjectKind::Frame, name: key().name(ObjectKind::Frame, plain) }
}

#[test]
fn any_bytes_are_one_text_and_come_back() {
    let all: Vec<Vec<u8>> = (0..=255_u8)
        .flat_map(|a| [vec![a], vec![b'a', a, b'\\'], vec![0xc3, a], vec![a, 0xff, b'x']])
        .collect();
    let mut texts = BTreeSet::new();
    for bytes in &all {
        let text = ByteText::new(bytes.clone()).to_string();
        assert_eq!(text.parse::<ByteText>().unwrap().as_bytes(), bytes, "{text}");
        texts.insert(text);
    }
    assert_eq!(texts.len(), all.iter().collect::<BTreeSet<_>>().len());
    assert_eq!(ByteText::new("caf\u{e9}\\".as_bytes()).to_string(), "caf\u{e9}\\\\");
    for wrong in ["\\", "\\x", "\\x4", "\\x41", "\\q", "\\xgg", "\\xFF", "\\x+1", "a\\xé"] {
        assert!(wrong.parse::<ByteText>().is_err(), "{wrong}");
    }
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    let long = [b'n'; 256];
    for wrong in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0", &long] {
        assert!(EntryName::new(wrong).is_err(), "{wrong:?}");
    }
    for right in [&b"..."[..], b"\xff\xfe", b"a\nb", &long[..255]] {
        assert!(EntryName::new(right).is_ok(), "{right:?}");
    }
    assert!(serde_json::from_str::<EntryName>("\"..\"").is_err());
}

#[test]
fn an_access_control_list_comes_back_by_name_with_other_numbers() {
    let numbers = |bytes: &[(u16, u16, u32)]| {
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in bytes {
            list.extend(tag.to_le_bytes());
            list.extend(permissions.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        list
    };
    let none = u32::MAX;
    let here = numbers(&[(1, 6, none), (2, 6, 10), (2, 4, 20), (4, 4, none), (16, 6, none), (32, 4, none)]);
    let mut name = |_: AclTag, id: u32| Some(if id == 10 { "first".to_owned() } else { "second".to_owned() });
    let list = Acl::parse(&here, &mut name).unwrap();
    let mut same = |_: AclTag, account: &Account| Some(account.id);
    assert_eq!(list.to_bytes(&mut same).unwrap(), here);
    // With other numbers the order changes, too: the kernel refuses another one.
    let mut other = |_: AclTag, account: &Account| Some(if account.id == 10 { 7000 } else { 6000 });
    let there =
        numbers(&[(1, 6, none), (2, 4, 6000), (2, 6, 7000), (4, 4, none), (16, 6, none), (32, 4, none)]);
    assert_eq!(list.to_bytes(&mut other).unwrap(), there);
    assert_eq!(list.to_bytes(&mut |_, _| None), None);
    for damaged in [&here[..3], &here[..7], &[3, 0, 0, 0][..]] {
        assert_eq!(Acl::parse(damaged, &mut |_, _| None), None);
    }
}

#[test]
fn an_object_opens_under_its_own_name_and_key_alone() {
    let plain = b"some content".repeat(1000);
    let id = frame(&plain);
    let sealed = key().seal(id, &plain, [1; 12]).unwrap();
    assert!(sealed.len() < 200);
    assert_eq!(key().open(id, &sealed).unwrap(), plain);
    assert!(EpochKey::from_bytes([6; 32]).open(id, &sealed).is_err());
    let others = [frame(b"another"), ObjectId { kind: ObjectKind::Tree, name: id.name }];
    for other in others {
        assert_eq!(key().open(other, &sealed), Err(SnapshotFormatError::NotAuthentic));
    }
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(key().open(id, &changed).is_err(), "byte {at}");
        assert!(key().open(id, &sealed[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn one_new_name_in_a_large_directory_changes_one_run() {
    let names = |skip: usize| -> Vec<ObjectName> {
        (0..10_000_usize)
            .filter(|n| *n != skip)
            .map(|n| ObjectName::from_bytes(*Digest::of(&n.to_be_bytes()).as_bytes()))
            .collect()
    };
    let runs = |names: &[ObjectName]| -> BTreeSet<Vec<ObjectName>> {
        runs_of_names(names).into_iter().map(|run| names[run].to_vec()).collect()
    };
    let (before, after) = (runs(&names(usize::MAX)), runs(&names(5_000)));
    assert!(before.difference(&after).count() <= 2);
    assert!(before.len() > 100 && before.iter().all(|run| run.len() <= 256));
}

#[test]
fn a_key_of_an_epoch_comes_back_from_its_text() {
    let read = EpochKey::parse(&key().to_text()).unwrap();
    assert_eq!(
        (read.id(), read.name(ObjectKind::Tree, b"x")),
        (key().id(), key().name(ObjectKind::Tree, b"x"))
    );
    assert!(EpochKey::parse("copkg-epoch-key-1 00").is_none());
}

#[test]
fn changes_lead_from_one_snapshot_to_the_next() {
    let before: BTreeSet<ObjectId> = [frame(b"a"), frame(b"b")].into();
    let after: BTreeSet<ObjectId> = [frame(b"b"), frame(b"c")].into();
    for known in [Some(&before), None] {
        let changes = Changes::between(known, &after);
        assert_eq!(Changes::parse(&changes.to_bytes()).unwrap(), changes);
        let mut objects = before.clone();
        changes.apply(&mut objects);
        assert_eq!(objects, after);
    }
    for wrong in ["frames/x", "+frames/../etc", "+frames/00/zz", "*x"] {
        assert!(Changes::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

fn document(number: u64, previous: Option<Digest>) -> SnapshotDocument {
    SnapshotDocument {
        format: SNAPSHOT_FORMAT,
        host: "web1".parse().unwrap(),
        number: SnapshotNumber(number),
        created: jiff::Timestamp::UNIX_EPOCH,
        previous,
        epoch: key().id(),
        root: frame(b"root").name,
        changes: Digest::of(b""),
    }
}

#[test]
fn a_snapshot_is_believed_of_its_host_and_in_its_place_alone() {
    let (ours, theirs) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
    let record = |host: &str, key: &SecretKey| HostRecord {
        format: SNAPSHOT_FORMAT,
        host: host.parse().unwrap(),
        key: key.public(),
    };
    let first = document(1, None).sign(&ours).unwrap();
    let read = SignedSnapshot::verify(first.bytes(), &record("web1", &ours)).unwrap();
    assert_eq!(read, first);
    assert_eq!(
        SignedSnapshot::verify(first.bytes(), &record("web1", &theirs)),
        Err(SnapshotFormatError::Signature)
    );
    assert!(SignedSnapshot::verify(first.bytes(), &record("web2", &ours)).is_err());
    let second = document(2, Some(first.digest())).sign(&ours).unwrap();
    assert!(first.follows(None).is_ok() && second.follows(Some(&first)).is_ok());
    let fork = document(2, Some(second.digest())).sign(&ours).unwrap();
    for wrong in [second.follows(None), first.follows(Some(&first)), fork.follows(Some(&first))] {
        assert!(matches!(wrong, Err(SnapshotFormatError::Chain(_))));
    }
    for at in 0..first.bytes().len() {
        let mut changed = first.bytes().to_vec();
        changed[at] ^= 1;
        assert!(SignedSnapshot::verify(&changed, &record("web1", &ours)).is_err(), "byte {at}");
    }
}
