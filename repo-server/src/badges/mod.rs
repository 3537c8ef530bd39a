//! Badges: small pictures that say which version of a package is the newest, or where a channel leads.

use askama::Template;

/// The width of a character of the badge's font, in tenths of a pixel; a little more than the truth.
const CHARACTER: usize = 66;
/// The space around a text, in pixels on both sides together.
const PADDING: usize = 14;

/// A label and a value, side by side.
#[derive(Debug, Template)]
#[template(path = "badge.svg")]
pub struct Badge {
    label: String,
    value: String,
    label_width: usize,
    width: usize,
    colour: &'static str,
}

/// What the value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A version.
    Version,
    /// Nothing that can be installed by its name.
    Nothing,
}

impl Badge {
    /// Makes a badge of two texts that have no characters outside of the grammar of names.
    pub fn new(label: &str, value: &str, tone: Tone) -> Self {
        let label_width = width(label);
        let colour = match tone {
            Tone::Version => "#9a4210",
            Tone::Nothing => "#635b53",
        };
        Self {
            label: label.to_owned(),
            value: value.to_owned(),
            label_width,
            width: label_width + width(value),
            colour,
        }
    }
}

fn width(text: &str) -> usize {
    (text.chars().count() * CHARACTER).div_ceil(10) + PADDING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_is_a_picture_with_a_text_for_those_who_do_not_see_it() {
        let svg = Badge::new("web", "1.2.0", Tone::Version).render().unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(document.root_element().attribute("aria-label"), Some("web: 1.2.0"));
        assert_eq!(document.root_element().attribute("width"), Some("81"));
    }
}
