//! The option that publishes patches beside packages, and what is said of them.

use clap::Args;
use copkg_spec::archive::PackOptions;
use copkg_spec::keys::SecretKey;
use serde_json::{Value, json};

use super::Context;
use crate::build::Work;
use crate::delta;
use crate::repository::{Checked, NewPatch, PatchesError, Patching, Published};

#[derive(Debug, Args)]
pub(super) struct Patches {
    /// Make and publish patches from so many of the last versions, too
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=20))]
    pub(super) patches: u8,
}

/// Patches that were made, and where they lie until they are published.
pub(super) struct Made {
    pub(super) patches: Vec<NewPatch>,
    _work: Option<Work>,
}

impl Patches {
    /// Makes the patches that are wanted.
    pub(super) fn make(
        &self,
        packages: &[Checked],
        published: &impl Published,
        keys: &[SecretKey],
        context: &mut Context,
    ) -> Result<Made, PatchesError> {
        if self.patches == 0 {
            return Ok(Made { patches: Vec::new(), _work: None });
        }
        let work = Work::new(&context.ambient)?;
        let options = PackOptions { level: delta::LEVEL, threads: context.ambient.threads() };
        let patching = Patching { count: usize::from(self.patches), keys, options, work: &work };
        let patches = patching.make(packages, published, |why| context.report.note(why))?;
        Ok(Made { patches, _work: Some(work) })
    }
}

/// Describes a patch in the document of a command.
pub(super) fn describe(patch: &NewPatch, changed: bool) -> Value {
    json!({
        "package": patch.target.package.coordinate,
        "platform": patch.custom.platform,
        "from": patch.target.from,
        "length": patch.length,
        "digest": patch.custom.digest,
        "changed": changed,
    })
}

/// Says what became of a patch, in one line.
pub(super) fn line(patch: &NewPatch, did: &str) -> String {
    let (package, from) = (&patch.target.package.coordinate, &patch.target.from);
    format!("{did} the patch to {package} from {from}, {} bytes", patch.length)
}
