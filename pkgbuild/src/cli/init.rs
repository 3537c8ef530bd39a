//! `pkgbuild init [DIR]`: writes a first recipe, or a first deployment.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::{Group, Label};
use serde_json::json;

use super::Context;
use crate::deployment;
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
    /// Write the description of a deployment instead: deployment.toml and two environments
    #[arg(long)]
    deployment: bool,
    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Init, context: &mut Context) -> Result<Exit, Failure> {
    let wishes = Wishes { group: args.group.clone(), id: args.id.clone() };
    if args.deployment {
        return describe_deployment(args, &wishes, context);
    }
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

fn describe_deployment(args: &Init, wishes: &Wishes, context: &mut Context) -> Result<Exit, Failure> {
    let first = deployment::propose(&context.path(&args.directory), wishes)?;
    if !args.dry_run {
        deployment::write(&first)?;
        let directory = args.directory.display();
        context.report.note(format!("next: edit them, then `pkgbuild lint {directory}`"));
    }
    let files: Vec<_> =
        first.files.iter().map(|(path, text)| json!({ "file": path, "text": text })).collect();
    let document = json!({ "changed": !args.dry_run, "files": files });
    context.report.data(&document, || {
        let shown = first.files.iter().map(|(path, text)| {
            if args.dry_run { format!("# {}\n{text}", path.display()) } else { path.display().to_string() }
        });
        shown.collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}
