//! `pkgbuild version`: prints the versions of the program and of the format that it writes.

use copkg_spec::command::Exit;
use copkg_spec::manifest::FORMAT;
use serde_json::json;

use super::Context;

pub(super) fn run(context: &mut Context) -> Exit {
    let (version, format) = (env!("CARGO_PKG_VERSION"), FORMAT.version());
    let document = json!({ "name": "pkgbuild", "version": version, "format": format });
    context.report.data(&document, || format!("pkgbuild {version} (package format {format})"));
    Exit::Ok
}
