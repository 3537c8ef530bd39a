//! The transparency log: every commit of a repository is a leaf of a Merkle tree, in the order of the commits.
//!
//! Beside the metadata of [`crate::tuf`]: that says what is true now, this proves that nothing said before was
//! taken back. The tree is that of RFC 6962 over SHA-256; the files are those of C2SP
//! [tlog-tiles](https://c2sp.org/tlog-tiles), [tlog-checkpoint](https://c2sp.org/tlog-checkpoint),
//! [signed-note](https://c2sp.org/signed-note) and [tlog-cosignature](https://c2sp.org/tlog-cosignature); a witness is
//! spoken to as [tlog-witness](https://c2sp.org/tlog-witness) says. Nothing here reads or writes: a proof says
//! which tiles it needs ([`Proof::tiles`]), the caller fetches them in any order, and gives them back.
//!
//! A client, after its refresh:
//!
//! 1. [`Head::of_timestamp`] of the verified timestamp: the head of the log, covered by the timestamp's signature.
//! 2. If it remembers a head: [`Head::proof_since`] says which tiles to fetch ([`Proof::tiles`], each at `tlog/` and
//!    [`Tile::path`]; where a partial one is gone, [`Tile::full`]); add each to [`Tiles`], then [`Head::verify_extends`].
//! 3. Remember the new head.
//!
//! A server: [`Edge::append`] for each entry gives the tiles to write, [`Edge::root`] the root, and
//! [`Checkpoint::sign`] the file `tlog/checkpoint`.

mod add;
mod bundle;
mod checkpoint;
mod cosignature;
mod edge;
mod error;
mod head;
mod key;
mod note;
mod proof;
mod resource;
mod tile;
mod tiles;
mod tree;

pub use add::{AddCheckpoint, PROOF_LINES};
pub use bundle::Bundle;
pub use checkpoint::{Checkpoint, Origin, SignedCheckpoint, VerifiedCheckpoint};
pub use cosignature::{Cosignature, Cosigner};
pub use edge::{Edge, Grown};
pub use error::TlogError;
pub use head::Head;
pub use key::{KeyKind, KeyName, VerifierKey};
pub use note::{Note, NoteSignature};
pub use proof::Proof;
pub use resource::Resource;
pub use tile::{TILE_WIDTH, Tile};
pub use tiles::Tiles;
pub use tree::{empty_root, leaf_hash, node_hash, root_of_leaves, verify_consistency, verify_inclusion};
