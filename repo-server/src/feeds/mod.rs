//! Feeds: what happened to the packages, for readers of Atom (RFC 4287).

use askama::Template;
use copkg_spec::repository::Fingerprint;
use copkg_spec::tuf::Time;

use crate::pages::Event;

/// A feed.
#[derive(Debug, Template)]
#[template(path = "feed.atom", escape = "xml")]
pub struct Feed {
    url: String,
    path: String,
    title: String,
    identity: String,
    updated: String,
    entries: Vec<Entry>,
}

/// One entry of a feed.
#[derive(Debug)]
struct Entry {
    identity: String,
    title: String,
    link: String,
    updated: String,
    text: String,
}

impl Feed {
    /// Makes a feed of events, the latest first. `url` is the address of the repository, `path` that of the feed below it.
    pub(crate) fn new(
        (url, path): (String, String),
        title: String,
        fingerprint: Fingerprint,
        made: Time,
        events: Vec<Event>,
    ) -> Self {
        let identity = format!("urn:copkg:{fingerprint}:{}", path.trim_start_matches('/'));
        let updated = events.first().map_or_else(|| made.to_string(), |event| event.time.clone());
        let entries = events.into_iter().map(|event| Entry::of(&url, fingerprint, event)).collect();
        Self { url, path, title, identity, updated, entries }
    }
}

impl Entry {
    fn of(url: &str, fingerprint: Fingerprint, event: Event) -> Self {
        let Event { group, id, version, word, time, detail, .. } = event;
        let version = version.unwrap_or_default();
        Self {
            identity: format!(
                "urn:copkg:{fingerprint}:{group}:{id}:{version}:{}:{time}",
                word.replace([' ', '@'], "-")
            ),
            title: format!("{group}:{id}:{version} {word}"),
            link: format!("{url}/packages/{group}/{id}/{version}"),
            updated: time,
            text: detail.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overview::{Change, What};

    #[test]
    fn a_feed_is_well_formed_whatever_a_publisher_wrote() {
        let change = Change {
            commit: copkg_spec::repository::CommitNumber::FIRST,
            time: "2030-01-31T12:00:00Z".parse().unwrap(),
            group: "com.example".parse().unwrap(),
            id: "web".parse().unwrap(),
            version: "1.0".parse().unwrap(),
            what: What::Yanked("]]><script>\u{1}\u{fffe}\u{202e}&amp;".to_owned()),
        };
        let fingerprint = Fingerprint::of_first_root(b"root");
        let place = ("https://packages.example.com".to_owned(), "/feeds/all.atom".to_owned());
        let feed =
            Feed::new(place, "All".to_owned(), fingerprint, change.time, vec![Event::new(&change, None)]);
        let text = feed.render().unwrap();
        let document = roxmltree::Document::parse(&text).unwrap();
        let content = document.descendants().find(|node| node.has_tag_name("content")).unwrap();
        assert_eq!(content.text(), Some("]]><script>␁⟨U+FFFE⟩⟨U+202E⟩&amp;"));
        let names: Vec<_> = document.root_element().children().filter(roxmltree::Node::is_element).collect();
        assert_eq!(names.iter().filter(|node| node.has_tag_name("entry")).count(), 1);
        assert!(
            names
                .iter()
                .any(|node| node.has_tag_name("updated") && node.text() == Some("2030-01-31T12:00:00Z"))
        );
    }
}
