//! The pages in a headless Chromium: search, package, version; light, dark, narrow; with and without JavaScript.

use copkg_tests::browser::{Browser, BrowserError, Scripts};
use serde_json::{Value, json};

use crate::site::{PAGES, Site};

/// What every text must stand out by against what is behind it (WCAG 2.2, 1.4.3), large text as well.
const CONTRAST: &str = r"
const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const parse = text => { const n = text.match(/[\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1]; };
const behind = element => {
  const layers = [];
  for (let e = element; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c[3] > 0) { layers.push(c); if (c[3] === 1) break; }
  }
  return layers.reverse().reduce((under, c) => under.map((v, i) => v * (1 - c[3]) + c[i] * c[3]), [255, 255, 255]);
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let count = 0;
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('svg')) continue;
  const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  count += 1;
  if (ratio < 4.5) found.push(ratio.toFixed(2) + ' ' + element.className + ' ' + walker.currentNode.data.trim().slice(0, 40));
}
return { count, found };
";

/// What a page must have for those who do not see it.
const STRUCTURE: &str = r#"
const wrong = [];
const one = selector => { const n = document.querySelectorAll(selector).length; if (n !== 1) wrong.push(selector + ': ' + n); };
['header', 'main', 'footer', 'h1', 'nav[aria-label="Main"]', 'title', 'html[lang]'].forEach(one);
document.querySelectorAll('table:not(.text table)').forEach(t => t.caption || wrong.push('a table without a caption'));
document.querySelectorAll('input').forEach(i => i.labels.length || wrong.push('an input without a label'));
document.querySelectorAll('section, aside, nav').forEach(s => s.ariaLabel || document.getElementById(s.getAttribute('aria-labelledby')) || wrong.push('unnamed ' + s.tagName));
document.querySelectorAll('img').forEach(i => i.alt || wrong.push('a picture without a text'));
const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
ids.filter((id, n) => ids.indexOf(id) !== n).forEach(id => wrong.push('twice: #' + id));
let level = 0;
document.querySelectorAll('h1, h2, h3, h4, h5, h6').forEach(h => { const n = +h.tagName[1]; if (n > level + 1 && level) wrong.push('from h' + level + ' to h' + n); level = n; });
document.querySelectorAll('script, iframe, object, [onclick], [onerror]').forEach(e => wrong.push('active: ' + e.tagName));
return wrong;
"#;

