//! Who speaks for a role: its keys and its threshold. The one place where signatures are counted.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::Rule;
use super::key::{KeyId, Keys, Material};
use super::limits::ROLE_KEYS;

/// The ids of a role's keys, and how many of the keys must sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRoleKeys")]
pub struct RoleKeys {
    keyids: Vec<KeyId>,
    threshold: NonZeroU32,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

#[derive(Deserialize)]
struct RawRoleKeys {
    keyids: Vec<KeyId>,
    threshold: NonZeroU32,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl RoleKeys {
    /// Takes the ids and how many must sign.
    ///
    /// # Errors
    /// When an id occurs twice (a key counts once), or there are too many.
    pub fn new(keyids: Vec<KeyId>, threshold: NonZeroU32) -> Result<Self, &'static str> {
        if keyids.len() > ROLE_KEYS {
            return Err("a role has too many keys");
        }
        if keyids.iter().collect::<BTreeSet<_>>().len() != keyids.len() {
            return Err("a role lists a key twice");
        }
        Ok(Self { keyids, threshold, other: Map::new() })
    }

    /// Returns the ids.
    pub fn keyids(&self) -> &[KeyId] {
        &self.keyids
    }

    /// Returns how many must sign.
    pub fn threshold(&self) -> NonZeroU32 {
        self.threshold
    }
}

impl TryFrom<RawRoleKeys> for RoleKeys {
    type Error = &'static str;

    fn try_from(raw: RawRoleKeys) -> Result<Self, &'static str> {
        Ok(Self { other: raw.other, ..Self::new(raw.keyids, raw.threshold)? })
    }
}

/// One signature of a file, not verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The id of the key that is said to have made it.
    pub keyid: KeyId,
    /// The signature in hexadecimal. Anything else was made by no key.
    pub sig: String,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Signature {
    /// Takes a signature.
    pub fn new(keyid: KeyId, signature: &[u8]) -> Self {
        Self { keyid, sig: HEXLOWER.encode(signature), other: Map::new() }
    }
}

/// A role's keys with what they are: what a delegator says of the role.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    keys: &'a Keys,
    role: &'a RoleKeys,
}

impl<'a> Authority<'a> {
    /// Joins a role's ids with the keys of the same file.
    pub fn new(keys: &'a Keys, role: &'a RoleKeys) -> Self {
        Self { keys, role }
    }

    /// Returns the ids of the role's keys.
    pub fn keyids(&self) -> &'a [KeyId] {
        self.role.keyids()
    }

    /// Returns how many of them must sign.
    pub fn threshold(&self) -> NonZeroU32 {
        self.role.threshold()
    }

    /// Returns the ids of those of the role's keys that signed `payload`, in the order of the signatures.
    pub fn signers<'s>(&self, payload: &[u8], signatures: &'s [Signature]) -> Vec<&'s KeyId> {
        self.valid(payload, signatures).map(|(id, _)| id).collect()
    }

    /// Copies what is needed of it.
    pub(super) fn to_owned(self) -> OwnedAuthority {
        let listed = self.keys.iter().filter(|(id, _)| self.role.keyids.contains(id));
        let keys = listed.map(|(id, key)| (id.clone(), key.clone())).collect();
        OwnedAuthority { keys, role: self.role.clone() }
    }

    /// Checks that enough of the role's keys signed `payload`.
    ///
    /// 4.3: the threshold is "an integer number of keys of that role whose signatures are required in order to consider a
    /// file as being properly signed by that role". Keys are counted, not ids: one under two ids counts once. A signature
    /// that is wrong, of a key that is not the role's, or of a kind that we cannot verify counts for nothing.
    pub(super) fn check(&self, payload: &[u8], signatures: &[Signature]) -> Result<(), Rule> {
        let signers: BTreeSet<_> = self.valid(payload, signatures).map(|(_, material)| material).collect();
        let needed = self.role.threshold.get();
        if signers.len() < needed as usize {
            let found = signatures.iter().map(|signature| signature.keyid.short()).collect();
            return Err(Rule::Threshold { valid: signers.len(), needed, found });
        }
        Ok(())
    }

    /// Returns the signatures of the role's keys that are right, each with the key that made it.
    fn valid<'s>(
        &self,
        payload: &[u8],
        signatures: &'s [Signature],
    ) -> impl Iterator<Item = (&'s KeyId, Material)> {
        let of_role = signatures.iter().filter(|signature| self.role.keyids.contains(&signature.keyid));
        of_role.filter_map(move |signature| {
            let key = self.keys.get(&signature.keyid)?;
            let bytes = HEXLOWER_PERMISSIVE.decode(signature.sig.as_bytes()).ok()?;
            Some((&signature.keyid, key.signer_of(&bytes, payload)?))
        })
    }
}

/// An authority with what it borrows.
#[derive(Debug, Clone)]
pub(super) struct OwnedAuthority {
    keys: Keys,
    role: RoleKeys,
}

impl OwnedAuthority {
    pub(super) fn borrow(&self) -> Authority<'_> {
        Authority::new(&self.keys, &self.role)
    }
}
