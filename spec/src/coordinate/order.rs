//! The order of versions: what each part of a version means, and which of two comes first.
//!
//! One order for every notation (`docs/format.md`, clause 2; why it is this one: `docs/decisions/version-order.md`). A version becomes a
//! sequence of parts, and two sequences are compared part by part, with [`Part::End`] after the last: so the order is total and
//! transitive whatever the texts are. What comes before `End` makes a pre-release, what comes after it a later release.

use std::cmp::Ordering;

/// A part of a version. The variants are in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'v> {
    /// `~`: before whatever there is without it.
    Tilde,
    /// A word after a hyphen that no notation knows: `1.0.0-canary`, `-foo`.
    Unknown(&'v str),
    /// `dev`, `devel`, `nightly`.
    Development,
    /// `alpha`, `a1`.
    Alpha,
    /// `beta`, `b1`.
    Beta,
    /// `milestone`, `M1`.
    Milestone,
    /// `pre`, `preview`, `ea`.
    Preview,
    /// `rc`, `cr`, `c1`.
    Candidate,
    /// `SNAPSHOT`: after all candidates, as Maven has it.
    Snapshot,
    /// Nothing more.
    End,
    /// A hyphen or an underscore before digits: `10.6.18-14`.
    Revision,
    /// `+`: a build, a local version.
    Build,
    /// `post`, `p1`, `sp`, `r1`: something that comes after a release.
    Post,
    /// Any other word: `1.1.1w`, `2024a`, `31.1-jre`.
    Word(&'v str),
    /// Digits.
    Number(&'v str),
    /// A word inside a pre-release: `alpha.beta`, which `SemVer` puts after `alpha.1`.
    Identifier(&'v str),
}

impl Part<'_> {
    fn rank(&self) -> u8 {
        match self {
            Self::Tilde => 0,
            Self::Unknown(_) => 1,
            Self::Development => 2,
            Self::Alpha => 3,
            Self::Beta => 4,
            Self::Milestone => 5,
            Self::Preview => 6,
            Self::Candidate => 7,
            Self::Snapshot => 8,
            Self::End => 9,
            Self::Revision => 10,
            Self::Build => 11,
            Self::Post => 12,
            Self::Word(_) => 13,
            Self::Number(_) => 14,
            Self::Identifier(_) => 15,
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => compare_numbers(a, b),
            (Self::Unknown(a), Self::Unknown(b))
            | (Self::Word(a), Self::Word(b))
            | (Self::Identifier(a), Self::Identifier(b)) => compare_words(a, b),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn is_before_release(&self) -> bool {
        self.rank() < Self::End.rank()
    }
}

fn compare_numbers(a: &str, b: &str) -> Ordering {
    let [a, b] = [a, b].map(|digits| digits.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn compare_words(a: &str, b: &str) -> Ordering {
    let lower = |text: &str| text.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>();
    lower(a).cmp(&lower(b))
}

/// Compares two versions; equal where they mean the same.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (Parts::of(a), Parts::of(b));
    loop {
        let next = [&mut a, &mut b].map(|parts| parts.next().unwrap_or(Part::End));
        match next[0].cmp(&next[1]) {
            Ordering::Equal if next[0] == Part::End => return Ordering::Equal,
            Ordering::Equal => {}
            different => return different,
        }
    }
}

/// Tells whether a version comes before a release.
pub(super) fn is_prerelease(version: &str) -> bool {
    let mut is_revised = false;
    for part in Parts::of(version) {
        // A backport or an update of a stable release (`1.0-1~bpo12+1`, `1.0-1~deb12u1`) is none.
        if part.is_before_release() && !(is_revised && part == Part::Tilde) {
            return true;
        }
        is_revised |= matches!(part, Part::Revision | Part::Build);
    }
    false
}

/// Returns the first word of a version that no notation knows, where it makes the version a pre-release.
pub(super) fn unknown_word(version: &str) -> Option<&str> {
    Parts::of(version).find_map(|part| if let Part::Unknown(word) = part { Some(word) } else { None })
}

/// What the parts so far make of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    /// Only numbers so far. Zeros at the end of them count for nothing: `1.0` is `1.0.0`.
    Numbers,
    /// A release with something after its numbers.
    Release,
    /// The word of a pre-release, just now.
    Word,
    /// After the word of a pre-release.
    Prerelease,
    /// After a revision, or something else that comes after a release.
    Revision,
    /// After `+`, where no word means anything.
    Build,
}

/// Reads the parts of a version from left to right.
struct Parts<'v> {
    text: &'v str,
    at: usize,
    context: Context,
    /// Zeros that were read and count only if another number follows.
    zeros: usize,
    /// What was read behind them.
    held: Option<Part<'v>>,
}

impl<'v> Parts<'v> {
    fn of(text: &'v str) -> Self {
        let mut bytes = text.bytes();
        let has_v =
            matches!(bytes.next(), Some(b'v' | b'V')) && bytes.next().is_some_and(|b| b.is_ascii_digit());
        Self { text, at: usize::from(has_v), context: Context::Numbers, zeros: 0, held: None }
    }

    fn rest(&self) -> &'v str {
        &self.text[self.at..]
    }

    /// Takes what is at the front as long as it is of one kind.
    fn take(&mut self, of_kind: impl Fn(u8) -> bool) -> &'v str {
        let rest = self.rest();
        let length = rest.bytes().take_while(|byte| of_kind(*byte)).count();
        self.at += length;
        &rest[..length]
    }

    /// Reads the next part. Zeros among the first numbers come as they stand.
    fn read(&mut self) -> Option<Part<'v>> {
        loop {
            let hyphen = match self.rest().bytes().next()? {
                b'~' => {
                    self.at += 1;
                    self.leave_numbers();
                    return Some(Part::Tilde);
                }
                b'+' => {
                    self.at += 1;
                    self.context = Context::Build;
                    return Some(Part::Build);
                }
                b'.' => {
                    self.at += 1;
                    continue;
                }
                b'-' | b'_' => {
                    let hyphen = if self.rest().starts_with('-') { Hyphen::Yes } else { Hyphen::No };
                    self.at += 1;
                    if self.next_is_digit() && self.context != Context::Word {
                        self.revise();
                        return Some(Part::Revision);
                    }
                    hyphen
                }
                _ => Hyphen::No,
            };
            if self.next_is_digit() {
                let digits = self.take(|byte| byte.is_ascii_digit());
                if self.context == Context::Word {
                    self.context = Context::Prerelease;
                }
                return Some(Part::Number(digits));
            }
            let word = self.take(|byte| byte.is_ascii_alphabetic());
            if let Some(part) = self.word(word, hyphen) {
                return Some(part);
            }
        }
    }

    fn next_is_digit(&self) -> bool {
        self.rest().starts_with(|c: char| c.is_ascii_digit())
    }

    fn leave_numbers(&mut self) {
        if self.context == Context::Numbers {
            self.context = Context::Release;
        }
    }

    fn revise(&mut self) {
        if self.context != Context::Build {
            self.context = Context::Revision;
        }
    }

    /// Says what a word means here; nothing where it is one that says no more than "release", or is none.
    fn word(&mut self, word: &'v str, hyphen: Hyphen) -> Option<Part<'v>> {
        if word.is_empty() {
            return None;
        }
        self.leave_numbers();
        if self.context == Context::Build {
            return Some(Part::Word(word));
        }
        let known = Known::of(word, self.next_is_digit());
        match known {
            Some(Known::Always(part)) => {
                self.context = Context::Word;
                Some(part)
            }
            Some(Known::Post) => {
                self.revise();
                Some(Part::Post)
            }
            _ if matches!(self.context, Context::Word | Context::Prerelease) => Some(Part::Identifier(word)),
            Some(Known::Before(part)) => {
                self.context = Context::Word;
                Some(part)
            }
            Some(Known::Short(part)) if self.context == Context::Release => {
                self.context = Context::Word;
                Some(part)
            }
            Some(Known::Release) => None,
            None if hyphen == Hyphen::Yes && self.context == Context::Release => {
                self.context = Context::Word;
                Some(Part::Unknown(word))
            }
            Some(Known::Flavour | Known::Short(_)) | None => Some(Part::Word(word)),
        }
    }
}

impl<'v> Iterator for Parts<'v> {
    type Item = Part<'v>;

    fn next(&mut self) -> Option<Part<'v>> {
        loop {
            if self.held.is_some() {
                if self.zeros > 0 {
                    self.zeros -= 1;
                    return Some(Part::Number("0"));
                }
                return self.held.take();
            }
            match self.read()? {
                Part::Number(digits)
                    if self.context == Context::Numbers && digits.bytes().all(|byte| byte == b'0') =>
                {
                    self.zeros += 1;
                }
                part => {
                    if !matches!(part, Part::Number(_)) {
                        self.zeros = 0;
                    }
                    self.held = Some(part);
                }
            }
        }
    }
}

