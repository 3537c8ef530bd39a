//! `pkginstall host`: snapshots of this host's files, and a host brought back from them.

mod configure;
mod list;
mod push;
mod rebuild;

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Subcommand};
use copkg_spec::command::{Exit, Failure};
use copkg_spec::keys::PublicKey;
use copkg_spec::snapshot::{HostName, SnapshotNumber};

use super::Context;
use crate::snapshot::config::HostConfiguration;
use crate::snapshot::read::{Chain, Unlocking};
use crate::snapshot::store::DirectoryStore;
use crate::snapshot::{HostKeys, HostPlaces, SnapshotError, identities_in};

/// The arguments of `host`.
#[derive(Debug, Args)]
pub(super) struct Host {
    #[command(subcommand)]
    command: HostCommand,
}

impl Host {
    /// Tells whether nothing of the prefix is changed.
    pub(super) fn only_looks(&self) -> bool {
        matches!(self.command, HostCommand::List(_) | HostCommand::Show(_) | HostCommand::Rebuild(_))
    }
}

#[derive(Debug, Subcommand)]
enum HostCommand {
    /// Write the configuration and the keys of this host
    Init(configure::Init),
    /// Add directories and files to what is watched
    Watch(configure::Watch),
    /// Take a snapshot of what is watched, and send what the store lacks
    Push(push::Push),
    /// List the snapshots of a host
    List(list::List),
    /// Show what a snapshot holds
    Show(list::Show),
    /// Put the files of a snapshot where they were
    Rebuild(rebuild::Rebuild),
}

pub(super) fn run(args: &Host, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match &args.command {
        HostCommand::Init(args) => configure::init(args, context),
        HostCommand::Watch(args) => configure::watch(args, context),
        HostCommand::Push(args) => push::run(args, context),
        HostCommand::List(args) => list::list(args, context),
        HostCommand::Show(args) => list::show(args, context),
        HostCommand::Rebuild(args) => rebuild::run(args, context),
    }
}

/// Which host of which store.
#[derive(Debug, Args)]
struct OfHost {
    /// The host; this one where none is named
    #[arg(value_name = "NAME")]
    host: Option<HostName>,
    /// The store: a directory; that of this host's configuration where none is named
    #[arg(long, value_name = "STORE")]
    from: Option<Utf8PathBuf>,
    /// The key that must have signed: ed25519:<hex>; else this host's own, or that of the store
    #[arg(long, value_name = "KEY")]
    host_key: Option<PublicKey>,
}

/// Which snapshot, and what opens it.
#[derive(Debug, Args)]
struct OfSnapshot {
    #[command(flatten)]
    of: OfHost,
    /// The number of the snapshot; the last one where none is given
    #[arg(long, value_name = "NUMBER")]
    at: Option<SnapshotNumber>,
    /// A file with a recovery identity (AGE-SECRET-KEY-1…); else this host's own key opens its snapshots
    #[arg(long, value_name = "FILE")]
    identity: Option<Utf8PathBuf>,
}

/// A host of a store, with the chain of its snapshots.
struct Found {
    store: DirectoryStore,
    chain: Chain,
    /// Whether somebody said which key must have signed.
    pinned: bool,
}

impl OfHost {
    fn find(&self, context: &Context<'_>) -> Result<Found, Failure> {
        let places = places(context)?;
        let configuration = match (&self.host, &self.from) {
            (Some(_), Some(_)) => HostConfiguration::read(places.configuration()).ok(),
            _ => Some(HostConfiguration::read(places.configuration())?),
        };
        let host = self.host.clone().or_else(|| configuration.as_ref().map(|known| known.host.clone()));
        let store = self.from.clone().or_else(|| configuration.as_ref().map(|known| known.store.clone()));
        let (Some(host), Some(store)) = (host, store) else {
            return Err(SnapshotError::NotConfigured { path: places.configuration().to_owned() }.into());
        };
        let own = configuration.filter(|known| known.host == host).and_then(|_| HostKeys::read(&places).ok());
        let pinned = self.host_key.clone().or_else(|| own.map(|keys| keys.signing.public()));
        let store = DirectoryStore::new(&context.working_directory().join(store), &host);
        let chain = Chain::read(&store, pinned.as_ref())?;
        Ok(Found { store, chain, pinned: pinned.is_some() })
    }
}

impl OfSnapshot {
    fn unlocking(&self, context: &Context<'_>) -> Result<Unlocking, Failure> {
        match &self.identity {
            Some(path) => Ok(Unlocking::Identities(identities_in(&context.working_directory().join(path))?)),
            None => match HostKeys::read(&places(context)?) {
                Ok(keys) => Ok(Unlocking::Epoch(Box::new(keys.epoch))),
                // A bare machine has no key at all.
                Err(_) => Ok(Unlocking::Identities(Vec::new())),
            },
        }
    }
}

fn places(context: &Context<'_>) -> Result<HostPlaces, Failure> {
    Ok(HostPlaces::of(&context.prefix()?))
}

/// Returns a whole path without `.` and a slash at its end.
fn whole(context: &Context<'_>, path: &Utf8Path) -> Utf8PathBuf {
    context.working_directory().join(path).components().collect()
}
