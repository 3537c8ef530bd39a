//! The key of a world: it signs what `build` makes, and the hosts of this world alone trust it.

use camino::Utf8PathBuf;
use copkg_spec::durable::{self, Existing};
use copkg_spec::keys::{PublicKey, SecretKey};
use std::{fs, io};
use zeroize::Zeroizing;

use super::{World, WorldError};
use crate::file_error::FileError;

/// Returns the file of the world's secret key, made when it is not there, and its public half.
///
/// # Errors
/// When it cannot be made, or read.
pub fn publisher(world: &World) -> Result<(Utf8PathBuf, PublicKey), WorldError> {
    let path = world.root().join("publisher.key");
    let unusable = |source| WorldError::Key { path: path.clone(), source };
    match fs::read_to_string(&path).map(Zeroizing::new) {
        Ok(text) => {
            let secret = SecretKey::from_pem(&text, None).map_err(unusable)?;
            Ok((path.clone(), secret.public()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut seed = Zeroizing::new([0; 32]);
            getrandom::fill(seed.as_mut()).map_err(io::Error::other).map_err(FileError::at("make", &path))?;
            let secret = SecretKey::from_seed(&seed);
            let text = secret.to_plain_pem().map_err(unusable)?;
            durable::write(path.as_std_path(), 0o600, Existing::Keep, text.as_bytes())
                .map_err(FileError::at("write", &path))?;
            Ok((path.clone(), secret.public()))
        }
        Err(error) => Err(FileError::at("read", &path)(error).into()),
    }
}
