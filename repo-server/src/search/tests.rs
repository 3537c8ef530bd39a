//! Unit tests of the search: fields, words, order, pages, and the time that 100,000 packages take.

use copkg_spec::coordinate::{Group, Label};
use copkg_spec::manifest::Kind;
use copkg_spec::repository::PackageEntry;

use super::*;

fn row(name: &str, kind: Kind, platform: &str, description: &str, channels: &[&str]) -> Row {
    let (group, id) = name.split_once(':').unwrap();
    let channels = channels.iter().map(|c| (c.parse().unwrap(), "1".parse().unwrap())).collect();
    let entry = PackageEntry {
        newest: Some("1".parse().unwrap()),
        channels,
        description: Some(description.to_owned()),
    };
    Row::new(group.parse().unwrap(), id.parse().unwrap(), entry, kind, [platform.parse().unwrap()])
}

fn index(rows: Vec<Row>) -> Index {
    let mut groups: BTreeMap<Group, Vec<Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.group().clone()).or_default().push(row);
    }
    let rows = groups.into_iter().map(|(group, rows)| (group, GroupRows::from_rows(rows, 1)));
    Index::default().with_groups(rows)
}

fn some() -> Index {
    index(vec![
        row("com.example:web", Kind::Service, "x86_64-linux", "Serves Pages", &["stable"]),
        row("com.example:web-admin", Kind::Service, "any", "Looks after web", &[]),
        row("com.example.data:sweb", Kind::Content, "aarch64-linux", "Straße and web", &[]),
        row("org.other:db", Kind::Service, "x86_64-linux", "A database behind the web", &["beta", "stable"]),
    ])
}

fn found(query: &str) -> Vec<String> {
    let page = some().search(&query.parse().unwrap(), None, 10);
    assert_eq!(page.total, page.rows.len());
    page.rows.iter().map(|row| row.name().to_owned()).collect()
}

#[test]
fn a_name_comes_before_its_beginning_its_middle_and_a_description() {
    assert_eq!(
        found("WEB"),
        ["com.example:web", "com.example:web-admin", "com.example.data:sweb", "org.other:db"]
    );
    assert_eq!(found("straße"), ["com.example.data:sweb"]);
    assert_eq!(found("com.example:web"), ["com.example:web", "com.example:web-admin"]);
    assert_eq!(found("web database"), ["org.other:db"]);
}

#[test]
fn fields_narrow_the_search() {
    assert_eq!(found("group:com.example kind:service"), ["com.example:web", "com.example:web-admin"]);
    assert_eq!(found("group:com.exam"), Vec::<String>::new());
    assert_eq!(found("group:com").len(), 3);
    assert_eq!(found("platform:aarch64-linux"), ["com.example.data:sweb", "com.example:web-admin"]);
    assert_eq!(found("platform:x86_64 channel:beta"), ["org.other:db"]);
    assert_eq!(found("id:web"), ["com.example:web", "com.example:web-admin"]);
    assert_eq!(found("kind:"), found(""));
}

#[test]
fn pages_follow_one_another_without_a_gap_also_when_rows_come_meanwhile() {
    let query = "web".parse().unwrap();
    let index = some();
    let first = index.search(&query, None, 2);
    let more = GroupRows::from_rows([row("aa.new:web", Kind::Service, "any", "", &[])], 1);
    let index = index.with_groups([("aa.new".parse().unwrap(), more)]);
    let cursor: Cursor = first.next.unwrap().to_string().parse().unwrap();
    let second = index.search(&query, Some(&cursor), 2);
    let names: Vec<&str> = first.rows.iter().chain(&second.rows).map(|row| row.name()).collect();
    assert_eq!(names, ["com.example:web", "com.example:web-admin", "com.example.data:sweb", "org.other:db"]);
    assert_eq!(second.next, None);
    assert_eq!(second.total, 5);
}

#[test]
fn what_is_no_query_and_no_cursor_is_refused() {
    assert_eq!("ä".repeat(201).parse::<Query>(), Err(QueryError::TooLong(201)));
    for text in ["", "1", "a~b", "1~<b>", "70000~a"] {
        assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text}");
    }
}

#[test]
fn names_that_are_nearly_right_are_found() {
    let near = |text: &str| some().near(text, 3).iter().map(|row| row.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(near("com.example:wbe")[0], "com.example:web");
    assert_eq!(near("com.example:something"), Vec::<String>::new());
}

#[test]
fn a_hundred_thousand_packages_are_counted_and_the_first_of_them_shown() {
    let words = ["fast", "store", "queue", "proxy", "agent", "report", "billing", "search"];
    let rows = (0..100_000_usize).map(|n| {
        let name = format!("com.team-{}:{}-{n}", n % 500, words[n % words.len()]);
        let description =
            format!("{} for {} number {n}", words[n / 8 % words.len()], words[n / 64 % words.len()]);
        row(&name, Kind::Service, "x86_64-linux", &description, &[])
    });
    let index = index(rows.collect());
    let queries =
        ["", "queue", "report billing", "group:com.team-7 proxy", "nothing-of-this", "kind:service e"];
    // How long each takes is measured by `cargo bench-scale`.
    for text in queries {
        let page = index.search(&text.parse().unwrap(), None, 20);
        assert_eq!(page.total == 0, text.starts_with("nothing"), "{text}");
        assert!(page.rows.len() <= 20 && page.next.is_some() == (page.total > 20), "{text}");
    }
    let id: Label = "queue-2".parse().unwrap();
    assert!(index.package(&"com.team-2".parse().unwrap(), &id).is_some());
}
