//! `pkginstall content push`: the edits become a signed revision, channels move to it in the same commit, and editing ends.
//!
//! What is sent is on record before it is sent, and its file is kept, so that a push that was interrupted, or that waits for
//! co-signers, is the same push when it is made again.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use copkg_spec::archive::{Contents, Head};
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{Label, Version};
use copkg_spec::manifest::About;
use serde_json::{Value, json};

use super::super::Context;
use super::super::deploy::converge::host_name;
use super::complete::{Completed, complete};
use super::published::{Published, published};
use super::work::{EndOptions, actor, check_holder, lock, obtain, state_of};
use crate::content::{
    self, Content, ContentError, ContentStore, Hold, MergeOutcome, MergeSides, PendingPush, PkgbuildRunner,
    PushTarget, PushedState, RevisionDraft, TreeAt, TreeState, check_publishable, state_of_index,
};
use crate::follow::Revision;
use crate::receipts;
use crate::repository::{Base, Network, Wanted};

/// How often another push may take the version that this one would have.
const ATTEMPTS: usize = 8;

/// The variable that may name the key.
const KEY: &str = "COPKG_CONTENT_KEY";

/// The arguments of `content push`.
#[derive(Debug, Args)]
pub(super) struct PushArgs {
    /// The content
    name: Label,
    /// What is new, for whoever lists the revisions
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
    /// Move every channel of the package, and so every site, not this site's alone
    #[arg(long)]
    all_sites: bool,
    /// Bring what others pushed since into the edits first, by file and line
    #[arg(long)]
    merge: bool,
    /// A secret key of the group that signs the revision; repeat it for several [env: `COPKG_CONTENT_KEY`]
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<Utf8PathBuf>,
    /// Read the passphrase of the key from the first line of this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<Utf8PathBuf>,
    /// The repository server to publish to; the one that the content comes from when left out
    #[arg(long, value_name = "URL")]
    repo: Option<String>,
    #[command(flatten)]
    end: EndOptions,
}

/// A push under way.
struct Push<'a> {
    args: &'a PushArgs,
    store: &'a ContentStore,
    record: &'a Content,
    runner: &'a PkgbuildRunner,
}

/// What a push came to.
enum Pushed {
    Published(Revision, Completed),
    Pending(PendingPush, Vec<String>),
    /// It would be this revision.
    Rehearsed(Version),
}

pub(super) fn run(args: &PushArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let store = ContentStore::of(&context.prefix()?, &args.name);
    let record = store.require()?;
    let runner = args.runner(context)?;
    let _lock = if args.end.dry_run { None } else { Some(lock(context, &store)?) };
    let hold = store.require_hold()?;
    check_holder(context, &store, &hold, args.end.take_over)?;
    let push = Push { args, store: &store, record: &record, runner: &runner };
    let pushed = push.run(context, hold)?;
    Ok(say(args, context, &record, &pushed))
}

impl PushArgs {
    fn runner(&self, context: &Context<'_>) -> Result<PkgbuildRunner, ContentError> {
        let (here, environment) = (context.working_directory(), &context.ambient.environment);
        let named = environment.get(KEY).filter(|_| self.keys.is_empty()).map(Utf8PathBuf::from);
        let keys = self.keys.iter().cloned().chain(named).map(|key| here.join(key)).collect();
        let passphrase = self.passphrase_file.as_ref().map(|file| here.join(file));
        let path = environment.get("PATH").map(String::as_str);
        PkgbuildRunner::find(context.ambient.program.as_deref(), path, keys, passphrase)
    }
}

