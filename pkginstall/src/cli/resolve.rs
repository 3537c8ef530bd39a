//! `pkginstall resolve`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};
use copkg_spec::platform::Platform;
use serde_json::json;

use super::Context;
use crate::receipts;
use crate::repository;

/// The arguments of `resolve`.
#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// The package, as group:id:version
    #[arg(value_name = "COORD")]
    package: PackageCoordinate,
    /// The service that would run from it, as instance.service.user.cell
    #[arg(long = "as", value_name = "SERVICE")]
    service: Option<ServiceCoordinate>,
    /// The repository to ask: its URL, directory, or name in the configuration
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
}

pub(super) fn run(args: &Resolve, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let repositories = context.repositories();
    let installed = receipts::read(&prefix, &args.package)?;
    // Without a repository the rest still is an answer.
    let urls: Vec<String> = repository::candidates(&repositories, &args.package, &Platform::host())
        .map(|candidates| candidates.iter().map(|candidate| candidate.location.to_string()).collect())
        .unwrap_or_default();
    let path = prefix.install_dir(&args.package);
    let runtime = args.service.as_ref().map(|service| prefix.runtime_dir(service));
    let document = json!({
        "package": args.package,
        "installed": installed.is_some(),
        "path": path,
        "urls": urls,
        "service": args.service,
        "runtime": runtime,
    });
    context.report.data(&document, || {
        let mut lines = vec![format!("path     {path}")];
        lines.extend(urls.iter().map(|url| format!("url      {url}")));
        lines.extend(runtime.map(|runtime| format!("runtime  {runtime}")));
        lines.join("\n")
    });
    if installed.is_none() {
        context.report.note(format!("{} is not installed", args.package));
    }
    Ok(Exit::Ok)
}
