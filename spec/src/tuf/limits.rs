//! Limits of repository metadata: how long a file may be, and how far the client follows before it gives up.
//!
//! A repository that answers without end, or that delegates without end, costs no more than this.

/// The longest text of a role's name, in bytes: with a version before it and `.json` after, the file of it, each byte
/// percent-encoded, still has a name that Linux takes.
pub const ROLE_NAME_BYTES: usize = 220;
/// The longest path of a target, in bytes.
pub const TARGET_PATH_BYTES: usize = 1024;
/// The longest pattern of a delegation, in bytes.
pub const PATTERN_BYTES: usize = 1024;
/// The longest id of a key, in bytes.
pub const KEY_ID_BYTES: usize = 256;
/// The most keys of one role.
pub const ROLE_KEYS: usize = 1024;
/// The most signatures that one file may carry.
pub const FILE_SIGNATURES: usize = 1024;

/// The limits of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest root file, in bytes: W of TUF 5.3.3.
    pub root_bytes: u64,
    /// The longest timestamp file, in bytes: X of TUF 5.4.1.
    pub timestamp_bytes: u64,
    /// The longest snapshot file, in bytes, where the timestamp does not say: Y of TUF 5.5.1.
    pub snapshot_bytes: u64,
    /// The longest targets file, in bytes, where the snapshot does not say: Z of TUF 5.6.1.
    pub targets_bytes: u64,
    /// How many roots one update follows: Y of TUF 5.3.3.
    pub root_rotations: u64,
    /// How many roles one search visits below `targets`: TUF 5.6.7.1.
    pub delegations: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            root_bytes: 512 << 10,
            timestamp_bytes: 64 << 10,
            snapshot_bytes: 16 << 20,
            targets_bytes: 16 << 20,
            root_rotations: 256,
            delegations: 32,
        }
    }
}
