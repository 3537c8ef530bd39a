//! Access control lists: the extended attributes `system.posix_acl_access` and `system.posix_acl_default`, taken apart so that
//! accounts can be named.
//!
//! The kernel's form: a version (2, 32 bits), then entries of a tag (16 bits), permissions (16 bits) and a number (32 bits), all
//! little-endian.

use serde::{Deserialize, Serialize};

use super::Account;

const VERSION: u32 = 2;
const HEADER: usize = 4;
const ENTRY: usize = 8;
/// The number of an entry that has none.
const NOBODY: u32 = u32::MAX;

/// Whom an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AclTag {
    /// The owner of the file.
    Owner,
    /// The account that is named.
    User,
    /// The group of the file.
    OwningGroup,
    /// The group that is named.
    Group,
    /// The most that groups and named accounts get.
    Mask,
    /// Everybody else.
    Other,
}

const TAGS: [(u16, AclTag); 6] = [
    (0x01, AclTag::Owner),
    (0x02, AclTag::User),
    (0x04, AclTag::OwningGroup),
    (0x08, AclTag::Group),
    (0x10, AclTag::Mask),
    (0x20, AclTag::Other),
];

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AclEntry {
    /// Whom it is about.
    pub tag: AclTag,
    /// Which account or group, for [`AclTag::User`] and [`AclTag::Group`] alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// Read 4, write 2, execute 1.
    pub permissions: u16,
}

/// A list, in the kernel's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Acl(pub Vec<AclEntry>);

impl Acl {
    /// Takes the kernel's form apart; `None` where it is another one. `name` returns the name of an account or group.
    pub fn parse(bytes: &[u8], name: &mut dyn FnMut(AclTag, u32) -> Option<String>) -> Option<Self> {
        let (version, entries) = bytes.split_at_checked(HEADER)?;
        if version != VERSION.to_le_bytes() || entries.len() % ENTRY != 0 {
            return None;
        }
        let mut list = Vec::new();
        for entry in entries.chunks_exact(ENTRY) {
            let code = u16::from_le_bytes([entry[0], entry[1]]);
            let tag = TAGS.iter().find(|(known, _)| *known == code)?.1;
            let permissions = u16::from_le_bytes([entry[2], entry[3]]);
            let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
            let account = tag.is_named().then(|| Account { id, name: name(tag, id) });
            list.push(AclEntry { tag, account, permissions });
        }
        Some(Self(list))
    }

    /// Returns the kernel's form; `None` where `number` knows no number for an entry.
    pub fn to_bytes(&self, number: &mut dyn FnMut(AclTag, &Account) -> Option<u32>) -> Option<Vec<u8>> {
        let mut numbered = Vec::new();
        for entry in &self.0 {
            let id = match &entry.account {
                Some(account) => number(entry.tag, account)?,
                None => NOBODY,
            };
            numbered.push((entry.tag.code(), entry.permissions, id));
        }
        // The kernel takes entries in the order of their tags and numbers alone, and other numbers may have another order.
        numbered.sort_unstable_by_key(|(tag, _, id)| (*tag, *id));
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for (tag, permissions, id) in numbered {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        Some(bytes)
    }
}

impl AclTag {
    fn is_named(self) -> bool {
        matches!(self, Self::User | Self::Group)
    }

    fn code(self) -> u16 {
        TAGS.iter().find(|(_, tag)| *tag == self).map_or(0, |(code, _)| *code)
    }
}
