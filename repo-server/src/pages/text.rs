//! Text that somebody else wrote, made fit to be shown as text: templates escape HTML, this takes care of the characters
//! that do something without being seen.

use std::fmt::Write as _;

use bytesize::ByteSize;
use copkg_spec::tuf::Time;
use jiff::Timestamp;

/// Returns `text` with every invisible character replaced by something that can be seen: control characters, marks that turn
/// the direction of writing or hide text, and what no XML may hold. Letters of every script stay, whichever way they run;
/// templates put them into `<bdi>`, so that they turn nothing around them.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' => {}
            '\u{0}'..='\u{1f}' => out.extend(char::from_u32(0x2400 + u32::from(c))),
            '\u{7f}' => out.push('\u{2421}'),
            '\u{2028}' | '\u{2029}' => out.push(' '),
            c if is_invisible(c) => {
                let _ = write!(out, "⟨U+{:04X}⟩", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// As [`visible`], on one line.
pub(crate) fn line(text: &str) -> String {
    visible(text).replace(['\n', '\t'], " ")
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200e}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{fffe}'..='\u{ffff}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Writes a size for people.
pub(crate) fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// Writes a number with a thin space between thousands.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    out
}

/// Writes `1 package`, `2 packages`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(count as u64), if count == 1 { one } else { many })
}

/// Writes a moment for people.
pub(crate) fn moment(time: Time) -> String {
    shown(time, "%-d %b %Y, %H:%M UTC")
}

/// Writes a day for people.
pub(crate) fn day(time: Time) -> String {
    shown(time, "%-d %b %Y")
}

fn shown(time: Time, format: &str) -> String {
    let timestamp = Timestamp::from_second(time.unix_seconds()).unwrap_or_default();
    timestamp.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown() {
        let hostile = "a\u{1b}[31m\u{202e}txt.exe\u{200b}\u{7f}\u{0}\r\nb\u{9b}";
        assert_eq!(visible(hostile), "a␛[31m⟨U+202E⟩txt.exe⟨U+200B⟩␡␀\nb⟨U+009B⟩");
        assert_eq!(line("a\nb\tc"), "a b c");
    }

    #[test]
    fn letters_of_every_script_stay() {
        for text in ["Straße", "شبكة", "שלום", "日本語", "👩‍🚀"] {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn numbers_and_times_are_written_for_people() {
        assert_eq!(number(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(number(100), "100");
        assert_eq!(counted(1, "package", "packages"), "1 package");
        assert_eq!(moment("2030-01-31T12:05:00Z".parse().unwrap()), "31 Jan 2030, 12:05 UTC");
        assert_eq!(size(1536), "1.5 KiB");
    }
}
