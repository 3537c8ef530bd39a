//! Secret keys and their files.

use std::fmt;

use ed25519_dalek::pkcs8::KeypairBytes;
use ed25519_dalek::{Signer as _, SigningKey};
use pkcs8::rand_core::CryptoRng;
use pkcs8::{
    DecodePrivateKey as _, EncodePrivateKey as _, EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef,
    SecretDocument,
};
use zeroize::Zeroizing;

use super::{KeyError, Payload, PublicKey, Signature};

const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// A passphrase, wiped from memory when it is dropped.
pub type Passphrase = Zeroizing<String>;

/// An ed25519 secret key, wiped from memory when it is dropped.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Makes the key of `seed`, which must come from the system's random numbers.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Tells whether a key file needs a passphrase.
    pub fn is_encrypted(pem: &str) -> bool {
        pem.contains(ENCRYPTED_LABEL)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// When it is not an ed25519 key in PKCS#8, or the passphrase is missing or wrong.
    pub fn from_pem(pem: &str, passphrase: Option<&Passphrase>) -> Result<Self, KeyError> {
        let malformed = |_| KeyError::Malformed("secret key");
        let pair = if Self::is_encrypted(pem) {
            let passphrase = passphrase.ok_or(KeyError::PassphraseNeeded)?;
            let (_, document) =
                SecretDocument::from_pem(pem.trim()).map_err(|_| KeyError::Malformed("secret key"))?;
            let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                .map_err(|_| KeyError::Malformed("secret key"))?;
            let plain = encrypted.decrypt(passphrase.as_bytes()).map_err(|_| KeyError::WrongPassphrase)?;
            KeypairBytes::from_pkcs8_der(plain.as_bytes()).map_err(malformed)?
        } else {
            KeypairBytes::from_pkcs8_pem(pem.trim()).map_err(malformed)?
        };
        SigningKey::try_from(pair).map(Self).map_err(malformed)
    }

    /// Writes a key file; `rng` salts the encryption when there is a passphrase.
    ///
    /// # Errors
    /// When the encryption fails, which a passphrase of any length does not cause.
    pub fn to_pem(
        &self,
        passphrase: Option<&Passphrase>,
        rng: &mut impl CryptoRng,
    ) -> Result<Zeroizing<String>, KeyError> {
        let Some(passphrase) = passphrase else { return self.to_plain_pem() };
        let plain = self.pair().to_pkcs8_der().map_err(|_| KeyError::Encode)?;
        PrivateKeyInfoRef::try_from(plain.as_bytes())
            .and_then(|info| info.encrypt_with_rng(rng, passphrase.as_bytes()))
            .and_then(|document| Ok(document.to_pem(ENCRYPTED_LABEL, LineEnding::LF)?))
            .map_err(|_| KeyError::Encode)
    }

    /// Writes a key file without a passphrase, for a program that signs by itself.
    ///
    /// # Errors
    /// Never for a key that was made or read here.
    pub fn to_plain_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        self.pair().to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Encode)
    }

    /// Returns it without the public half: PKCS#8 of version 1, the one that every OpenSSL reads.
    fn pair(&self) -> KeypairBytes {
        KeypairBytes { secret_key: self.0.to_bytes(), public_key: None }
    }

    /// Returns the public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a document.
    pub fn sign(&self, payload: &Payload<'_>) -> Signature {
        Signature::new(self.public().id(), self.0.sign(&payload.pre_authentication_encoding()))
    }

    /// Signs repository metadata and the checkpoints of its log, which are signed as they are. Canonical JSON begins with
    /// `{`, a pre-authentication encoding with `DSSEv1`, a cosignature with `cosignature/v1`, and a checkpoint with the name
    /// of its log, for which [`crate::tlog::Origin`] takes none of these: no signature serves for another.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public().id().short())
    }
}
