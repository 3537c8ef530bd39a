//! `pkgbuild schema [FILE]`: prints a JSON Schema, for editors.

use clap::{Args, ValueEnum};
use copkg_spec::command::Exit;
use copkg_spec::{deployment, recipe};

use super::Context;

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Which file it describes
    #[arg(value_enum, default_value_t = Described::Recipe)]
    file: Described,
}

/// A file that has a schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Described {
    /// package.toml
    Recipe,
    /// deployment.toml
    Deployment,
    /// env/NAME.toml of a deployment
    Environment,
}

pub(super) fn run(args: &Schema, context: &mut Context) -> Exit {
    let schema = match args.file {
        Described::Recipe => recipe::schema(),
        Described::Deployment => deployment::schema(),
        Described::Environment => deployment::environment_schema(),
    };
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    // The schema is the document itself, with --json and without.
    context.report.data(&schema, || text);
    Exit::Ok
}
