//! What a manifest says of a service while it runs: when it is well, what it prints, and what its configuration is made of.

use serde::{Deserialize, Serialize};

use crate::index::EntryPath;

/// How it is found out whether the service is well. `script.d/check`, where there is one, is asked too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// A URL, written as a template, that must answer with a status from 200 to 399.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// `HOST:PORT`, written as a template, that must accept a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<String>,
    /// How long between two looks.
    pub interval_milliseconds: u32,
    /// How long one look may take.
    pub timeout_milliseconds: u32,
    /// How long it must be well without a break to count as well.
    pub healthy_milliseconds: u32,
    /// How long after its start it may take to get there.
    pub deadline_milliseconds: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            http: None,
            tcp: None,
            interval_milliseconds: 1000,
            timeout_milliseconds: 5000,
            healthy_milliseconds: 5000,
            deadline_milliseconds: 60_000,
        }
    }
}

impl Health {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        const DAY: u32 = 24 * 60 * 60 * 1000;
        let spans = [self.interval_milliseconds, self.timeout_milliseconds, self.deadline_milliseconds];
        if spans.iter().any(|&span| span == 0 || span > DAY) {
            return Err("an interval, a timeout or a deadline of the health is zero or more than a day");
        }
        if self.healthy_milliseconds > self.deadline_milliseconds {
            return Err("the service must be well for longer than its deadline");
        }
        Ok(())
    }
}

/// What becomes of the files that the service prints to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// How large a file may become before it is put aside.
    pub max_bytes: u64,
    /// How old a file that was put aside may become, in seconds; 0: any age.
    pub max_age_seconds: u32,
    /// How many are kept.
    pub keep: u32,
    /// Whether those are compressed.
    pub compress: bool,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_age_seconds: 0, keep: 5, compress: true }
    }
}

/// A template of the package, rendered for each service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Template {
    /// Where it lies in the package.
    pub src: EntryPath,
    /// Where it is rendered to, below `etc/` of the runtime directory.
    pub dst: EntryPath,
}
