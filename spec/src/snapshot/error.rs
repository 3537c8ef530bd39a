//! What is wrong with an object, a document or a list of a store.

use thiserror::Error;

/// Says which rule of the format is broken.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum SnapshotFormatError {
    /// Decryption fails, or the content has another name.
    #[error("it is not what this host stored under that name")]
    NotAuthentic,
    /// It is larger than the format allows, or says so.
    #[error("it is larger than an object may be")]
    TooLarge,
    /// It cannot be decompressed.
    #[error("it cannot be decompressed")]
    Compression,
    /// It is authentic, and not of the right shape.
    #[error("it has the wrong shape: {0}")]
    Shape(String),
    /// A name that could lead elsewhere.
    #[error("it names an entry {0:?}, which no directory can hold")]
    Name(String),
    /// Entries that are out of order, or the same twice.
    #[error("its entries are out of order at {0:?}")]
    Order(String),
    /// Lists of objects that lead too deep.
    #[error("it leads deeper than {0} levels")]
    Depth(usize),
    /// A signature that does not hold.
    #[error("it is not signed by the host's key")]
    Signature,
    /// A chain that does not hold.
    #[error("{0}")]
    Chain(String),
}

impl SnapshotFormatError {
    pub(super) fn shape(error: impl std::fmt::Display) -> Self {
        Self::Shape(error.to_string())
    }
}
