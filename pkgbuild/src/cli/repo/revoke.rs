//! `pkgbuild repo revoke KEY`: takes a key away from every role that it speaks for.

use std::path::PathBuf;

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::keys::PublicKey;
use copkg_spec::repository::ceremony::Speakers;
use copkg_spec::repository::{GroupContent, PackageTarget};

use super::decide::Decision;
use super::place::{Place, find_key, public_keys};
use crate::cli::Context;
use crate::repository::remote::Remote;
use crate::repository::{AppointError, Appointments, Seat, View, speakers_of, without};

#[derive(Debug, Args)]
pub(in crate::cli) struct Revoke {
    /// The key: a public key, or the beginning of its id
    #[arg(value_name = "PUB|ID")]
    key: String,
    /// A public key that takes its place
    #[arg(long, value_name = "PUB")]
    replace_with: Option<PathBuf>,
    #[command(flatten)]
    decision: Decision,
}

/// Of how many files the server is asked who signed them.
const MOST_ASKED: usize = 200;
/// How many versions are named.
const MOST_NAMED: usize = 20;

pub(super) fn run(args: &Revoke, context: &mut Context) -> Result<Exit, Failure> {
    let mut exposed = Exposed::default();
    let exit = args.decision.carry_out(context, |view, context| {
        let (key, appointments) = args.decide(view, context)?;
        exposed = Exposed::of(&key, &appointments, view)?;
        Ok(appointments)
    })?;
    let remote = args.decision.place().remote(context)?;
    if let Some(note) = exposed.note(remote.as_ref(), args.decision.place()) {
        context.report.note(note);
    }
    Ok(exit)
}

/// What a key may have signed that stays when it is revoked.
#[derive(Default)]
struct Exposed {
    key: String,
    /// Files that nobody yanked, of the groups that the key spoke for.
    files: Vec<PackageTarget>,
}

impl Exposed {
    fn of(key: &PublicKey, appointments: &Appointments, view: &mut View<'_>) -> Result<Self, Failure> {
        let mut files = Vec::new();
        for (seat, _) in appointments.seats() {
            let Seat::Group(group) = seat else { continue };
            let content = view.group(group)?.and_then(|group| group.content);
            let targets = content.iter().flat_map(GroupContent::package_targets);
            files.extend(targets.filter(|(.., custom)| custom.yanked.is_none()).map(|(file, ..)| file));
        }
        Ok(Self { key: key.id().to_string(), files })
    }

    /// Says what the key signed, as far as the server says it, and how to withdraw it.
    fn note(&self, remote: Option<&Remote>, place: &Place) -> Option<String> {
        let asked = remote.filter(|_| self.files.len() <= MOST_ASKED);
        let signers = |file: &PackageTarget| asked.and_then(|remote| remote.signers(file).ok());
        let found: Vec<_> = self.files.iter().map(|file| (file, signers(file))).collect();
        let is_known = found.iter().all(|(_, signers)| signers.is_some());
        // What cannot be told counts as signed.
        let signed =
            |signers: &Option<Vec<String>>| signers.as_ref().is_none_or(|keys| keys.contains(&self.key));
        let mut versions: Vec<String> = found
            .into_iter()
            .filter(|(_, signers)| signed(signers))
            .map(|(file, _)| file.coordinate.to_string())
            .collect();
        versions.sort();
        versions.dedup();
        if versions.is_empty() {
            return None;
        }
        let verb = if is_known { "signed" } else { "may have signed" };
        let mut lines = vec![format!(
            "the revoked key {verb} {} versions, which stay: if it was stolen, withdraw those that its owner did not publish",
            versions.len()
        )];
        let where_it_is = format!("--repo {} --key FILE", place.url());
        let yank = |version: &String| {
            format!("  pkgbuild yank {version} --reason 'the key was stolen' {where_it_is}")
        };
        lines.extend(versions.iter().take(MOST_NAMED).map(yank));
        if versions.len() > MOST_NAMED {
            lines.push(format!("  and {} more of the same groups", versions.len() - MOST_NAMED));
        }
        Some(lines.join("\n"))
    }
}

impl Revoke {
    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<(PublicKey, Appointments), Failure> {
        let all = everybody(view)?;
        let known: Vec<PublicKey> = all.iter().flat_map(|(_, speakers)| speakers.keys().to_vec()).collect();
        let key = find_key(&self.key, &known, context)?;
        let instead = self.replace_with.as_slice();
        let instead = public_keys(instead, context)?.pop();
        let short = key.id().short();
        let mut appointments = Appointments::default();
        for (seat, speakers) in all.into_iter().filter(|(_, speakers)| speakers.keys().contains(&key)) {
            let rest = without(&speakers, &key, instead.as_ref()).map_err(|source| AppointError::TooFew {
                key: short.clone(),
                seat: seat.clone(),
                source: Box::new(source),
            });
            appointments.appoint(seat, rest?);
        }
        if appointments.seats().next().is_none() {
            return Err(AppointError::Idle { key: short }.into());
        }
        Ok((key, appointments))
    }
}

/// Returns who speaks for each role of the repository.
pub(super) fn everybody(view: &mut View<'_>) -> Result<Vec<(Seat, Speakers)>, Failure> {
    let groups = view.groups()?;
    let mut found = Vec::new();
    for seat in Seat::FIXED.into_iter().chain(groups.into_iter().map(Seat::Group)) {
        if let Some(speakers) = speakers_of(&seat, view)? {
            found.push((seat, speakers));
        }
    }
    Ok(found)
}
