//! `pkgbuild verify FILE --key PUB…`: checks every byte of a package, and that the keys signed it.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::keys::PublicKey;
use copkg_spec::trust::{Keyring, Pin};
use serde_json::json;

use super::Context;
use crate::keys::{describe, read_public};
use crate::package::OpenPackage;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The package file
    file: PathBuf,
    /// A public key that may have signed it: a file, or `ed25519:…` itself; repeat it for several
    #[arg(long = "key", value_name = "PUB", required = true)]
    keys: Vec<PathBuf>,
    /// How many of the keys must have signed it
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    threshold: u32,
}

pub(super) fn run(args: &Verify, context: &mut Context) -> Result<Exit, Failure> {
    let key = |path: &PathBuf| {
        let is_text = path.to_str().is_some_and(|text| text.starts_with("ed25519:"));
        read_public(&if is_text { path.clone() } else { context.path(path) })
    };
    let keys: Vec<PublicKey> = args.keys.iter().map(key).collect::<Result<_, _>>()?;
    let package = OpenPackage::trusted(&context.path(&args.file), |head| {
        let groups = head.unverified_manifest().group().clone().into();
        let mut keyring = Keyring::new();
        keyring.pin(Pin { groups, threshold: args.threshold, keys });
        keyring
    })?;
    let coordinate = package.contents().manifest().coordinate();
    let digest = package.contents().digest();
    let signers = package.signers().to_vec();
    let identity = package.check()?;
    let document = json!({
        "package": coordinate,
        "digest": digest,
        "signers": signers,
        "length": identity.length,
        "file_sha256": identity.sha256,
    });
    context.report.data(&document, || {
        format!("{coordinate} is whole and signed by {}\ndigest {digest}", describe(&signers))
    });
    Ok(Exit::Ok)
}
