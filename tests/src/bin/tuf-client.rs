//! `tuf-client`: the client of `copkg_spec::tuf` on the command line of the public conformance suite of the TUF project.
//!
//! The suite starts it, counts its requests and looks at the files that it keeps. It keeps the metadata of each role under
//! the role's name, percent-encoded, and every root that it trusted in `root_history`.

use std::error::Error as _;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::{Parser, Subcommand};
use copkg_spec::durable::{self, Existing};
use copkg_spec::tuf::{
    Driver, Fetch, Kept, Limits, Refresh, Role, Search, TargetPath, Time, Trusted, TufError, VerifiedTarget,
    load_root,
};
use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use rustls::{ClientConfig, RootCertStore};

const HISTORY: &str = "root_history";
const SILENCE: Duration = Duration::from_secs(30);

/// Keeps a repository's metadata and fetches its targets, as The Update Framework says.
#[derive(Parser)]
#[command(name = "tuf-client")]
struct Arguments {
    /// Where trusted metadata is kept
    #[arg(long, value_name = "DIR")]
    metadata_dir: PathBuf,
    /// The URL of the repository's metadata
    #[arg(long, value_name = "URL")]
    metadata_url: Option<String>,
    /// The path of a target; repeat it for several
    #[arg(long, value_name = "PATH")]
    target_name: Vec<TargetPath>,
    /// The URL of the repository's targets
    #[arg(long, value_name = "URL")]
    target_base_url: Option<String>,
    /// Where targets are kept
    #[arg(long, value_name = "DIR")]
    target_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Trust a root
    Init {
        /// The file of the root
        root: PathBuf,
    },
    /// Bring the metadata up to date
    Refresh,
    /// Bring the metadata up to date and fetch targets
    Download,
}

