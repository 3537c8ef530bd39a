//! What others compute: the tree of RFC 6962's reference implementation, the note of Go's `sumdb/note`, paths of tlog-tiles.

use copkg_spec::digest::Digest;
use copkg_spec::keys::SecretKey;
use copkg_spec::tlog::{
    KeyKind, Note, Resource, SignedCheckpoint, Tile, TlogError, VerifierKey, empty_root, leaf_hash,
    root_of_leaves, verify_consistency, verify_inclusion,
};
use data_encoding::{BASE64, HEXLOWER};

const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn digest(hex: &str) -> Digest {
    hex.parse().unwrap()
}

fn leaf(number: usize) -> Digest {
    leaf_hash(&HEXLOWER.decode(LEAVES[number].as_bytes()).unwrap())
}

#[test]
fn the_roots_are_those_of_certificate_transparency() {
    let leaves: Vec<Digest> = (0..8).map(leaf).collect();
    for size in 1..=8 {
        assert_eq!(root_of_leaves(&leaves[..size]), digest(ROOTS[size - 1]), "{size}");
    }
    assert_eq!(empty_root(), digest("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

#[test]
fn the_proofs_of_certificate_transparency_are_accepted() {
    let [near, middle, far] = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    .map(digest);
    let first = digest("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a");
    let (old, new) = ((6, &digest(ROOTS[5])), (8, &digest(ROOTS[7])));
    verify_inclusion((5, &leaf(5)), new, &[near, middle, far]).unwrap();
    verify_consistency(old, new, &[first, middle, far]).unwrap();
    assert!(verify_inclusion((4, &leaf(5)), new, &[near, middle, far]).is_err());
    assert!(verify_consistency((6, &digest(ROOTS[4])), new, &[first, middle, far]).is_err());
    let from_two =
        ["5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e", &near.to_string()].map(digest);
    verify_consistency((2, &digest(ROOTS[1])), (5, &digest(ROOTS[4])), &from_two).unwrap();
}

#[test]
fn the_note_of_go_is_made_and_read_alike() {
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    let line = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let key: VerifierKey =
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
    let seed = BASE64.decode(b"AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz").unwrap();
    let secret = SecretKey::from_seed(seed[1..].try_into().unwrap());
    assert_eq!(VerifierKey::new(key.name().clone(), KeyKind::Note, secret.public()), key);
    let mut note = Note::new(text.to_owned());
    note.sign(key.name().clone(), &secret);
    assert_eq!(note.to_string(), format!("{text}\n{line}"));
    let read = Note::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(read, note);
    read.check([&key]).unwrap();
    let changed = note.to_string().replace("cryptography", "cryptographY");
    let refused = Note::parse(changed.as_bytes()).unwrap().check([&key]);
    assert_eq!(refused, Err(TlogError::WrongSignature { name: "PeterNeumann".into() }));
}

#[test]
fn the_key_of_a_witness_is_read_and_written() {
    let text = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
    let key: VerifierKey = text.parse().unwrap();
    assert_eq!(key.kind(), KeyKind::Cosignature);
    assert_eq!(key.to_string(), text);
    assert!(text.replace("da77ade7", "00000000").parse::<VerifierKey>().is_err());
}

#[test]
fn the_checkpoint_of_the_specification_is_read() {
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    let signed = SignedCheckpoint::parse(text.as_bytes()).unwrap();
    assert_eq!(signed.unverified().head.size, 20_852_163);
    assert_eq!(signed.note().signatures().len(), 2);
    assert_eq!(signed.to_string(), text);
}

#[test]
fn paths_are_those_of_the_specification() {
    assert_eq!(Tile::new(0, 1_234_067, 256).unwrap().path(), "tile/0/x001/x234/067");
    let named = |size: u64| Tile::added(0, size).collect::<Vec<_>>();
    // "a tree of size 70,000 will be represented by 273 full level 0 tiles, one partial level 0 tile of width 112, one full
    // level 1 tile, one partial level 1 tile of width 17, and one partial level 2 tile of width 1."
    let tiles = named(70_000);
    assert_eq!(tiles.iter().filter(|tile| tile.level() == 0 && tile.is_full()).count(), 273);
    let rest: Vec<String> =
        tiles.iter().filter(|tile| tile.level() > 0 || !tile.is_full()).map(|t| t.path()).collect();
    assert_eq!(rest, ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]);
    // "a tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile of width 1."
    let small: Vec<String> = named(256).iter().map(|t| t.path()).collect();
    assert_eq!(small, ["tile/0/000", "tile/1/000.p/1"]);
    for path in
        ["checkpoint", "tile/0/x001/x234/067", "tile/3/000.p/255", "tile/entries/x001/067.p/8", "tile/63/000"]
    {
        assert_eq!(path.parse::<Resource>().unwrap().to_string(), path);
    }
    for path in [
        "",
        "checkpoint/",
        "tile/64/000",
        "tile/00/000",
        "tile/0/0",
        "tile/0/1234",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p",
        "tile/0/../000",
        "tile/entries/",
        "tile/entries/x/000",
        "tile/0/x001/x234/x067",
        "tile/0/000.p/5.p/5",
        "tile/x/000",
        "tile/0/999/",
        "tile/0/+01",
        "tile/0/x99999999999999999999/000",
    ] {
        assert!(path.parse::<Resource>().is_err(), "{path}");
    }
}
