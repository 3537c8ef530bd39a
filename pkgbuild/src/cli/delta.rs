//! `pkgbuild delta OLD NEW`: makes the patch from one package file to another.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use copkg_spec::archive::PackOptions;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::Context;
use super::keys::SigningKeys;
use crate::build::Work;
use crate::delta::{self, Unpacked};

#[derive(Debug, Args)]
pub(super) struct Delta {
    /// The package file that hosts have
    old: PathBuf,
    /// The package file that they are to have
    new: PathBuf,
    /// Where the patch file goes [default: the working directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    keys: SigningKeys,
    #[command(flatten)]
    how: How,
    /// Make the patch to say how large it is, and keep nothing
    #[arg(long)]
    dry_run: bool,
}

/// How a patch is made.
#[derive(Debug, Args)]
pub(super) struct How {
    /// How many threads compress [default: as many as the machine runs at once]
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// The zstd level
    #[arg(long, default_value_t = delta::LEVEL, value_parser = clap::value_parser!(i32).range(1..=19))]
    level: i32,
}

impl How {
    fn options(&self, context: &Context) -> PackOptions {
        let threads = self.threads.unwrap_or_else(|| context.ambient.threads());
        PackOptions { level: self.level, threads }
    }
}

pub(super) fn run(args: &Delta, context: &mut Context) -> Result<Exit, Failure> {
    let keys = args.keys.read(context)?;
    let work = Work::new(&context.ambient)?;
    let unpack = |file: &Path, name| Unpacked::new(&context.path(file), work.path().join(name));
    let (old, new) = (unpack(&args.old, "old")?, unpack(&args.new, "new")?);
    let made_at = work.path().join("patch");
    let made = delta::delta(&old, &new, &keys, args.how.options(context), &made_at)?;
    let place =
        context.path(args.out.as_deref().unwrap_or(Path::new("."))).join(made.manifest.target().file_name());
    let changed = if args.dry_run { false } else { delta::put(made.sha256, &made_at, &place)? };
    let document = json!({
        "changed": changed,
        "file": place,
        "package": made.manifest.target().package.coordinate,
        "platform": made.manifest.platform(),
        "from": made.manifest.from(),
        "to": made.manifest.to(),
        "digest": made.digest,
        "file_sha256": made.sha256,
        "length": made.length,
        "files": made.files,
        "steps": made.steps,
        "package_length": new.contents().index().payload_length(),
    });
    let shown = place.display();
    context.report.data(&document, || {
        if args.dry_run { format!("would make {shown}, {} bytes", made.length) } else { shown.to_string() }
    });
    context.report.detail(format!("{} bytes make {} files in {} steps", made.length, made.files, made.steps));
    Ok(Exit::Ok)
}
