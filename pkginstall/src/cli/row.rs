//! One package of an installation, as the report shows it, and what is fetched of it.

use camino::Utf8PathBuf;
use copkg_spec::coordinate::PackageCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::platform::Platform;
use serde::Serialize;

use super::opened::Opened;
use crate::stage::{Parts, Plan, Reuse, Summary};

#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) package: PackageCoordinate,
    pub(super) platform: Platform,
    pub(super) digest: Digest,
    pub(super) outcome: &'static str,
    pub(super) path: Utf8PathBuf,
    pub(super) source: String,
    pub(super) bytes: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) fetch: Option<Fetch>,
}

impl Row {
    pub(super) fn text(&self) -> String {
        let Self { package, platform, bytes, source, .. } = self;
        match self.outcome {
            "installed" => {
                let note = self.fetch.as_ref().and_then(Fetch::without_ranges).unwrap_or_default();
                format!("{package}: installed for {platform}, {bytes} bytes{note}")
            }
            "repaired" => format!("{package}: repaired, from {source}"),
            "would_install" => {
                let fetch = self.fetch.as_ref().map(Fetch::text).unwrap_or_default();
                format!("{package}: would fetch from {source} {fetch}")
            }
            _ => format!("{package}: already installed"),
        }
    }
}

/// What is fetched of a package beside its head, and what is not since it is there already.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Fetch {
    #[serde(rename = "fetch_bytes")]
    pub(super) bytes: u64,
    payload_bytes: u64,
    #[serde(rename = "fetch_requests")]
    requests: usize,
    reused_files: usize,
    reused_bytes: u64,
    cached_bytes: u64,
    /// Whether parts can be fetched.
    ranges: bool,
    way: Way,
    /// What the parts alone would come to.
    parts_bytes: u64,
}

/// How what is missing is fetched: whichever is cheapest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    /// It is not: all of it is there.
    Nothing,
    /// A patch makes it from an installed version.
    Patch,
    /// The parts that are missing.
    Parts,
    /// All of the package.
    Whole,
}

impl Fetch {
    pub(super) fn new(opened: &Opened<'_>, reuse: &Reuse<'_>) -> Self {
        let plan = Plan::new(opened.package.contents().index(), &reuse.donors);
        let Summary { fetch_bytes, payload_bytes, requests, reused_files, reused_bytes, cached_bytes } =
            plan.summary();
        let ranges = opened.payload.origin().parts() != Parts::None;
        // Without ranges what is wanted comes with all of the rest.
        let all = !ranges && fetch_bytes + cached_bytes > 0;
        let (parts_bytes, requests) = if all { (payload_bytes, 1) } else { (fetch_bytes, requests) };
        let found = Self {
            bytes: parts_bytes,
            payload_bytes,
            requests,
            reused_files,
            reused_bytes,
            cached_bytes,
            ranges,
            way: Way::Parts,
            parts_bytes,
        };
        match &reuse.patch {
            Some(patch) => Self { bytes: patch.length(), requests: 1, way: Way::Patch, ..found },
            None if parts_bytes == 0 => Self { way: Way::Nothing, ..found },
            None if parts_bytes >= payload_bytes => Self { way: Way::Whole, ..found },
            None => found,
        }
    }

    /// Says that more is fetched than is missing, where that is so.
    fn without_ranges(&self) -> Option<String> {
        let spares = !self.ranges && self.way == Way::Whole && self.reused_bytes > 0;
        spares.then(|| {
            let Self { reused_files, .. } = self;
            format!(
                "; its server sends no parts of files, so all of it was fetched, though another version has {reused_files} of its files"
            )
        })
    }

    fn text(&self) -> String {
        let Self { bytes, payload_bytes, requests, reused_files, reused_bytes, .. } = self;
        let Self { cached_bytes, ranges, way, parts_bytes, .. } = self;
        let mut parts = match way {
            Way::Patch => vec![format!(
                "a patch of {bytes} bytes, which is less than the parts that are missing ({parts_bytes} of {payload_bytes} bytes)"
            )],
            _ => vec![format!("{bytes} of {payload_bytes} bytes in {requests} requests")],
        };
        if *reused_bytes > 0 {
            parts.push(format!(
                "another version has {reused_files} of its files, {reused_bytes} bytes in all"
            ));
        }
        if *cached_bytes > 0 {
            parts.push(format!("the frame cache has {cached_bytes} bytes"));
        }
        if !ranges && *way != Way::Patch {
            parts.push("the server sends no parts of files, so all of it or nothing".to_owned());
        }
        parts.join("; ")
    }
}
