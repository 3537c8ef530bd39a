//! The maintenance window: days of the week and a time of the day, in the host's local time or in UTC.
//!
//! Outside of it everything is fetched, checked and made ready; inside it is applied. A change that was begun inside is finished,
//! however long it takes.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use super::FollowError;

/// The days, as they are written.
const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// In which time zone a window is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowZone {
    /// That of the host: what `/etc/localtime` or `TZ` says.
    Local,
    /// UTC.
    Utc,
}

/// When changes may be made: `Mon-Fri 02:00-04:00`, `Sat,Sun 22:00-06:00 UTC`, `03:00-04:00`.
///
/// One that ends before it begins ends on the day after, and belongs to the day on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceWindow {
    text: String,
    days: Vec<Weekday>,
    from: Time,
    to: Time,
    zone: WindowZone,
}

impl MaintenanceWindow {
    /// Tells whether changes may be made at `now`.
    ///
    /// # Errors
    /// When the time zone of the host is meant and not known.
    pub fn contains(&self, now: Timestamp) -> Result<bool, FollowError> {
        let zone = match self.zone {
            WindowZone::Utc => TimeZone::UTC,
            WindowZone::Local => local()?,
        };
        Ok(self.contains_in(now, zone))
    }

    fn contains_in(&self, now: Timestamp, zone: TimeZone) -> bool {
        let now = now.to_zoned(zone).datetime();
        let (today, time) = (now.date().weekday(), now.time());
        let begins = |day: Weekday| self.days.contains(&day);
        if self.from < self.to {
            return begins(today) && self.from <= time && time < self.to;
        }
        begins(today) && time >= self.from || begins(today.previous()) && time < self.to
    }
}

/// Returns the time zone of the host. Where nothing says it none is assumed.
fn local() -> Result<TimeZone, FollowError> {
    TimeZone::try_system().map_err(|error| FollowError::TimeZone { why: error.to_string() })
}

impl fmt::Display for MaintenanceWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for MaintenanceWindow {
    type Err = FollowError;

    fn from_str(text: &str) -> Result<Self, FollowError> {
        let wrong = |why| FollowError::Window { text: text.to_owned(), why };
        let words: Vec<&str> = text.split_whitespace().collect();
        let (words, zone) = match words.split_last() {
            Some((&"UTC", rest)) => (rest, WindowZone::Utc),
            _ => (&words[..], WindowZone::Local),
        };
        let (days, times) = match words {
            [times] => (DAYS.map(|(_, day)| day).to_vec(), times),
            [days, times] => (days_of(days).ok_or_else(|| wrong("its days are none"))?, times),
            _ => return Err(wrong("it has days, and the times of a day")),
        };
        let times =
            times.split_once('-').ok_or_else(|| wrong("it has two times with a hyphen between them"))?;
        let time = |text| time_of(text).ok_or_else(|| wrong("a time is from 00:00 to 23:59"));
        let (from, to) = (time(times.0)?, time(times.1)?);
        if from == to {
            return Err(wrong("it is empty"));
        }
        Ok(Self { text: text.to_owned(), days, from, to, zone })
    }
}

/// Reads `Mon-Fri`, `Sat,Sun`, `Mon`.
fn days_of(text: &str) -> Option<Vec<Weekday>> {
    let at = |name: &str| DAYS.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (at(first)?, at(last)?);
        let length = (last + 7 - first) % 7;
        days.extend((first..=first + length).filter_map(|day| DAYS.get(day % 7)).map(|(_, day)| *day));
    }
    Some(days)
}

fn time_of(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i8>().ok().filter(|_| is_number)
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells whether the window contains a moment of that week of November 2026 whose Monday is the 2nd, in UTC.
    fn contains(window: &str, moment: &str) -> bool {
        let window: MaintenanceWindow = format!("{window} UTC").parse().unwrap();
        window.contains(format!("2026-11-{moment}:00Z").parse().unwrap()).unwrap()
    }

    #[test]
    fn a_window_has_its_days_and_its_times_without_the_last_minute() {
        for inside in ["02T02:00", "02T03:59", "06T02:00"] {
            assert!(contains("Mon-Fri 02:00-04:00", inside), "{inside}");
        }
        for outside in ["02T01:59", "02T04:00", "07T02:00", "08T03:00"] {
            assert!(!contains("Mon-Fri 02:00-04:00", outside), "{outside}");
        }
        assert!(contains("02:00-04:00", "08T03:00") && contains("sat,Mon 02:00-04:00", "07T02:30"));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        for inside in ["06T22:00", "07T05:59"] {
            assert!(contains("Fri 22:00-06:00", inside), "{inside}");
        }
        for outside in ["06T05:00", "07T22:00", "06T21:59", "07T06:00"] {
            assert!(!contains("Fri 22:00-06:00", outside), "{outside}");
        }
        assert!(contains("Sun 22:00-06:00", "02T01:00") && contains("Sat-Mon 01:00-02:00", "08T01:30"));
    }

    #[test]
    fn local_time_is_that_of_the_zone_in_summer_and_in_winter() {
        let window: MaintenanceWindow = "02:00-04:00".parse().unwrap();
        let oslo = || TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let contains = |moment: &str| window.contains_in(moment.parse().unwrap(), oslo());
        assert!(contains("2026-07-01T00:30:00Z") && !contains("2026-07-01T02:30:00Z"));
        assert!(contains("2026-12-01T01:30:00Z") && !contains("2026-12-01T00:30:00Z"));
        // In the night in which 02:00 to 03:00 is left out it begins at 03:00, and the next poll is in it.
        assert!(!contains("2026-03-29T00:59:00Z") && contains("2026-03-29T01:00:00Z"));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "Mon",
            "Mon 02:00",
            "02:00-02:00",
            "Mon-Xyz 02:00-04:00",
            "2:00-4:00",
            "02:00-24:00",
            "a b c",
        ] {
            assert!(text.parse::<MaintenanceWindow>().is_err(), "{text}");
        }
    }
}
