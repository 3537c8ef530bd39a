//! `[[contents]]`: what goes into the package.

use super::context::Context;
use super::error::Problem;
use super::{Located, raw};
use crate::index::{EntryPath, LinkTarget, Mode};
use crate::pattern::Patterns;

/// One part of the package's contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A copy of something in the source directory.
    Copy {
        /// What is copied; `None` is the source directory itself.
        src: Option<EntryPath>,
        /// Where it goes; `None` is the top of the package.
        dst: Option<EntryPath>,
        /// What it must be.
        kind: CopyKind,
        /// The mode of each file; by its executable bit when `None`.
        mode: Option<Mode>,
        /// What of a tree is left out.
        excludes: Patterns,
    },
    /// An empty directory.
    Directory {
        /// Where it goes.
        dst: EntryPath,
    },
    /// A symbolic link.
    Symlink {
        /// Where it goes.
        dst: EntryPath,
        /// Where it leads.
        target: LinkTarget,
    },
}

/// What a copied part must be in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyKind {
    /// A file or a directory.
    Any,
    /// A file.
    File,
    /// A directory, copied with everything below it.
    Tree,
    /// A configuration file.
    Config,
}

impl Content {
    pub(super) fn resolve(raw: &raw::Content, at: &Context) -> Result<Self, Located> {
        match raw.kind {
            Some(raw::ContentKind::Dir) => directory(raw, at),
            Some(raw::ContentKind::Symlink) => symlink(raw, at),
            Some(raw::ContentKind::File) => copy(raw, at, CopyKind::File),
            Some(raw::ContentKind::Tree) => copy(raw, at, CopyKind::Tree),
            Some(raw::ContentKind::Config) => copy(raw, at, CopyKind::Config),
            None => copy(raw, at, CopyKind::Any),
        }
    }

    /// Returns where it goes in the package; `None` is its top.
    pub fn dst(&self) -> Option<&EntryPath> {
        match self {
            Self::Copy { dst, .. } => dst.as_ref(),
            Self::Directory { dst } | Self::Symlink { dst, .. } => Some(dst),
        }
    }
}

fn directory(raw: &raw::Content, at: &Context) -> Result<Content, Located> {
    refuse(at, "src", raw.src.is_some(), "dir")?;
    refuse(at, "mode", raw.mode.is_some(), "dir")?;
    refuse(at, "excludes", !raw.excludes.is_empty(), "dir")?;
    Ok(Content::Directory { dst: required_dst(raw, at)? })
}

fn symlink(raw: &raw::Content, at: &Context) -> Result<Content, Located> {
    refuse(at, "mode", raw.mode.is_some(), "symlink")?;
    refuse(at, "excludes", !raw.excludes.is_empty(), "symlink")?;
    let Some(target) = &raw.src else {
        return at.fail(Problem::keys("a symlink needs src, its target"));
    };
    let target = LinkTarget::from_bytes(target.as_bytes())
        .or_else(|rule| at.key("src").fail(Problem::Target { target: target.clone(), rule }))?;
    Ok(Content::Symlink { dst: required_dst(raw, at)?, target })
}

fn copy(raw: &raw::Content, at: &Context, kind: CopyKind) -> Result<Content, Located> {
    let Some(src) = &raw.src else {
        return at.fail(Problem::keys("it needs src, a path in the source directory"));
    };
    let src_path = top_or_path(src, &at.key("src"))?;
    let dst = match &raw.dst {
        Some(dst) => top_or_path(dst, &at.key("dst"))?,
        None => src_path.clone(),
    };
    let one_file = matches!(kind, CopyKind::File | CopyKind::Config);
    if one_file && (src_path.is_none() || dst.is_none()) {
        return at.fail(Problem::keys("a file needs the name of a file, in src and in dst"));
    }
    refuse(at, "excludes", one_file && !raw.excludes.is_empty(), "file")?;
    let below_etc = dst.as_ref().is_some_and(|dst| dst.as_str().starts_with("etc/"));
    if kind == CopyKind::Config && !below_etc {
        return at.fail(Problem::keys("configuration goes below etc/: write dst = \"etc/…\""));
    }
    let excludes =
        Patterns::new(&raw.excludes).or_else(|error| at.key("excludes").fail(Problem::from(error)))?;
    let mode = raw.mode.map(|mode| match mode {
        raw::Mode::Regular => Mode::Regular,
        raw::Mode::Executable => Mode::Executable,
    });
    Ok(Content::Copy { src: src_path, dst, kind, mode, excludes })
}

fn top_or_path(text: &str, at: &Context) -> Result<Option<EntryPath>, Located> {
    if text == "." || text == "./" { Ok(None) } else { at.parse(text.trim_end_matches('/')).map(Some) }
}

fn required_dst(raw: &raw::Content, at: &Context) -> Result<EntryPath, Located> {
    match &raw.dst {
        Some(dst) => at.key("dst").parse(dst.trim_end_matches('/')),
        None => at.fail(Problem::keys("it needs dst, a path in the package")),
    }
}

fn refuse(at: &Context, key: &str, there: bool, kind: &str) -> Result<(), Located> {
    if there {
        at.key(key).fail(Problem::keys(format!("{key} has no meaning for type {kind}")))
    } else {
        Ok(())
    }
}
