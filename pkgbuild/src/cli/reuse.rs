//! What a build may take from an earlier one: options, and what they lead to.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::archive::EarlierFrames;
use copkg_spec::command::Failure;

use super::Context;
use crate::build::{self, Against, BuildCache, EarlierVersion, Plan, Tests};
use crate::recipe_file::RecipeFile;

/// Below this level compressing costs little more than looking whether it is needed.
const WORTH_IT: i32 = 5;

/// What a build takes from an earlier one. Only a package that is named changes its bytes, and only the dates of files.
#[derive(Debug, Args)]
pub(super) struct Reuse {
    /// The version before: files that have not changed keep their dates, so that hosts share them between both versions; frames that are
    /// the same are not compressed again [default: the frames of the last build, and no dates]
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Build again even if nothing has changed since the last build
    #[arg(long)]
    no_cache: bool,
}

impl Reuse {
    /// Returns the cache, unless the recipe's tests are to run, which is more than to have the package.
    pub(super) fn cache(&self, file: &RecipeFile, plan: &Plan, context: &Context) -> Option<BuildCache> {
        let tests_run = plan.tests == Tests::Run && !file.recipe.tests.is_empty();
        let directory = context.ambient.cache().filter(|_| !self.no_cache && !tests_run)?;
        Some(BuildCache::open(&directory, file, plan))
    }

    /// Reads the dates of the package that was named.
    pub(super) fn against(&self, context: &Context) -> Result<Option<EarlierVersion>, Failure> {
        let named = self.against.as_ref().map(|named| EarlierVersion::read(&context.path(named)));
        Ok(named.transpose()?)
    }

    /// Opens the frames of the package that was named, else of the last one that was built from this recipe.
    pub(super) fn earlier(
        &self,
        plan: &Plan,
        cache: Option<&BuildCache>,
        context: &mut Context,
    ) -> Result<Option<EarlierFrames>, Failure> {
        if let Some(named) = &self.against {
            return match build::open_against(&context.path(named), plan.level, plan.threads)? {
                Against::Usable(frames) => Ok(Some(frames)),
                Against::Useless(why) => {
                    context.report.note(format!("{why}: its frames are not used"));
                    Ok(None)
                }
            };
        }
        let last = cache.and_then(BuildCache::last).filter(|_| plan.level >= WORTH_IT);
        // Nobody asked for these, so what is wrong with them matters to nobody.
        let opened = last.and_then(|last| build::open_against(last, plan.level, plan.threads).ok());
        Ok(match opened {
            Some(Against::Usable(frames)) => Some(frames),
            Some(Against::Useless(_)) | None => None,
        })
    }
}
