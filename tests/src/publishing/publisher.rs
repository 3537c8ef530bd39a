//! A publisher of one group, who signs with one key and knows what it published last.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use copkg_spec::archive::{Attachments, Head, PackOptions, PackPlan, TreeEntry, TreeNode, pack};
use copkg_spec::coordinate::{Group, PackageCoordinate};
use copkg_spec::digest::Digest;
use copkg_spec::index::{EntryPath, Mode};
use copkg_spec::keys::SecretKey;
use copkg_spec::manifest::{About, Draft, Kind};
use copkg_spec::platform::Platform;
use copkg_spec::repository::ceremony::Speakers;
use copkg_spec::repository::{
    GroupContent, PackageCustom, PackageTarget, PatchCustom, PatchTarget, Proposal, ProposedRole, group_role,
};
use copkg_spec::tuf::{Document, RoleName, Targets, Time};

use super::wire::{Answer, send};
use super::{Error, Result};

/// When what is published here ends: long after any test.
const END: &str = "2099-01-01T00:00:00Z";

/// How long a publish may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A publisher.
#[derive(Debug)]
pub struct Publisher {
    group: Group,
    seeds: Vec<u8>,
    keys: Vec<SecretKey>,
    threshold: u32,
    published: Option<GroupContent>,
}

/// A publish that was signed and not sent yet.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The proposal, as it is sent.
    pub proposal: Vec<u8>,
    /// The package file.
    pub file: Vec<u8>,
    /// Its digest.
    pub digest: Digest,
    after: GroupContent,
}

impl Publisher {
    /// Takes the group and the seed of its key.
    ///
    /// # Errors
    /// When the group is none.
    pub fn new(group: &str, seed: u8) -> Result<Self> {
        Self::with_keys(group, &[seed], 1)
    }

    /// Takes a group that several keys speak for. The first of them signs what is prepared here.
    ///
    /// # Errors
    /// When the group is none.
    pub fn with_keys(group: &str, seeds: &[u8], threshold: u32) -> Result<Self> {
        let keys = seeds.iter().map(|seed| SecretKey::from_seed(&[*seed; 32])).collect();
        Ok(Self { group: group.parse()?, seeds: seeds.to_vec(), keys, threshold, published: None })
    }

    /// Returns who speaks for the group.
    ///
    /// # Errors
    /// When the threshold is out of reach.
    pub fn speakers(&self) -> Result<Speakers> {
        Ok(Speakers::new(self.keys.iter().map(SecretKey::public).collect(), self.threshold)?)
    }

