//! The clock: the one place that reads it as a date.

use std::time::{SystemTime, UNIX_EPOCH};

use copkg_spec::tuf::Time;

/// Returns the time by the clock of this machine; the year 1970 when it is set before that.
pub(super) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    Time::from_unix_seconds(seconds).unwrap_or(Time::EPOCH)
}
