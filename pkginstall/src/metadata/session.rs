//! A session with one repository: one refresh, and any number of searches in what it found.

use std::collections::BTreeMap;
use std::time::Duration;

use copkg_spec::coordinate::Group;
use copkg_spec::repository::{GroupContent, Packages, group_of_role, group_role, packages_of};
use copkg_spec::tuf::{
    Driver as _, Limits, MalformedError, ReadRole, Refresh, Role, RoleName, Rule, Search, TargetPath,
    Targets, Time, Trusted, TufError, VerifiedTarget,
};

use super::cache::Cache;
use super::driver::{Copy, Stopped};
use super::error::MetadataError;
use super::log::{self, Log, Unbelieved};
use super::witnessed::{self, Unwitnessed};
use super::{Asking, Keeping, clock, root};
use crate::repository::Source;
use crate::trust::RootPin;

/// How long to wait before the next look at a copy.
const PAUSE: Duration = Duration::from_millis(250);
/// How far below `targets` the role of a group is: the registrar is between them.
const DEEPEST: usize = 2;
/// The most bins of a group that are read to list what it has.
const MOST_BINS: usize = 256;

/// What a repository says, as one refresh found it. Its cache is this process's until the session is dropped.
#[derive(Debug)]
pub struct Session<'s> {
    source: &'s Source,
    cache: Cache,
    trusted: Trusted,
    /// The copies in the order in which they are asked, the one that answered first; none when none may be asked.
    copies: Vec<usize>,
    now: Time,
}

type Result<T> = std::result::Result<T, MetadataError>;

impl<'s> Session<'s> {
    /// Refreshes the metadata of the repository, from one copy after the other until one is right. `given` is the pinned root
    /// where its file is at hand; `tell` is told what a person should know.
    ///
    /// # Errors
    /// When no copy could be believed: that of the first one that was refused, else of the last one. Nothing of what was refused is
    /// kept, but the roots on the way to it, which the keys of the roots before signed.
    pub fn open(
        asking: &Asking<'_>,
        source: &'s Source,
        (pin, given): (&RootPin, Option<&[u8]>),
        tell: &mut dyn FnMut(String),
    ) -> Result<Self> {
        let name = &source.repository().name;
        let now = clock::time(asking.now).ok_or(MetadataError::Clock(asking.now))?;
        let mut cache = Cache::open(asking.prefix, name, asking.keeping, asking.wait, |holder| {
            tell(format!("waiting for {holder} …"));
        })?;
        let mut copies: Vec<usize> = source.places(asking.network).map(|(at, _)| at).collect();
        let mut began_anew = Log::GoesOn;
        let refreshed = first_good(&copies, tell, |at| {
            let mut copy = Copy { cache: &mut cache, source, at, server_clock: None };
            let (trusted, log) = look(&mut copy, (pin, given), now)?;
            began_anew = log;
            Ok((at, trusted))
        });
        // Also where it failed: roots that are right stay, and what proves that something was wrong.
        cache.settle()?;
        let (at, trusted) = refreshed?;
        if let Log::BeganAnew { evidence } = began_anew {
            tell(format!(
                "the log of {name} begins anew, after its keys were rotated; both states are kept in {evidence}"
            ));
        }
        cache.note_refresh(asking.now);
        if let Some(at) = at {
            copies.retain(|other| *other != at);
            copies.insert(0, at);
        }
        Ok(Self { source, cache, trusted, copies, now })
    }

    /// Keeps what a session in memory has learnt, now that it is wanted.
    ///
    /// # Errors
    /// When another command uses the cache for too long, or the file system refuses.
    pub fn keep(self, asking: &Asking<'_>) -> Result<()> {
        let name = &self.source.repository().name;
        let mut cache = Cache::open(asking.prefix, name, Keeping::Durable, asking.wait, |_| {})?;
        self.cache.pour_into(&mut cache);
        cache.settle()?;
        cache.note_refresh(asking.now);
        Ok(())
    }

    /// Returns what is trusted.
    pub fn trusted(&self) -> &Trusted {
        &self.trusted
    }

