//! `pkgbuild version`: prints the versions of the program and of the format that it writes.

use copkg_spec::command::Exit;
use copkg_spec::manifest::FORMAT;
use copkg_spec::platform::Platform;
use serde_json::json;

use super::Context;

pub(super) fn run(context: &mut Context) -> Exit {
    let (version, format, platform) = (env!("CARGO_PKG_VERSION"), FORMAT.version(), Platform::host());
    let document = json!({ "name": "pkgbuild", "version": version, "format": format, "platform": platform });
    context.report.data(&document, || format!("pkgbuild {version}\nformat {format}\nplatform {platform}"));
    Exit::Ok
}
