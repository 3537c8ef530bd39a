//! Fetches a secret from where its reference says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::configuration::{SecretReference, SettingName};

use super::ConfigureError;

/// The largest secret, in bytes.
const LIMIT: u64 = 64 << 10;

/// The variable in which systemd says where credentials are.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Fetches the secret of the setting `name`. It is never part of an error.
pub(super) fn resolve(
    name: &SettingName,
    reference: &SecretReference,
    environment: &BTreeMap<String, String>,
) -> Result<String, ConfigureError> {
    let secret = match reference {
        SecretReference::File(path) => read(path),
        SecretReference::Environment(variable) => environment
            .get(variable)
            .cloned()
            .ok_or_else(|| "the environment of this command lacks it".into()),
        SecretReference::Credential(file) => match environment.get(CREDENTIALS) {
            Some(directory) => read(&Utf8PathBuf::from(directory).join(file)),
            None => Err(format!("{CREDENTIALS} is not set: a unit of systemd with LoadCredential= sets it")),
        },
    };
    secret.map_err(|why| ConfigureError::Secret {
        key: name.to_string(),
        reference: reference.to_string(),
        why,
    })
}

fn read(path: &Utf8Path) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_string(&mut text));
    match read {
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
