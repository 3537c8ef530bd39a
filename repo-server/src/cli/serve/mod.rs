//! `repo-server serve`: opens the store and the listener, says where it listens, serves until told to stop.

mod error;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytesize::ByteSize;
use clap::Args;
use copkg_spec::command::{Failure, Options, Report};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

use super::access::AccessOptions;
use super::clock;
use super::publishing::PublishOptions;
use super::store::{OpenError, StoreOptions};
use super::units;
use crate::api::{self, Answers, Limits, State, Switch};
use crate::logs;
use crate::publish::Publishing;
use crate::repository::{self, Repository};
use crate::server::{self, Drained, Settings};
use crate::storage::{Leftovers, Storage};
pub(super) use error::{ServeError, listen_hint};

/// How often a repository looks whether there is something to do.
const SECOND: Duration = Duration::from_secs(1);
/// How often proposals are looked through for those that waited too long.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Serve a repository until SIGTERM or SIGINT
///
/// Prints the address on standard output once connections are taken, and logs to standard error. At the first signal
/// it takes no new connections, finishes what runs, and exits with 0; at a second one it stops at once.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    store: StoreOptions,
    /// The address and port; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "COPKG_LISTEN",
        hide_env_values = true,
        default_value = "127.0.0.1:8080",
        value_parser = units::socket_address
    )]
    listen: SocketAddr,
    /// The address that people know this repository by, as `https://packages.example.com`; without it, what a request says
    #[arg(long, value_name = "URL", env = "COPKG_PUBLIC_URL", hide_env_values = true)]
    #[arg(value_parser = units::web_address)]
    public_url: Option<String>,
    #[command(flatten)]
    access: AccessOptions,
    #[command(flatten)]
    limits: LimitOptions,
    #[command(flatten)]
    publishing: PublishOptions,
    #[command(flatten)]
    times: TimeOptions,
    /// How a line of the log looks
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Log")]
    log_format: logs::Format,
    /// What is logged: a level, or target=level; without it info, more with -v, less with -q
    #[arg(long, value_name = "FILTER", env = "COPKG_LOG", hide_env_values = true, help_heading = "Log")]
    #[arg(value_parser = logs::check_filter)]
    log: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitOptions {
    /// Connections at once; more are answered with 503
    #[arg(long = "max-connections", value_name = "NUMBER", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,
    /// The longest path and query of a request
    #[arg(long = "max-uri", value_name = "SIZE", default_value = "8KiB", value_parser = units::size)]
    uri: ByteSize,
    /// The largest head of a request, at least 8KiB
    #[arg(long = "max-head", value_name = "SIZE", default_value = "64KiB", value_parser = units::size)]
    head: ByteSize,
    /// The largest body of a request
    #[arg(long = "max-body", value_name = "SIZE", default_value = "64KiB", value_parser = units::size)]
    body: ByteSize,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Times")]
struct TimeOptions {
    /// For the head of a request to arrive, and for an idle connection to be kept
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    head_timeout: Duration,
    /// For an answer that is computed; package files have no such limit
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    request_timeout: Duration,
    /// For a client that takes no bytes of its answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    write_timeout: Duration,
    /// Between a failing /readyz and the closed port, for load balancers to notice
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = units::duration)]
    drain_delay: Duration,
    /// For running requests to finish after a signal
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    drain_timeout: Duration,
}

/// What is printed once connections are taken.
#[derive(Serialize)]
struct Listening {
    url: String,
    address: SocketAddr,
    store: String,
}

impl Serve {
    pub(super) fn run(&self, options: &Options, report: &mut Report) -> Result<(), ServeError> {
        logs::start(self.log_format, self.filter(options));
        let runtime = Runtime::new().map_err(ServeError::Start)?;
        let result = runtime.block_on(self.serve(report));
        // A read that hangs in the file system must not keep the process.
        runtime.shutdown_background();
        result
    }

    async fn serve(&self, report: &mut Report) -> Result<(), ServeError> {
        let stops = count_signals().map_err(ServeError::Start)?;
        let settings = self.settings();
        make_room(settings.max_connections);
        let (listener, address) = self.listen().await?;
        let (storage, repository) = self.open().await?;
        let is_plain = repository.is_none();
        let state = self.state(storage, repository)?;
        let answers = self.answers(&state);
        let url = format!("http://{address}");
        tracing::info!(%url, store = %self.store.store, "listening");
        let listening = Listening { url, address, store: self.store.store.to_string() };
        report.data(&listening, || format!("listening on {}", listening.url));
        let readiness = state.readiness.clone();
        let drained = if is_plain {
            let (sender, switch) = Switch::new(answers);
            tokio::select! {
                drained = server::serve(listener, switch, settings, readiness, stops) => drained,
                never = self.become_a_repository(&state, &sender) => never,
            }
        } else {
            server::serve(listener, answers, settings, readiness, stops).await
        };
        match drained {
            Drained::Whole => tracing::info!("stopped"),
            Drained::Cut(connections) => tracing::warn!(connections, "stopped; connections were cut"),
        }
        Ok(())
    }

    /// Starts to keep a repository going, if there is one, and returns what its handlers share.
    fn state(&self, storage: Storage, repository: Option<Repository>) -> Result<State, ServeError> {
        let publishing =
            repository.as_ref().map(|repository| self.start_publishing(repository)).transpose()?;
        if let Some(repository) = &repository {
            self.access.ask_witnesses(repository)?;
        }
        Ok(State::new(storage, repository, publishing.flatten(), self.public_url.clone()))
    }

    fn answers(&self, state: &State) -> Answers {
        let tokens = self.access.tokens(&state.storage);
        let is_closed = tokens.is_some();
        let router = api::router(state.clone(), self.limits(), tokens);
        // Where reading is closed, who may read is asked each time.
        if is_closed { Answers::closed(router) } else { Answers::open(router, state.metrics.clone()) }
    }