    /// Returns the repository.
    pub fn source(&self) -> &'s Source {
        self.source
    }

    /// Returns the copies in the order in which they are asked for a file.
    pub fn copies(&self) -> &[usize] {
        &self.copies
    }

    /// Searches a target; nothing when no role that may speak for the path knows it.
    ///
    /// # Errors
    /// When a role on the way is refused, or cannot be had from any copy.
    pub fn find(
        &mut self,
        path: &TargetPath,
        tell: &mut dyn FnMut(String),
    ) -> Result<Option<VerifiedTarget>> {
        let Self { source, cache, trusted, copies, now } = self;
        let found = first_good(copies, tell, |at| {
            let mut copy = Copy { cache, source, at, server_clock: None };
            let found = Search::begin(trusted, path.clone()).map_err(Stopped::from);
            let found = found.and_then(|step| copy.drive(step));
            found.map_err(|stopped| copy.explain(stopped, *now))
        });
        self.settle()?;
        found
    }

    /// Returns what a group says of its packages; nothing when the repository has no such group.
    ///
    /// # Errors
    /// As [`Self::find`], and when the group's role has no list of packages that can be read.
    pub fn packages(&mut self, group: &Group, tell: &mut dyn FnMut(String)) -> Result<Option<Packages>> {
        let read = self.read_group(group, tell);
        self.settle()?;
        let Some(role) = read? else { return Ok(None) };
        let packages = self.trusted.role(&role).map(|targets| packages_of(targets));
        packages.transpose().map_err(|error| self.refuse(&role, MalformedError::Shape(error)))
    }

    /// Returns everything that a group says, its bins included.
    ///
    /// # Errors
    /// As [`Self::find`], and when what the group says contradicts itself or is too much to list.
    pub fn contents(&mut self, group: &Group, tell: &mut dyn FnMut(String)) -> Result<Option<GroupContent>> {
        let Some(role) = self.read_group(group, tell)? else { return Ok(None) };
        let Some(own) = self.trusted.role(&role).map(|targets| Targets::clone(targets)) else {
            return Ok(None);
        };
        let names = GroupContent::hash_bins_of(&own).into_iter().flat_map(copkg_spec::tuf::HashBins::names);
        let names: Vec<RoleName> = names.take(MOST_BINS + 1).collect();
        if names.len() > MOST_BINS {
            return Err(MetadataError::TooMany {
                name: self.source.repository().name.clone(),
                group: group.clone(),
            });
        }
        let mut bins = BTreeMap::new();
        for name in names {
            self.read_role(&role, &name, tell)?;
            let bin = self.trusted.role(&Role::Delegated(name.clone()));
            bins.extend(bin.map(|bin| (name, Targets::clone(bin))));
        }
        self.settle()?;
        let content = GroupContent::read(group.clone(), own, bins);
        let failed = |source| {
            let name = self.source.repository().name.clone();
            MetadataError::Group { name, role: role.clone(), source: Box::new(source) }
        };
        content.map(Some).map_err(failed)
    }

    /// Brings up to date what is kept of groups, so that it will do offline. A group that is refused is told of and stops no other.
    ///
    /// # Errors
    /// When the cache cannot be listed.
    pub fn refresh_kept(&mut self, tell: &mut dyn FnMut(String)) -> Result<()> {
        let files = self.cache.roles()?;
        let is_kept = |name: &RoleName| files.contains(&Role::Delegated(name.clone()).file_name());
        let names = files.iter().filter_map(|file| file.strip_suffix(".json")?.parse::<RoleName>().ok());
        for group in names.filter_map(|name| group_of_role(&name)) {
            if let Err(error) = self.refresh_group(&group, &is_kept, tell) {
                tell(error.in_one_line());
            }
        }
        self.settle()
    }

    /// Keeps the roles that were read: each passed all of its checks, by a snapshot that did.
    fn settle(&mut self) -> Result<()> {
        self.cache.accept();
        Ok(self.cache.settle()?)
    }

    fn refresh_group(
        &mut self,
        group: &Group,
        is_kept: &dyn Fn(&RoleName) -> bool,
        tell: &mut dyn FnMut(String),
    ) -> Result<()> {
        let Some(role) = self.read_group(group, tell)? else { return Ok(()) };
        let own = self.trusted.role(&role);
        let bins = own.and_then(|own| GroupContent::hash_bins_of(own));
        let bins = bins.into_iter().flat_map(copkg_spec::tuf::HashBins::names);
        let bins: Vec<RoleName> = bins.filter(is_kept).collect();
        bins.iter().try_for_each(|bin| self.read_role(&role, bin, tell))
    }

    /// Reads the role of a group, on the way on which every search for one of its files goes.
    fn read_group(&mut self, group: &Group, tell: &mut dyn FnMut(String)) -> Result<Option<Role>> {
        let Ok(name) = group_role(group) else { return Ok(None) };
        // Any path of the group will do: the delegations divide by group and by nothing else.
        let Ok(path) = format!("{}/-/-/-", group.target_dir()).parse::<TargetPath>() else { return Ok(None) };
        let mut delegator = Role::Targets;
        for _ in 0..DEEPEST {
            let delegations = self.trusted.role(&delegator).and_then(|targets| targets.delegations.as_ref());
            let Some(next) = delegations.and_then(|delegations| delegations.first_for(&path)) else {
                return Ok(None);
            };
            self.read_role(&delegator, &next, tell)?;
            let is_group = next == name;
            delegator = Role::Delegated(next);
            if is_group {
                return Ok(Some(delegator));
            }
        }
        Ok(None)
    }

    fn read_role(&mut self, delegator: &Role, name: &RoleName, tell: &mut dyn FnMut(String)) -> Result<()> {
        let Self { source, cache, trusted, copies, now } = self;
        first_good(copies, tell, |at| {
            let mut copy = Copy { cache, source, at, server_clock: None };
            let read = copy.drive(ReadRole::begin(trusted, delegator, name.clone()));
            read.map(|_| ()).map_err(|stopped| copy.explain(stopped, *now))
        })
    }

    fn refuse(&self, role: &Role, broken: impl Into<Rule>) -> MetadataError {
        let repository = self.source.repository();
        MetadataError::Refused {
            name: repository.name.clone(),
            place: repository.first.base.to_string(),
            clocks: clock::Clocks { ours: self.now, server: None },
            source: Box::new(TufError::new(role, broken)),
        }
    }
}

