//! A repository read from its server: refreshed by the rules of a client, held against what this user saw before.

use std::path::Path;

use copkg_spec::digest::Digest;
use copkg_spec::repository::Fingerprint;
use copkg_spec::tuf::{
    Driver, Fetch, Kept, Limits, ReadRole, Refresh, Role, RoleIs, RoleName, Targets, Time, Trusted, TufError,
    Verified, Version, load_root,
};

use super::known::{Known, RootPin};
use super::remote::Remote;
use super::view::{Expired, Source, View, ViewError};
use crate::surroundings::Ambient;

type Result<T> = std::result::Result<T, ViewError>;

/// The name of a repository's first root.
const FIRST_ROOT: &str = "1.root.json";

/// A repository on a server, refreshed once.
#[derive(Debug)]
pub(super) struct Online<'r> {
    session: Session<'r>,
    trusted: Trusted,
    pinned: (Digest, Version),
}

#[derive(Debug)]
struct Session<'r> {
    remote: &'r Remote,
    known: Known,
    /// What passed its own checks, and is kept once the last check of the whole has passed: nobody is held against a state that was
    /// refused.
    proposed: Vec<Kept>,
}

/// How a repository on a server is read.
#[derive(Debug, Clone)]
pub struct Reading<'r> {
    /// The server.
    pub remote: &'r Remote,
    /// The root that the user gives; without one, that which was pinned before.
    pub root: Option<RootPin>,
    /// Whether metadata that has expired counts.
    pub expired: Expired,
}

impl<'r> Reading<'r> {
    /// Refreshes the repository.
    ///
    /// # Errors
    /// When it cannot be reached, no root is pinned, or it breaks a rule.
    pub fn view(&self, ambient: &Ambient) -> Result<View<'r>> {
        let known = Known::open(self.remote.address(), ambient)?;
        let mut session = Session { remote: self.remote, known, proposed: Vec::new() };
        let (root, pinned) = session.trusted_root(self.root.as_ref())?;
        let now = match self.expired {
            Expired::Refused => ambient.now(),
            Expired::Shown => Time::EPOCH,
        };
        let trusted = session.drive(Refresh::begin(root, now, Limits::default())?)?;
        session.accept()?;
        let (root, targets) = (trusted.root().clone(), trusted.targets().clone());
        View::new(Source::Server(Box::new(Online { session, trusted, pinned })), root, targets)
    }
}

impl Online<'_> {
    /// Reads a role; nothing when the snapshot does not name it yet, or nobody delegates to it.
    pub(super) fn read(&mut self, delegator: &Role, name: &RoleName) -> Result<Option<Verified<Targets>>> {
        let role = Role::Delegated(name.clone());
        if self.trusted.snapshot().file(&role).is_none() {
            return Ok(None);
        }
        let step = ReadRole::begin(&mut self.trusted, delegator, name.clone());
        let read = self.session.drive(step)?;
        self.session.accept()?;
        match read {
            RoleIs::Read => Ok(self.trusted.role(&role).cloned()),
            RoleIs::NotDelegated => Ok(None),
        }
    }

    /// Where the first root was pinned, its digest is the fingerprint. Of a later one it is not known.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        let (digest, version) = self.pinned;
        if version == Version::FIRST { digest.to_string().parse().ok() } else { None }
    }

    pub(super) fn version_of(&self, role: &Role) -> Option<Version> {
        self.trusted.snapshot().file(role).map(|file| file.version)
    }

    pub(super) fn expiry(&self) -> [(Role, Time); 2] {
        let (snapshot, timestamp) = (self.trusted.snapshot().expires, self.trusted.timestamp().expires);
        [(Role::Snapshot, snapshot), (Role::Timestamp, timestamp)]
    }
}

impl Session<'_> {
    /// Returns the newest root that is trusted, and the digest of the pinned one; pins the one that is given.
    fn trusted_root(&self, given: Option<&RootPin>) -> Result<(Vec<u8>, (Digest, Version))> {
        let url = || self.remote.address().to_string();
        match (self.known.pinned()?, self.known.root()?, given) {
            (Some(pinned), Some(root), given) => {
                let same = given.map_or(Ok(true), |given| given.digest().map(|digest| digest == pinned.0))?;
                if same {
                    Ok((root, pinned))
                } else {
                    let kept_in = self.known.directory().to_owned();
                    Err(ViewError::OtherRoot { kept_in, url: url(), pinned: pinned.0.to_string() })
                }
            }
            (_, _, None) => Err(ViewError::NotPinned { url: url() }),
            (_, _, Some(given)) => {
                let root = self.root_of(given)?;
                let version = load_root(root.clone()).map_err(|source| given.refused(source))?.version;
                self.known.pin(self.remote.address(), &root, version)?;
                let pinned = Digest::of(&root);
                Ok((root, (pinned, version)))
            }
        }
    }

    /// Keeps what was proposed.
    fn accept(&mut self) -> Result<()> {
        for kept in std::mem::take(&mut self.proposed) {
            self.known.keep(&kept)?;
        }
        Ok(())
    }

    fn root_of(&self, given: &RootPin) -> Result<Vec<u8>> {
        let fingerprint = match given {
            RootPin::File(path) => return RootPin::read(path),
            RootPin::Fingerprint(fingerprint) => *fingerprint,
        };
        let first = self.remote.metadata(FIRST_ROOT, Limits::default().root_bytes)?;
        let first = first.ok_or_else(|| ViewError::NoFirstRoot { url: self.remote.address().to_string() })?;
        let found = Fingerprint::of_first_root(&first);
        if found == fingerprint {
            return Ok(first);
        }
        Err(ViewError::WrongFingerprint { url: self.remote.address().to_string(), found })
    }
}

impl Driver for Session<'_> {
    type Error = ViewError;

    fn load(&mut self, role: &Role) -> Result<Option<Vec<u8>>> {
        Ok(self.known.load(role)?)
    }

    fn fetch(&mut self, fetch: &Fetch) -> Result<Option<Vec<u8>>> {
        Ok(self.remote.metadata(&fetch.file, fetch.limit)?)
    }

    /// A root is kept at once: the keys of the one before signed it.
    fn keep(&mut self, kept: &Kept) -> Result<()> {
        if kept.role == Role::Root {
            return Ok(self.known.keep(kept)?);
        }
        self.proposed.push(kept.clone());
        Ok(())
    }

    fn forget(&mut self, role: &Role) -> Result<()> {
        Ok(self.known.forget(role)?)
    }
}

impl RootPin {
    fn read(path: &Path) -> Result<Vec<u8>> {
        std::fs::read(path).map_err(|source| ViewError::RootUnreadable { path: path.to_owned(), source })
    }

    fn refused(&self, source: TufError) -> ViewError {
        match self {
            Self::File(path) => ViewError::NoRoot { path: path.clone(), source },
            Self::Fingerprint(_) => source.into(),
        }
    }

    fn digest(&self) -> Result<Digest> {
        match self {
            Self::File(path) => Self::read(path).map(|root| Digest::of(&root)),
            Self::Fingerprint(fingerprint) => Ok(fingerprint.to_string().parse()?),
        }
    }
}
