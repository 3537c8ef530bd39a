//! A repository server, spoken to over HTTP: its metadata, and the proposals that change it.
//!
//! Comes between what a command wants and the rules of `spec`: nothing that is fetched here is believed because it was. Every
//! request can be repeated, so each is tried again while the network or the server fails.

mod address;
mod error;
mod patience;

pub use address::Address;
pub use error::{Problem, RemoteError, Unreached};
pub use patience::{Patience, Wait};

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use copkg_spec::digest::Digest;
use copkg_spec::http::{Proxies, revalidates};
use copkg_spec::repository::{Committed, PackageTarget, Pending, Proposal, ProposalId};
use copkg_spec::tuf::{Signature, Target};
use reqwest::blocking::{Body, Client, RequestBuilder, Response};
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};

use crate::surroundings::Ambient;

/// The longest answer of the API that is read, in bytes: proposals hold whole metadata files.
const ANSWER_BYTES: u64 = 64 << 20;
/// The slowest upload that is waited for, in bytes a second.
const SLOWEST_UPLOAD: u64 = 16 << 10;
/// How long the server may take to look at what it was sent.
const DECISION: Duration = Duration::from_secs(120);
/// The variable with the token of a repository that is closed to strangers.
const TOKEN: &str = "COPKG_TOKEN";

/// A repository server.
#[derive(Debug)]
pub struct Remote {
    address: Address,
    client: Client,
    proxies: Proxies,
    token: Option<String>,
    patience: Patience,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was committed just now.
    Committed(Committed),
    /// It was committed before.
    Already(Committed),
    /// Something is missing.
    Pending(Pending),
}

/// A proposal that waits, as the server shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Waiting {
    /// What is missing.
    #[serde(flatten)]
    pub pending: Pending,
    /// What is proposed.
    pub roles: Vec<copkg_spec::repository::ProposedRole>,
}

#[derive(Deserialize)]
struct Signers {
    signers: Vec<Signer>,
}

#[derive(Deserialize)]
struct Signer {
    key: String,
}

#[derive(Deserialize)]
struct Waitings {
    proposals: Vec<ProposalId>,
}

/// One signature for a proposal.
#[derive(Debug, Clone, Serialize)]
pub struct CoSignature {
    /// The role.
    pub role: String,
    /// Key and signature.
    #[serde(flatten)]
    pub signature: Signature,
}

#[derive(Serialize)]
struct CoSignatures<'s> {
    signatures: &'s [CoSignature],
}

