//! Builds: ours, signed, beside `tar | zstd -T0` at the same level; and ours again when nothing has changed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::corpus::Corpus;
use super::ours::{LEVEL, Workshop};
use super::{Result, run};

/// What one round took.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// Ours, from nothing.
    pub ours: Duration,
    /// Ours again.
    pub unchanged: Duration,
    /// `tar | zstd -T0`.
    pub tar: Duration,
}

/// What builds took and made.
#[derive(Debug, Clone)]
pub struct Builds {
    /// By round.
    pub rounds: Vec<Round>,
    /// The size of our package, in bytes.
    pub ours_bytes: u64,
    /// The size of the compressed tar, in bytes.
    pub tar_bytes: u64,
}

/// Builds a corpus `rounds` times.
///
/// # Errors
/// When a build fails.
pub fn measure(workshop: &Workshop, corpus: &Corpus, work: &Path, rounds: usize) -> Result<Builds> {
    let recipe = workshop.recipe(corpus, corpus.name, "1")?;
    let (out, tar) = (work.join("built"), work.join("tree.tar.zst"));
    let mut builds = Builds { rounds: Vec::new(), ours_bytes: 0, tar_bytes: 0 };
    for _ in 0..rounds {
        fs::create_dir_all(&out)?;
        let ours = run(workshop.build(&recipe, &out).arg("--no-cache"))?;
        builds.ours_bytes = super::size_of(&out)?.bytes;
        // The first one lists the tree, the second finds that nothing has changed.
        run(&mut workshop.build(&recipe, &out))?;
        let unchanged = run(&mut workshop.build(&recipe, &out))?;
        fs::remove_dir_all(&out)?;
        let pipe = "tar --sort=name --owner=0 --group=0 -c -C \"$1\" . | zstd -q -f \"-$2\" -T0 -o \"$3\"";
        let mut command = Command::new("sh");
        command.args(["-ec", pipe, "sh"]).arg(recipe.join("files")).arg(LEVEL).arg(&tar);
        let tar_took = run(&mut command)?;
        builds.tar_bytes = fs::metadata(&tar)?.len();
        builds.rounds.push(Round { ours, unchanged, tar: tar_took });
    }
    Ok(builds)
}
