//! The log in a store: taken up again from its tiles, made again where they are lost, and never believed against the timestamp.

use bytes::Bytes;
use copkg_spec::keys::SecretKey;
use copkg_spec::tlog::{Checkpoint, Head, Resource, SignedCheckpoint, leaf_hash};
use object_store::memory::InMemory;

use super::{Log, TransparencyError, add_signatures, advance_checkpoint, path_of, read_checkpoint};
use crate::layout::StorePath;
use crate::storage::Storage;

/// Entries that look like commits; `Log` does not look into them.
fn entry(number: u64) -> Bytes {
    format!("{{\"commit\":{number}}}").into()
}

async fn filled(size: u64) -> (Storage, Log) {
    let storage = Storage::of(InMemory::new());
    let mut log = Log::new();
    for number in 1..=size {
        let commit = copkg_spec::repository::CommitNumber::new(number).unwrap();
        storage.put(&StorePath::commit(commit), entry(number)).await.unwrap();
        log = log.append(entry(number)).unwrap();
        for (path, bytes) in log.files() {
            storage.put(path, bytes.clone()).await.unwrap();
        }
    }
    (storage, log)
}

#[tokio::test]
async fn a_log_goes_on_after_a_restart_as_if_there_had_been_none() {
    for size in [1, 5, 255, 256, 257, 600] {
        let (storage, log) = filled(size).await;
        let again = Log::load(&storage, size, Some(log.head())).await.unwrap();
        let (one, other) = (log.append(entry(size + 1)).unwrap(), again.append(entry(size + 1)).unwrap());
        assert_eq!(one.head(), other.head());
        assert_eq!(one.files(), other.files(), "{size}");
    }
}

#[tokio::test]
async fn lost_and_damaged_tiles_are_made_again_from_the_commits() {
    let (storage, log) = filled(300).await;
    for resource in ["tile/1/000.p/1", "tile/entries/001.p/44", "tile/0/000"] {
        let path = path_of(resource.parse::<Resource>().unwrap());
        let before = storage.read(&path).await.unwrap().unwrap();
        storage.put(&path, vec![0; before.len()].into()).await.unwrap();
        assert_eq!(Log::load(&storage, 300, Some(log.head())).await.unwrap().head(), log.head());
        storage.remove(&path).await.unwrap();
        assert_eq!(
            Log::load(&storage, 300, Some(log.head())).await.unwrap().head(),
            log.head(),
            "{resource}"
        );
    }
    let lost = path_of("tile/1/000.p/1".parse().unwrap());
    storage.remove(&lost).await.unwrap();
    let loaded = Log::load(&storage, 300, Some(log.head())).await.unwrap();
    assert!(storage.read(&lost).await.unwrap().is_none(), "whoever only reads writes nothing");
    loaded.remake_tiles(&storage).await.unwrap();
    assert!(storage.read(&lost).await.unwrap().is_some());
}

#[tokio::test]
async fn commits_that_are_not_those_of_the_timestamp_are_refused() {
    let (storage, log) = filled(10).await;
    let other = Head { size: 10, root: leaf_hash(b"other") };
    let refused = Log::load(&storage, 10, Some(other)).await;
    assert!(matches!(refused, Err(TransparencyError::Damaged { size: 10 })));
    let more = Head { size: 11, root: log.head().root };
    let refused = Log::load(&storage, 11, Some(more)).await;
    assert!(matches!(refused, Err(TransparencyError::Missing { number: 11, .. })));
}

#[tokio::test]
async fn the_served_checkpoint_never_goes_back_and_keeps_its_cosignatures() {
    let storage = Storage::of(InMemory::new());
    let key = SecretKey::from_seed(&[1; 32]);
    let checkpoint = |size| {
        let head = Head { size, root: leaf_hash(b"root") };
        Checkpoint { origin: "copkg/test".parse().unwrap(), head }
    };
    let signed = |size| -> SignedCheckpoint { checkpoint(size).sign("copkg/test".parse().unwrap(), &key) };
    let other = |size: u64| {
        let name = "witness".parse().unwrap();
        checkpoint(size).sign(name, &SecretKey::from_seed(&[2; 32])).note().signatures()[0].clone()
    };
    advance_checkpoint(&storage, &signed(5)).await.unwrap();
    add_signatures(&storage, &checkpoint(5), &[other(5)]).await.unwrap();
    advance_checkpoint(&storage, &signed(4)).await.unwrap();
    advance_checkpoint(&storage, &signed(5)).await.unwrap();
    let read = read_checkpoint(&storage).await.unwrap().unwrap();
    assert_eq!((read.unverified().head.size, read.note().signatures().len()), (5, 2));
    advance_checkpoint(&storage, &signed(6)).await.unwrap();
    add_signatures(&storage, &checkpoint(5), &[other(5)]).await.unwrap();
    let read = read_checkpoint(&storage).await.unwrap().unwrap();
    assert_eq!((read.unverified().head.size, read.note().signatures().len()), (6, 1));
}
