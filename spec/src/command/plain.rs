//! Text for a terminal: whatever a package or a server says moves no cursor, changes no colour and turns no line around.
//!
//! The report passes everything that it prints through here, so that no command has to think of it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Tells whether a terminal does something else with a character than to show it. Line feeds and tabs lay out our own text.
fn acts(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // The characters of UAX #9 that reorder text; line and paragraph separators; the invisible tags.
        '\u{061C}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{E0000}'..='\u{E007F}' => true,
        c => c.is_control(),
    }
}

/// Writes characters that a terminal would act upon as `\u{1b}`.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    escaped(text, |c, out| {
        let _ = write!(out, "{}", c.escape_unicode());
    })
}

/// Does the same to a JSON document, which stays the same document. Such characters stand in its strings alone.
pub(super) fn plain_json(text: &str) -> Cow<'_, str> {
    escaped(text, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) { escape(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[31mb\u{202e}c\u{9b}2Jd\r\u{7f}\u{e0041}";

    #[test]
    fn what_a_terminal_would_act_upon_is_written_out() {
        assert_eq!(plain(HOSTILE), "a\\u{1b}[31mb\\u{202e}c\\u{9b}2Jd\\u{d}\\u{7f}\\u{e0041}");
        for text in ["", "plain text\n\twith lines", "Grüße, 日本, \u{1f600}"] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn a_document_says_the_same_as_before() {
        let document = serde_json::json!({ HOSTILE: [HOSTILE, "plain"] });
        let text = serde_json::to_string_pretty(&document).unwrap();
        let shown = plain_json(&text);
        assert!(!shown.chars().any(acts), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), document);
    }
}
