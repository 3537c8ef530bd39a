//! `pkgbuild repo …`: who speaks for a repository and its groups. One file a subcommand.
//!
//! Whatever needs a key that never touches a network works on files as well: `repo fetch` copies the metadata, `--metadata DIR
//! --out FILE` makes a change, `repo sign` adds signatures to it, `repo send` sends it.

mod decide;
mod delegate;
mod fetch;
mod finish;
mod init;
mod place;
mod renew;
mod revoke;
mod rotate;
mod send;
mod sign;
mod status;
mod threshold;

use clap::Subcommand;
use copkg_spec::command::{Exit, Failure};

use super::Context;

#[derive(Debug, Subcommand)]
pub(super) enum Repo {
    /// Found a repository: make its offline keys and sign its first metadata
    Init(init::Init),
    /// Let keys speak for a group
    Delegate(delegate::Delegate),
    /// Give a role other keys
    Rotate(rotate::Rotate),
    /// Take a key away from every role that it speaks for
    Revoke(revoke::Revoke),
    /// Change how many keys of a role must sign
    Threshold(threshold::Threshold),
    /// Sign roles again before they end
    Renew(renew::Renew),
    /// Show who speaks for which role, and what ends when
    Status(status::Status),
    /// Copy the metadata, for a machine without network
    Fetch(fetch::Fetch),
    /// Show a change in a file, or the metadata of a new repository, and sign it
    Sign(sign::Sign),
    /// Send a change that was signed in a file
    Send(send::Send),
}

pub(super) fn run(command: Repo, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Repo::Init(args) => init::run(&args, context),
        Repo::Delegate(args) => delegate::run(&args, context),
        Repo::Rotate(args) => rotate::run(&args, context),
        Repo::Revoke(args) => revoke::run(&args, context),
        Repo::Threshold(args) => threshold::run(&args, context),
        Repo::Renew(args) => renew::run(&args, context),
        Repo::Status(args) => status::run(&args, context),
        Repo::Fetch(args) => fetch::run(&args, context),
        Repo::Sign(args) => sign::run(&args, context),
        Repo::Send(args) => send::run(&args, context),
    }
}
