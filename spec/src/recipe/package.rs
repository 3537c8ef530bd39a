//! `[package]`: what the package is.

use super::context::Context;
use super::error::Problem;
use super::raw;
use crate::coordinate::PackageCoordinate;
use crate::index::EntryPath;
use crate::manifest::Kind;
use crate::platform::Platform;

/// What the package is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Group, id and version.
    pub coordinate: PackageCoordinate,
    /// What it holds.
    pub kind: Kind,
    /// The platforms that it can be built for; at least one, none twice.
    pub platforms: Vec<Platform>,
    /// What is new in this version.
    pub release_note: Option<String>,
    /// One or two sentences on what it is.
    pub description: Option<String>,
    /// The licence.
    pub license: Option<String>,
    /// Where to read more.
    pub homepage: Option<String>,
    /// Who looks after it.
    pub maintainer: Option<String>,
    /// A file of the source that goes to the top of the package.
    pub readme: Option<EntryPath>,
    /// A file of the source that is attached as SBOM.
    pub sbom: Option<EntryPath>,
}

impl Package {
    pub(super) fn resolve(raw: raw::Package, at: &Context) -> Result<Self, super::Located> {
        let group = at.key("group").parse(&raw.group)?;
        let id = at.key("id").parse(&raw.id)?;
        let version = at.key("version").parse(&raw.version)?;
        if let Some(homepage) = &raw.homepage {
            at.key("homepage").address("homepage", homepage)?;
        }
        Ok(Self {
            coordinate: PackageCoordinate::new(group, id, version),
            kind: raw.kind,
            platforms: platforms(raw.platforms, &at.key("platforms"))?,
            release_note: at.key("release_note").text(raw.release_note)?,
            description: at.key("description").text(raw.description)?,
            license: at.key("license").text(raw.license)?,
            homepage: at.key("homepage").text(raw.homepage)?,
            maintainer: at.key("maintainer").text(raw.maintainer)?,
            readme: at.key("readme").parse_option(raw.readme.as_deref())?,
            sbom: at.key("sbom").parse_option(raw.sbom.as_deref())?,
        })
    }
}

fn platforms(raw: Option<Vec<String>>, at: &Context) -> Result<Vec<Platform>, super::Located> {
    let Some(raw) = raw else { return Ok(vec![Platform::Any]) };
    let mut platforms = Vec::new();
    for (number, text) in raw.iter().enumerate() {
        let platform: Platform = at.item(number).parse(text)?;
        if platforms.contains(&platform) {
            return at.item(number).fail(Problem::Twice { what: "platform", name: text.clone() });
        }
        platforms.push(platform);
    }
    if platforms.is_empty() {
        return at.fail(Problem::keys("a package has at least one platform, \"any\" if it runs everywhere"));
    }
    Ok(platforms)
}