impl Remote {
    /// Prepares to speak to the server at `address`; no connection is made yet.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(address: Address, patience: Patience, ambient: &Ambient) -> Result<Self, RemoteError> {
        let proxies = crate::http::proxies(ambient);
        proxies.check()?;
        let client = crate::http::client(ambient).map_err(RemoteError::Client)?;
        let token = ambient.variable(TOKEN).and_then(|token| token.to_str()).map(str::to_owned);
        Ok(Self { address, client, proxies, token, patience })
    }

    /// Returns where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Returns how long it is waited for.
    pub fn patience(&self) -> &Patience {
        &self.patience
    }

    /// Fetches a metadata file; nothing when there is none.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses. Of a file longer than `limit` one byte more is read.
    pub fn metadata(&self, file: &str, limit: u64) -> Result<Option<Vec<u8>>, RemoteError> {
        let url = self.address.join(&format!("metadata/{file}"));
        self.patience.attempt(|| {
            let mut request = self.client.get(&url);
            if revalidates(file) {
                request = request.header(CACHE_CONTROL, "no-cache");
            }
            let response = self.send(request, &url)?;
            match response.status() {
                StatusCode::OK => read(response, limit.saturating_add(1), &url).map(Some),
                StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::GONE => Ok(None),
                _ => Err(refused(response, &url)),
            }
        })
    }

    /// Proposes a change, or asks what became of it: to repeat a proposal is how it goes on.
    ///
    /// # Errors
    /// When the server cannot be reached, or a rule forbids the change.
    pub fn propose(&self, proposal: &Proposal) -> Result<Answer, RemoteError> {
        self.post("api/v1/proposals", proposal)
    }

    /// Adds signatures to a proposal that waits.
    ///
    /// # Errors
    /// When the server cannot be reached, or does not take them.
    pub fn co_sign(&self, id: ProposalId, signatures: &[CoSignature]) -> Result<Answer, RemoteError> {
        self.post(&format!("api/v1/proposals/{id}/signatures"), &CoSignatures { signatures })
    }

    /// Returns the ids of the proposals that wait for something.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn waiting(&self) -> Result<Vec<ProposalId>, RemoteError> {
        self.get_json::<Waitings>("api/v1/proposals").map(|list| list.proposals)
    }

    /// Returns one proposal.
    ///
    /// # Errors
    /// When there is none, or the server cannot be reached or refuses.
    pub fn proposal(&self, id: ProposalId) -> Result<Waiting, RemoteError> {
        self.get_json(&format!("api/v1/proposals/{id}"))
    }

    /// Returns the ids of the keys that signed a package, as the server says.
    ///
    /// # Errors
    /// When there is no such package, or the server cannot be reached or refuses.
    pub fn signers(&self, file: &PackageTarget) -> Result<Vec<String>, RemoteError> {
        let PackageTarget { coordinate, platform } = file;
        let (group, id, version) = (coordinate.group(), coordinate.id(), coordinate.version());
        let path = format!("api/v1/packages/{group}/{id}/{version}/{platform}");
        let found: Signers = self.get_json(&path)?;
        Ok(found.signers.into_iter().map(|signer| signer.key).collect())
    }

    /// Uploads a file that a proposal names.
    ///
    /// # Errors
    /// When it cannot be read, the server cannot be reached, or refuses it.
    pub fn upload(&self, sha256: Digest, length: u64, path: &Path) -> Result<(), RemoteError> {
        let url = self.address.join(&format!("api/v1/blobs/{sha256}"));
        let time = DECISION + Duration::from_secs(length / SLOWEST_UPLOAD);
        self.patience.attempt(|| {
            let unreadable = |source| RemoteError::Read { path: path.to_owned(), source };
            let file = File::open(path).map_err(unreadable)?;
            // Not more than was announced, whoever appends to the file meanwhile.
            let body = Body::sized(file.take(length), length);
            let request =
                self.client.put(&url).header(CONTENT_TYPE, "application/octet-stream").timeout(time);
            let response = self.send(request.body(body), &url)?;
            if response.status().is_success() { Ok(()) } else { Err(refused(response, &url)) }
        })
    }

    /// Downloads a file that the repository vouches for, into a file of ours.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses, or what it sends is another file.
    pub fn download(&self, location: &str, target: &Target, into: &Path) -> Result<(), RemoteError> {
        let url = self.address.join(&format!("targets/{location}"));
        let time = DECISION + Duration::from_secs(target.length / SLOWEST_UPLOAD);
        self.patience.attempt(|| {
            let response = self.send(self.client.get(&url).timeout(time), &url)?;
            if response.status() != StatusCode::OK {
                return Err(refused(response, &url));
            }
            let interrupted = |source| RemoteError::Interrupted { url: url.clone(), source };
            let mut file = File::create(into).map_err(interrupted)?;
            let read = target.checked(response.take(target.length.saturating_add(1)));
            io::copy(&mut { read }, &mut file).map(|_| ()).map_err(interrupted)
        })
    }

    fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer, RemoteError> {
        let url = self.address.join(path);
        let body =
            serde_json::to_vec(body).map_err(|source| RemoteError::Answer { url: url.clone(), source })?;
        self.patience.attempt(|| {
            let request = self.client.post(&url).header(CONTENT_TYPE, "application/json").timeout(DECISION);
            let response = self.send(request.body(body.clone()), &url)?;
            match response.status() {
                StatusCode::CREATED => json(response, &url).map(Answer::Committed),
                StatusCode::OK => json(response, &url).map(Answer::Already),
                StatusCode::ACCEPTED => json(response, &url).map(Answer::Pending),
                _ => Err(refused(response, &url)),
            }
        })
    }

    fn get_json<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<T, RemoteError> {
        let url = self.address.join(path);
        self.patience.attempt(|| {
            let response = self.send(self.client.get(&url), &url)?;
            if response.status() == StatusCode::OK {
                json(response, &url)
            } else {
                Err(refused(response, &url))
            }
        })
    }

    fn send(&self, mut request: RequestBuilder, url: &str) -> Result<Response, RemoteError> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request.send().map_err(|error| {
            let proxy = Url::parse(url)
                .ok()
                .and_then(|url| self.proxies.between(url.scheme(), url.host_str().unwrap_or_default()));
            RemoteError::Network { url: url.to_owned(), source: Unreached::of(&error, proxy.as_deref()) }
        })
    }
}

fn read(response: Response, limit: u64, url: &str) -> Result<Vec<u8>, RemoteError> {
    let mut bytes = Vec::new();
    let read = response.take(limit).read_to_end(&mut bytes);
    read.map_err(|source: io::Error| RemoteError::Interrupted { url: url.to_owned(), source })?;
    Ok(bytes)
}

fn json<T: for<'de> Deserialize<'de>>(response: Response, url: &str) -> Result<T, RemoteError> {
    let bytes = read(response, ANSWER_BYTES, url)?;
    serde_json::from_slice(&bytes).map_err(|source| RemoteError::Answer { url: url.to_owned(), source })
}

/// Says what an answer means that is not the one that was asked for.
fn refused(response: Response, url: &str) -> RemoteError {
    let status = response.status().as_u16();
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = read(response, ANSWER_BYTES, url).unwrap_or_default();
    let problem = serde_json::from_slice::<Problem>(&body).unwrap_or_default();
    RemoteError::refused(url, status, seconds.map(Duration::from_secs), problem)
}
