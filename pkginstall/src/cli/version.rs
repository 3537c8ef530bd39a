//! `pkginstall version`.

use clap::Args;
use copkg_spec::command::{Exit, Report};
use copkg_spec::manifest::FORMAT;
use copkg_spec::platform::Platform;
use serde_json::json;

/// The arguments of `version`.
#[derive(Debug, Args)]
pub(super) struct Version {}

pub(super) fn run(_args: &Version, report: &mut Report) -> Exit {
    let (version, format, platform) = (env!("CARGO_PKG_VERSION"), FORMAT.version(), Platform::host());
    let document =
        json!({ "name": "pkginstall", "version": version, "format": format, "platform": platform });
    report.data(&document, || format!("pkginstall {version}\nformat {format}\nplatform {platform}"));
    Exit::Ok
}
