//! `pkginstall host init` and `host watch`.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use copkg_spec::age::Recipient;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::snapshot::HostName;
use serde_json::json;

use super::super::deploy::converge;
use super::{Context, places, whole};
use crate::snapshot::config::{HostConfiguration, WatchAdditions, is_whole};
use crate::snapshot::{HostKeys, SnapshotError};

/// The arguments of `host init`.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The store: a directory
    #[arg(value_name = "STORE")]
    store: Utf8PathBuf,
    /// Who can recover the host: age1…, as `age-keygen` prints it
    #[arg(long = "recipient", required = true, value_name = "RECIPIENT")]
    recipients: Vec<Recipient>,
    /// The name of the host in the store; that of the machine where none is given
    #[arg(long, value_name = "NAME")]
    name: Option<HostName>,
}

/// The arguments of `host watch`.
#[derive(Debug, Args)]
pub(super) struct Watch {
    /// Directories, watched with everything below them
    #[arg(value_name = "DIR", required_unless_present_any = ["single", "exclude"])]
    directories: Vec<Utf8PathBuf>,
    /// A file, watched without what lies beside it
    #[arg(long, value_name = "FILE")]
    single: Vec<Utf8PathBuf>,
    /// A pattern of what is left out: of names, or of whole paths where it has a slash
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Only say whether anything is new
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn init(args: &Init, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let places = places(context)?;
    let host = match &args.name {
        Some(name) => name.clone(),
        None => converge::host_name().unwrap_or_default().parse().map_err(SnapshotError::Text)?,
    };
    if places.configuration().exists() {
        return Err(SnapshotError::Configured { path: places.configuration().to_owned() }.into());
    }
    places.make()?;
    // Keys first: with a configuration alone, nothing could be pushed.
    let keys = HostKeys::make(&places)?;
    let store = whole(context, &args.store);
    HostConfiguration::write_new(places.configuration(), &host, &store, &args.recipients)?;
    let key = keys.signing.public();
    let document = json!({
        "changed": true, "host": host, "store": store, "configuration": places.configuration(), "host_key": key, "epoch": keys.epoch.id(),
    });
    context
        .report
        .data(&document, || format!("{host} is configured: {}\nhost key {key}", places.configuration()));
    context
        .report
        .note("keep the host key with the recovery identity: a rebuild compares what the store says with it");
    Ok(Exit::Ok)
}

pub(super) fn watch(args: &Watch, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let places = places(context)?;
    let all = |paths: &[Utf8PathBuf]| paths.iter().map(|path| whole(context, path)).collect::<Vec<_>>();
    let (directories, single) = (all(&args.directories), all(&args.single));
    let bad = |path: &Utf8Path, why: &str| SnapshotError::BadConfiguration {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    for path in directories.iter().chain(&single) {
        if !is_whole(path) {
            return Err(bad(path, "it has `..`").into());
        }
    }
    let files = directories.iter().filter(|path| path.symlink_metadata().is_ok_and(|found| !found.is_dir()));
    if let Some(file) = files.into_iter().next() {
        return Err(bad(file, "it is no directory: watch it with `--single`").into());
    }
    if let Some(directory) =
        single.iter().find(|path| path.symlink_metadata().is_ok_and(|found| found.is_dir()))
    {
        return Err(bad(directory, "it is a directory: watch it without `--single`").into());
    }
    let additions = WatchAdditions { watch: directories, single, exclude: args.exclude.clone() };
    let is_new = HostConfiguration::add(places.configuration(), &additions, args.dry_run)?;
    let configuration = HostConfiguration::read(places.configuration())?;
    let HostConfiguration { watch, single, exclude, .. } = &configuration;
    let document =
        json!({ "changed": is_new && !args.dry_run, "watch": watch, "single": single, "exclude": exclude });
    context.report.data(&document, || {
        let paths = watch.iter().map(|path| format!("{path}/")).chain(single.iter().map(ToString::to_string));
        paths.chain(exclude.iter().map(|pattern| format!("without {pattern}"))).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}
