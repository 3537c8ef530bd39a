//! The names in the paths of requests: parsed once, described once.

use copkg_spec::coordinate::{Group, Label, Version};
use copkg_spec::platform::Platform;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::Problem;

/// Names one version of a package.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct VersionPath {
    /// The group: labels with dots between them.
    #[param(
        max_length = 127,
        pattern = "^[a-z0-9][a-z0-9_-]{0,20}(\\.[a-z0-9][a-z0-9_-]{0,20}){0,3}$",
        example = "com.example"
    )]
    pub(super) group: String,
    /// The id: one label.
    #[param(max_length = 63, pattern = "^[a-z0-9][a-z0-9_-]{0,62}$", example = "web")]
    pub(super) id: String,
    /// The version.
    #[param(max_length = 64, pattern = "^[0-9A-Za-z][0-9A-Za-z.+_~-]{0,63}$", example = "1.2.0")]
    pub(super) version: String,
}

/// Names one file of a version.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct FilePath {
    /// The group: labels with dots between them.
    #[param(
        max_length = 127,
        pattern = "^[a-z0-9][a-z0-9_-]{0,20}(\\.[a-z0-9][a-z0-9_-]{0,20}){0,3}$",
        example = "com.example"
    )]
    pub(super) group: String,
    /// The id: one label.
    #[param(max_length = 63, pattern = "^[a-z0-9][a-z0-9_-]{0,62}$", example = "web")]
    pub(super) id: String,
    /// The version.
    #[param(max_length = 64, pattern = "^[0-9A-Za-z][0-9A-Za-z.+_~-]{0,63}$", example = "1.2.0")]
    pub(super) version: String,
    /// The platform: `any`, or architecture and system.
    #[param(
        pattern = "^(any|(x86_64|aarch64|riscv64|armv7|i686|powerpc64le|s390x|loongarch64)-(linux|macos|freebsd|windows))$",
        example = "x86_64-linux"
    )]
    pub(super) platform: String,
}

/// A version that a path names.
pub(super) type NamedVersion = (Group, Label, Version);

impl VersionPath {
    pub(super) fn parse(&self) -> Result<NamedVersion, Problem> {
        Ok((self.group.parse()?, self.id.parse()?, self.version.parse()?))
    }
}

impl FilePath {
    pub(super) fn parse(&self) -> Result<(NamedVersion, Platform), Problem> {
        let version = (self.group.parse()?, self.id.parse()?, self.version.parse()?);
        Ok((version, self.platform.parse()?))
    }
}
