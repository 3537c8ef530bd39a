//! `pkginstall info`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::manifest::Manifest;
use serde_json::json;

use super::context::Offline;
use super::{Context, listed};
use crate::host::Prefix;
use crate::receipts::{self, Receipt};
use crate::repository::Wanted;

/// The arguments of `info`.
#[derive(Debug, Args)]
pub(super) struct Info {
    /// The package, as group:id:version where it is installed; else what a repository has of it
    #[arg(value_name = "COORD")]
    package: Wanted,
    /// Ask this repository, whether the package is installed or not: its URL, directory, or name in the configuration
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
    #[command(flatten)]
    offline: Offline,
}

pub(super) fn run(args: &Info, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let receipt = match (&args.package, &args.repo) {
        (Wanted::Exactly(package), None) => receipts::read(&prefix, package)?,
        _ => None,
    };
    match (receipt, &args.package) {
        (Some(receipt), _) => installed(context, &prefix, &receipt),
        // Without a repository to ask, that it is not installed is all there is to say.
        (None, Wanted::Exactly(package)) if context.settings.repositories.is_empty() => {
            receipts::require(&prefix, package)?;
            Ok(Exit::Ok)
        }
        (None, wanted) => listed::run(context, &prefix, wanted, args.offline.network()),
    }
}

fn installed(context: &mut Context, prefix: &Prefix, receipt: &Receipt) -> Result<Exit, Failure> {
    let manifest = receipts::manifest(prefix, receipt)?;
    let document = json!({
        "package": receipt.package,
        "path": prefix.install_dir(&receipt.package),
        "receipt": receipt,
        "manifest": manifest,
    });
    context.report.data(&document, || describe(prefix, receipt, &manifest));
    Ok(Exit::Ok)
}

fn describe(prefix: &Prefix, receipt: &Receipt, manifest: &Manifest) -> String {
    let (about, counts) = (manifest.about(), manifest.counts());
    let signers: Vec<String> = receipt.signers.iter().map(ToString::to_string).collect();
    let start = manifest.service().map(|service| service.start.to_string());
    let parameters = manifest.service().map(|service| {
        let names: Vec<String> =
            service.parameters.iter().map(|parameter| format!("--{}", parameter.name)).collect();
        names.join(" ")
    });
    let rows = [
        ("package", Some(receipt.package.to_string())),
        ("about", about.description.clone()),
        ("license", about.license.clone()),
        ("homepage", about.homepage.clone()),
        ("maintainer", about.maintainer.clone()),
        ("news", about.release_note.clone()),
        ("kind", Some(format!("{:?}", receipt.kind).to_lowercase())),
        ("platform", Some(receipt.platform.to_string())),
        ("holds", Some(format!("{} files, {} bytes", counts.files, counts.bytes))),
        ("start", start),
        ("parameters", parameters.filter(|names| !names.is_empty())),
        ("path", Some(prefix.install_dir(&receipt.package).to_string())),
        ("digest", Some(receipt.digest.to_string())),
        ("signed by", Some(signers.join(", ")).filter(|signers| !signers.is_empty())),
        ("vouched by", receipt.vouched_by.as_ref().map(ToString::to_string)),
        ("source", Some(receipt.source.clone())),
        ("installed", Some(receipt.installed.to_string())),
    ];
    let filled = rows.into_iter().filter_map(|(name, value)| Some((name, value?)));
    filled.map(|(name, value)| format!("{name:<10} {value}")).collect::<Vec<_>>().join("\n")
}
