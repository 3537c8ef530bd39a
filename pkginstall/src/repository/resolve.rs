//! Resolution: from what is wanted to one package, the file for this platform, and who vouches for it.
//!
//! The repositories that are asked for a group are asked in the order of their names, and the first that knows the package
//! decides. Each is refreshed once, when it is first asked.

use std::collections::BTreeMap;

use copkg_spec::coordinate::{Group, Label, PackageCoordinate, Version};
use copkg_spec::platform::Platform;
use copkg_spec::repository::{GroupContent, PackageEntry, PackageTarget, VouchedPackage};

use super::resolved::{Candidate, Resolved, Vouched, VouchedBy};
use super::{RepositoryError, ResolveError, Source, Sources, Wanted};
use crate::fetch::Span;
use crate::metadata::{Asking, Session};

/// The file whose presence tells a repository from a plain directory.
const TIMESTAMP: &str = "metadata/timestamp.json";

/// Resolves what is wanted. Holds the caches of the repositories that it asked until it is dropped.
pub struct Resolver<'s, 't> {
    sources: &'s Sources,
    asking: Asking<'s>,
    tell: &'t mut dyn FnMut(String),
    sessions: BTreeMap<&'s str, Session<'s>>,
    plain: BTreeMap<&'s str, Plain>,
}

/// What a repository without a pinned root is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plain {
    Directory,
    Repository,
}

/// What a repository says of a package.
#[derive(Debug)]
pub struct Listed {
    /// The name of the repository.
    pub repository: String,
    /// Its newest version, its channels and its description.
    pub entry: PackageEntry,
    /// Everything of the group.
    pub group: GroupContent,
}

type Result<T> = std::result::Result<T, ResolveError>;

impl<'s, 't> Resolver<'s, 't> {
    /// Starts to ask `sources`. `tell` is told what a person should know.
    pub fn new(sources: &'s Sources, asking: Asking<'s>, tell: &'t mut dyn FnMut(String)) -> Self {
        Self { sources, asking, tell, sessions: BTreeMap::new(), plain: BTreeMap::new() }
    }

