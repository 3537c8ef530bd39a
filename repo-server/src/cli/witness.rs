//! `repo-server witness`: cosigns the checkpoints of other servers' logs.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Args;
use copkg_spec::command::{Exit, Explain, Failure, Options, Report};
use copkg_spec::tlog::{Cosigner, KeyName, VerifierKey};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use thiserror::Error;
use tokio::net::TcpListener;

use super::serve::{count_signals, listen_hint};
use super::{clock, task, units};
use crate::api::Readiness;
use crate::server::{self, Settings};
use crate::signer::read_key;
use crate::witness::{self, Seen, Witness};

/// Connections at once. A log asks once for each commit.
const CONNECTIONS: usize = 256;
/// How long a client may send or take nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// Cosign the checkpoints of other servers' logs
///
/// Answers POST /add-checkpoint as c2sp.org/tlog-witness says: a checkpoint is cosigned when its log signed it and it goes on
/// from the one that was cosigned last. Prints its own key, which logs and hosts are given, and its address.
#[derive(Debug, Args)]
pub(super) struct WitnessCommand {
    /// The name of this witness, such as its address without https://
    #[arg(long)]
    name: KeyName,
    /// Its secret key: made with `pkgbuild keygen`, used for nothing else
    #[arg(long, value_name = "FILE")]
    key: Utf8PathBuf,
    /// The directory of what it saw last; back it up, and never run two witnesses with one key
    #[arg(long, value_name = "DIR")]
    state: Utf8PathBuf,
    /// The key of a log that it cosigns, as `repo-server check` prints it
    #[arg(long = "log", value_name = "KEY", required = true)]
    logs: Vec<VerifierKey>,
    /// The address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090", value_parser = units::socket_address)]
    listen: SocketAddr,
}

/// Says why a witness cannot start.
#[derive(Debug, Error)]
pub(super) enum WitnessCommandError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    /// Signals are not to be had.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
}

impl Explain for WitnessCommandError {
    fn exit(&self) -> Exit {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => Exit::Conflict,
            Self::Listen { .. } | Self::Signals(_) => Exit::Failure,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => "address_in_use",
            Self::Listen { .. } => "cannot_listen",
            Self::Signals(_) => "cannot_start",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { address, source } => listen_hint(*address, source.kind()),
            Self::Signals(_) => None,
        }
    }
}

impl WitnessCommand {
    pub(super) fn run(&self, options: &Options, report: &mut Report) -> Result<Exit, Failure> {
        let cosigner = Cosigner::new(self.name.clone(), read_key(&self.key)?);
        let key = cosigner.verifier();
        let seen = Seen::open(&self.state, &self.logs)?;
        let router = witness::router(Witness { cosigner, seen, clock: clock::now });
        task::run(options, async {
            let stops = count_signals().map_err(WitnessCommandError::Signals)?;
            let failed = |source| WitnessCommandError::Listen { address: self.listen, source };
            let listener = TcpListener::bind(self.listen).await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            let url = format!("http://{address}");
            report.data(&json!({ "key": key, "url": url, "address": address }), || {
                format!("key {key}\nlistening on {url}")
            });
            let service = TowerToHyperService::new(router);
            server::serve(listener, service, settings(), Readiness::default(), stops).await;
            Ok(Exit::Ok)
        })
    }
}

fn settings() -> Settings {
    Settings {
        max_connections: CONNECTIONS,
        head_bytes: 64 << 10,
        head_timeout: PATIENCE,
        write_timeout: PATIENCE,
        drain_delay: Duration::ZERO,
        drain_timeout: PATIENCE,
    }
}
