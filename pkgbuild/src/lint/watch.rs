//! Looks into the files while they are packed, so that each is opened once.
//!
//! A file in which there may be something to find begins with a few known bytes: only such a one is looked into for itself.
//! That is all there is to do where no script ran. A path of the build directory can stand anywhere in a file.

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use copkg_spec::index::EntryPath;
use copkg_spec::recipe::Allowance;

use super::content::{Checker, is_suspect};
use super::{Finding, Subject, allow};
use crate::collect::{Collected, Content, Opened};

/// Opens the files of a tree for packing, and looks at how each begins.
pub struct Watch<'a> {
    tree: &'a Collected,
    checker: Checker<'a>,
    allowances: &'a [Allowance],
    findings: Mutex<Vec<Finding>>,
}

impl<'a> Watch<'a> {
    /// Watches over the tree of `subject`.
    pub fn new(subject: Subject<'a>, allowances: &'a [Allowance]) -> Self {
        Self { tree: subject.tree, checker: Checker::new(subject), allowances, findings: Mutex::default() }
    }

    /// Opens the file at `path`. Reading it fails at its beginning if something is found that stops a build.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub fn open(&self, path: &EntryPath) -> io::Result<Watched<'_>> {
        let (path, content, opened) = self.tree.open_entry(path)?;
        Ok(Watched { opened, unseen: Some((path, content)), watch: self })
    }

    /// Returns what was found in the files that were read.
    pub fn findings(self) -> Vec<Finding> {
        self.findings.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn see(&self, path: &EntryPath, content: &Content, head: &[u8]) -> io::Result<()> {
        if !is_suspect(head) {
            return Ok(());
        }
        let mut found = self.checker.check(path, content)?;
        allow(&mut found, self.allowances);
        let stops = found.iter().find(|finding| finding.stops()).map(ToString::to_string);
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).append(&mut found);
        stops.map_or(Ok(()), |finding| Err(io::Error::other(finding)))
    }
}

/// A file that is read for packing.
pub struct Watched<'w> {
    opened: Opened,
    /// Until its first bytes have been read.
    unseen: Option<(&'w EntryPath, &'w Content)>,
    watch: &'w Watch<'w>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.opened.read(buffer)?;
        if let Some((path, content)) = self.unseen.take() {
            self.watch.see(path, content, &buffer[..n])?;
        }
        Ok(n)
    }
}