    /// Waits until the plain directory is a repository, as after the first run of a mirror, and lets that answer. Ends never.
    async fn become_a_repository(&self, plain: &State, answers: &watch::Sender<Answers>) -> Drained {
        loop {
            sleep(SECOND).await;
            match self.look_for_repository(plain).await {
                Ok(None) => {}
                Ok(Some(state)) => {
                    answers.send_replace(self.answers(&state));
                    tracing::info!("the store has metadata now: it is served as a repository");
                    return std::future::pending().await;
                }
                Err(error) => {
                    let failure = Failure::of(&error);
                    tracing::warn!(%failure, "the store has metadata that cannot be served yet; trying again");
                }
            }
        }
    }

    async fn look_for_repository(&self, plain: &State) -> Result<Option<State>, ServeError> {
        if !repository::is_there(&plain.storage).await.map_err(OpenError::from)? {
            return Ok(None);
        }
        let (storage, repository) = self.open().await?;
        if repository.is_none() {
            return Ok(None);
        }
        let (metrics, readiness) = (plain.metrics.clone(), plain.readiness.clone());
        Ok(Some(State { metrics, readiness, ..self.state(storage, repository)? }))
    }

    /// Opens the store, to write to it when it holds a repository whose keys are at hand.
    async fn open(&self) -> Result<(Storage, Option<Repository>), OpenError> {
        let reading = Storage::open(&self.store.store)?;
        if !repository::is_there(&reading).await? {
            tracing::warn!("the store has no metadata: it is served as a plain directory, to read from");
            return Ok((reading, None));
        }
        let signer = self.store.signer()?;
        let storage = if signer.keys().is_empty() {
            tracing::warn!("no key is named with --signing-key: the repository is served to read from");
            reading
        } else {
            self.store.open_to_write().await?
        };
        let repository = Repository::open(storage.clone(), signer).await?;
        if let Some(repository) = &repository {
            repository.check_keys()?;
        }
        Ok((storage, repository))
    }

    /// Keeps a repository going, and takes proposals where the keys are at hand.
    fn start_publishing(&self, repository: &Repository) -> Result<Option<Publishing>, ServeError> {
        if repository.can_sign() {
            self.publishing.check_spool().map_err(|(path, source)| ServeError::Spool { path, source })?;
        }
        tokio::spawn(keep_going(repository.clone()));
        if !repository.can_sign() {
            return Ok(None);
        }
        tokio::spawn(sweep(repository.storage().clone()));
        let limits = self.publishing.limits(self.times.write_timeout);
        let publishing = Publishing::start(repository.clone(), limits, clock::now);
        tokio::spawn(expire(publishing.clone()));
        Ok(Some(publishing))
    }

    async fn listen(&self) -> Result<(TcpListener, SocketAddr), ServeError> {
        let failed = |source| ServeError::Listen { address: self.listen, source };
        let listener = TcpListener::bind(self.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok((listener, address))
    }

    fn filter(&self, options: &Options) -> &str {
        let by_verbosity = match (options.quiet, options.verbose) {
            (0, 0) => "info",
            (0, 1) => "info,repo_server=debug",
            (0, _) => "debug",
            (1, _) => "warn",
            _ => "error",
        };
        self.log.as_deref().unwrap_or(by_verbosity)
    }

    fn limits(&self) -> Limits {
        Limits {
            uri_bytes: bytes(self.limits.uri),
            body_bytes: self.limits.body.as_u64(),
            proposal_bytes: self.publishing.limits(Duration::ZERO).proposal_bytes,
            blob_bytes: self.publishing.limits(Duration::ZERO).blob_bytes,
            request_timeout: self.times.request_timeout,
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            max_connections: usize::try_from(self.limits.connections).unwrap_or(usize::MAX),
            // hyper takes no less.
            head_bytes: bytes(self.limits.head).max(8192),
            head_timeout: self.times.head_timeout,
            write_timeout: self.times.write_timeout,
            drain_delay: self.times.drain_delay,
            drain_timeout: self.times.drain_timeout,
        }
    }
}

/// Signs again when it is time, and follows what other servers commit.
async fn keep_going(repository: Repository) {
    loop {
        sleep(SECOND).await;
        if let Err(error) = repository.tick(clock::now()).await {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, "cannot go on; trying again");
        }
    }
}

/// Removes what earlier servers of the directory left when they were killed.
async fn sweep(storage: Storage) {
    match storage.remove_own_leftovers(SystemTime::now()).await {
        Ok(Leftovers { files: 0, .. }) => {}
        Ok(Leftovers { files, bytes }) => tracing::info!(files, bytes, "removed what a killed server left"),
        Err(error) => tracing::warn!(%error, "cannot remove what killed servers left"),
    }
}

/// Forgets proposals that waited too long.
async fn expire(publishing: Publishing) {
    loop {
        publishing.expire().await;
        sleep(HOUR).await;
    }
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

/// Counts the signals that ask the server to stop.
pub(super) fn count_signals() -> io::Result<watch::Receiver<u32>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(0);
    tokio::spawn(async move {
        while !sender.is_closed() {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            sender.send_modify(|seen| *seen += 1);
        }
    });
    Ok(receiver)
}

/// Raises the limit of open files as far as this process may, and says so when that is not enough.
fn make_room(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    // A connection may hold its socket and one file.
    let needed = 2 * connections as u64 + 64;
    if let Some(files) = limit.maximum.filter(|&files| files < needed) {
        tracing::warn!(files, needed, "the limit of open files is below what --max-connections may need");
    }
}
