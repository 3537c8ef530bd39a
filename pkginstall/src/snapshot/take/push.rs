//! A push, from the lock to what is remembered of it.

use std::collections::{BTreeSet, HashMap};
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::age;
use copkg_spec::digest::Digest;
use copkg_spec::durable::{self, Existing};
use copkg_spec::snapshot::{
    ByteText, Changes, HostRecord, ObjectId, ObjectKind, ObjectName, SNAPSHOT_FORMAT, SignedSnapshot,
    SnapshotDocument, SnapshotNumber, SnapshotRoot,
};
use globset::{Glob, GlobSet, GlobSetBuilder};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::outbox::Outbox;
use super::walk::{Found, Walk};
use super::watched::Watched;
use crate::FileError;
use crate::host::{Lock, Wait};
use crate::json_file;
use crate::snapshot::accounts::Accounts;
use crate::snapshot::config::HostConfiguration;
use crate::snapshot::handle::Handle;
use crate::snapshot::store::DirectoryStore;
use crate::snapshot::{HostKeys, HostPlaces, SnapshotError};

/// What a push is asked for.
#[derive(Debug)]
pub struct PushRequest<'a> {
    /// The root whose files are taken: `/`, or that of an image.
    pub root: &'a Utf8Path,
    /// What is watched.
    pub configuration: &'a HostConfiguration,
    /// Where the host's keys and memories are.
    pub places: &'a HostPlaces,
    /// Whether the store may have less than was pushed.
    pub accept_older_store: bool,
    /// Whether nothing is sent.
    pub dry_run: bool,
    /// The time.
    pub now: Timestamp,
    /// How long to wait for another push of this host.
    pub wait: Wait,
}

/// What a push came to.
#[derive(Debug, Clone, Serialize)]
pub struct PushReport {
    /// Whether there is a new snapshot.
    pub changed: bool,
    /// The snapshot that holds what was found; `None` where nothing was ever sent.
    pub number: Option<SnapshotNumber>,
    /// How many entries were found.
    pub entries: u64,
    /// How many of them are regular files.
    pub files: u64,
    /// How many bytes these have.
    pub bytes: u64,
    /// How many files were read; the others are as they were.
    pub files_read: u64,
    /// How many objects the store lacked.
    pub new_objects: u64,
    /// How many bytes these have as they are stored.
    pub new_bytes: u64,
    /// How many entries the configuration excludes.
    pub excluded: u64,
    /// What could not be read, and why.
    pub skipped: Vec<(ByteText, String)>,
    /// What changed each time that it was read.
    pub changed_while_read: Vec<ByteText>,
}

/// What this host remembers of its last snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Last {
    store: Utf8PathBuf,
    number: SnapshotNumber,
    digest: Digest,
    root: ObjectName,
}

/// Takes a snapshot and sends it.
///
/// # Errors
/// When the store is another one than it was, or something fails that is no entry of the tree. What was sent stays in the store, and is
/// not sent again.
pub fn push(request: &PushRequest<'_>) -> Result<PushReport, SnapshotError> {
    let PushRequest { configuration, places, .. } = request;
    let keys = HostKeys::read(places)?;
    let _lock = Lock::take(&places.lock(), request.wait, |_| {})?;
    let record =
        HostRecord { format: SNAPSHOT_FORMAT, host: configuration.host.clone(), key: keys.signing.public() };
    let mut store = DirectoryStore::new(&configuration.store, &configuration.host);
    if let Some(found) = store.record()?.filter(|found| found.key != record.key) {
        let (found, expected) = (found.key.to_string(), record.key.to_string());
        return Err(SnapshotError::OtherKey { host: record.host, found, expected });
    }
    if !request.dry_run {
        store.begin()?;
        let epoch = &keys.epoch;
        store.register(&record, &epoch.id(), || {
            age::encrypt(epoch.to_text().as_bytes(), &configuration.recipients, &mut getrandom::fill)
                .map_err(|_| SnapshotError::Random)
        })?;
    }
    let (head, known) = head(request, &store, &record)?;
    let known_or_none = known.clone().unwrap_or_default();
    let cache =
        known.as_ref().map_or_else(Cache::default, |_| Cache::read(&places.directory().join("cache")));
    let root = Handle::root(request.root)?;
    let outbox = Outbox::new(&keys.epoch, (!request.dry_run).then_some(&mut store), &known_or_none);
    let mut walk = walk(request, outbox, &cache)?;
    let entry = walk.root(&root, &Watched::of(&configuration.watch, &configuration.single))?;
    let texts = |paths: &[Utf8PathBuf]| paths.iter().map(|path| ByteText::new(path.as_str())).collect();
    let Found { entries, files, bytes, skipped, changed, .. } = &walk.found;
    let root = SnapshotRoot {
        format: SNAPSHOT_FORMAT,
        watched: texts(&configuration.watch),
        single: texts(&configuration.single),
        entries: *entries,
        files: *files,
        bytes: *bytes,
        skipped: skipped.clone(),
        changed_while_read: changed.clone(),
        directory: entry,
    };
    let name = walk.outbox.add(ObjectKind::Tree, root.to_bytes())?;
    walk.outbox.finish()?;
    let Walk { outbox, after, found, .. } = walk;
    let Outbox { needed, sent_objects, sent_bytes, .. } = outbox;
    let is_new = head.as_ref().is_none_or(|head| head.document().root != name);
    let mut number = head.as_ref().map(|head| head.document().number);
    if !request.dry_run && is_new {
        let snapshot = sign(
            request,
            &keys,
            head.as_ref(),
            name,
            &Changes::between(known.as_ref(), &needed),
            &mut store,
        )?;
        number = Some(snapshot.document().number);
        remember(request, &snapshot, &needed)?;
    } else if let Some(head) = head.as_ref().filter(|_| !request.dry_run) {
        remember(request, head, &needed)?;
    }
    if !request.dry_run {
        after.write(&places.directory().join("cache"))?;
    }
    Ok(PushReport {
        changed: is_new && !request.dry_run,
        number,
        entries: found.entries,
        files: found.files,
        bytes: found.bytes,
        files_read: found.read,
        new_objects: sent_objects,
        new_bytes: sent_bytes,
        excluded: found.excluded,
        skipped: found.skipped,
        changed_while_read: found.changed,
    })
}

