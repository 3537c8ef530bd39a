//! All tokens of a repository, as a server knows them: read again after a while, and never trusted when they cannot be.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use copkg_spec::tuf::Time;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Area, Record, Secret, TokenError, TokenId, list};
use crate::storage::Storage;

/// How long tokens are known without asking the store: as long does a revoked one still open at most.
const FRESH: Duration = Duration::from_secs(10);

/// Says why a request is turned away.
#[derive(Debug)]
pub enum Denied {
    /// It has no token.
    Missing,
    /// Its token is not one, or was revoked, or has expired.
    Invalid,
    /// Its token does not open what it asks for.
    OutOfScope,
    /// The tokens cannot be read.
    Failed(TokenError),
}

/// The tokens of one store. Clones are one.
#[derive(Debug, Clone)]
pub struct TokenBook {
    storage: Storage,
    known: Arc<Mutex<Option<Known>>>,
    clock: fn() -> Time,
}

#[derive(Debug)]
struct Known {
    read: Instant,
    records: Arc<HashMap<TokenId, Record>>,
}

impl TokenBook {
    /// Opens the tokens of a store.
    pub fn new(storage: Storage, clock: fn() -> Time) -> Self {
        Self { storage, known: Arc::default(), clock }
    }

    /// Checks that a request with this token may read that part, and returns what is known of the token; nothing where none is asked
    /// for.
    ///
    /// # Errors
    /// Why it may not.
    pub async fn check(&self, token: Option<&str>, area: &Area) -> Result<Option<Record>, Denied> {
        if *area == Area::Open {
            return Ok(None);
        }
        let secret: Secret = token.ok_or(Denied::Missing)?.parse().map_err(|_| Denied::Invalid)?;
        let records = self.records().await.map_err(Denied::Failed)?;
        let record =
            records.get(secret.id()).filter(|record| record.is(&secret) && record.is_current((self.clock)()));
        let record = record.ok_or(Denied::Invalid)?;
        let opens = match area {
            Area::Open | Area::Any => true,
            Area::Group(group) => record.opens(group),
            Area::All => record.opens_all(),
        };
        if opens { Ok(Some(record.clone())) } else { Err(Denied::OutOfScope) }
    }

    async fn records(&self) -> Result<Arc<HashMap<TokenId, Record>>, TokenError> {
        // Held while reading, so that a crowd of requests asks the store once.
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.read.elapsed() < FRESH) {
            return Ok(Arc::clone(&known.records));
        }
        let records =
            list(&self.storage).await?.into_iter().map(|record| (record.id.clone(), record)).collect();
        let records = Arc::new(records);
        *known = Some(Known { read: Instant::now(), records: Arc::clone(&records) });
        Ok(records)
    }
}
