//! `pkgbuild schema`: prints the JSON Schema of a recipe, for editors.

use copkg_spec::command::Exit;
use copkg_spec::recipe;

use super::Context;

pub(super) fn run(context: &mut Context) -> Exit {
    let schema = recipe::schema();
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    // The schema is the document itself, with --json and without.
    context.report.data(&schema, || text);
    Exit::Ok
}
