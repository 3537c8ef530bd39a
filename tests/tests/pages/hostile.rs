//! What a publisher writes is text, on every page, whatever it is.

use copkg_tests::showcase::SCRIPT;

use crate::site::{PAGES, Site, header};

#[test]
fn hostile_metadata_shows_as_text_on_every_page() {
    let site = Site::start();
    let pages = PAGES.into_iter().chain([
        "/search?q=%3Cscript%3E%22%27%3E%E2%80%AE",
        "/packages/test.hostile",
        "/feeds/all.atom",
        "/feeds/test.hostile/evil.atom",
    ]);
    for page in pages {
        let text = site.text(page);
        for markup in
            ["<script", "<img src=x", "<iframe", "<style", "onerror=alert(1)>", "\"javascript:", "<b>bold"]
        {
            let quoted = text.contains(&markup.replace('<', "&#60;"));
            assert!(!text.contains(markup) || (markup.starts_with('o') && quoted), "{page}: {markup}");
        }
        let hidden = |c: char| {
            (c.is_control() && c != '\n' && c != '\t')
                || matches!(c, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert_eq!(text.chars().find(|&c| hidden(c)), None, "{page}");
    }
    let text = site.text("/packages/test.hostile/evil");
    assert!(text.contains("⟨U+202E⟩gpj.exe⟨U+2066⟩␛[31m⟨U+200B⟩ שלום"), "{text}");
    assert!(!text.contains(SCRIPT), "{text}");
}

#[test]
fn every_page_may_load_nothing_but_its_own_style_and_pictures() {
    let site = Site::start();
    for page in PAGES.into_iter().chain(["/nowhere"]) {
        let response = site.ask(page, &[("accept", "text/html")]);
        let policy = header(&response, "content-security-policy");
        assert_eq!(
            policy,
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            "{page}"
        );
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{page}");
        let text = response.text().expect("it is text");
        assert!(!text.contains(" style=") && !text.contains("http-equiv"), "{page}");
        assert_eq!(text.matches("rel=\"stylesheet\"").count(), 1, "{page}");
    }
}

#[test]
fn the_style_is_one_file_below_ten_kilobytes_that_is_fetched_once() {
    let site = Site::start();
    let text = site.text("/");
    let path = text
        .split("rel=\"stylesheet\" href=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a style");
    let response = site.get(path);
    assert_eq!(header(&response, "content-type"), "text/css; charset=utf-8");
    assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
    assert!(response.bytes().expect("it is read").len() < 10_000);
}
