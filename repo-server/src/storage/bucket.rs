//! A bucket of an S3 store. Endpoint, region and credentials come from the environment, as all S3 tools read them:
//! `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, Error, ObjectStore};

/// How long one request to the store may take. Larger files are sent in parts of a few MiB.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a connection to the store may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// Opens a bucket, and the part of it below `prefix`. Nothing is asked of the store yet.
pub(super) fn open(bucket: &str, prefix: &str) -> Result<Arc<dyn ObjectStore>, Error> {
    // One TLS library in the whole tree. A second start of it changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint).unwrap_or_default();
    let client = ClientOptions::new()
        .with_timeout(PATIENCE)
        .with_connect_timeout(CONNECT)
        // Whoever names an endpoint without TLS wants none.
        .with_allow_http(endpoint.starts_with("http://"));
    let store = builder.with_client_options(client).build()?;
    if prefix.is_empty() {
        return Ok(Arc::new(store));
    }
    Ok(Arc::new(PrefixStore::new(store, Path::parse(prefix)?)))
}
