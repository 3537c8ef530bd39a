//! `repo-server gc`: removes what neither the newest snapshots nor the log refer to.

use std::time::{Duration, SystemTime};

use bytesize::ByteSize;
use clap::Args;
use copkg_spec::command::{Exit, Failure, Options, Report};
use serde_json::json;

use super::task::StoreOption;
use super::{task, units};
use crate::gc::{self, Amount, Garbage, GcError, Policy, Swept};
use crate::storage::{Leftovers, Removal};

/// Remove what nothing refers to
///
/// Keeps what the newest snapshots name, every root and the whole log. What is younger than --min-age stays whatever it is:
/// a publisher may be about to commit it. May run beside servers. Also for the directories of `export` and `mirror`.
#[derive(Debug, Args)]
pub(super) struct Gc {
    #[command(flatten)]
    store: StoreOption,
    #[command(flatten)]
    policy: PolicyOptions,
    /// Count, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

/// What is garbage.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct PolicyOptions {
    /// Snapshots that are kept with all that they name; hosts that refresh rarely read an older one for a moment
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// What is younger is kept; longer than the seven days for which servers rely on a file that nothing names
    #[arg(long, value_name = "TIME", default_value = "192h", value_parser = units::duration)]
    min_age: Duration,
}

impl PolicyOptions {
    pub(super) fn policy(self, garbage: Garbage, now: SystemTime) -> Policy {
        Policy { snapshots: self.keep as usize, min_age: self.min_age, now, garbage }
    }
}

impl Gc {
    pub(super) fn run(&self, options: &Options, report: &mut Report) -> Result<Exit, Failure> {
        let storage = self.store.open()?;
        let garbage = if self.dry_run { Garbage::Count } else { Garbage::Remove };
        let policy = self.policy.policy(garbage, SystemTime::now());
        let removal = if self.dry_run { Removal::Rehearsed } else { Removal::Real };
        let before = policy.now.checked_sub(policy.min_age).unwrap_or(SystemTime::UNIX_EPOCH);
        let (swept, leftovers) = task::run(options, async {
            let swept = gc::collect(&storage, policy).await?;
            Ok((swept, storage.leftovers(before, removal).await.map_err(GcError::Leftovers)?))
        })?;
        let changed = !self.dry_run && swept.garbage.files + leftovers.files > 0;
        for path in &swept.foreign_examples {
            report.detail(format!("left alone, not of this program: {path}"));
        }
        let removed = if self.dry_run { "would remove" } else { "removed" };
        report.data(&json!({ "swept": swept, "leftovers": leftovers, "changed": changed }), || {
            describe(&swept, leftovers, removed)
        });
        Ok(Exit::Ok)
    }
}

fn describe(swept: &Swept, left: Leftovers, removed: &str) -> String {
    let Swept { kept, young, garbage, foreign, .. } = swept;
    format!(
        "{removed} {}\nof writers that died {}\nkept {}\nyoung {}\nforeign {}",
        amount(*garbage),
        amount(Amount { files: left.files, bytes: left.bytes }),
        amount(*kept),
        amount(*young),
        amount(*foreign)
    )
}

pub(super) fn amount(amount: Amount) -> String {
    format!("{} files, {}", amount.files, ByteSize::b(amount.bytes))
}