    /// Finds what `wanted` leads to on `platform`: the platform's own file, else the one for any.
    ///
    /// # Errors
    /// When no repository has it, one cannot be asked or is refused: a server that is down must not turn a package into
    /// another one.
    pub fn resolve(&mut self, wanted: &Wanted, platform: &Platform) -> Result<Resolved<'s>> {
        let sources = self.asked(wanted.group())?;
        let mut asked = Vec::new();
        for source in sources {
            let found = match source.repository().root {
                Some(_) => self.in_repository(source, wanted, platform)?,
                None => self.in_directory(source, wanted, platform)?,
            };
            match found {
                Some(resolved) => return Ok(resolved),
                None => asked.push(source.repository().first.base.to_string()),
            }
        }
        Err(RepositoryError::NotFound { package: wanted.clone(), asked }.into())
    }

    /// Finds what the first repository that knows the package says of it.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn list(&mut self, group: &Group, id: &Label) -> Result<Option<Listed>> {
        for source in self.asked(group)? {
            let Some(entry) = self.entry(source, group, id)? else { continue };
            let repository = source.repository().name.clone();
            let (tell, session) = self.session(source)?;
            let contents = session.contents(group, tell)?;
            return Ok(contents.map(|group| Listed { repository, entry, group }));
        }
        Ok(None)
    }

    fn asked(&self, group: &Group) -> Result<Vec<&'s Source>> {
        let sources = self.sources.for_group(group);
        if sources.is_empty() {
            return Err(RepositoryError::NoRepository { group: group.clone() }.into());
        }
        Ok(sources)
    }

    fn in_repository(
        &mut self,
        source: &'s Source,
        wanted: &Wanted,
        platform: &Platform,
    ) -> Result<Option<Resolved<'s>>> {
        let Some(version) = self.version(source, wanted)? else { return Ok(None) };
        let coordinate = PackageCoordinate::new(wanted.group().clone(), wanted.id().clone(), version);
        for platform in platforms(platform) {
            let target = PackageTarget { coordinate: coordinate.clone(), platform };
            let path = target.path();
            let (tell, session) = self.session(source)?;
            let Some(found) = session.find(&path, tell)? else { continue };
            let vouched = VouchedPackage::by(found)?;
            let is_exact = matches!(wanted, Wanted::Exactly(_));
            if let Some(reason) = vouched.yanked().filter(|_| !is_exact) {
                let (wanted, reason) = (wanted.clone(), reason.to_owned());
                return Err(ResolveError::Yanked { wanted, package: coordinate, reason });
            }
            return Ok(Some(self.resolved(
                source,
                wanted,
                target,
                Vouched::Repository(Box::new(vouched)),
            )?));
        }
        if matches!(wanted, Wanted::Exactly(_)) {
            return Ok(None);
        }
        Err(ResolveError::NoPlatform {
            wanted: wanted.clone(),
            package: coordinate,
            platform: platform.clone(),
        })
    }

    /// Returns the version that is wanted; nothing when the repository does not know the package.
    fn version(&mut self, source: &'s Source, wanted: &Wanted) -> Result<Option<Version>> {
        let entry = match wanted {
            Wanted::Exactly(package) => return Ok(Some(package.version().clone())),
            Wanted::Newest { group, id } | Wanted::Channel { group, id, .. } => {
                self.entry(source, group, id)?
            }
        };
        let Some(entry) = entry else { return Ok(None) };
        let found = match wanted {
            Wanted::Channel { channel, .. } => entry.channels.get(channel).cloned(),
            _ => entry.newest,
        };
        let channels = entry.channels.into_keys().collect();
        found.map(Some).ok_or_else(|| ResolveError::NoVersion { wanted: wanted.clone(), channels })
    }

    /// Returns what the repository says of a package as a whole.
    fn entry(&mut self, source: &'s Source, group: &Group, id: &Label) -> Result<Option<PackageEntry>> {
        if source.repository().root.is_none() {
            self.check_plain(source)?;
            return Ok(None);
        }
        let (tell, session) = self.session(source)?;
        Ok(session.packages(group, tell)?.and_then(|mut packages| packages.remove(id)))
    }

    fn resolved(
        &mut self,
        source: &'s Source,
        wanted: &Wanted,
        target: PackageTarget,
        vouched: Vouched,
    ) -> Result<Resolved<'s>> {
        let path = match &vouched {
            Vouched::Repository(vouched) => vouched.target().location().map(str::to_owned),
            Vouched::Pins => Some(target.path().to_string()),
        };
        let path = path.ok_or_else(|| ResolveError::Outside { path: target.path() })?;
        let candidates = self.candidates(source, &path);
        let by = self.voucher(source, &vouched);
        let PackageTarget { coordinate, platform } = target;
        Ok(Resolved { wanted: wanted.clone(), coordinate, platform, vouched, by, candidates })
    }

    /// Returns where the copies of a file below `targets/` lie, in the order in which they are asked.
    pub(super) fn candidates(&self, source: &'s Source, path: &str) -> Vec<Candidate<'s>> {
        let copies = match self.sessions.get(source.repository().name.as_str()) {
            Some(session) => session.copies().to_vec(),
            None => source.places(self.asking.network).map(|(at, _)| at).collect(),
        };
        let places: Vec<_> = source.repository().places().collect();
        let candidate = |at: usize| {
            let location = places.get(at)?.base.location(&format!("targets/{path}"));
            Some(Candidate { source, at, location })
        };
        copies.into_iter().filter_map(candidate).collect()
    }

    /// Returns which metadata vouches for a package.
    fn voucher(&self, source: &'s Source, vouched: &Vouched) -> Option<VouchedBy> {
        let Vouched::Repository(package) = vouched else { return None };
        let repository = source.repository();
        let session = self.sessions.get(repository.name.as_str())?;
        let version = session.trusted().role(package.role())?.version;
        Some(VouchedBy { repository: repository.root?, role: package.role().as_str().to_owned(), version })
    }

    /// Looks whether a plain directory has the file; nothing but its name says which package it is.
    fn in_directory(
        &mut self,
        source: &'s Source,
        wanted: &Wanted,
        platform: &Platform,
    ) -> Result<Option<Resolved<'s>>> {
        self.check_plain(source)?;
        let Wanted::Exactly(package) = wanted else {
            let place = source.repository().first.base.to_string();
            return Err(ResolveError::NothingListed { wanted: wanted.clone(), place });
        };
        for platform in platforms(platform) {
            let target = PackageTarget { coordinate: package.clone(), platform };
            let mut resolved = self.resolved(source, wanted, target, Vouched::Pins)?;
            let mut failure = None;
            let mut found = None;
            for (number, candidate) in resolved.candidates.iter().enumerate() {
                match candidate.open(Span { start: 0, end: Some(1) }) {
                    Ok(_) => {
                        found = Some(number);
                        break;
                    }
                    Err(error) if error.is_not_found() => {}
                    Err(error) => failure = Some(error),
                }
            }
            match (found, failure) {
                (Some(number), _) => {
                    resolved.candidates.drain(..number);
                    return Ok(Some(resolved));
                }
                (None, Some(error)) => return Err(error.into()),
                (None, None) => {}
            }
        }
        Ok(None)
    }

    /// Refuses to take a repository for a plain directory: what its metadata says would not be looked at.
    fn check_plain(&mut self, source: &'s Source) -> Result<()> {
        let repository = source.repository();
        let known = self.plain.get(repository.name.as_str()).copied();
        let plain = match known {
            Some(plain) => plain,
            None => self.look(source)?,
        };
        self.plain.insert(&repository.name, plain);
        match plain {
            Plain::Directory => Ok(()),
            Plain::Repository => Err(ResolveError::NotPinned {
                name: repository.name.clone(),
                place: repository.first.base.to_string(),
            }),
        }
    }

    fn look(&self, source: &'s Source) -> Result<Plain> {
        let mut places = source.places(self.asking.network);
        let Some((at, place)) = places.next() else {
            let place = source.repository().first.base.to_string();
            return Err(ResolveError::Offline { place });
        };
        match source.open(at, &place.base.location(TIMESTAMP), Span { start: 0, end: Some(1) }) {
            Ok(_) => Ok(Plain::Repository),
            Err(error) if error.is_not_found() => Ok(Plain::Directory),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the session with a repository whose root is pinned, and whom to tell what it says.
    pub(super) fn session(
        &mut self,
        source: &'s Source,
    ) -> Result<(&mut dyn FnMut(String), &mut Session<'s>)> {
        let repository = source.repository();
        let pin = repository.root.as_ref().ok_or_else(|| ResolveError::NotPinned {
            name: repository.name.clone(),
            place: repository.first.base.to_string(),
        })?;
        if !self.sessions.contains_key(repository.name.as_str()) {
            let session = Session::open(&self.asking, source, (pin, None), self.tell)?;
            self.sessions.insert(&repository.name, session);
        }
        let session = self.sessions.get_mut(repository.name.as_str());
        let missing = || ResolveError::Offline { place: repository.first.base.to_string() };
        Ok((self.tell, session.ok_or_else(missing)?))
    }
}

/// The platforms whose files run on `platform`, the best first.
fn platforms(platform: &Platform) -> Vec<Platform> {
    let mut platforms = vec![platform.clone(), Platform::Any];
    platforms.dedup();
    platforms
}
