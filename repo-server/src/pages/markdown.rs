//! Markdown of a package as HTML that can do nothing: raw HTML is dropped, links lead to the web or nowhere, and nothing is
//! loaded.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::text::visible;

/// Renders Markdown. Headings become smaller by two, as the page has two above them. An image becomes a link with its text:
/// the pages load nothing from elsewhere.
pub(super) fn to_html(markdown: &str) -> String {
    let text = visible(markdown);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut inert = Inert::default();
    let events = Parser::new_ext(&text, options).filter_map(|event| inert.event(event));
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

/// Renders text that is no Markdown.
pub(super) fn plain_to_html(text: &str) -> String {
    format!("<pre><code>{}</code></pre>", escaped(&visible(text)))
}

/// Turns events into harmless ones.
#[derive(Default)]
struct Inert {
    /// For each open link or image, what ends it.
    ends: Vec<&'static str>,
    in_html: bool,
}

impl Inert {
    fn event<'a>(&mut self, event: Event<'a>) -> Option<Event<'a>> {
        Some(match event {
            Event::Html(_) | Event::InlineHtml(_) => return None,
            Event::Start(Tag::HtmlBlock) => {
                self.in_html = true;
                return None;
            }
            Event::End(TagEnd::HtmlBlock) => {
                self.in_html = false;
                return None;
            }
            Event::Text(_) if self.in_html => return None,
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                raw(self.begin(&dest_url))
            }
            Event::End(TagEnd::Link | TagEnd::Image) => raw(self.ends.pop().unwrap_or_default().to_owned()),
            Event::Start(Tag::Heading { level, classes: _, attrs: _, id: _ }) => Event::Start(Tag::Heading {
                level: smaller(level),
                id: None,
                classes: Vec::new(),
                attrs: Vec::new(),
            }),
            Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(smaller(level))),
            other => other,
        })
    }

    fn begin(&mut self, address: &str) -> String {
        // A link inside of a link is none.
        if !self.ends.is_empty() || !leads_to_the_web(address) {
            self.ends.push("");
            return String::new();
        }
        self.ends.push("</a>");
        format!("<a href=\"{}\" rel=\"nofollow noopener ugc\">", escaped(address))
    }
}

fn raw(html: String) -> Event<'static> {
    Event::InlineHtml(CowStr::from(html))
}

fn leads_to_the_web(address: &str) -> bool {
    let lower = address.get(..8).unwrap_or(address).to_ascii_lowercase();
    ["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme))
}

fn smaller(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = pulldown_cmark_escape::escape_html(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_html_is_dropped_and_its_text_with_it() {
        let html = to_html("a <b onclick=x>bold</b>\n\n<script>alert(1)</script>\n\n<div>\nx\n</div>\n\nend");
        insta::assert_snapshot!(html, @"
        <p>a bold</p>
        <p>end</p>
        ");
    }

    #[test]
    fn links_lead_to_the_web_or_nowhere_and_images_are_links() {
        let html = to_html(
            "[a](https://example.com/?a=1&b=\"2\") [b](javascript:alert(1)) [c](JaVaScRiPt:x) [d](//evil) [e](data:x) \
             ![pic](http://example.com/x.png) [![badge](https://a/b.svg)](https://c)",
        );
        insta::assert_snapshot!(html, @r#"<p><a href="https://example.com/?a=1&amp;b=&quot;2&quot;" rel="nofollow noopener ugc">a</a> b c d e <a href="http://example.com/x.png" rel="nofollow noopener ugc">pic</a> <a href="https://c" rel="nofollow noopener ugc">badge</a></p>"#);
    }

    #[test]
    fn headings_fit_below_those_of_the_page_and_marks_are_shown() {
        let html = to_html("# One {#id .class}\n\n## Two\n\na\u{202e}b\u{1b}");
        insta::assert_snapshot!(html, @"
        <h3>One {#id .class}</h3>
        <h4>Two</h4>
        <p>a⟨U+202E⟩b␛</p>
        ");
    }

    #[test]
    fn hostile_nesting_takes_no_longer_than_its_length() {
        let began = std::time::Instant::now();
        for text in ["[".repeat(100_000), ">".repeat(50_000), "*_".repeat(50_000), "![[](".repeat(20_000)] {
            to_html(&text);
        }
        assert!(began.elapsed().as_secs() < 10);
    }
}
