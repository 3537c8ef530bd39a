//! `pkginstall content`: trees of files that are edited here, pushed to all, and taken back. One file a subcommand.

mod abandon;
mod activate;
mod add;
mod complete;
mod diff;
mod edit;
mod list;
mod published;
mod push;
mod remove;
mod status;
mod work;

use clap::{Args, Subcommand};
use copkg_spec::command::{Exit, Failure};

use super::Context;

pub(super) use add::{place, subscribe};
pub(super) use complete::{Completed, complete};
pub(super) use status::held_lines;
pub(super) use work::{actor, lock, obtain, switch};

/// The arguments of `content`.
#[derive(Debug, Args)]
#[command(after_help = "pkginstall content add site com.example:pages@prod --reload 1.nginx.prod.osl\n\
                  pkginstall content edit site --message \"new prices\"\n\
                  pkginstall content push site --key ada.key --message \"new prices\"\n\
                  What is served lies in PREFIX/content/NAME/active, what is edited in PREFIX/content/NAME/edit.")]
pub(super) struct ContentArgs {
    #[command(subcommand)]
    command: ContentCommand,
}

#[derive(Debug, Subcommand)]
enum ContentCommand {
    /// Put a content on this host, and keep it at its channel
    Add(add::AddArgs),
    /// List the revisions of a content, or the contents of this host
    List(list::ListArgs),
    /// Say what is served of each content, and who edits it
    Status(status::StatusArgs),
    /// Show what was edited, by file and line
    Diff(diff::DiffArgs),
    /// Begin to edit: from now on nothing else writes to the content
    Edit(edit::EditArgs),
    /// Make a signed revision of the edits, and move this site's channel to it
    Push(push::PushArgs),
    /// End editing, and set the edits aside
    Abandon(abandon::AbandonArgs),
    /// Serve another revision, older or newer, at once
    Activate(activate::ActivateArgs),
    /// Take a content off this host; its revisions stay in the repository
    Remove(remove::RemoveArgs),
}

impl ContentArgs {
    /// Tells whether it changes nothing.
    pub(super) fn only_looks(&self) -> bool {
        matches!(self.command, ContentCommand::List(_) | ContentCommand::Status(_) | ContentCommand::Diff(_))
    }
}

pub(super) fn run(args: &ContentArgs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match &args.command {
        ContentCommand::Add(args) => add::run(args, context),
        ContentCommand::List(args) => list::run(args, context),
        ContentCommand::Status(args) => status::run(args, context),
        ContentCommand::Diff(args) => diff::run(args, context),
        ContentCommand::Edit(args) => edit::run(args, context),
        ContentCommand::Push(args) => push::run(args, context),
        ContentCommand::Abandon(args) => abandon::run(args, context),
        ContentCommand::Activate(args) => activate::run(args, context),
        ContentCommand::Remove(args) => remove::run(args, context),
    }
}
