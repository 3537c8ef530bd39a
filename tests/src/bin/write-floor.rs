//! `write-floor TREE DIR`: writes the files of a tree from memory into an empty directory, and says how long that took.
//!
//! The measure of every installer: see `copkg_tests::peers::floor`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Parser;
use copkg_tests::peers::floor::{Durability, Tree};

/// Write a tree from memory, as fast as this machine can
#[derive(Debug, Parser)]
struct Arguments {
    /// The tree
    tree: PathBuf,
    /// Where it is written: an empty directory
    directory: PathBuf,
    /// How many threads write
    #[arg(long, default_value = "2")]
    threads: NonZeroUsize,
    /// Leave the bytes to the kernel instead of waiting for the disk
    #[arg(long)]
    no_sync: bool,
}

#[allow(clippy::print_stdout, reason = "a tool for developers")]
fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let tree = Tree::read(&arguments.tree)?;
    let durability = if arguments.no_sync { Durability::Left } else { Durability::Synced };
    let took = tree.write(&arguments.directory, arguments.threads, durability)?;
    println!("{:.6}", took.as_secs_f64());
    Ok(())
}
