//! Fetches a secret from where its reference says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::command::Failure;
use copkg_spec::configuration::{SecretReference, SettingName};
use copkg_spec::coordinate::ServiceCoordinate;

use super::ConfigureError;
use crate::host::Prefix;
use crate::unit;

/// The largest secret, in bytes.
const LIMIT: u64 = 64 << 10;

/// The variable in which systemd says where credentials are.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Where the secrets of a service are looked for, besides files.
pub(super) struct SecretPlaces<'a> {
    pub(super) prefix: &'a Prefix,
    pub(super) service: &'a ServiceCoordinate,
    /// The environment of this command.
    pub(super) environment: &'a BTreeMap<String, String>,
}

/// Fetches the secret of the setting `name`. It is never part of an error.
pub(super) fn resolve(
    name: &SettingName,
    reference: &SecretReference,
    places: &SecretPlaces<'_>,
) -> Result<String, ConfigureError> {
    let secret = match reference {
        SecretReference::File(path) => read(path),
        SecretReference::Environment(variable) => places
            .environment
            .get(variable)
            .cloned()
            .ok_or_else(|| "the environment of this command lacks it".into()),
        SecretReference::Credential(file) => credential(file, places),
    };
    secret.map_err(|why| ConfigureError::Secret {
        key: name.to_string(),
        reference: reference.to_string(),
        why,
    })
}

/// Fetches a credential: of the unit that this command runs in, else of the unit of the service.
fn credential(name: &str, places: &SecretPlaces<'_>) -> Result<String, String> {
    let SecretPlaces { prefix, service, environment } = places;
    let given = environment.get(CREDENTIALS).map(|directory| Utf8PathBuf::from(directory).join(name));
    if let Some(path) = given.filter(|path| path.exists()) {
        return read(&path);
    }
    let fetched = unit::credential(prefix, service, environment, name);
    match fetched.map_err(|error| Failure::of(&error).message)? {
        Some(bytes) => text(bytes.as_slice()),
        None => Err(format!(
            "neither {CREDENTIALS} nor a drop-in of {} has it; LoadCredential={name}:/PATH in one loads it",
            unit::unit_name(prefix.owner(), service)
        )),
    }
}

fn read(path: &Utf8Path) -> Result<String, String> {
    text(File::open(path).map_err(|error| error.to_string())?)
}

/// Reads a secret. One end of line at its end does not count.
fn text(from: impl Read) -> Result<String, String> {
    let mut text = String::new();
    match from.take(LIMIT + 1).read_to_string(&mut text) {
        Ok(length) if length as u64 > LIMIT => return Err(format!("it has more than {LIMIT} bytes")),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err("it is not UTF-8".into()),
        Err(error) => return Err(error.to_string()),
    }
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}
