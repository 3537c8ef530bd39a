//! Owners by name: from the metadata of a snapshot to the numbers of this host.
//!
//! A name counts. Without one, the number is kept where it belongs to nobody here. An entry whose owner or group cannot be told is held:
//! root has it and nobody else may do anything with it; so is no account ever handed what was another's.

use std::collections::BTreeMap;

use copkg_spec::snapshot::{Account, Acl, Base64, ByteText, Metadata, Node};

use super::report::{HeldEntry, RebuildReport};
use crate::snapshot::accounts::{AccountKind, Accounts};
use crate::snapshot::properties::{ACCESS_LIST, DEFAULT_LIST, Properties};
use crate::snapshot::take::kind_of;

const GROUP_BITS: u16 = 0o070;
const OWNER_BITS: u16 = 0o700;

/// Gives each entry the numbers that it has here.
pub(super) struct Owners {
    accounts: Accounts,
    /// Who runs this: only root can give files to others.
    me: (u32, u32),
}

impl Owners {
    pub(super) fn new(accounts: Accounts) -> Self {
        let me = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self { accounts, me }
    }

    /// Returns what is to be set of an entry, and reports what differs from what it was.
    pub(super) fn resolve(
        &mut self,
        path: &[u8],
        node: &Node,
        metadata: &Metadata,
        report: &mut RebuildReport,
    ) -> Properties {
        let Metadata { user, group, modified, attributes, flags, .. } = metadata;
        let owner = self.number(AccountKind::User, user).zip(self.number(AccountKind::Group, group));
        let may = |owner: &(u32, u32)| self.me.0 == 0 || *owner == self.me;
        let Some((uid, gid)) = owner.filter(may) else {
            return self.hold(path, node, metadata, report);
        };
        let mut attributes = attributes.clone();
        let mut mode = metadata.mode;
        if !self.set_lists(metadata, &mut attributes) {
            mode &= !GROUP_BITS;
            report.lists_not_set.push(ByteText::new(path));
        }
        Properties { user: uid, group: gid, mode, modified: *modified, attributes, flags: flags.clone() }
    }

    fn hold(&self, path: &[u8], node: &Node, metadata: &Metadata, report: &mut RebuildReport) -> Properties {
        let Metadata { user, group, mode, modified, flags, .. } = metadata;
        let path = ByteText::new(path);
        report.held.push(HeldEntry { path, user: user.clone(), group: group.clone(), mode: *mode });
        let mode = if matches!(node, Node::Directory(_)) { OWNER_BITS } else { 0o600 };
        let mut attributes = metadata.attributes.clone();
        // Capabilities would let whoever runs it do what only the owner was to decide.
        attributes.retain(|name, _| !name.as_bytes().starts_with(b"security."));
        Properties {
            user: self.me.0,
            group: self.me.1,
            mode,
            modified: *modified,
            attributes,
            flags: flags.clone(),
        }
    }

    fn set_lists(&mut self, metadata: &Metadata, attributes: &mut BTreeMap<ByteText, Base64>) -> bool {
        let lists = [(ACCESS_LIST, &metadata.acl), (DEFAULT_LIST, &metadata.default_acl)];
        let mut numbered = Vec::new();
        for (name, list) in lists {
            let Some(list) = list else { continue };
            let Some(bytes) = self.list(list) else { return false };
            numbered.push((ByteText::new(name), Base64(bytes)));
        }
        attributes.extend(numbered);
        true
    }

    fn list(&mut self, list: &Acl) -> Option<Vec<u8>> {
        list.to_bytes(&mut |tag, account| self.number(kind_of(tag), account))
    }

    fn number(&mut self, kind: AccountKind, account: &Account) -> Option<u32> {
        match &account.name {
            // It has this number everywhere, also where no file lists it.
            Some(name) if name == "root" => Some(0),
            None if account.id == 0 => Some(0),
            Some(name) => self.accounts.number(kind, name),
            None => self.accounts.name(kind, account.id).is_none().then_some(account.id),
        }
    }
}
