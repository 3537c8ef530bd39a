//! What a request would read, told from its path alone: the part of the repository that a token must open.

use copkg_spec::coordinate::Group;
use copkg_spec::repository::{group_of_bin, group_of_role};
use copkg_spec::tuf::RoleName;
use percent_encoding::percent_decode_str;

/// A part of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Area {
    /// What everybody may ask for: whether the server lives, and how its pages look.
    Open,
    /// What every host needs, whatever its groups: the metadata above the groups, the log, proposals to be co-signed.
    Any,
    /// What belongs to one group.
    Group(Group),
    /// What tells of all groups: pages, search, feeds, lists. Also every path that is not known here.
    All,
}

impl Area {
    /// Tells what a request for `path` would read.
    pub fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["healthz" | "readyz"] | ["assets", ..] => Self::Open,
            ["metadata", file] => Self::of_metadata(file),
            ["tlog", ..] | ["api", "v1", "proposals" | "blobs", ..] => Self::Any,
            ["targets", _, group, ..]
            | ["api", "v1", "packages", group, ..]
            | ["packages" | "badges", group, ..]
            | ["feeds", group, _] => Self::of_group(group),
            _ => Self::All,
        }
    }

    fn of_metadata(file: &str) -> Self {
        let Some(name) = file.strip_suffix(".json") else { return Self::All };
        let name = name.split_once('.').map_or(name, |(version, role)| {
            if version.bytes().all(|b| b.is_ascii_digit()) { role } else { name }
        });
        let Ok(name) = percent_decode_str(name).decode_utf8() else { return Self::All };
        // The top-level roles have names that no delegated role can have.
        let Ok(role) = name.parse::<RoleName>() else { return Self::Any };
        group_of_bin(&role).or_else(|| group_of_role(&role)).map_or(Self::Any, Self::Group)
    }

    fn of_group(text: &str) -> Self {
        let decoded = percent_decode_str(text).decode_utf8().ok();
        decoded.and_then(|text| text.parse().ok()).map_or(Self::All, Self::Group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(text: &str) -> Area {
        Area::Group(text.parse().unwrap())
    }

    #[test]
    fn each_path_belongs_to_the_part_that_its_answer_tells_of() {
        for (path, area) in [
            ("/healthz", Area::Open),
            ("/metadata/timestamp.json", Area::Any),
            ("/metadata/12.snapshot.json", Area::Any),
            ("/metadata/1.root.json", Area::Any),
            ("/metadata/3.registrar.json", Area::Any),
            ("/metadata/3.registrar-0f.json", Area::Any),
            ("/metadata/3.com.example.json", group("com.example")),
            ("/metadata/3.com%2Eexample.json", group("com.example")),
            ("/metadata/3.com.example.-0f.json", group("com.example")),
            ("/targets/ab/com.example/web/1/ff.web-1-any.copkg", group("com.example")),
            ("/targets/ab/com%2eexample/web/1/ff.web-1-any.copkg", group("com.example")),
            ("/api/v1/packages/com.example/web", group("com.example")),
            ("/api/v1/packages", Area::All),
            ("/api/v1/search", Area::All),
            ("/api/v1/proposals/abc", Area::Any),
            ("/tlog/tile/0/000", Area::Any),
            ("/", Area::All),
            ("/packages/com.example/web", group("com.example")),
            ("/badges/com.example/web.svg", group("com.example")),
            ("/feeds/com.example/web.atom", group("com.example")),
            ("/feeds/com.example.atom", Area::All),
            ("/assets/style-0011.css", Area::Open),
            ("/metrics", Area::All),
            ("/targets/ab/..", Area::All),
            ("//healthz/x", Area::All),
        ] {
            assert_eq!(Area::of(path), area, "{path}");
        }
    }
}
