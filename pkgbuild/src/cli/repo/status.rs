//! `pkgbuild repo status`: who speaks for which role, and what ends when.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::repository::ceremony::Speakers;
use copkg_spec::repository::group_role;
use copkg_spec::tuf::{Role, Time, Version};
use serde_json::{Value, json};

use super::place::Place;
use super::revoke::everybody;
use crate::cli::Context;
use crate::repository::{Seat, View, ViewError};

/// What ends within so many days ends soon, when nobody says otherwise.
pub(super) const SOON_DAYS: u16 = 30;
const DAY: i64 = 86_400;

#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    place: Place,
    /// Warn of what ends within so many days
    #[arg(long, value_name = "DAYS", default_value_t = SOON_DAYS)]
    within: u16,
}

/// One role with all that is known of it.
struct Line {
    seat: Seat,
    speakers: Speakers,
    version: Option<Version>,
    expires: Option<Time>,
}

pub(super) fn run(args: &Status, context: &mut Context) -> Result<Exit, Failure> {
    let remote = args.place.remote(context)?;
    let mut view = args.place.view(remote.as_ref(), context)?;
    let (now, soon) = (context.ambient.now(), until(context.ambient.now(), args.within));
    let lines = lines(&mut view)?;
    for line in lines.iter().filter(|line| !line.seat.is_online()) {
        match line.expires {
            Some(expires) if expires <= now => {
                context.report.warn(format!("{} ended at {expires}", line.seat));
            }
            Some(expires) if expires <= soon => {
                context.report.warn(format!("{} ends at {expires}", line.seat));
            }
            _ => {}
        }
    }
    let roles: Vec<Value> = lines.iter().map(|line| line.document(now, soon)).collect();
    let document = json!({
        "fingerprint": view.fingerprint(),
        "registrar_roles": view.division(),
        "roles": roles,
    });
    let fingerprint = view.fingerprint();
    context.report.data(&document, || {
        let first = fingerprint.map(|fingerprint| format!("fingerprint {fingerprint}"));
        first.into_iter().chain(lines.iter().map(Line::text)).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

/// Returns the roles that end within so many days. The server's own are not among them: it signs them again by itself.
pub(super) fn ends_before(view: &mut View<'_>, now: Time, within: u16) -> Result<Vec<Seat>, Failure> {
    let soon = until(now, within);
    let ending = lines(view)?.into_iter().filter(|line| line.expires.is_some_and(|expires| expires <= soon));
    Ok(ending.map(|line| line.seat).filter(|seat| !seat.is_online()).collect())
}

fn until(now: Time, days: u16) -> Time {
    Time::from_unix_seconds(now.unix_seconds() + i64::from(days) * DAY).unwrap_or(now)
}

fn lines(view: &mut View<'_>) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    for (seat, speakers) in everybody(view)? {
        let (version, expires) = newest(&seat, view)?;
        lines.push(Line { seat, speakers, version, expires });
    }
    Ok(lines)
}

/// Returns the version and the end of a role; of one that is divided, what ends first.
fn newest(seat: &Seat, view: &mut View<'_>) -> Result<(Option<Version>, Option<Time>), ViewError> {
    Ok(match seat {
        Seat::Root => (Some(view.root().version), Some(view.root().expires)),
        Seat::Targets => (Some(view.targets()?.version), Some(view.targets()?.expires)),
        Seat::Snapshot | Seat::Timestamp => {
            let role = if *seat == Seat::Snapshot { Role::Snapshot } else { Role::Timestamp };
            let expires =
                view.online_expiry().and_then(|found| found.into_iter().find(|(other, _)| *other == role));
            (None, expires.map(|(_, expires)| expires))
        }
        Seat::Registrar => {
            let mut all = Vec::new();
            for name in view.division().roles()? {
                let role = view.registrar(&name)?;
                all.push((role.version, role.expires));
            }
            (all.iter().map(|(version, _)| *version).max(), all.iter().map(|(_, expires)| *expires).min())
        }
        Seat::Group(group) => {
            view.group(group)?;
            match view.read(&Role::Delegated(group_role(group)?)) {
                Some(role) => {
                    let version = role.version;
                    let content = view.group(group)?.and_then(|found| found.content);
                    let ends =
                        content.iter().flat_map(|content| content.bins().values().chain([content.role()]));
                    (Some(version), ends.map(|role| role.expires).min())
                }
                None => (None, None),
            }
        }
    })
}

impl Line {
    fn document(&self, now: Time, soon: Time) -> Value {
        let keys = self.speakers.keys().iter();
        json!({
            "role": self.seat.to_string(),
            "threshold": self.speakers.threshold(),
            "keys": keys.map(|key| json!({ "id": key.id(), "key": key })).collect::<Vec<_>>(),
            "version": self.version,
            "expires": self.expires,
            "expired": self.expires.is_some_and(|expires| expires <= now),
            "ends_soon": self.expires.is_some_and(|expires| expires <= soon),
        })
    }

    fn text(&self) -> String {
        let keys: Vec<String> = self.speakers.keys().iter().map(|key| key.id().short()).collect();
        let version = match (self.version, self.seat.is_online()) {
            (Some(version), _) => format!("version {version}"),
            (None, true) => "signed by the server".to_owned(),
            (None, false) => "nothing published yet".to_owned(),
        };
        let until = self.expires.map(|expires| format!(", until {expires}")).unwrap_or_default();
        let threshold = self.speakers.threshold();
        format!("{:<12} {threshold} of {} ({}), {version}{until}", self.seat, keys.len(), keys.join(", "))
    }
}