    /// Returns the body with which the owner of another key of the group signs what was prepared.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn co_signature(&self, prepared: &Prepared, number: usize) -> Result<Vec<u8>> {
        let key = self.keys.get(number).ok_or("there is no such key")?;
        let proposal: Proposal = serde_json::from_slice(&prepared.proposal)?;
        let mut signatures = Vec::new();
        for role in proposal.roles {
            let mut document = Document::<Targets>::parse(role.metadata.into_bytes())?;
            document.co_sign(key)?;
            let id = copkg_spec::tuf::KeyId::from(key.public().id());
            let mine =
                document.signatures().iter().find(|signature| signature.keyid == id).ok_or("it signed")?;
            signatures.push(serde_json::json!({ "role": role.role, "keyid": mine.keyid, "sig": mine.sig }));
        }
        Ok(serde_json::to_vec(&serde_json::json!({ "signatures": signatures }))?)
    }

    /// Returns the group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Returns the target path of a package of the group.
    ///
    /// # Errors
    /// When the names are none.
    pub fn path(&self, id: &str, version: &str) -> Result<String> {
        let coordinate = PackageCoordinate::new(self.group.clone(), id.parse()?, version.parse()?);
        Ok(coordinate.target_path(&"any".parse()?))
    }

    /// Builds a package of `id` and `version` with `content` in it, and signs the group's next metadata.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn prepare(&self, id: &str, version: &str, content: &[u8]) -> Result<Prepared> {
        let coordinate = PackageCoordinate::new(self.group.clone(), id.parse()?, version.parse()?);
        let platform: Platform = "any".parse()?;
        let file = self.package(&coordinate, &platform, content)?;
        let package_digest = Head::read(&mut file.as_slice())?.digest();
        let end: Time = END.parse()?;
        let mut after = match &self.published {
            Some(published) => published.clone(),
            None => GroupContent::new(self.group.clone(), end),
        };
        let custom = PackageCustom {
            digest: package_digest,
            kind: Kind::Content,
            platform: platform.clone(),
            yanked: None,
        };
        after.add(
            &PackageTarget { coordinate, platform },
            (file.len() as u64, Digest::of(&file)),
            &custom,
            Some("a test"),
        )?;
        self.sign(&after, file)
    }

    /// Signs metadata that says that a file is the package `id`, `version` for `platform`, whatever it is.
    ///
    /// # Errors
    /// When the file is no package, or the names are none.
    pub fn prepare_as(&self, id: &str, version: &str, platform: &str, file: Vec<u8>) -> Result<Prepared> {
        let coordinate = PackageCoordinate::new(self.group.clone(), id.parse()?, version.parse()?);
        let platform: Platform = platform.parse()?;
        let digest = Head::read(&mut file.as_slice())?.digest();
        let mut after = GroupContent::new(self.group.clone(), END.parse()?);
        let custom = PackageCustom { digest, kind: Kind::Content, platform: platform.clone(), yanked: None };
        let target = PackageTarget { coordinate, platform };
        after.add(&target, (file.len() as u64, Digest::of(&file)), &custom, None)?;
        self.sign(&after, file)
    }

    /// Signs the group's next metadata with a patch in it, between two packages that it published.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn prepare_patch(
        &self,
        target: &PatchTarget,
        custom: &PatchCustom,
        file: Vec<u8>,
    ) -> Result<Prepared> {
        let mut after = self.published.clone().ok_or("nothing is published")?;
        after.add_patch(target, (file.len() as u64, Digest::of(&file)), custom)?;
        self.sign(&after, file)
    }

    fn sign(&self, after: &GroupContent, file: Vec<u8>) -> Result<Prepared> {
        let (end, digest): (Time, Digest) = (END.parse()?, Digest::of(&file));
        let speakers = self.speakers()?;
        let next = after.next(self.published.as_ref(), &speakers, end)?;
        let mut roles = Vec::new();
        let mut changed: BTreeMap<RoleName, Targets> = BTreeMap::new();
        for role in next {
            let document = Document::sign(role.targets.clone(), self.keys.first())?;
            let metadata = String::from_utf8(document.bytes().to_vec())?;
            roles.push(ProposedRole { role: role.name.to_string(), metadata });
            changed.insert(role.name, role.targets);
        }
        let own = changed.remove(&group_role(&self.group)?).ok_or("the group's own role always changes")?;
        let mut bins = self.published.as_ref().map(|before| before.bins().clone()).unwrap_or_default();
        bins.extend(changed);
        let after = GroupContent::read(self.group.clone(), own, bins)?;
        Ok(Prepared { proposal: serde_json::to_vec(&Proposal { roles })?, file, digest, after })
    }

    /// As [`Self::prepare`], for the version of the role that follows `before`, as if nothing had been published then.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn prepare_after(
        &self,
        before: &Prepared,
        id: &str,
        version: &str,
        content: &[u8],
    ) -> Result<Prepared> {
        let own = before.after.role().clone();
        let nothing = Targets { targets: BTreeMap::new(), other: serde_json::Map::new(), ..own };
        let published = GroupContent::read(self.group.clone(), nothing, BTreeMap::new())?;
        let mut forgetful = Self::with_keys(self.group.as_str(), &self.seeds, self.threshold)?;
        forgetful.published = Some(published);
        forgetful.prepare(id, version, content)
    }

    /// Sends what was prepared as often as it takes, and returns the last answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send(server: SocketAddr, prepared: &Prepared) -> Result<Answer> {
        let mut answer = send(server, "POST", "/api/v1/proposals", &prepared.proposal)?;
        let deadline = Instant::now() + PATIENCE;
        while answer.status == 202 && Instant::now() < deadline {
            let path = format!("/api/v1/blobs/{}", prepared.digest);
            let put = send(server, "PUT", &path, &prepared.file)?;
            // Somebody else's commit may have made this file unexpected meanwhile; the proposal tells.
            if !matches!(put.status, 200 | 201 | 404 | 503) {
                return Ok(put);
            }
            answer = send(server, "POST", "/api/v1/proposals", &prepared.proposal)?;
        }
        Ok(answer)
    }

    /// Remembers that what was prepared is committed.
    pub fn committed(&mut self, prepared: Prepared) {
        self.published = Some(prepared.after);
    }

    fn package(
        &self,
        coordinate: &PackageCoordinate,
        platform: &Platform,
        content: &[u8],
    ) -> Result<Vec<u8>> {
        let path: EntryPath = "data".parse()?;
        let node = TreeNode::File { mode: Mode::Regular, size: content.len() as u64 };
        let draft = Draft {
            coordinate: coordinate.clone(),
            kind: Kind::Content,
            platform: platform.clone(),
            source_date: 0,
            about: About::default(),
            service: None,
        };
        let options = PackOptions { level: 1, threads: NonZeroUsize::MIN };
        let plan = PackPlan { draft, attachments: Attachments::default(), keys: &self.keys[..1], options };
        let mut file = Vec::new();
        let tree = vec![TreeEntry { path, node }];
        pack(plan, tree, |_: &EntryPath| Ok(content), Cursor::new(Vec::new()), &mut file)
            .map_err(|error| Error::from(error.to_string()))?;
        Ok(file)
    }
}