/// Asks one copy after the other until one is right; without any, asks what is kept.
fn first_good<T>(
    copies: &[usize],
    tell: &mut dyn FnMut(String),
    mut ask: impl FnMut(Option<usize>) -> Result<T>,
) -> Result<T> {
    let Some((last, before)) = copies.split_last() else { return ask(None) };
    let mut refusal = None;
    for at in before {
        match ask(Some(*at)) {
            Err(error) if error.is_of_this_copy() => {
                tell(format!("{}; asking the next copy", error.in_one_line()));
                refusal = refusal.or(Some(error).filter(MetadataError::is_refusal));
            }
            result => return result,
        }
    }
    match (ask(Some(*last)), refusal) {
        // What was refused says more than what could not be asked.
        (Err(error), Some(refusal)) if error.is_of_this_copy() => Err(refusal),
        (result, _) => result,
    }
}

/// Looks at a copy until it is believed, as often as that may help. What a look has proposed to keep is accepted when its last check
/// has passed, and forgotten otherwise, so that no later look is held against it.
fn look(copy: &mut Copy<'_>, root: (&RootPin, Option<&[u8]>), now: Time) -> Result<(Trusted, Log)> {
    let mut looks = 1;
    loop {
        match believe(copy, root, now) {
            Ok(believed) => {
                copy.cache.accept();
                return Ok(believed);
            }
            Err(error) => {
                copy.cache.reject();
                if looks >= error.looks() {
                    return Err(error);
                }
            }
        }
        looks += 1;
        copy.source.pause(PAUSE);
    }
}

/// Refreshes from a copy, and makes every check there is before any of it is kept.
fn believe(copy: &mut Copy<'_>, root: (&RootPin, Option<&[u8]>), now: Time) -> Result<(Trusted, Log)> {
    let trusted = refresh(copy, root, now)?;
    let log = check_log(copy, &trusted, now)?;
    check_witnesses(copy, &trusted, now)?;
    Ok((trusted, log))
}

fn check_log(copy: &mut Copy<'_>, trusted: &Trusted, now: Time) -> Result<Log> {
    log::check(copy, trusted).map_err(|unbelieved| match unbelieved {
        Unbelieved::Stopped(stopped) => copy.explain(stopped, now),
        Unbelieved::Log { evidence, source } => {
            let name = copy.source.repository().name.clone();
            MetadataError::Log { name, place: copy.place(), evidence, source }
        }
    })
}

fn check_witnesses(copy: &mut Copy<'_>, trusted: &Trusted, now: Time) -> Result<()> {
    let Some(witnesses) = &copy.source.repository().witnesses else { return Ok(()) };
    let (name, needed) = (copy.source.repository().name.clone(), witnesses.needed());
    witnessed::check(copy, trusted, witnesses).map_err(|unwitnessed| match unwitnessed {
        Unwitnessed::TooFew { have } => {
            MetadataError::Unwitnessed { name, place: copy.place(), have, needed }
        }
        Unwitnessed::Log(source) => MetadataError::Log { name, place: copy.place(), evidence: None, source },
        Unwitnessed::Stopped(stopped) => copy.explain(stopped, now),
    })
}

fn refresh(copy: &mut Copy<'_>, (pin, given): (&RootPin, Option<&[u8]>), now: Time) -> Result<Trusted> {
    let root = if let Some(root) = root::kept(copy.cache, pin)? {
        root
    } else {
        let root = match given {
            Some(root) => root.to_vec(),
            None => root::fetch(copy, pin).map_err(|stopped| copy.explain(stopped, now))??,
        };
        root::keep(copy.cache, &root);
        root
    };
    let step = Refresh::begin(root, now, Limits::default()).map_err(Stopped::from);
    step.and_then(|step| copy.drive(step)).map_err(|stopped| copy.explain(stopped, now))
}