impl Push<'_> {
    fn run(&self, context: &mut Context<'_>, mut hold: Hold) -> Result<Pushed, Failure> {
        let mut known = self.published(context)?;
        if let Some(push) = hold.push.clone().filter(|push| Self::is_published(&known, push)) {
            return self.complete(context, &hold, &push);
        }
        if let Some(moved) = self.moved(&hold, &known).into_iter().next() {
            if !self.args.merge || self.args.end.dry_run {
                return Err(self.say_moved(moved).into());
            }
            hold = self.merge(context, hold, &known)?;
        }
        let edit = self.store.edit_path();
        let state = TreeState::read(&edit)?;
        self.check(&state, &hold)?;
        if self.args.end.dry_run {
            return Ok(Pushed::Rehearsed(self.next(&known)?));
        }
        let target = self.target(context, &known, &hold)?;
        if let Some((push, file)) = self.sent_before(&hold, &state) {
            match self.publish(context, hold.clone(), push, &file, &target) {
                // Another key signed it.
                Err(failure) if failure.exit == Exit::Trust => {}
                ended => return ended,
            }
        }
        let mut attempt = 1;
        loop {
            let (push, file) = self.build(context, &hold, &known, &state)?;
            match self.publish(context, hold.clone(), push, &file, &target) {
                // Another site's push took the version.
                Err(failure) if failure.code == "published_with_other_bytes" && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                // Another push of this site was faster by a moment.
                Err(failure) if failure.code == "channel_moved" => {
                    let moved = self.moved(&hold, &self.published(context)?).into_iter().next();
                    return Err(moved.map_or(failure, |moved| self.say_moved(moved).into()));
                }
                ended => return ended,
            }
            known = self.published(context)?;
        }
    }

    fn published(&self, context: &mut Context<'_>) -> Result<Published, Failure> {
        published(context, &self.record.channel, Network::Online)
    }

    fn channel(&self) -> &Label {
        self.record.channel.channel()
    }

    /// Tells whether every channel leads to what was sent.
    fn is_published(known: &Published, push: &PendingPush) -> bool {
        push.channels.iter().all(|channel| known.leads_to(channel, &push.revision))
    }

    /// Returns the channels that this push moves.
    fn channels<'k>(&'k self, known: &'k Published) -> Vec<&'k Label> {
        if self.args.all_sites { known.channels.keys().collect() } else { vec![self.channel()] }
    }

    /// Returns the channels that were moved since editing began: each with where it led and where it leads.
    fn moved(&self, hold: &Hold, known: &Published) -> Vec<(Label, Version, Version)> {
        let moved = |channel: &Label| {
            let (from, to) = (hold.heads.get(channel)?, known.channels.get(channel)?);
            (from != to).then(|| (channel.clone(), from.clone(), to.clone()))
        };
        self.channels(known).into_iter().filter_map(moved).collect()
    }

    fn say_moved(&self, (channel, from, to): (Label, Version, Version)) -> ContentError {
        let (group, id) = (self.record.channel.group(), self.record.channel.id());
        ContentError::Moved {
            name: self.store.name().clone(),
            channel: format!("{group}:{id}@{channel}"),
            from: from.to_string(),
            to: to.to_string(),
        }
    }

    /// Brings what others pushed into the working copy. Where that leaves something to settle, the push ends here.
    fn merge(&self, context: &mut Context<'_>, mut hold: Hold, known: &Published) -> Result<Hold, Failure> {
        for (channel, from, to) in self.moved(&hold, known) {
            let outcome = self.merge_one(context, &from, &to)?;
            for path in &outcome.merged {
                context.report.note(format!("merged {path}, as {to} has it"));
            }
            if channel == *self.channel() {
                let package = self.record.package(to.clone());
                let digest = receipts::require(self.store.prefix(), &package)?.digest;
                hold.base = Revision { package, digest };
            }
            hold.heads.insert(channel, to);
            hold.push = None;
            self.store.keep_hold(Some(&hold))?;
            if !outcome.conflicts.is_empty() {
                let left = outcome.conflicts.iter().map(ToString::to_string).collect();
                return Err(self.unsettled(left).into());
            }
        }
        Ok(hold)
    }

    fn merge_one(
        &self,
        context: &mut Context<'_>,
        from: &Version,
        to: &Version,
    ) -> Result<MergeOutcome, Failure> {
        let prefix = self.store.prefix();
        let mut side = |version: &Version| -> Result<(Utf8PathBuf, TreeState), Failure> {
            let package = self.record.package(version.clone());
            obtain(context, Wanted::Exactly(package.clone()), Network::Online)?;
            Ok((prefix.install_dir(&package), state_of(prefix, &package)?))
        };
        let ((ancestor_root, ancestor), (their_root, theirs)) = (side(from)?, side(to)?);
        let (edit, ours) = (self.store.edit_path(), TreeState::read(&self.store.edit_path())?);
        let sides = MergeSides {
            ancestor: TreeAt { root: &ancestor_root, state: &ancestor },
            theirs: TreeAt { root: &their_root, state: &theirs },
            ours: TreeAt { root: &edit, state: &ours },
        };
        Ok(content::merge(self.store, sides)?)
    }

    fn unsettled(&self, left: Vec<String>) -> ContentError {
        ContentError::Unsettled { name: self.store.name().clone(), left, place: self.store.conflicts_path() }
    }

    /// Refuses edits that are none, that cannot be published, or that a merge left to settle.
    fn check(&self, state: &TreeState, hold: &Hold) -> Result<(), Failure> {
        let prefix = self.store.prefix();
        let base = state_of(prefix, &hold.base.package)?;
        let changed = base.changed_paths(state);
        let edit = self.store.edit_path();
        let left = content::unsettled(self.store, TreeAt { root: &edit, state }, &changed)?;
        if !left.is_empty() {
            return Err(self.unsettled(left).into());
        }
        // What was activated by hand and is pushed as it is becomes the newest revision again.
        let is_head = hold.heads.get(self.channel()) == Some(hold.base.package.version());
        if changed.is_empty() && is_head {
            let (name, base) = (self.store.name().clone(), hold.base.package.clone());
            return Err(ContentError::Unchanged { name, base }.into());
        }
        Ok(check_publishable(state)?)
    }

    fn next(&self, known: &Published) -> Result<Version, ContentError> {
        content::next_version(known.revisions.keys())
            .map_err(|source| ContentError::NoVersion { name: self.store.name().clone(), source })
    }

    /// Says where the revision goes, and where each channel must lead until then.
    fn target(
        &self,
        context: &Context<'_>,
        known: &Published,
        hold: &Hold,
    ) -> Result<PushTarget, ContentError> {
        let heads = |channel: &Label| {
            let head = hold.heads.get(channel).or_else(|| known.channels.get(channel));
            (channel.clone(), head.cloned())
        };
        let channels = self.channels(known).into_iter().map(heads).collect();
        let sources = context.sources();
        let group = self.record.channel.group();
        let source = sources.for_group(group).into_iter().find(|source| source.repository().root.is_some());
        let root = source.and_then(|source| source.repository().root.as_ref()).map(ToString::to_string);
        if let Some(url) = &self.args.repo {
            return Ok(PushTarget { repository: url.clone(), root, channels });
        }
        match source.map(|source| &source.repository().first.base) {
            Some(Base::Http(url)) => Ok(PushTarget { repository: url.to_string(), root, channels }),
            other => {
                let place = other.map_or_else(|| "no repository".to_owned(), ToString::to_string);
                Err(ContentError::NoServer { channel: self.record.channel.clone(), place })
            }
        }
    }

    /// Returns what an earlier push sent, where nothing was edited since.
    fn sent_before(&self, hold: &Hold, state: &TreeState) -> Option<(PendingPush, Utf8PathBuf)> {
        let push = hold.push.clone()?;
        let file = self.store.place().join(".push").join(file_name(&push.revision));
        let contents = contents_of(&file).ok()?;
        let is_it =
            contents.digest() == push.revision.digest && state_of_index(contents.index()).is_same(state);
        is_it.then_some((push, file))
    }

    /// Builds and signs the revision, from a copy that nobody edits.
    fn build(
        &self,
        context: &mut Context<'_>,
        hold: &Hold,
        known: &Published,
        state: &TreeState,
    ) -> Result<(PendingPush, Utf8PathBuf), Failure> {
        let directory = content::snapshot(self.store)?;
        let copied = TreeState::read(&directory.join("tree"))?;
        if !copied.is_same(state) {
            // It was edited while it was copied: what is sent is what was copied.
            self.check(&copied, hold)?;
        }
        let now = context.now();
        let draft = RevisionDraft {
            package: self.record.package(self.next(known)?),
            about: self.about(hold)?,
            author: author(context),
            message: self.args.message.as_deref().or(hold.reason.as_deref()),
            time: u64::try_from(now.as_second()).unwrap_or_default(),
            directory: &directory,
        };
        let package = draft.package.clone();
        let built = self.runner.build(&draft)?;
        let holds = state_of_index(contents_of(&built.file)?.index());
        if !holds.is_same(&copied) {
            let paths = holds.changed_paths(&copied).into_iter();
            let paths = paths.map(|path| String::from_utf8_lossy(path).into_owned()).collect();
            return Err(ContentError::NotWhole { paths }.into());
        }
        let channels = self.channels(known).into_iter().cloned().collect();
        let revision = Revision { package, digest: built.digest };
        Ok((PendingPush { revision, channels, proposal: None, started: now }, built.file))
    }

    /// Returns what the revision before says of itself, but for what was new in it.
    fn about(&self, hold: &Hold) -> Result<About, Failure> {
        let receipt = receipts::require(self.store.prefix(), &hold.base.package)?;
        Ok(receipts::manifest(self.store.prefix(), &receipt)?.about().clone())
    }

    fn publish(
        &self,
        context: &mut Context<'_>,
        mut hold: Hold,
        push: PendingPush,
        file: &Utf8Path,
        target: &PushTarget,
    ) -> Result<Pushed, Failure> {
        hold.push = Some(push.clone());
        self.store.keep_hold(Some(&hold))?;
        match self.runner.publish(file, target).inspect_err(|failure| self.forget_refused(&hold, failure))? {
            PushedState::Published => self.complete(context, &hold, &push),
            PushedState::Pending { proposal, missing } => {
                let push = PendingPush { proposal: Some(proposal), ..push };
                hold.push = Some(push.clone());
                self.store.keep_hold(Some(&hold))?;
                Ok(Pushed::Pending(push, missing))
            }
        }
    }

    /// A revision that was refused is not sent again. One of which nothing is known may be published.
    fn forget_refused(&self, hold: &Hold, failure: &Failure) {
        if matches!(failure.exit, Exit::Usage | Exit::NotFound | Exit::Trust | Exit::Conflict) {
            // Where that fails, too, the next push sends it again and is refused again.
            let _ = self.store.keep_hold(Some(&hold.clone().without_push()));
        }
    }

    fn complete(
        &self,
        context: &mut Context<'_>,
        hold: &Hold,
        push: &PendingPush,
    ) -> Result<Pushed, Failure> {
        let completed = complete(context, self.store, self.record, hold, push)?;
        Ok(Pushed::Published(push.revision.clone(), completed))
    }
}

