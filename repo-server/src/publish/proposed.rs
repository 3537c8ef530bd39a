//! A proposal as it came: parsed, its files kept byte for byte, nothing verified.

use std::collections::BTreeMap;

use bytes::Bytes;
use copkg_spec::digest::Digest;
use copkg_spec::repository::{CommittedRole, Proposal, ProposalId, ProposedRole};
use copkg_spec::tuf::{Content, Document, KeyId, MalformedError, Role, Root, Signature, Targets, Version};

use super::PublishError;
use crate::repository::advance::{Files, role_of};

/// The most roles that one proposal may have: a group with 256 bins, say. They are all named in one entry of the log, of
/// which a leaf of the transparency log can have 65,535 bytes.
pub(super) const ROLES: usize = 280;

/// A proposal.
#[derive(Debug, Clone)]
pub(super) struct Proposed {
    id: ProposalId,
    root: Option<Document<Root>>,
    targets: BTreeMap<Role, Document<Targets>>,
}

type Result<T> = std::result::Result<T, PublishError>;

impl Proposed {
    pub(super) fn read(proposal: Proposal) -> Result<Self> {
        if proposal.roles.is_empty() {
            return Err(PublishError::Empty);
        }
        if proposal.roles.len() > ROLES {
            let why = format!("it has more than {ROLES} roles");
            return Err(PublishError::Shape { role: "a proposal".into(), why });
        }
        let (mut root, mut targets) = (None, BTreeMap::new());
        for ProposedRole { role: name, metadata } in proposal.roles {
            if is_too_dense(&metadata) {
                let why = "it has more values than metadata of its length".to_owned();
                return Err(PublishError::Shape { role: name, why });
            }
            let malformed = |source| PublishError::Malformed { role: name.clone(), source };
            let role = role_of(&name).map_err(|_| PublishError::Role { role: name.clone() })?;
            let bytes = metadata.into_bytes();
            let is_second = if role == Role::Root {
                root.replace(Document::<Root>::parse(bytes).map_err(malformed)?).is_some()
            } else {
                let document = Document::<Targets>::parse(bytes).map_err(malformed)?;
                targets.insert(role, document).is_some()
            };
            if is_second {
                return Err(PublishError::Twice { role: name });
            }
        }
        let id = id_of(root.as_ref(), &targets);
        Ok(Self { id, root, targets })
    }

    pub(super) fn id(&self) -> ProposalId {
        self.id
    }

    pub(super) fn root(&self) -> Option<&Document<Root>> {
        self.root.as_ref()
    }

    /// Returns what is proposed for a targets role.
    pub(super) fn targets(&self, role: &Role) -> Option<&Document<Targets>> {
        self.targets.get(role)
    }

    /// Returns all targets roles of the proposal.
    pub(super) fn all_targets(&self) -> &BTreeMap<Role, Document<Targets>> {
        &self.targets
    }

    /// Returns the roles with their versions and what is signed.
    pub(super) fn roles(&self) -> impl Iterator<Item = (Role, Version, &[u8])> {
        let root = self.root.iter().map(|root| (Role::Root, root.unverified().version, root.payload()));
        let targets = self.targets.iter();
        root.chain(targets.map(|(role, file)| (role.clone(), file.unverified().version, file.payload())))
    }

    /// Returns the role by which the proposal is counted.
    pub(super) fn first_role(&self) -> &str {
        if self.root.is_some() { "root" } else { self.targets.keys().next().map_or("", Role::as_str) }
    }

    pub(super) fn add_signature(&mut self, role: &str, signature: Signature) -> Result<()> {
        let unknown = || PublishError::Role { role: role.to_owned() };
        let malformed = |source| PublishError::Malformed { role: role.to_owned(), source };
        let role = role_of(role).map_err(|_| unknown())?;
        if let (Role::Root, Some(root)) = (&role, &mut self.root) {
            return root.add_signature(signature).map_err(malformed);
        }
        let document = self.targets.get_mut(&role).ok_or_else(unknown)?;
        document.add_signature(signature).map_err(malformed)
    }

