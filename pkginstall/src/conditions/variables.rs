//! The variables of a service: those that are stated, then those of its files, read through handles: the service's account may write there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::conditions::{Conditions, ENV_FILE_BYTES, EnvFile, EnvFileError, Variable, parse_env_file};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::durable::{self, Existing};

use super::ConditionsError;
use crate::host::Prefix;
use crate::runtime::RuntimeDirectory;

/// Returns the variables that `conditions` give to the scripts of `service`. Those of a file come after those that are stated.
///
/// # Errors
/// When a file is missing that must be there, is no file, or has something else in it than variables.
pub(crate) fn variables(
    service: &ServiceCoordinate,
    runtime: &RuntimeDirectory,
    conditions: &Conditions,
) -> Result<BTreeMap<String, String>, ConditionsError> {
    let mut all = conditions.env.clone();
    all.extend(of_files(service, runtime, conditions.env_files())?);
    Ok(all.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

fn of_files(
    service: &ServiceCoordinate,
    runtime: &RuntimeDirectory,
    files: &[EnvFile],
) -> Result<BTreeMap<Variable, String>, ConditionsError> {
    let mut all = BTreeMap::new();
    for file in files {
        let bytes = runtime.read_file(file.path().as_str(), ENV_FILE_BYTES)?;
        all.extend(parse(service, runtime.path(), file, bytes)?);
    }
    Ok(all)
}

/// Reads the variables of a file with these bytes, which is or will be in the runtime directory `runtime`; `None` where it is not there.
///
/// # Errors
/// As [`variables`].
pub(crate) fn parse(
    service: &ServiceCoordinate,
    runtime: &Utf8Path,
    file: &EnvFile,
    bytes: Option<Vec<u8>>,
) -> Result<BTreeMap<Variable, String>, ConditionsError> {
    let Some(bytes) = bytes else {
        return if file.is_optional() {
            Ok(BTreeMap::new())
        } else {
            Err(ConditionsError::NoEnvFile { path: path_in(file), service: service.clone() })
        };
    };
    let path = runtime.join(file.path().as_str());
    let wrong = |source| ConditionsError::EnvFile { path: path.clone(), source };
    let no_text = |_| wrong(EnvFileError { line: 1, why: "the file is no UTF-8".into() });
    let text = String::from_utf8(bytes).map_err(no_text)?;
    parse_env_file(&text).map_err(wrong)
}

fn path_in(file: &EnvFile) -> Utf8PathBuf {
    file.path().as_str().into()
}

/// Copies the variables of the files of `service` to where only the owner of the prefix writes, in systemd's notation; nothing is copied where
/// there are no files.
///
/// systemd reads the file that a unit names as root, and would follow a link that the service's account put there.
///
/// # Errors
/// As [`variables`], and when the copy cannot be written; it is then as it was.
pub(crate) fn copy_for_systemd(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    conditions: &Conditions,
) -> Result<(), ConditionsError> {
    if conditions.env_files().is_empty() {
        return Ok(());
    }
    let variables = match RuntimeDirectory::open(prefix, service)? {
        Some(runtime) => of_files(service, &runtime, conditions.env_files())?,
        None => BTreeMap::new(),
    };
    let mut text = String::from(
        "# Made by pkginstall from the files that env_file names; written anew for each start.\n",
    );
    for (name, value) in variables {
        let _ = writeln!(text, "{name}=\"{}\"", escaped(&value));
    }
    let path = copy(prefix, service);
    let written = durable::write(path.as_std_path(), 0o600, Existing::Replace, text.as_bytes());
    written.map_err(ConditionsError::file("write", &path))
}

/// Where the copy for systemd lies.
pub(crate) fn copy(prefix: &Prefix, service: &ServiceCoordinate) -> Utf8PathBuf {
    prefix.service_state(service).join("variables.env")
}

/// A value between double quotes, as systemd reads it in a file with variables.
fn escaped(value: &str) -> String {
    let mut escaped = String::new();
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '`' | '$') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