fn author(context: &Context<'_>) -> String {
    let actor = actor(context);
    host_name().map_or_else(|| actor.to_string(), |host| format!("{actor} on {host}"))
}

/// Returns how `pkgbuild` names the file of a revision.
fn file_name(revision: &Revision) -> String {
    revision.package.file_name(&copkg_spec::platform::Platform::Any)
}

/// Reads what a package file that was built here holds.
fn contents_of(file: &Utf8Path) -> Result<Contents, Failure> {
    let failed = |source| Failure::from(ContentError::from(crate::FileError::at("read", file)(source)));
    let bytes = std::fs::read(file).map_err(failed)?;
    let mut reader = bytes.as_slice();
    let head = Head::read(&mut reader)?;
    Ok(head.without_trust().read_contents(&mut reader)?)
}

/// Says what the push came to.
fn say(args: &PushArgs, context: &mut Context<'_>, record: &Content, pushed: &Pushed) -> Exit {
    let document = |state: &str, package: Value, changed: bool| json!({ "changed": changed, "state": state, "revision": package });
    let name = &args.name;
    match pushed {
        Pushed::Rehearsed(version) => {
            let package = record.package(version.clone());
            let document = document("rehearsed", json!(package), false);
            context.report.data(&document, || format!("{name} would be {package}"));
            Exit::Ok
        }
        Pushed::Pending(push, missing) => {
            let mut document = document("pending", json!(push.revision.package), true);
            document["proposal"] = json!(push.proposal);
            document["missing_signatures"] = json!(missing);
            let package = &push.revision.package;
            context
                .report
                .data(&document, || format!("{package} waits for signatures: {}", missing.join("; ")));
            let proposal = push.proposal.as_deref().unwrap_or_default();
            context.report.note(format!("{name} stays yours to edit until then"));
            context.report.note(format!("next: pkgbuild publish --co-sign {proposal} --repo URL --key FILE"));
            Exit::Ok
        }
        Pushed::Published(revision, completed) => {
            let mut document = document("published", json!(revision.package), true);
            let (text, exit) = match completed {
                Completed::Ended(carried) => {
                    document["set_aside"] = json!(carried.aside);
                    let exit = carried.not_reloaded.as_ref().map_or(Exit::Ok, |failure| failure.exit);
                    (format!("{name} is {}", revision.package), exit)
                }
                Completed::EditedSince => {
                    let text = format!(
                        "{} is published; what was edited since is still yours to push",
                        revision.package
                    );
                    (text, Exit::Ok)
                }
            };
            document["editing"] = json!(matches!(completed, Completed::EditedSince));
            context.report.data(&document, || text);
            exit
        }
    }
}
