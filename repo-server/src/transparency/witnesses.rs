//! Asking witnesses: each new head goes to each witness with the proof that it extends what that one saw last, and the
//! cosignatures go into `tlog/checkpoint`. Nothing waits for it: a witness that is away delays no commit.

use std::str::FromStr;
use std::time::Duration;

use copkg_spec::tlog::{AddCheckpoint, KeyKind, NoteSignature, Proof, SignedCheckpoint, VerifierKey};
use reqwest::{StatusCode, Url};
use thiserror::Error;
use tokio::sync::Mutex;

use super::{TransparencyError, add_signatures, leaves::proof, read_checkpoint};
use crate::storage::Storage;

/// How long a witness may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES: usize = 16 << 10;
/// How often a witness may say that it saw another size before it is left for the next commit.
const TRIES: usize = 3;

/// A witness: where it is and which key it has. As text the key, `@` and the URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    key: VerifierKey,
    url: Url,
}

/// Says why a text names no witness.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it is <name>+<id>+<base64>@<url>: the key that the witness prints, and where it answers")]
pub struct WitnessError;

impl FromStr for Witness {
    type Err = WitnessError;

    fn from_str(text: &str) -> Result<Self, WitnessError> {
        // Base64 has no @, and the name of a key may have one.
        let (key, url) = text.split_once("@http").ok_or(WitnessError)?;
        let key: VerifierKey = key.parse().map_err(|_| WitnessError)?;
        let url = format!("http{}/add-checkpoint", url.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|_| WitnessError)?;
        if key.kind() == KeyKind::Cosignature { Ok(Self { key, url }) } else { Err(WitnessError) }
    }
}

/// The witnesses of a log, and what each of them saw last.
#[derive(Debug)]
pub struct Witnesses {
    client: reqwest::Client,
    witnesses: Vec<(Witness, Mutex<u64>)>,
}

/// Why a witness did not cosign. Told in the log; the next commit tries again.
#[derive(Debug, Error)]
enum NotCosigned {
    #[error("it cannot be reached")]
    Http(#[from] reqwest::Error),
    #[error("it answers {0}")]
    Refused(StatusCode),
    #[error("its answer cannot be read")]
    Answer,
    #[error("its cosignature does not fit")]
    Wrong,
    #[error("it saw other sizes each time it was asked")]
    Busy,
    #[error("the proof for it cannot be made")]
    Proof(#[source] TransparencyError),
}

impl Witnesses {
    /// Takes the witnesses.
    pub fn new(client: reqwest::Client, witnesses: Vec<Witness>) -> Self {
        Self { client, witnesses: witnesses.into_iter().map(|witness| (witness, Mutex::new(0))).collect() }
    }

    /// Lets each witness cosign the checkpoint that is served now, and adds what they sign to it.
    ///
    /// # Errors
    /// When the store fails. What a witness does wrong is told in the log.
    pub async fn cosign(&self, storage: &Storage) -> Result<(), TransparencyError> {
        let Some(checkpoint) = read_checkpoint(storage).await? else { return Ok(()) };
        let asked = self.witnesses.iter().map(|(witness, seen)| async {
            let cosigned = self.ask(storage, witness, &mut *seen.lock().await, &checkpoint).await;
            cosigned.map_err(|error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(witness = %witness.key.name(), %error, cause, "a witness did not cosign");
            })
        });
        let lines: Vec<NoteSignature> =
            futures_util::future::join_all(asked).await.into_iter().flatten().collect();
        if lines.is_empty() {
            return Ok(());
        }
        add_signatures(storage, checkpoint.unverified(), &lines).await
    }

    async fn ask(
        &self,
        storage: &Storage,
        witness: &Witness,
        seen: &mut u64,
        checkpoint: &SignedCheckpoint,
    ) -> Result<NoteSignature, NotCosigned> {
        if checkpoint.cosignature(&witness.key).is_ok_and(|there| there.is_some()) {
            *seen = checkpoint.unverified().head.size;
        }
        for _ in 0..TRIES {
            match self.ask_once(storage, witness, *seen, checkpoint).await? {
                Answer::Cosigned(line) => {
                    *seen = checkpoint.unverified().head.size;
                    return Ok(line);
                }
                Answer::Saw(size) => *seen = size,
            }
        }
        Err(NotCosigned::Busy)
    }

    async fn ask_once(
        &self,
        storage: &Storage,
        witness: &Witness,
        old: u64,
        checkpoint: &SignedCheckpoint,
    ) -> Result<Answer, NotCosigned> {
        let size = checkpoint.unverified().head.size;
        let wanted = Proof::consistency(old, size).map_err(|error| NotCosigned::Proof(error.into()))?;
        let proof = proof(storage, &wanted).await.map_err(NotCosigned::Proof)?;
        let body = AddCheckpoint { old, proof, checkpoint: checkpoint.clone() }.to_string();
        let answer = self.client.post(witness.url.clone()).timeout(PATIENCE).body(body).send().await?;
        let status = answer.status();
        let text = read_text(answer).await?;
        match status {
            StatusCode::OK => cosignature_in(&text, witness, checkpoint).map(Answer::Cosigned),
            StatusCode::CONFLICT => {
                text.trim_end().parse().map(Answer::Saw).map_err(|_| NotCosigned::Refused(status))
            }
            status => Err(NotCosigned::Refused(status)),
        }
    }
}

enum Answer {
    Cosigned(NoteSignature),
    /// It cosigned another size last.
    Saw(u64),
}

async fn read_text(mut answer: reqwest::Response) -> Result<String, NotCosigned> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > ANSWER_BYTES {
            return Err(NotCosigned::Answer);
        }
    }
    String::from_utf8(bytes).map_err(|_| NotCosigned::Answer)
}

/// Takes the line that is the witness's, when it fits. "The client MUST ignore any cosignatures from unknown keys."
fn cosignature_in(
    text: &str,
    witness: &Witness,
    checkpoint: &SignedCheckpoint,
) -> Result<NoteSignature, NotCosigned> {
    let lines = NoteSignature::parse_lines(text).map_err(|_| NotCosigned::Answer)?;
    let its = |line: &NoteSignature| line.name == *witness.key.name() && line.id == witness.key.id();
    let line = lines.into_iter().find(its).ok_or(NotCosigned::Wrong)?;
    let mut with = checkpoint.clone();
    with.add(line.clone());
    match with.cosignature(&witness.key) {
        Ok(Some(_)) => Ok(line),
        _ => Err(NotCosigned::Wrong),
    }
}