/// Whether a hyphen stands before a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hyphen {
    Yes,
    No,
}

/// What a word is known to mean.
enum Known {
    /// A pre-release wherever it stands, also that of another one: `1.0a1.dev1`.
    Always(Part<'static>),
    /// A pre-release.
    Before(Part<'static>),
    /// A pre-release right after the numbers of a release alone: a single letter with digits.
    Short(Part<'static>),
    /// Something after a release.
    Post,
    /// The release itself.
    Release,
    /// A release for somebody.
    Flavour,
}

impl Known {
    fn of(word: &str, digits: bool) -> Option<Self> {
        let lower = word.to_ascii_lowercase();
        Some(match lower.as_str() {
            "dev" | "devel" | "nightly" => Self::Always(Part::Development),
            "snapshot" => Self::Always(Part::Snapshot),
            "alpha" => Self::Before(Part::Alpha),
            "beta" => Self::Before(Part::Beta),
            "milestone" => Self::Before(Part::Milestone),
            "pre" | "preview" | "ea" => Self::Before(Part::Preview),
            "rc" | "cr" => Self::Before(Part::Candidate),
            "a" if digits => Self::Short(Part::Alpha),
            "b" if digits => Self::Short(Part::Beta),
            "m" if digits => Self::Short(Part::Milestone),
            "c" if digits => Self::Short(Part::Candidate),
            "post" | "sp" | "pl" | "patch" | "rev" | "update" | "hotfix" => Self::Post,
            "p" | "r" | "u" if digits => Self::Post,
            "final" | "ga" | "release" if !digits => Self::Release,
            "android" | "bin" | "ce" | "dfsg" | "ds" | "ee" | "incubating" | "jdk" | "jre" | "lts"
            | "oss" | "stable" => Self::Flavour,
            _ => return None,
        })
    }
}
