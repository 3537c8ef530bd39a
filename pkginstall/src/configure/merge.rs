//! Merges three ways: what was rendered before, what a person made of it, and what is rendered now.
//!
//! Comes after rendering and before anything is stopped. What only one side changed is taken from it; what both changed
//! in different places is joined, line by line; what both changed in one place is a conflict for a person to decide.

use std::collections::{BTreeMap, BTreeSet};

use copkg_spec::digest::Digest;
use copkg_spec::index::EntryPath;
use diffy::{ConflictStyle, MergeOptions};

use super::review::Review;
use super::{ConfigureError, Rendered, RenderedFile};
use crate::runtime::RuntimeDirectory;

/// The largest file that is merged.
const LIMIT: u64 = 8 << 20;

/// How long the marks of a conflict are: longer than anything that a configuration would draw.
const MARK: usize = 23;

/// Which side is taken where two contradict one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Accept {
    /// What was changed here by hand.
    Ours,
    /// What the package says.
    Theirs,
}

impl Accept {
    /// Returns the word that the command line has for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
        }
    }
}

/// Names three contents that are merged: the digest of their digests.
pub(super) type Triple = Digest;

/// What came of a merge.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// What goes into the runtime directory.
    pub(super) files: BTreeMap<EntryPath, RenderedFile>,
    /// What was rendered before, is not now, and was not changed.
    pub(super) gone: Vec<EntryPath>,
    /// What a person has to decide.
    pub(super) conflicts: Vec<Conflict>,
}

/// A file in which both sides changed one place.
#[derive(Debug)]
pub(super) struct Conflict {
    pub(super) path: EntryPath,
    pub(super) triple: Triple,
    pub(super) secret: bool,
    pub(super) ours: Vec<u8>,
    pub(super) theirs: Vec<u8>,
    /// The join with both sides between marks; `None` where it is no text.
    pub(super) marked: Option<String>,
}

/// Merges the configuration that lies in `runtime`.
pub(super) fn merge(
    before: &Rendered,
    runtime: &RuntimeDirectory,
    now: &Rendered,
    review: &Review,
) -> Result<Merged, ConfigureError> {
    let mut merged = Merged::default();
    let paths: BTreeSet<&EntryPath> = before.files.keys().chain(now.files.keys()).collect();
    for path in paths {
        let edited = runtime.read_file(&format!("etc/{path}"), LIMIT)?;
        let base = before.files.get(path).map(|file| file.bytes.as_slice());
        match now.files.get(path) {
            // Nobody renders it any more. What a person changed stays: it may be needed elsewhere.
            None if edited.as_deref() == base => merged.gone.push(path.clone()),
            None => {}
            Some(file) => {
                let bytes = match join(base, edited, file) {
                    Joined::Taken(bytes) => bytes,
                    Joined::Torn { ours, marked } => {
                        let triple = triple(base, &ours, &file.bytes);
                        if let Some(decided) = review.decision(&triple)? {
                            decided
                        } else {
                            let theirs = file.bytes.clone();
                            let conflict = Conflict {
                                path: path.clone(),
                                triple,
                                secret: file.secret,
                                ours,
                                theirs,
                                marked,
                            };
                            merged.conflicts.push(conflict);
                            continue;
                        }
                    }
                };
                merged.files.insert(path.clone(), RenderedFile { bytes, secret: file.secret });
            }
        }
    }
    Ok(merged)
}

enum Joined {
    Taken(Vec<u8>),
    Torn { ours: Vec<u8>, marked: Option<String> },
}

fn join(base: Option<&[u8]>, edited: Option<Vec<u8>>, now: &RenderedFile) -> Joined {
    let now = &now.bytes;
    // A file that is gone is put back: a service without its configuration does not run.
    let Some(ours) = edited else { return Joined::Taken(now.clone()) };
    if base == Some(ours.as_slice()) || ours == *now {
        return Joined::Taken(now.clone());
    }
    if base == Some(now.as_slice()) {
        return Joined::Taken(ours);
    }
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
    let (Some(base), Some(mine), Some(theirs)) = (text(base.unwrap_or_default()), text(&ours), text(now))
    else {
        return Joined::Torn { ours, marked: None };
    };
    match options().merge(&base, &mine, &theirs) {
        Ok(joined) => Joined::Taken(joined.into_bytes()),
        Err(marked) => Joined::Torn { ours, marked: Some(marked) },
    }
}

