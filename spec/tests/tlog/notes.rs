//! Checkpoints and cosignatures: what is signed is what is read, by the keys that were asked for.

use copkg_spec::keys::SecretKey;
use copkg_spec::tlog::{
    AddCheckpoint, Checkpoint, Cosigner, Head, KeyKind, Origin, SignedCheckpoint, TlogError,
    VerifiedCheckpoint, VerifierKey, leaf_hash,
};
use copkg_spec::tuf::{Document, MetaFile, Time, Timestamp, Version};

fn origin() -> Origin {
    "copkg.dev/0123456789abcdef".parse().unwrap()
}

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn key(seed: u8) -> VerifierKey {
    VerifierKey::new(origin().as_str().parse().unwrap(), KeyKind::Note, secret(seed).public())
}

fn checkpoint() -> SignedCheckpoint {
    let head = Head { size: 12, root: leaf_hash(b"root") };
    Checkpoint { origin: origin(), head }.sign(origin().as_str().parse().unwrap(), &secret(1))
}

fn verified() -> VerifiedCheckpoint {
    checkpoint().verify(&origin(), [&key(1)]).unwrap()
}

#[test]
fn a_checkpoint_is_read_as_it_was_signed() {
    let read = SignedCheckpoint::parse(checkpoint().to_string().as_bytes()).unwrap();
    assert_eq!(read, checkpoint());
    assert_eq!(read.verify(&origin(), [&key(2), &key(1)]).unwrap().head().size, 12);
}

#[test]
fn a_checkpoint_of_another_log_or_key_is_refused() {
    let other = "copkg.dev/ffffffffffffffff".parse().unwrap();
    assert!(matches!(checkpoint().verify(&other, [&key(1)]), Err(TlogError::Origin { .. })));
    assert_eq!(checkpoint().verify(&origin(), [&key(2)]), Err(TlogError::NotSigned));
    assert_eq!(checkpoint().verify(&origin(), []), Err(TlogError::NotSigned));
}

#[test]
fn no_changed_bit_of_a_checkpoint_is_believed() {
    let bytes = checkpoint().to_string().into_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let read = SignedCheckpoint::parse(&changed).and_then(|signed| signed.verify(&origin(), [&key(1)]));
        assert!(read.is_err(), "bit {bit}");
    }
}

#[test]
fn a_cosignature_says_who_saw_it_and_when() {
    let cosigner = Cosigner::new("witness.example/w1".parse().unwrap(), secret(7));
    let now = Time::from_unix_seconds(1_700_000_000).unwrap();
    let mut signed = checkpoint();
    assert_eq!(signed.cosignature(&cosigner.verifier()), Ok(None));
    signed.add(cosigner.cosign(&verified(), now));
    let read = SignedCheckpoint::parse(signed.to_string().as_bytes()).unwrap();
    assert_eq!(read.cosignature(&cosigner.verifier()).unwrap().unwrap().time, now);
    read.clone().verify(&origin(), [&key(1)]).unwrap();
    let later = read.to_string().replace("\n12\n", "\n13\n");
    let later = SignedCheckpoint::parse(later.as_bytes()).unwrap();
    assert!(matches!(later.cosignature(&cosigner.verifier()), Err(TlogError::WrongSignature { .. })));
    assert!(matches!(later.verify(&origin(), [&key(1)]), Err(TlogError::WrongSignature { .. })));
}

#[test]
fn the_same_key_signs_again_in_place_of_before() {
    let cosigner = Cosigner::new("witness.example/w1".parse().unwrap(), secret(7));
    let mut signed = checkpoint();
    for seconds in [5, 6] {
        signed.add(cosigner.cosign(&verified(), Time::from_unix_seconds(seconds).unwrap()));
    }
    assert_eq!(signed.note().signatures().len(), 2);
    assert_eq!(signed.cosignature(&cosigner.verifier()).unwrap().unwrap().time.unix_seconds(), 6);
}

#[test]
fn a_request_to_a_witness_is_read_as_it_was_written() {
    for proof in [vec![], vec![leaf_hash(b"1"), leaf_hash(b"2")]] {
        let request = AddCheckpoint { old: proof.len() as u64, proof, checkpoint: checkpoint() };
        assert_eq!(AddCheckpoint::parse(request.to_string().as_bytes()).unwrap(), request);
    }
}

#[test]
fn a_timestamp_carries_the_head_under_its_own_signature() {
    let version = Version::new(12).unwrap();
    let expires = Time::from_unix_seconds(2_000_000_000).unwrap();
    let mut timestamp = Timestamp::new(version, expires, MetaFile::version(version));
    assert_eq!(Head::of_timestamp(&timestamp), Ok(None));
    let head = checkpoint().unverified().head;
    head.write_to(&mut timestamp);
    let file = Document::sign(timestamp, [&secret(1)]).unwrap();
    let read: Document<Timestamp> = Document::parse(file.bytes().to_vec()).unwrap();
    assert_eq!(Head::of_timestamp(read.unverified()), Ok(Some(head)));
    let mut broken = read.unverified().clone();
    broken.other.insert("checkpoint".into(), "none".into());
    assert!(Head::of_timestamp(&broken).is_err());
}
