//! Words and paths as systemd reads them in a unit.

use super::UnitError;

/// The command line of an `Exec…=`: no word is split, expanded or replaced.
pub(super) fn command(words: &[String]) -> Result<String, UnitError> {
    let words = words.iter().map(|word| quoted(&word.replace('$', "$$"))).collect::<Result<Vec<_>, _>>()?;
    Ok(words.join(" "))
}

/// A list of paths, such as that of `ReadWritePaths=`.
pub(super) fn list<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<String, UnitError> {
    let words = words.into_iter().map(quoted).collect::<Result<Vec<_>, _>>()?;
    Ok(words.join(" "))
}

/// A word between quotes.
pub(super) fn quoted(word: &str) -> Result<String, UnitError> {
    Ok(format!("\"{}\"", plain(word)?.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A text that is the whole value, such as a path that stands alone: it needs no quotes, whatever is in it, but specifiers
/// start with `%`, and a backslash at the end would swallow the next line.
pub(super) fn plain(text: &str) -> Result<String, UnitError> {
    if text.chars().any(char::is_control) {
        return Err(UnitError::Control { text: text.escape_debug().to_string() });
    }
    let end = if text.ends_with('\\') { "/" } else { "" };
    Ok(format!("{}{end}", text.replace('%', "%%")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_systemd() {
        let word = "--motto=100% \"so\" $HOME \\o/".to_owned();
        assert_eq!(command(&[word]).unwrap(), "\"--motto=100%% \\\"so\\\" $$HOME \\\\o/\"");
        assert!(command(&["a\nb".to_owned()]).is_err());
        assert_eq!(list(["/a b", "/it's"]).unwrap(), "\"/a b\" \"/it's\"");
    }

    #[test]
    fn a_path_that_stands_alone_swallows_nothing() {
        assert_eq!(plain("/srv/a $b \"c\"").unwrap(), "/srv/a $b \"c\"");
        assert_eq!(plain("/srv/100%\\").unwrap(), "/srv/100%%\\/");
    }
}
