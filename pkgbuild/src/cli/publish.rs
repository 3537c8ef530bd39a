//! `pkgbuild publish FILE… --repo URL|DIR`: publishes packages, or adds a signature to what waits for one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use copkg_spec::command::{Exit, Explain, Failure};
use copkg_spec::coordinate::{CoordinateError, PackageCoordinate};
use copkg_spec::repository::ProposalId;
use serde_json::{Value, json};
use thiserror::Error;

use super::patches::{self, Patches};
use super::server::{GroupChange, Root, document, mode, remote, said};
use super::{Context, co_sign};
use crate::delta;
use crate::repository::remote::Address;
use crate::repository::{
    Checked, Expired, InDirectory, NewPatch, OnServer, Promotion, Publication, Reading, Released, Unsigned,
    check, publish, rehearse, release,
};

#[derive(Debug, Args)]
pub(super) struct Publish {
    /// The package files; all of them become public at once
    #[arg(required_unless_present = "co_sign", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The URL of a repository, or a directory of packages, which is made when it is not there
    #[arg(long, value_name = "URL|DIR")]
    repo: PathBuf,
    #[command(flatten)]
    root: Root,
    #[command(flatten)]
    change: GroupChange,
    #[command(flatten)]
    patches: Patches,
    /// Let this channel lead to what is published, in the same commit; `stable=3` only while it leads to version 3. Repeat it for several
    #[arg(long, value_name = "CHANNEL[=VERSION]")]
    promote: Vec<Promotion>,
    /// List what waits for signatures, or show and sign the proposal with this id
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = LIST, conflicts_with_all = ["files", "expires_in", "patches", "promote"])]
    co_sign: Option<Wanted>,
    /// Publish packages that nobody signed, too: only to a directory
    #[arg(long)]
    allow_unsigned: bool,
    /// Check everything, and publish nothing
    #[arg(long)]
    dry_run: bool,
}

/// What of the proposals that wait is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A list of them.
    List,
    /// To sign this one.
    One(ProposalId),
}

const LIST: &str = "list";

impl FromStr for Wanted {
    type Err = CoordinateError;

    fn from_str(text: &str) -> Result<Self, CoordinateError> {
        if text == LIST { Ok(Self::List) } else { text.parse().map(Self::One) }
    }
}

pub(super) fn run(args: &Publish, context: &mut Context) -> Result<Exit, Failure> {
    let Some(text) = args.repo.to_str() else { return to_directory(args, &args.repo, context) };
    if let Some(directory) = Address::directory(text) {
        return to_directory(args, &directory, context);
    }
    to_server(args, text, context)
}

fn to_server(args: &Publish, url: &str, context: &mut Context) -> Result<Exit, Failure> {
    if args.allow_unsigned {
        return Err(NotThere { option: "--allow-unsigned", place: "a repository server" }.into());
    }
    let remote = remote(url, context)?;
    if let Some(wanted) = args.co_sign {
        // What has expired may be just what waits to be signed again.
        let reading = args.root.reading(&remote, Expired::Shown, context);
        return co_sign::run(wanted, &args.change.keys, &reading, mode(args.dry_run), context);
    }
    let reading = args.root.reading(&remote, Expired::Refused, context);
    let keys = args.change.read_keys(context)?;
    let files = args.files.iter().map(|file| check(&context.path(file), Unsigned::Refused));
    let packages = files.collect::<Result<Vec<_>, _>>()?;
    let published = published(args, &packages, &reading, context)?;
    let made = args.patches.make(&packages, &published, &keys, context)?;
    let editor = args.change.editor(reading, &keys, context);
    let (edited, released) = release(&packages, &made.patches, &args.promote, &editor, mode(args.dry_run))?;
    warn_of_words(packages.iter().map(|package| &package.coordinate), context);
    let mut document = document(&edited);
    document["packages"] = released.iter().map(|released| describe(released, args.dry_run)).collect();
    document["channels"] = args.promote.iter().map(|one| json!(one.channel)).collect();
    let patches = made.patches.iter();
    document["patches"] = patches.clone().map(|patch| patches::describe(patch, !args.dry_run)).collect();
    context.report.data(&document, || {
        let lines = released.iter().map(|released| line(released, &document["state"]));
        let patches = patches.map(|patch| patches::line(patch, did(&document["state"])));
        lines
            .chain(newest_lines(&released))
            .chain(channel_lines(args, &released, &document["state"]))
            .chain(patches)
            .chain(said(&edited, url))
            .collect::<Vec<_>>()
            .join("\n")
    });
    Ok(Exit::Ok)
}

/// Reads what the groups have published, where patches from it are wanted.
fn published<'r>(
    args: &Publish,
    packages: &[Checked],
    reading: &Reading<'r>,
    context: &Context,
) -> Result<OnServer<'r>, Failure> {
    let mut published = OnServer { remote: reading.remote, groups: BTreeMap::new() };
    if args.patches.patches == 0 {
        return Ok(published);
    }
    let mut view = reading.view(&context.ambient)?;
    for package in packages {
        let group = package.coordinate.group();
        let says = view.group(group)?.and_then(|found| found.content);
        published.groups.insert(group.clone(), says);
    }
    Ok(published)
}

fn describe(released: &Released, dry_run: bool) -> Value {
    let package = &released.package;
    json!({
        "package": package.coordinate,
        "platform": package.platform,
        "digest": package.digest,
        "file": package.file,
        "changed": released.is_new && !dry_run,
        "newest": released.newest,
    })
}

