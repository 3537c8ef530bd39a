//! `pkgbuild init [DIR]`: writes a first recipe.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{Group, Label};
use serde_json::json;

use super::Context;
use crate::init::{Wishes, propose, write};

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The directory of the source tree
    #[arg(default_value = ".", hide_default_value = true)]
    directory: PathBuf,
    /// The group of the package
    #[arg(long, default_value = "com.example")]
    group: Group,
    /// The id of the package [default: what the tree calls itself]
    #[arg(long)]
    id: Option<Label>,
    /// Print the recipe, and write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Init, context: &mut Context) -> Result<Exit, Failure> {
    let wishes = Wishes { group: args.group.clone(), id: args.id.clone() };
    let recipe = propose(&context.path(&args.directory), &wishes)?;
    if !args.dry_run {
        write(&recipe)?;
    }
    let document = json!({
        "changed": !args.dry_run,
        "file": recipe.path,
        "flavour": recipe.flavour.name(),
        "found": recipe.found,
        "recipe": recipe.text,
    });
    context.report.note(format!(
        "{} looks like {}",
        recipe.path.with_file_name("").display(),
        recipe.flavour.name()
    ));
    for found in &recipe.found {
        context.report.note(format!("  {found}"));
    }
    if !args.dry_run {
        let directory = args.directory.display();
        context.report.note(format!("next: read it, then `pkgbuild build {directory}`; `pkgbuild keygen NAME` makes a key to sign with"));
    }
    context.report.data(&document, || {
        if args.dry_run { recipe.text.clone() } else { recipe.path.display().to_string() }
    });
    Ok(Exit::Ok)
}