fn walk<'a>(
    request: &PushRequest<'_>,
    outbox: Outbox<'a>,
    before: &'a Cache,
) -> Result<Walk<'a>, SnapshotError> {
    let (paths, names): (Vec<&String>, Vec<&String>) =
        request.configuration.exclude.iter().partition(|pattern| pattern.contains('/'));
    // The clock of the file system may be a tick behind ours.
    let began = request.now - jiff::SignedDuration::from_millis(20);
    Ok(Walk {
        accounts: Accounts::of(request.root),
        outbox,
        before,
        after: Cache::default(),
        excluded_names: globs(request, &names)?,
        excluded_paths: globs(request, &paths)?,
        began: (began.as_second(), u64::try_from(began.subsec_nanosecond()).unwrap_or_default()),
        file_systems: HashMap::new(),
        found: Found::default(),
    })
}

fn globs(request: &PushRequest<'_>, patterns: &[&String]) -> Result<GlobSet, SnapshotError> {
    let bad = |error: globset::Error| SnapshotError::BadConfiguration {
        path: request.places.configuration().to_owned(),
        why: format!("a pattern of `exclude`: {error}"),
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).map_err(bad)?);
    }
    set.build().map_err(bad)
}

/// Returns the last snapshot of the store, and what the store is known to have, where this host remembers that.
fn head(
    request: &PushRequest<'_>,
    store: &DirectoryStore,
    record: &HostRecord,
) -> Result<(Option<SignedSnapshot>, Option<BTreeSet<ObjectId>>), SnapshotError> {
    let directory = request.places.directory();
    let last: Option<Last> = json_file::read(&directory.join("last.json"))?;
    let last = last.filter(|last| last.store == request.configuration.store);
    let rolled_back = |why: String| SnapshotError::RolledBack { host: record.host.clone(), why };
    let Some(number) = store.head()? else {
        return match last.filter(|_| !request.accept_older_store) {
            Some(last) => Err(rolled_back(format!("it has no snapshot, and {} was pushed", last.number))),
            None => Ok((None, None)),
        };
    };
    let document = |number: SnapshotNumber| -> Result<SignedSnapshot, SnapshotError> {
        let object = format!("snapshots/{}.json", number.file_name());
        let read = SignedSnapshot::verify(&store.document(number)?, record);
        read.map_err(|source| SnapshotError::Damaged { host: record.host.clone(), object, source })
    };
    let head = document(number)?;
    if request.accept_older_store {
        return Ok((Some(head), None));
    }
    let Some(last) = last else { return Ok((Some(head), None)) };
    if number < last.number {
        return Err(rolled_back(format!("its last snapshot is {number}, and {} was pushed", last.number)));
    }
    if document(last.number)?.digest() != last.digest {
        return Err(rolled_back(format!("its snapshot {} is another one", last.number)));
    }
    // A push that died after the store had it: this host does not remember what it sent.
    let known = if number == last.number { read_objects(&directory.join("objects")) } else { None };
    Ok((Some(head), known))
}

fn read_objects(path: &Utf8Path) -> Option<BTreeSet<ObjectId>> {
    let changes = Changes::parse(&fs::read(path).ok()?).ok()?;
    let mut objects = BTreeSet::new();
    changes.apply(&mut objects);
    Some(objects)
}

fn sign(
    request: &PushRequest<'_>,
    keys: &HostKeys,
    head: Option<&SignedSnapshot>,
    root: ObjectName,
    changes: &Changes,
    store: &mut DirectoryStore,
) -> Result<SignedSnapshot, SnapshotError> {
    let changes = changes.to_bytes();
    let document = SnapshotDocument {
        format: SNAPSHOT_FORMAT,
        host: request.configuration.host.clone(),
        number: head.map_or(SnapshotNumber(1), |head| head.document().number.next()),
        created: request.now,
        previous: head.map(SignedSnapshot::digest),
        epoch: keys.epoch.id(),
        root,
        changes: Digest::of(&changes),
    };
    let object = document.number.file_name();
    let host = document.host.clone();
    let snapshot =
        document.sign(&keys.signing).map_err(|source| SnapshotError::Damaged { host, object, source })?;
    store.commit(&snapshot, &changes)?;
    Ok(snapshot)
}

/// Writes down what the store has. Lost, files are read again and the store is asked.
fn remember(
    request: &PushRequest<'_>,
    snapshot: &SignedSnapshot,
    needed: &BTreeSet<ObjectId>,
) -> Result<(), SnapshotError> {
    let directory = request.places.directory();
    // The list first: a list of a later snapshot than the one that is remembered only lets more be asked for.
    let path = directory.join("objects");
    durable::write(path.as_std_path(), 0o600, Existing::Replace, &Changes::between(None, needed).to_bytes())
        .map_err(FileError::at("write", &path))?;
    let document = snapshot.document();
    let last = Last {
        store: request.configuration.store.clone(),
        number: document.number,
        digest: snapshot.digest(),
        root: document.root,
    };
    Ok(json_file::write(&directory.join("last.json"), &last)?)
}
