//! `pkginstall crontab` and `timer`: the ready line, the ready units. Nothing is installed.

use clap::Args;
use copkg_spec::command::{Exit, Failure};
use copkg_spec::digest::Digest;
use serde_json::json;

use super::super::deploy::converge::host_name;
use super::super::owner::quoted;
use super::{Context, Rounds};
use crate::follow::FollowError;
use crate::service::ServiceError;
use crate::unit;

/// The arguments of `crontab`.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is installed: `crontab -e` takes the line. The minute is drawn from the name of the host."
)]
pub(in crate::cli) struct Crontab {
    #[command(flatten)]
    rounds: Rounds,
}

/// The arguments of `timer`.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is installed: each unit goes into the file that stands above it, below /etc/systemd/system."
)]
pub(in crate::cli) struct Timer {
    #[command(flatten)]
    rounds: Rounds,
}

/// Prints the line of a crontab.
pub(in crate::cli) fn crontab(args: &Crontab, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let minutes = minutes(&args.rounds)?;
    let prefix = context.prefix()?;
    let program = context.ambient.program.clone().ok_or(ServiceError::Program)?;
    let seed = format!("{} {}", host_name().unwrap_or_default(), prefix.root());
    let draw = Digest::of(seed.as_bytes()).to_string();
    let draw = draw.get(..4).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or_default();
    let mut words = vec![program.to_string()];
    words.extend(prefix.options());
    words.push("--quiet".into());
    words.extend(args.rounds.round_words());
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let line = crontab_line(minutes, draw % minutes, &words.join(" "));
    context.report.data(&json!({ "line": line }), || line.clone());
    Ok(Exit::Ok)
}

/// Returns the interval in minutes, which must fit into an hour a whole number of times.
fn minutes(rounds: &Rounds) -> Result<u64, FollowError> {
    let seconds = rounds.interval()?.as_secs();
    if seconds > 3600 || 3600 % seconds != 0 || seconds % 60 != 0 {
        let why = "a crontab has whole minutes that fit into an hour: 60, 120, 300, 600, 900, 1800, 3600 …";
        return Err(FollowError::Interval { seconds, why });
    }
    Ok(seconds / 60)
}

/// What goes well writes nothing, so that cron sends no mail. A percent sign would end the line.
fn crontab_line(minutes: u64, offset: u64, command: &str) -> String {
    let when = match minutes {
        1 => "*".to_owned(),
        60 => offset.to_string(),
        _ => format!("{offset}-59/{minutes}"),
    };
    format!("{when} * * * * {} >/dev/null", command.replace('%', "\\%"))
}

/// Prints the units of a timer.
pub(in crate::cli) fn timer(args: &Timer, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let program = context.ambient.program.clone().ok_or(ServiceError::Program)?;
    let (words, interval) = (args.rounds.round_words(), args.rounds.interval()?);
    let units =
        unit::round_units(&context.prefix()?, &program, &words, interval).map_err(ServiceError::from)?;
    let documents: Vec<_> = units.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect();
    context.report.data(&json!({ "units": documents }), || {
        let texts = units.iter().map(|(name, text)| format!("# {name}\n{text}"));
        texts.collect::<Vec<_>>().join("\n").trim_end().to_owned()
    });
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_crontab_has_its_minute_and_no_bare_percent_sign() {
        assert_eq!(crontab_line(5, 3, "p '/100%'"), "3-59/5 * * * * p '/100\\%' >/dev/null");
        assert_eq!(crontab_line(60, 42, "p"), "42 * * * * p >/dev/null");
        assert_eq!(crontab_line(1, 0, "p"), "* * * * * p >/dev/null");
    }

    #[test]
    fn an_interval_that_no_crontab_can_say_is_refused() {
        let minutes = |interval| minutes(&Rounds { interval, window: Vec::new() }).ok();
        assert_eq!([60, 300, 3600].map(minutes), [Some(1), Some(5), Some(60)]);
        assert_eq!([30, 90, 420, 7200].map(minutes), [None; 4]);
    }
}