/// Says why it did not work.
#[derive(Debug, thiserror::Error)]
enum ClientError {
    #[error(transparent)]
    Refused(#[from] TufError),
    #[error("--{0} is needed")]
    Missing(&'static str),
    #[error("cannot use {path}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    #[error("cannot fetch {url}")]
    Request {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the server answers {url} with {status}")]
    Status { url: String, status: StatusCode },
    #[error("cannot read the answer to {url}")]
    Answer {
        url: String,
        #[source]
        source: io::Error,
    },
    #[error("no role that may speak for {0} knows it")]
    NoSuchTarget(TargetPath),
    #[error("the path of {0} leads out of the repository's targets")]
    Outside(TargetPath),
    #[error("the clock of this host is not in the calendar")]
    Clock,
}

type Result<T> = std::result::Result<T, ClientError>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    match run(&arguments, now) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut err = io::stderr();
            let _ = writeln!(err, "error: {error}");
            for cause in std::iter::successors(error.source(), |cause| (**cause).source()) {
                let _ = writeln!(err, "  cause: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, now: Duration) -> Result<()> {
    let store = Store { directory: arguments.metadata_dir.clone() };
    if let Command::Init { root } = &arguments.command {
        return init(&store, root);
    }
    let now =
        i64::try_from(now.as_secs()).ok().and_then(Time::from_unix_seconds).ok_or(ClientError::Clock)?;
    let url = directory_url(arguments.metadata_url.as_deref().ok_or(ClientError::Missing("metadata-url"))?);
    let mut session = Session { store, client: client()?, metadata_url: url };
    let mut trusted = session.refresh(now)?;
    match arguments.command {
        Command::Download => download(&mut session, &mut trusted, arguments),
        Command::Init { .. } | Command::Refresh => Ok(()),
    }
}

fn init(store: &Store, root: &Path) -> Result<()> {
    let bytes = std::fs::read(root).map_err(|source| ClientError::File { path: root.to_owned(), source })?;
    let verified = load_root(bytes)?;
    let bytes = verified.bytes().to_vec();
    store.keep(&Kept { role: Role::Root, version: verified.version, bytes })
}

/// Fetches each target that is named, in their order, by one refresh of the metadata.
fn download(session: &mut Session, trusted: &mut Trusted, arguments: &Arguments) -> Result<()> {
    let directory = arguments.target_dir.as_ref().ok_or(ClientError::Missing("target-dir"))?;
    let base = arguments.target_base_url.as_deref().ok_or(ClientError::Missing("target-base-url"))?;
    if arguments.target_name.is_empty() {
        return Err(ClientError::Missing("target-name"));
    }
    arguments.target_name.iter().try_for_each(|path| download_one(session, trusted, path, (directory, base)))
}

fn download_one(
    session: &mut Session,
    trusted: &mut Trusted,
    path: &TargetPath,
    (directory, base): (&Path, &str),
) -> Result<()> {
    let search = Search::begin(trusted, path.clone())?;
    let found = session.drive(search)?.ok_or_else(|| ClientError::NoSuchTarget(path.clone()))?;
    let place = directory.join(file_name(path));
    if is_there(&found, &place) {
        return Ok(());
    }
    let location = found.location().ok_or_else(|| ClientError::Outside(path.clone()))?;
    let url = format!("{}{location}", directory_url(base));
    let answer = session.get(&url)?;
    if !answer.status().is_success() {
        return Err(ClientError::Status { url, status: answer.status() });
    }
    store_target(&found, directory, &place, answer, url)
}

/// Returns the name that a target is kept under: two targets of one command never have the same.
fn file_name(path: &TargetPath) -> String {
    path.to_string().replace('%', "%25").replace('/', "%2F")
}

/// Tells whether the file was fetched before and is still what the repository says.
fn is_there(found: &VerifiedTarget, place: &Path) -> bool {
    File::open(place).is_ok_and(|file| io::copy(&mut found.target().checked(file), &mut io::sink()).is_ok())
}

/// Writes beside its place first: nothing unverified ever has a target's name.
fn store_target(
    found: &VerifiedTarget,
    directory: &Path,
    place: &Path,
    answer: Response,
    url: String,
) -> Result<()> {
    let failed = |source| ClientError::File { path: place.to_owned(), source };
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    io::copy(&mut found.target().checked(answer), &mut file)
        .map_err(|source| ClientError::Answer { url, source })?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(place).map_err(|error| failed(error.error))?;
    durable::sync_directory(directory).map_err(failed)
}

/// The trusted metadata on disk.
struct Store {
    directory: PathBuf,
}

impl Store {
    fn path(&self, role: &Role) -> PathBuf {
        self.directory.join(role.file_name())
    }

    fn load(&self, role: &Role) -> Result<Option<Vec<u8>>> {
        let path = self.path(role);
        match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            result => result.map(Some).map_err(|source| ClientError::File { path, source }),
        }
    }

    fn keep(&self, kept: &Kept) -> Result<()> {
        if kept.role == Role::Root {
            let directory = self.directory.join(HISTORY);
            let failed = |source| ClientError::File { path: directory.clone(), source };
            durable::create_dir_all(&directory).map_err(failed)?;
            write(&directory.join(kept.role.versioned_file_name(kept.version)), &kept.bytes)?;
        }
        write(&self.path(&kept.role), &kept.bytes)
    }

    fn forget(&self, role: &Role) -> Result<()> {
        let path = self.path(role);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result
                .and_then(|()| durable::sync_directory(&self.directory))
                .map_err(|source| ClientError::File { path, source }),
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    durable::write(path, 0o644, Existing::Replace, bytes)
        .map_err(|source| ClientError::File { path: path.to_owned(), source })
}

/// What the state machines of the client are driven by.
struct Session {
    store: Store,
    client: Client,
    metadata_url: String,
}

impl Session {
    fn refresh(&mut self, now: Time) -> Result<Trusted> {
        let path = self.store.path(&Role::Root);
        let none = || ClientError::File { path, source: io::ErrorKind::NotFound.into() };
        let root = self.store.load(&Role::Root)?.ok_or_else(none)?;
        let refresh = Refresh::begin(root, now, Limits::default())?;
        self.drive(refresh)
    }

    fn get(&self, url: &str) -> Result<Response> {
        self.client.get(url).send().map_err(|source| ClientError::Request { url: url.to_owned(), source })
    }
}

impl Driver for Session {
    type Error = ClientError;

    fn load(&mut self, role: &Role) -> Result<Option<Vec<u8>>> {
        self.store.load(role)
    }

    fn fetch(&mut self, fetch: &Fetch) -> Result<Option<Vec<u8>>> {
        let url = format!("{}{}", self.metadata_url, fetch.file);
        let answer = self.get(&url)?;
        match answer.status() {
            // Object stores say 403 where there is nothing and nobody may list.
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => return Ok(None),
            status if !status.is_success() => return Err(ClientError::Status { url, status }),
            _ => {}
        }
        let mut bytes = Vec::new();
        // One byte more than may come tells a file that is too long from one that just fits.
        let read = answer.take(fetch.limit + 1).read_to_end(&mut bytes);
        read.map_err(|source| ClientError::Answer { url, source })?;
        Ok(Some(bytes))
    }

    fn keep(&mut self, kept: &Kept) -> Result<()> {
        self.store.keep(kept)
    }

    fn forget(&mut self, role: &Role) -> Result<()> {
        self.store.forget(role)
    }
}

fn directory_url(url: &str) -> String {
    if url.ends_with('/') { url.to_owned() } else { format!("{url}/") }
}

fn client() -> Result<Client> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ClientError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .user_agent(concat!("copkg-tuf-client/", env!("CARGO_PKG_VERSION")))
        .timeout(SILENCE)
        .no_proxy()
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(ClientError::Client)
}
