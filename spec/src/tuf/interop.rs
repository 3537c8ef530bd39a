//! ECDSA P-256 and RSA signatures, which other TUF tools make and ours do not.
//!
//! Verification only, by ring, which the TLS of every program here is built on too.

use pkcs8::der::oid::ObjectIdentifier;
use pkcs8::der::{Decode as _, Document};
use pkcs8::spki::SubjectPublicKeyInfoRef;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ELLIPTIC_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// Returns the key's material and whether it made the signature; nothing when it is no key that we can use.
pub(super) fn verifies(
    keytype: &str,
    scheme: &str,
    pem: &str,
    signature: &[u8],
    message: &[u8],
) -> Option<(Vec<u8>, bool)> {
    let algorithm: &dyn VerificationAlgorithm = match (keytype, scheme) {
        // The second name of the kind is that of securesystemslib before 1.0.
        ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => &ECDSA_P256_SHA256_ASN1,
        ("rsa", "rsassa-pss-sha256") => &RSA_PSS_2048_8192_SHA256,
        ("rsa", "rsa-pkcs1v15-sha256") => &RSA_PKCS1_2048_8192_SHA256,
        _ => return None,
    };
    let material = material(keytype, pem)?;
    let valid = UnparsedPublicKey::new(algorithm, &material).verify(message, signature).is_ok();
    Some((material, valid))
}

/// Decodes a `SubjectPublicKeyInfo` in PEM: the point of a curve, or modulus and exponent.
fn material(keytype: &str, pem: &str) -> Option<Vec<u8>> {
    let (_, document) = Document::from_pem(pem.trim()).ok()?;
    let info = SubjectPublicKeyInfoRef::from_der(document.as_bytes()).ok()?;
    let fits = if keytype == "rsa" {
        info.algorithm.oid == RSA
    } else {
        info.algorithm.assert_oids(ELLIPTIC_CURVE, P256).is_ok()
    };
    fits.then(|| info.subject_public_key.as_bytes().map(<[u8]>::to_vec)).flatten()
}
