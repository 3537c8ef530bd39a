//! What is no note, no checkpoint and no request, and what a user reads when a log changes its history.

use copkg_spec::command::Failure;
use copkg_spec::tlog::{
    AddCheckpoint, Head, Note, Origin, SignedCheckpoint, Tile, Tiles, TlogError, leaf_hash,
};

const LINE: &str = "— a AAAAAAAA\n";
const ROOT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[test]
fn what_is_no_note_is_refused() {
    assert!(Note::parse(format!("text\n\n{LINE}").as_bytes()).is_ok());
    for bad in [
        String::new(),
        "text\n".into(),
        format!("text\n{LINE}"),
        "text\n\n".into(),
        format!("text\n\n{}", LINE.trim_end()),
        format!("text\n\n{LINE}x"),
        format!("te\txt\n\n{LINE}"),
        "text\n\n— a AAA=\n".into(),
        "text\n\n— a b AAAAAAAA\n".into(),
        "text\n\n— a+b AAAAAAAA\n".into(),
        "text\n\n- a AAAAAAAA\n".into(),
        format!("text\n\n{}", LINE.repeat(65)),
        format!("{}\n\n{LINE}", "x".repeat(70_000)),
    ] {
        assert!(Note::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert!(Note::parse(b"\xff\n\n\xe2\x80\x94 a AAAAAAAA\n").is_err());
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let checkpoint = |text: &str| SignedCheckpoint::parse(format!("{text}\n\n{LINE}").as_bytes());
    assert!(checkpoint(&format!("a\n0\n{ROOT}")).is_ok());
    assert!(checkpoint(&format!("a\n0\n{ROOT}\nextension")).is_ok());
    for bad in [
        "a".to_owned(),
        "a\n1".to_owned(),
        format!("\n1\n{ROOT}"),
        format!("a\n01\n{ROOT}"),
        format!("a\n+1\n{ROOT}"),
        format!("a\n-1\n{ROOT}"),
        format!("a\n18446744073709551616\n{ROOT}"),
        "a\n1\nAAAA".to_owned(),
        format!("a\n1\n{ROOT}\n\nafter"),
        format!("{{a\n1\n{ROOT}"),
    ] {
        assert!(checkpoint(&bad).is_err(), "{bad:?}");
    }
    for origin in ["", "{}", "DSSEv1 5", "cosignature/v1", "a\nb"] {
        assert!(origin.parse::<Origin>().is_err(), "{origin:?}");
    }
}

#[test]
fn what_is_no_request_to_a_witness_is_refused() {
    let checkpoint = format!("a\n1\n{ROOT}\n\n{LINE}");
    let request = |head: &str| AddCheckpoint::parse(format!("{head}\n\n{checkpoint}").as_bytes());
    assert!(request("old 0").is_ok());
    let long = format!("old 1{}", format!("\n{ROOT}").repeat(64));
    for bad in ["", "old", "old x", "old 01", "new 1", "old 1\nAAAA", "old 1\n", &long] {
        assert!(request(bad).is_err(), "{bad:?}");
    }
    assert!(AddCheckpoint::parse(b"old 1\n").is_err());
}

#[test]
fn a_history_that_changed_is_told_with_both_sizes() {
    let head = |size, text: &[u8]| Head { size, root: leaf_hash(text) };
    let (seen, other) = (head(5, b"seen"), head(5, b"other"));
    let refused = [
        other.verify_extends(&seen, &Tiles::new()).unwrap_err(),
        head(4, b"less").verify_extends(&seen, &Tiles::new()).unwrap_err(),
        head(6, b"more").verify_extends(&seen, &Tiles::new()).unwrap_err(),
        Tiles::new().insert(Tile::new(0, 1, 3).unwrap(), b"short").unwrap_err(),
        TlogError::WrongSignature { name: "copkg.dev/0".into() },
        TlogError::NoCheckpoint,
    ];
    let told: Vec<String> = refused.iter().map(|error| Failure::of(error).to_string()).collect();
    insta::assert_snapshot!(told.join("\n\n"));
}
