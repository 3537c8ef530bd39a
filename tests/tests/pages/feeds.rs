//! Feeds, badges and metrics.

use crate::site::{Site, header};

#[test]
fn feeds_tell_what_happened_the_latest_first() {
    let site = Site::start();
    let response = site.get("/feeds/all.atom");
    assert_eq!(header(&response, "content-type"), "application/atom+xml; charset=utf-8");
    let text = response.text().expect("it is text");
    let feed = roxmltree::Document::parse(&text).expect("it is XML");
    let titles: Vec<&str> = entries(&feed, "title");
    assert_eq!(titles[0], "com.acme.shop:checkout:12.4.2 now @stable");
    assert_eq!(titles[1], "com.acme.platform:gateway:1.2.1 yanked");
    assert_eq!(titles.len(), 17);
    let package = site.text("/feeds/com.acme.platform/gateway.atom");
    let package = roxmltree::Document::parse(&package).expect("it is XML");
    assert_eq!(entries(&package, "title").len(), 6);
    let group = site.text("/feeds/com.acme.shop.atom");
    assert!(!group.contains("gateway"));
    for missing in ["/feeds/com.nobody.atom", "/feeds/all.rss", "/feeds/com.acme.shop/nothing.atom"] {
        assert_eq!(site.get(missing).status(), 404, "{missing}");
    }
}

fn entries<'a>(feed: &'a roxmltree::Document<'_>, name: &str) -> Vec<&'a str> {
    let entries = feed.descendants().filter(|node| node.has_tag_name((ATOM, "entry")));
    let named = entries.filter_map(|entry| entry.children().find(|node| node.has_tag_name((ATOM, name))));
    named.filter_map(|node| node.text()).collect()
}

const ATOM: &str = "http://www.w3.org/2005/Atom";

#[test]
fn badges_show_the_newest_version_and_where_a_channel_leads() {
    let site = Site::start();
    let label = |path: &str| {
        let text = site.text(path);
        let badge = roxmltree::Document::parse(&text).expect("it is XML");
        badge.root_element().attribute("aria-label").map(str::to_owned).expect("a label")
    };
    assert_eq!(label("/badges/com.acme.platform/gateway.svg"), "gateway: 1.3.0");
    assert_eq!(label("/badges/com.acme.platform/gateway/beta.svg"), "gateway@beta: 2.0.0-rc.1");
    assert_eq!(label("/badges/com.acme.platform/gateway/nightly.svg"), "gateway@nightly: none");
    assert_eq!(site.get("/badges/com.acme.platform/nothing.svg").status(), 404);
}

#[test]
fn metrics_count_requests_by_their_route_and_tell_the_state_of_the_repository() {
    let site = Site::start();
    for _ in 0..3 {
        site.text("/packages/com.acme.platform/gateway");
    }
    // The counts are those of the overview that a search needs, too, and that is made beside the first requests.
    site.text("/api/v1/search?q=gateway");
    let response = site.get("/metrics");
    assert!(header(&response, "content-type").starts_with("application/openmetrics-text"));
    let text = response.text().expect("it is text");
    let has = |line: &str| assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    has(r#"copkg_http_requests_total{route="/packages/{group}/{id}",method="GET",status="200"} 3"#);
    has("copkg_packages 8");
    has("copkg_groups 5");
    has("copkg_commit 18");
    assert!(text.ends_with("# EOF\n"));
}