/// Starts a browser, or says why the test is skipped.
fn browser(scripts: Scripts) -> Option<Browser> {
    match Browser::start(scripts) {
        Ok(browser) => Some(browser),
        Err(error @ BrowserError::Absent(_)) => {
            copkg_skip::skip("pages in a browser", format!("{error} (Debian has it in chromium-driver)"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_person_finds_a_package_and_reads_about_its_versions() {
    let Some(browser) = browser(Scripts::On) else { return };
    walk(&browser, &Site::start());
}

#[test]
fn everything_works_without_javascript() {
    let Some(browser) = browser(Scripts::Off) else { return };
    walk(&browser, &Site::start());
}

fn walk(browser: &Browser, site: &Site) {
    browser.resize(1200, 900).unwrap();
    browser.open(&site.url("/")).unwrap();
    assert!(browser.title().unwrap().starts_with("Packages · 127.0.0.1:"));
    browser.type_into("#q", "front group:com.acme.platform").unwrap();
    browser.follow(".find button").unwrap();
    assert_eq!(browser.texts(".list .name").unwrap(), ["com.acme.platform:gateway"]);
    browser.follow(".list .name").unwrap();
    assert_eq!(browser.texts("h1").unwrap(), ["com.acme.platform:gateway"]);
    assert!(browser.texts(".text h3").unwrap().contains(&"Gateway".to_owned()));
    let versions = browser.texts("[aria-labelledby=versions] tbody th").unwrap();
    assert_eq!(versions, ["2.0.0-rc.1", "1.3.0", "1.2.1", "1.2.0", "1.1.0", "1.0.0"]);
    let rows = browser.texts("[aria-labelledby=versions] tbody tr").unwrap();
    assert!(rows[2].contains("yanked It drops requests while it drains; take 1.3.0"), "{}", rows[2]);
    browser.follow("tbody th a[href$=\"/1.2.1\"]").unwrap();
    assert!(browser.texts(".note.bad").unwrap()[0].starts_with("This version is yanked."));
    browser.follow(".note.bad a").unwrap();
    assert!(browser.url().unwrap().ends_with("/packages/com.acme.platform/gateway/1.3.0"));
    let page = browser.texts("main").unwrap().concat();
    let expected = [
        "SHA-256",
        "speaks for com.acme.platform",
        "script.d/start",
        "certificate",
        "required",
        "0 added, 0 removed",
        "- 0755",
        "bin/gateway",
        "4 components, listed in CycloneDX 1.6.",
        "https://ci.example.com/runner/7",
    ];
    for text in expected {
        assert!(page.contains(text), "{text}\n{page}");
    }
}

#[test]
fn every_text_stands_out_in_light_and_in_dark() {
    let Some(browser) = browser(Scripts::On) else { return };
    let site = Site::start();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).unwrap();
        for page in PAGES {
            browser.open(&site.url(page)).unwrap();
            let result = browser.run(CONTRAST).unwrap();
            assert_eq!(result["found"], json!([]), "{scheme} {page}");
            assert!(result["count"].as_u64().unwrap() > 20, "{page}");
        }
    }
    let dark = browser.run("return getComputedStyle(document.documentElement).backgroundColor").unwrap();
    assert_eq!(dark, "rgb(22, 20, 18)");
}

#[test]
fn nothing_is_wider_than_a_narrow_telephone() {
    let Some(browser) = browser(Scripts::On) else { return };
    let site = Site::start();
    browser.resize(360, 740).unwrap();
    for page in PAGES {
        browser.open(&site.url(page)).unwrap();
        let width = browser.run("return document.documentElement.scrollWidth").unwrap();
        assert_eq!(width, 360, "{page}");
    }
}

#[test]
fn every_page_has_landmarks_captions_labels_and_headings_in_order() {
    let Some(browser) = browser(Scripts::On) else { return };
    let site = Site::start();
    for page in PAGES {
        browser.open(&site.url(page)).unwrap();
        assert_eq!(browser.run(STRUCTURE).unwrap(), json!([]), "{page}");
    }
}

#[test]
fn nothing_that_a_publisher_wrote_runs() {
    let Some(browser) = browser(Scripts::On) else { return };
    let site = Site::start();
    for page in
        ["/packages/test.hostile/evil", "/packages/test.hostile/evil/1.0.0", "/search?q=group%3Atest.hostile"]
    {
        browser.open(&site.url(page)).unwrap();
        assert_ne!(browser.title().unwrap(), "owned", "{page}");
        let found = browser
            .run("return [...document.querySelectorAll('img')].map(i => i.getAttribute('src'))")
            .unwrap();
        let own = |source: &Value| source.as_str().is_some_and(|source| source.starts_with("/badges/"));
        assert!(found.as_array().unwrap().iter().all(own), "{page}: {found}");
        let links = browser.run("return [...document.links].map(a => a.protocol)").unwrap();
        let web = |link: &Value| matches!(link.as_str(), Some("http:" | "https:"));
        assert!(links.as_array().unwrap().iter().all(web), "{page}: {links}");
    }
}

#[test]
fn the_keyboard_begins_with_a_way_past_the_bar_and_its_place_is_seen() {
    let Some(browser) = browser(Scripts::On) else { return };
    let site = Site::start();
    browser.open(&site.url("/packages/com.acme.platform/gateway")).unwrap();
    browser.press_tab().unwrap();
    let focused = "const e = document.activeElement; const s = getComputedStyle(e); return [e.textContent, s.outlineStyle, e.getBoundingClientRect().left >= 0]";
    assert_eq!(browser.run(focused).unwrap(), json!(["Skip to the content", "solid", true]));
}