    /// Keeps the signatures that `right` lists for each role. A wrong one must not stand where the right one belongs.
    pub(super) fn retain(&mut self, right: &BTreeMap<Role, Vec<KeyId>>) -> Result<()> {
        let of = |role: &Role| right.get(role).map(|ids| ids.iter().collect()).unwrap_or_default();
        if let Some(root) = &mut self.root {
            let ids: Vec<&KeyId> = of(&Role::Root);
            root.retain_signatures(&ids)
                .map_err(|source| PublishError::Malformed { role: "root".into(), source })?;
        }
        for (role, document) in &mut self.targets {
            document
                .retain_signatures(&of(role))
                .map_err(|source| PublishError::Malformed { role: role.to_string(), source })?;
        }
        Ok(())
    }

    /// Adds the signatures of another copy of the same proposal.
    pub(super) fn merge(&mut self, other: &Self) -> Result<()> {
        if let (Some(root), Some(more)) = (&mut self.root, &other.root) {
            add_all(root, more.signatures())
                .map_err(|source| PublishError::Malformed { role: "root".into(), source })?;
        }
        for (role, document) in &mut self.targets {
            let Some(more) = other.targets.get(role) else { continue };
            add_all(document, more.signatures())
                .map_err(|source| PublishError::Malformed { role: role.to_string(), source })?;
        }
        Ok(())
    }

    /// Returns the files, and what the log says of them.
    pub(super) fn files(&self) -> (Vec<CommittedRole>, Files) {
        let (mut committed, mut files) = (Vec::new(), Files::new());
        for (role, version, bytes) in self.bytes() {
            let (sha256, length) = (Digest::of(bytes), bytes.len() as u64);
            committed.push(CommittedRole { role: role.as_str().to_owned(), version, sha256, length });
            files.insert(role.as_str().to_owned(), Bytes::copy_from_slice(bytes));
        }
        (committed, files)
    }

    /// Returns the proposal as it goes over the wire.
    pub(super) fn to_wire(&self) -> Proposal {
        let role = |(role, _, bytes): (Role, Version, &[u8])| ProposedRole {
            role: role.as_str().to_owned(),
            // It came as text.
            metadata: String::from_utf8_lossy(bytes).into_owned(),
        };
        Proposal { roles: self.bytes().map(role).collect() }
    }

    fn bytes(&self) -> impl Iterator<Item = (Role, Version, &[u8])> {
        let root = self.root.iter().map(|root| (Role::Root, root.unverified().version, root.bytes()));
        let targets = self.targets.iter();
        root.chain(targets.map(|(role, file)| (role.clone(), file.unverified().version, file.bytes())))
    }
}

/// Metadata has at least so many bytes for each value that it holds, but for the first ones.
const BYTES_A_VALUE: usize = 16;
const FREE_VALUES: usize = 4096;

/// Tells whether a text holds so many values that it would take much more memory than it has bytes. Nobody has vouched for it yet.
fn is_too_dense(text: &str) -> bool {
    let (mut values, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    values > FREE_VALUES + text.len() / BYTES_A_VALUE
}

fn add_all<T: Content>(
    document: &mut Document<T>,
    signatures: &[Signature],
) -> std::result::Result<(), MalformedError> {
    for signature in signatures {
        // What both have stays as this copy has it, so that nobody replaces a right signature by a wrong one.
        if document.signatures().iter().all(|there| there.keyid != signature.keyid) {
            document.add_signature(signature.clone())?;
        }
    }
    Ok(())
}

fn id_of(root: Option<&Document<Root>>, targets: &BTreeMap<Role, Document<Targets>>) -> ProposalId {
    let root = root.into_iter().map(|root| ("root", root.payload()));
    ProposalId::of(root.chain(targets.iter().map(|(role, file)| (role.as_str(), file.payload()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_nothing_but_values_is_refused_before_it_is_read() {
        let list = |value: &str, count: usize| format!("[{}]", vec![value; count].join(","));
        assert!(!is_too_dense(&list("0", FREE_VALUES)));
        assert!(is_too_dense(&list("0", 2 * FREE_VALUES)));
        assert!(is_too_dense(&list("[]", 2 * FREE_VALUES)));
        assert!(!is_too_dense(&list(&format!("{:?}", "a, \"b\" [c] and {d}"), 100_000)));
        let proposal = Proposal {
            roles: vec![ProposedRole { role: "com.example".into(), metadata: list("0", 1 << 20) }],
        };
        assert!(matches!(Proposed::read(proposal), Err(PublishError::Shape { .. })));
    }
}
