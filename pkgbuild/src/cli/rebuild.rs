//! `pkgbuild rebuild FILE`: builds a package again from its recorded source, and compares.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use serde_json::json;

use super::sandbox::SandboxChoice;
use super::{Context, diff};
use crate::build::Work;
use crate::rebuild::{RebuildError, Request, rebuild};

#[derive(Debug, Args)]
pub(super) struct Rebuild {
    /// The package file
    file: PathBuf,
    /// The directory that the recipe's own paths start from
    #[arg(long, value_name = "DIR", default_value = ".", hide_default_value = true)]
    source: PathBuf,
    /// How many threads compress [default: as many as the machine runs at once]
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    sandbox: SandboxChoice,
    /// Keep the scratch directory and say where it is
    #[arg(long)]
    keep_work: bool,
}

pub(super) fn run(args: &Rebuild, context: &mut Context) -> Result<Exit, Failure> {
    let (file, source) = (context.path(&args.file), context.path(&args.source));
    let work = Work::new(&context.ambient)?;
    let request = Request {
        file: &file,
        source: &source,
        threads: args.threads.unwrap_or_else(|| context.ambient.threads()),
        work: &work,
        sandbox: args.sandbox.chosen(),
        ambient: &context.ambient,
    };
    let rebuilt = rebuild(&request, &mut context.report);
    if args.keep_work {
        let path = work.keep();
        context.report.note(format!("the work is kept in {}", path.display()));
    }
    let rebuilt = rebuilt?;
    let identical = rebuilt.comparison.is_empty();
    let document = json!({
        "package": rebuilt.coordinate,
        "identical": identical,
        "digest": rebuilt.recorded,
        "rebuilt_digest": rebuilt.rebuilt,
        "differences": rebuilt.comparison,
    });
    let coordinate = rebuilt.coordinate;
    if !identical {
        let failure = RebuildError::Differs { coordinate };
        return context.fail_with(document, || diff::describe(&rebuilt.comparison), failure.into());
    }
    context.report.data(&document, || {
        format!("{coordinate} is reproduced: every byte but the signatures\ndigest {}", rebuilt.recorded)
    });
    Ok(Exit::Ok)
}
