//! Puts the rendered configuration into the runtime directory, with what a person changed there by hand.
//!
//! The last step before the start script. What is placed is not what was rendered but what came of merging it with the
//! changes: [`super::merge`] decides, this step writes.

use camino::Utf8Path;
use copkg_spec::coordinate::{PackageCoordinate, ServiceCoordinate};

use super::merge::{Merged, merge};
use super::render::render;
use super::review::Review;
use super::{Accept, ConfigureError, Rendered};
use crate::host::Prefix;
use crate::runtime::{Owner, RuntimeDirectory};
use crate::service::{InstalledService, ServiceError, Site};

/// What a new configuration is made from, and against what changes by hand are seen.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The service.
    pub service: &'a ServiceCoordinate,
    /// The directory with the files as they were rendered before; `None` for the first time.
    pub before: Option<&'a Utf8Path>,
}

/// Renders the configuration for `package` into the directory `into`, and makes sure that it can be merged with what was
/// changed by hand. Nothing of the running service is touched.
///
/// # Errors
/// When it cannot be rendered, or changes contradict one another and nobody said which to take: then they are laid out for
/// review.
pub fn prepare(
    site: &Site<'_>,
    package: &PackageCoordinate,
    ground: Ground<'_>,
    parameters: &[String],
    into: &Utf8Path,
    accept: Option<Accept>,
) -> Result<(), ServiceError> {
    let installed = InstalledService::open(site.prefix, package)?;
    let rendered = render(site, &installed, ground.service, parameters)?;
    rendered.write_to(into)?;
    if let Some(runtime) =
        RuntimeDirectory::open(site.prefix, ground.service).map_err(ConfigureError::from)?
    {
        let before = before(ground)?;
        let review = Review::of(site.prefix, ground.service);
        review.begin(&merge(&before, &runtime, &rendered, &review)?, accept)?;
    }
    Ok(())
}

/// Makes sure that a configuration that was rendered can be merged with what was changed by hand. Nothing of the service is
/// touched.
///
/// # Errors
/// When changes contradict one another that nobody decided on: they are laid out for review.
pub(crate) fn check_merge(
    prefix: &Prefix,
    ground: Ground<'_>,
    rendered: &Rendered,
) -> Result<(), ServiceError> {
    let runtime = RuntimeDirectory::open(prefix, ground.service).map_err(ConfigureError::from)?;
    let Some(runtime) = runtime else { return Ok(()) };
    let review = Review::of(prefix, ground.service);
    Ok(review.begin(&merge(&before(ground)?, &runtime, rendered, &review)?, None)?)
}

/// Puts the files of the directory `rendered` into the runtime directory, merged with what was changed by hand. Doing it
/// twice changes nothing.
///
/// # Errors
/// When a file cannot be written, or changes contradict one another that nobody decided on.
pub fn place(
    site: &Site<'_>,
    ground: Ground<'_>,
    rendered: &Utf8Path,
    owner: Owner,
) -> Result<(), ServiceError> {
    let runtime = RuntimeDirectory::make(site.prefix, ground.service, owner).map_err(ConfigureError::from)?;
    let (before, rendered) = (before(ground)?, Rendered::read_from(rendered)?);
    let review = Review::of(site.prefix, ground.service);
    let Merged { files, gone, conflicts } = merge(&before, &runtime, &rendered, &review)?;
    review.refuse(&conflicts)?;
    for (path, file) in &files {
        let path = format!("etc/{path}");
        let written = runtime.write_file(&path, file.mode(), owner, &file.bytes);
        written.map_err(ConfigureError::from)?;
    }
    for path in &gone {
        runtime.remove_file(&format!("etc/{path}")).map_err(ConfigureError::from)?;
    }
    Ok(())
}

pub(super) fn before(ground: Ground<'_>) -> Result<Rendered, ConfigureError> {
    ground.before.map_or(Ok(Rendered::default()), Rendered::read_from)
}
