//! `pkginstall content diff`: what was edited, by file and line.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::coordinate::Label;
use serde_json::json;

use super::super::Context;
use super::work::state_of;
use crate::content::{ContentStore, FileDiff, Hold, TreeAt, TreeState, differences};

/// The arguments of `content diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The content
    name: Label,
    /// Only name the files
    #[arg(long)]
    name_only: bool,
}

pub(super) fn run(args: &DiffArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let store = ContentStore::of(&context.prefix()?, &args.name);
    store.require()?;
    let hold = store.require_hold()?;
    let found = edits(&store, &hold)?;
    let document = json!({ "name": args.name, "base": hold.base.package, "files": found });
    context.report.data(&document, || {
        let shown = |file: &FileDiff| match &file.diff {
            Some(diff) if !args.name_only => diff.trim_end().to_owned(),
            _ => file.line(),
        };
        found.iter().map(shown).collect::<Vec<_>>().join("\n")
    });
    if found.is_empty() {
        context.report.note(format!("nothing in {} is different from {}", args.name, hold.base.package));
    }
    Ok(Exit::Ok)
}

/// Compares the working copy with the revision that it was made of.
pub(super) fn edits(store: &ContentStore, hold: &Hold) -> Result<Vec<FileDiff>, Failure> {
    let base = store.prefix().install_dir(&hold.base.package);
    let (before, edit) = (state_of(store.prefix(), &hold.base.package)?, store.edit_path());
    let after = TreeState::read(&edit)?;
    Ok(differences(TreeAt { root: &base, state: &before }, TreeAt { root: &edit, state: &after })?)
}
