//! What a path of a store is, told from its name alone.

use copkg_spec::tlog::Resource;
use copkg_spec::tuf::{Role, Version};
use percent_encoding::percent_decode_str;

/// What a file of a store is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `metadata/timestamp.json`.
    Timestamp,
    /// One version of another role.
    Metadata(Role, Version),
    /// The bytes of a target, under their hash.
    Blob,
    /// A file of the transparency log.
    Log(Resource),
    /// A commit.
    Commit,
    /// Metadata that waits for its commit.
    Staged,
    /// What is never served.
    Private,
    /// Nothing that this program wrote.
    Foreign,
}

impl Place {
    /// Tells what the file at `path` is for.
    pub fn of(path: &str) -> Self {
        let Some((directory, rest)) = path.split_once('/') else { return Self::Foreign };
        match directory {
            "metadata" => Self::of_metadata(rest).unwrap_or(Self::Foreign),
            "targets" => Self::of_target(rest),
            "tlog" => rest.parse().map_or(Self::Foreign, Self::Log),
            "log" if rest.len() == 20 && rest.bytes().all(|b| b.is_ascii_digit()) => Self::Commit,
            "staged" if is_digest(rest) => Self::Staged,
            "private" => Self::Private,
            _ => Self::Foreign,
        }
    }

    fn of_metadata(file: &str) -> Option<Self> {
        if file == "timestamp.json" {
            return Some(Self::Timestamp);
        }
        let (version, name) = file.strip_suffix(".json")?.split_once('.')?;
        let version = Version::new(version.parse().ok()?)?;
        let role = match &*percent_decode_str(name).decode_utf8().ok()? {
            "root" => Role::Root,
            "snapshot" => Role::Snapshot,
            "targets" => Role::Targets,
            name => Role::Delegated(name.parse().ok()?),
        };
        (role.versioned_file_name(version) == file).then_some(Self::Metadata(role, version))
    }

    fn of_target(rest: &str) -> Self {
        let file = rest.rsplit('/').next().unwrap_or_default();
        let digest = file.split_once('.').map(|(digest, _)| digest);
        if rest.split('/').count() == 5 && digest.is_some_and(is_digest) { Self::Blob } else { Self::Foreign }
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_of_a_store_is_known_by_its_name() {
        let digest = "ab".repeat(32);
        let version = Version::new(12).unwrap();
        let group = Role::Delegated("com.example".parse().unwrap());
        for (path, place) in [
            ("metadata/timestamp.json", Place::Timestamp),
            ("metadata/12.snapshot.json", Place::Metadata(Role::Snapshot, version)),
            ("metadata/12.com.example.json", Place::Metadata(group, version)),
            ("tlog/checkpoint", Place::Log(Resource::Checkpoint)),
            ("log/00000000000000000012", Place::Commit),
            ("private/tokens/0011223344556677.json", Place::Private),
            (&format!("staged/{digest}"), Place::Staged),
            (&format!("targets/ab/com.example/web/1/{digest}.web-1-any.copkg"), Place::Blob),
        ] {
            assert_eq!(Place::of(path), place, "{path}");
        }
        for path in [
            "README",
            "metadata/012.root.json",
            "metadata/root.json",
            "metadata/12.com%2Eexample.json",
            "targets/ab/com.example/web/1/web-1-any.copkg",
            "targets/x",
            "tlog/tile/0/0",
            "log/1",
            "staged/x",
            "other/file",
        ] {
            assert_eq!(Place::of(path), Place::Foreign, "{path}");
        }
    }
}