fn options() -> MergeOptions {
    let mut options = MergeOptions::new();
    options.set_conflict_marker_length(MARK).set_conflict_style(ConflictStyle::Merge);
    options
}

fn triple(base: Option<&[u8]>, ours: &[u8], theirs: &[u8]) -> Triple {
    let each = [base.unwrap_or_default(), ours, theirs].map(|bytes| Digest::of(bytes).to_string());
    Digest::of(format!("{} {}", base.is_some(), each.join(" ")).as_bytes())
}

/// Tells whether a text still has marks of a conflict.
pub(super) fn is_torn(text: &str) -> bool {
    text.lines().any(|line| mark_of(line).is_some())
}

/// Takes one side wherever two stand between marks; the rest stays joined.
pub(super) fn take(marked: &str, accept: Accept) -> String {
    let mut taken = String::new();
    let mut side = None;
    for line in marked.split_inclusive('\n') {
        match mark_of(line) {
            Some('<') => side = Some(Accept::Ours),
            Some('=') if side.is_some() => side = Some(Accept::Theirs),
            Some('>') => side = None,
            _ if side.is_none_or(|side| side == accept) => taken.push_str(line),
            _ => {}
        }
    }
    taken
}

fn mark_of(line: &str) -> Option<char> {
    let first = line.chars().next().filter(|c| matches!(c, '<' | '=' | '>'))?;
    (line.chars().take_while(|&c| c == first).count() == MARK).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: Option<&str>, edited: Option<&str>, now: &str) -> Result<String, String> {
        let now = RenderedFile { bytes: now.into(), secret: false };
        match join(base.map(str::as_bytes), edited.map(|text| text.as_bytes().to_vec()), &now) {
            Joined::Taken(bytes) => Ok(String::from_utf8(bytes).unwrap()),
            Joined::Torn { marked, .. } => Err(marked.unwrap_or_default()),
        }
    }

    const OLD: &str = "a = 1\nb = 2\nc = 3\nd = 4\n";

    #[test]
    fn what_one_side_changed_is_taken_from_it() {
        let (edited, new) = ("a = 1\nb = 22\nc = 3\nd = 4\n", "a = 1\nb = 2\nc = 3\nd = 4\ne = 5\n");
        assert_eq!(joined(Some(OLD), Some(OLD), new).as_deref(), Ok(new));
        assert_eq!(joined(Some(OLD), Some(edited), OLD).as_deref(), Ok(edited));
        assert_eq!(joined(Some(OLD), Some(new), new).as_deref(), Ok(new));
        assert_eq!(joined(Some(OLD), None, new).as_deref(), Ok(new));
        assert_eq!(joined(None, None, new).as_deref(), Ok(new));
        assert_eq!(joined(None, Some(new), new).as_deref(), Ok(new));
    }

    #[test]
    fn what_both_changed_in_different_places_is_joined() {
        let (edited, new) = ("# mine\na = 1\nb = 2\nc = 3\nd = 4\n", "a = 1\nb = 2\nc = 3\nd = 40\n");
        assert_eq!(
            joined(Some(OLD), Some(edited), new).as_deref(),
            Ok("# mine\na = 1\nb = 2\nc = 3\nd = 40\n")
        );
    }

    #[test]
    fn what_both_changed_in_one_place_is_torn_and_a_side_can_be_taken() {
        let (edited, new) = ("a = 1\nb = 22\nc = 3\nd = 4\n", "a = 1\nb = 222\nc = 3\nd = 40\n");
        let torn = joined(Some(OLD), Some(edited), new).unwrap_err();
        assert!(is_torn(&torn), "{torn}");
        assert_eq!(take(&torn, Accept::Ours), "a = 1\nb = 22\nc = 3\nd = 40\n");
        assert_eq!(take(&torn, Accept::Theirs), new);
        assert!(!is_torn(new));
    }

    #[test]
    fn a_file_of_someone_else_in_the_place_of_a_new_one_is_torn() {
        assert!(joined(None, Some("mine\n"), "theirs\n").is_err());
    }

    #[test]
    fn merging_twice_changes_nothing() {
        let (edited, new) = ("# mine\na = 1\nb = 2\nc = 3\nd = 4\n", "a = 1\nb = 2\nc = 3\nd = 40\n");
        let once = joined(Some(OLD), Some(edited), new).unwrap();
        assert_eq!(joined(Some(OLD), Some(&once), new).as_deref(), Ok(once.as_str()));
    }
}