/// Says what the name of each package without a version means from now on, and why that is not what was published.
fn newest_lines(released: &[Released]) -> BTreeSet<String> {
    let line = |Released { package, newest, .. }: &Released| {
        let (coordinate, version) = (&package.coordinate, package.coordinate.version());
        let name = format!("{}:{}", coordinate.group(), coordinate.id());
        match newest {
            Some(newest) if newest == version => format!("{name} is {newest} from now on"),
            Some(newest) if version.is_prerelease() => {
                format!("{name} is {newest} as before: {version} is a pre-release")
            }
            Some(newest) => format!("{name} is {newest}, which is later than {version}"),
            None => format!("{name} alone leads to no version: there is no release that is not yanked"),
        }
    };
    released.iter().map(line).collect()
}

/// Says where channels lead from now on.
fn channel_lines(args: &Publish, released: &[Released], state: &Value) -> Vec<String> {
    let leads = match state.as_str() {
        Some("rehearsed" | "pending") => "would lead",
        _ => "leads",
    };
    let packages: BTreeSet<_> = released.iter().map(|released| &released.package.coordinate).collect();
    let line = |package: &PackageCoordinate, channel| {
        let version = package.version();
        format!("{}:{}@{channel} {leads} to {version}", package.group(), package.id())
    };
    packages
        .into_iter()
        .flat_map(|package| args.promote.iter().map(|one| line(package, &one.channel)))
        .collect()
}

/// Warns of versions that count as pre-releases for a word that means nothing.
fn warn_of_words<'p>(packages: impl Iterator<Item = &'p PackageCoordinate>, context: &mut Context) {
    for package in packages {
        if let Some(word) = package.version().unknown_word() {
            context.report.warn(format!(
                "{package} counts as a pre-release, since its version has a hyphen and {word:?}, which is no word for a release"
            ));
        }
    }
}

fn line(released: &Released, state: &Value) -> String {
    let did = if released.is_new { did(state) } else { "already there:" };
    format!("{did} {} ({})", released.package.coordinate, released.package.platform)
}

/// Says what became of what is new.
fn did(state: &Value) -> &'static str {
    match state.as_str() {
        Some("rehearsed") => "would publish",
        Some("pending") => "proposed",
        _ => "published",
    }
}

fn to_directory(args: &Publish, directory: &Path, context: &mut Context) -> Result<Exit, Failure> {
    args.check_for_directory()?;
    let files: Vec<PathBuf> = args.files.iter().map(|file| context.path(file)).collect();
    let repository = context.path(directory);
    let unsigned = if args.allow_unsigned { Unsigned::Allowed } else { Unsigned::Refused };
    let published = if args.dry_run {
        rehearse(&files, &repository, unsigned)?
    } else {
        publish(&files, &repository, unsigned)?
    };
    warn_of_words(published.iter().map(|publication| &publication.coordinate), context);
    let patches = patches_in_directory(args, &files, &repository, unsigned, context)?;
    let changed =
        !args.dry_run && (published.iter().any(|publication| publication.changed) || !patches.is_empty());
    let packages: Vec<_> = published
        .iter()
        .map(|p| {
            json!({
                "package": p.coordinate,
                "platform": p.platform,
                "digest": p.digest,
                "file": p.path,
                "changed": p.changed && !args.dry_run,
            })
        })
        .collect();
    let described: Vec<Value> = patches.iter().map(|patch| patches::describe(patch, !args.dry_run)).collect();
    let document = json!({ "changed": changed, "packages": packages, "patches": described });
    let line = |p: &Publication| {
        let did = match (p.changed, args.dry_run) {
            (true, false) => "published",
            (true, true) => "would publish",
            (false, _) => "already there:",
        };
        format!("{did} {} ({}) {}", p.coordinate, p.platform, p.path.display())
    };
    let say_patch = |patch| patches::line(patch, if args.dry_run { "would publish" } else { "published" });
    context.report.data(&document, || {
        published.iter().map(line).chain(patches.iter().map(say_patch)).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

/// Makes the patches to what is in a directory now, and puts them beside it.
fn patches_in_directory(
    args: &Publish,
    files: &[PathBuf],
    repository: &Path,
    unsigned: Unsigned,
    context: &mut Context,
) -> Result<Vec<NewPatch>, Failure> {
    if args.patches.patches == 0 {
        return Ok(Vec::new());
    }
    // Nothing but a signature vouches for what lies in a directory.
    let keys = args.change.read_keys(context)?;
    let packages = files.iter().map(|file| check(file, unsigned)).collect::<Result<Vec<_>, _>>()?;
    let made = args.patches.make(&packages, &InDirectory(repository), &keys, context)?;
    for patch in made.patches.iter().filter(|_| !args.dry_run) {
        delta::put(
            patch.sha256,
            &patch.file,
            &repository.join("targets").join(patch.target.path().as_str()),
        )?;
    }
    Ok(made.patches)
}

impl Publish {
    /// A directory has no metadata to sign: an option that would be ignored is a mistake.
    fn check_for_directory(&self) -> Result<(), NotThere> {
        let given = [
            ("--key", !self.change.keys.keys.is_empty() && self.patches.patches == 0),
            ("--root", self.root.is_given()),
            ("--expires-in", self.change.expires_in.is_some()),
            ("--promote", !self.promote.is_empty()),
            ("--co-sign", self.co_sign.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(NotThere { option, place: "a directory" }),
            None => Ok(()),
        }
    }
}

/// An option that means nothing for this sort of repository.
#[derive(Debug, Error)]
#[error("{option} means nothing for {place}")]
struct NotThere {
    option: &'static str,
    place: &'static str,
}

impl Explain for NotThere {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> &'static str {
        "option_not_there"
    }

    fn hint(&self) -> Option<String> {
        Some("a URL begins with http:// or https://, everything else is a directory of packages".into())
    }
}
