//! Patches: what makes the files of one version from those of another one, as one small file.
//!
//! Beside an archive, for hosts that have an older version. `docs/format.md`, clause 11, is the specification. Making goes from two
//! packages to [`make_patch`]; using is a chain of types, as with an archive:
//!
//! [`PatchHead`] (bytes that say what they are) → [`VerifiedPatch`] (vouched for) → [`Patch`] (its steps fit the two packages) →
//! [`open_step`], one after the other. What comes out of a step is believed only when each file has the digest that the
//! index of the new version says.

mod choose;
mod error;
mod head;
mod make;
mod manifest;
mod step;
mod steps;

pub use error::{MakePatchError, PatchError};
pub use head::{PatchHead, VerifiedPatch};
pub use make::{MadePatch, PatchPlan, ReadFile, make_patch};
pub use manifest::{PatchManifest, Side};
pub use step::open_step;
pub use steps::{Part, Patch, Step};
