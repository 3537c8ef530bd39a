//! Facts: a name and what there is to say, one below the other.

use copkg_spec::tuf::Time;

use crate::details::Details;
use crate::overview::FileOf;
use crate::pages::text::{counted, line, moment, number, size};

/// A name and what there is to say.
#[derive(Debug, Clone)]
pub(in crate::pages) struct Fact {
    pub(in crate::pages) name: String,
    pub(in crate::pages) text: String,
    pub(in crate::pages) link: Option<String>,
    /// The link leads away from this server.
    pub(in crate::pages) foreign: bool,
    /// It is for machines as much as for people.
    pub(in crate::pages) mono: bool,
}

impl Fact {
    /// Says something in words.
    pub(in crate::pages) fn text(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), text: text.into(), link: None, foreign: false, mono: false }
    }

    /// Says something that is copied.
    pub(in crate::pages) fn mono(name: &str, text: impl Into<String>) -> Self {
        Self { mono: true, ..Self::text(name, text) }
    }

    /// Links to something of this server.
    pub(in crate::pages) fn link(name: &str, text: impl Into<String>, link: String) -> Self {
        Self { link: Some(link), ..Self::text(name, text) }
    }

    /// Shows an address that a publisher wrote, and links to it when it leads to the web.
    pub(in crate::pages) fn address(name: &str, address: &str) -> Self {
        let is_web = address.starts_with("https://") || address.starts_with("http://");
        Self { link: is_web.then(|| address.to_owned()), foreign: true, ..Self::text(name, line(address)) }
    }
}

/// Lists what there is to say of a package file.
pub(super) fn of_file(file: &FileOf, details: Option<&Details>) -> Vec<Fact> {
    let path = file.link();
    let name = path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name).to_owned();
    let mut facts = vec![
        Fact::link("File", name, path),
        Fact::text("Size", format!("{} ({} bytes)", size(file.length), number(file.length))),
        Fact::mono("SHA-256", file.sha256.to_string()),
        Fact::mono("Package digest", file.digest.to_string()),
    ];
    let Some(details) = details else { return facts };
    let manifest = &details.manifest;
    let counts = manifest.counts();
    let count = |count: u64, one, many| counted(usize::try_from(count).unwrap_or(usize::MAX), one, many);
    facts.push(Fact::text(
        "Unpacked",
        format!(
            "{} in {}, {}, {}",
            size(counts.bytes),
            count(counts.files, "file", "files"),
            count(counts.directories, "directory", "directories"),
            count(counts.symlinks, "link", "links")
        ),
    ));
    let source_date = i64::try_from(manifest.source_date()).ok().and_then(Time::from_unix_seconds);
    facts.extend(source_date.map(|time| Fact::text("Source date", moment(time))));
    facts.extend(details.stored.map(|time| Fact::text("Stored here", moment(time))));
    facts.extend(crate::pages::package::about_facts(manifest.about()));
    facts.push(Fact::text("Format", manifest.format().version()));
    facts
}
