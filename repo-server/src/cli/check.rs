//! `repo-server check`: walks a whole repository and says what is wrong with it.

use std::time::SystemTime;

use clap::Args;
use copkg_spec::command::{Exit, Failure, Options, Report};
use serde_json::json;

use super::gc::{PolicyOptions, amount};
use super::task::StoreOption;
use super::{clock, task};
use crate::check::{self, Blobs, Checked, Depth};
use crate::gc::Garbage;
use crate::gc::GcError;
use crate::repository::Repository;
use crate::signer::Signer;
use crate::transparency::{log_keys, origin_of};

/// Check a whole repository: every hash, every signature, every entry of the log
///
/// Reads only, and may run beside servers. Exits with 0 when all is well, with 6 when something is not; what nothing refers
/// to is counted and is not wrong. Prints the key by which witnesses know the log.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    store: StoreOption,
    /// Compare the lengths of packages and not their hashes: quicker, and does not see damage inside
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    policy: PolicyOptions,
}

impl Check {
    pub(super) fn run(&self, options: &Options, report: &mut Report) -> Result<Exit, Failure> {
        let storage = self.store.open()?;
        let depth = Depth {
            blobs: if self.quick { Blobs::Lengths } else { Blobs::Hashes },
            garbage: self.policy.policy(Garbage::Count, SystemTime::now()),
            now: clock::now(),
        };
        let (repository, checked) = task::run(options, async {
            let repository = Repository::open(storage, Signer::new(Vec::new())).await?;
            let repository = repository.ok_or(GcError::NoRepository)?;
            let checked = check::check(&repository, depth).await?;
            Ok((repository, checked))
        })?;
        let head = repository.head();
        let origin = origin_of(&head.fingerprint());
        let keys = origin.and_then(|origin| log_keys(&origin, head.root())).unwrap_or_default();
        let document = json!({
            "ok": checked.wrong == 0, "fingerprint": head.fingerprint(), "commit": head.commit(),
            "log_keys": keys, "checked": checked,
        });
        report.data(&document, || {
            let keys: Vec<String> = keys.iter().map(|key| format!("log key {key}")).collect();
            format!("{}\nfingerprint {}\n{}", describe(&checked), head.fingerprint(), keys.join("\n"))
        });
        Ok(if checked.wrong == 0 { Exit::Ok } else { Exit::Trust })
    }
}

fn describe(checked: &Checked) -> String {
    let mut lines: Vec<String> = checked.findings.iter().map(ToString::to_string).collect();
    let untold = checked.wrong - checked.findings.len() as u64;
    if untold > 0 {
        lines.push(format!("and {untold} more"));
    }
    let verdict =
        if checked.wrong == 0 { "all is well".to_owned() } else { format!("{} wrong", checked.wrong) };
    lines.push(format!(
        "{verdict}: {} groups, {}, {} entries of the log; nothing refers to {}",
        checked.groups,
        amount(checked.blobs),
        checked.entries,
        amount(checked.files.garbage)
    ));
    lines.join("\n")
}
