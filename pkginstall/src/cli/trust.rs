//! `pkginstall trust`.

use clap::{Args, Subcommand};
use copkg_spec::command::{Exit, Failure};
use copkg_spec::keys::KeyId;
use copkg_spec::trust::{GroupPattern, Pin};
use serde_json::{Value, json};

use super::Context;
use crate::host::{Catalogue, Effect};
use crate::trust::{self, Purpose};

/// The arguments of `trust`.
#[derive(Debug, Args)]
pub(super) struct Trust {
    #[command(subcommand)]
    command: TrustCommand,
}

impl Trust {
    /// Tells whether nothing is changed.
    pub(super) fn only_looks(&self) -> bool {
        matches!(self.command, TrustCommand::List)
    }
}

#[derive(Debug, Subcommand)]
enum TrustCommand {
    /// Let keys speak for a group
    Add(Add),
    /// List whose keys speak for which groups
    List,
    /// Take keys of a group away, or all of them
    Remove(Remove),
}

#[derive(Debug, Args)]
struct Add {
    /// The group, or com.example.* for it and all below it
    #[arg(value_name = "GROUP")]
    groups: GroupPattern,
    /// Public keys: ed25519:<hex>, or files
    #[arg(required = true, value_name = "KEY|FILE")]
    keys: Vec<String>,
    /// How many different keys must sign a package
    #[arg(long, value_name = "N")]
    threshold: Option<u32>,
    /// Let them say that changes of the group's packages were rehearsed, and nothing else
    #[arg(long)]
    rehearsals: bool,
    /// Only say what would be trusted
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct Remove {
    /// The group as it was added
    #[arg(value_name = "GROUP")]
    groups: GroupPattern,
    /// The ids of the keys; none means all
    #[arg(value_name = "KEY-ID")]
    keys: Vec<KeyId>,
    /// Take away keys that were added with `--rehearsals`
    #[arg(long)]
    rehearsals: bool,
    /// Only check that it could be taken away
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &Trust, context: &mut Context) -> Result<Exit, Failure> {
    match &args.command {
        TrustCommand::Add(args) => add(args, context),
        TrustCommand::List => list(context),
        TrustCommand::Remove(args) => remove(args, context),
    }
}

fn add(args: &Add, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let keys: Vec<_> = args
        .keys
        .iter()
        .map(|key| trust::read_key(key, context.working_directory()))
        .collect::<Result<_, _>>()?;
    let wait = context.wait();
    let catalogue = Catalogue::lock(&prefix, wait, &mut |notice| context.report.note(notice.to_string()))?;
    let added = trust::add(
        &catalogue,
        purpose(args.rehearsals),
        &args.groups,
        &keys,
        args.threshold,
        Effect::of_dry_run(args.dry_run),
    )?;
    context
        .report
        .data(&json!({ "changed": added.changed && !args.dry_run, "pin": to_json(&added.pin) }), || {
            text(&added.pin)
        });
    Ok(Exit::Ok)
}

fn list(context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let keyring = trust::read(&prefix)?;
    let rehearsals = trust::read_for(&prefix, Purpose::Rehearsals)?;
    let pins: Vec<Value> = keyring.pins().map(to_json).collect();
    let of_rehearsals: Vec<Value> = rehearsals.pins().map(to_json).collect();
    context.report.data(&json!({ "pins": pins, "rehearsals": of_rehearsals }), || {
        let for_rehearsals = rehearsals.pins().map(|pin| format!("for rehearsals: {}", text(pin)));
        keyring.pins().map(text).chain(for_rehearsals).collect::<Vec<_>>().join("\n")
    });
    if pins.is_empty() && of_rehearsals.is_empty() {
        context.report.note("no key is trusted; `pkginstall trust add GROUP KEY` adds one");
    }
    Ok(Exit::Ok)
}

fn remove(args: &Remove, context: &mut Context) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let wait = context.wait();
    let catalogue = Catalogue::lock(&prefix, wait, &mut |notice| context.report.note(notice.to_string()))?;
    trust::remove(
        &catalogue,
        purpose(args.rehearsals),
        &args.groups,
        &args.keys,
        Effect::of_dry_run(args.dry_run),
    )?;
    context.report.data(&json!({ "changed": !args.dry_run, "groups": args.groups }), String::new);
    Ok(Exit::Ok)
}

fn purpose(rehearsals: bool) -> Purpose {
    if rehearsals { Purpose::Rehearsals } else { Purpose::Packages }
}

fn to_json(pin: &Pin) -> Value {
    let keys: Vec<Value> = pin.keys.iter().map(|key| json!({ "id": key.id(), "key": key })).collect();
    json!({ "groups": pin.groups, "threshold": pin.threshold, "keys": keys })
}

fn text(pin: &Pin) -> String {
    let mut lines = vec![format!("{} ({} of {} must sign)", pin.groups, pin.threshold, pin.keys.len())];
    lines.extend(pin.keys.iter().map(|key| format!("  {}  {key}", key.id())));
    lines.join("\n")
}
