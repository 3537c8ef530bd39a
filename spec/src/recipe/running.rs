//! `[service.health]` and `[service.logs]`: how a service is looked after while it runs.

use super::context::Context;
use super::error::Problem;
use super::span::Span;
use super::{Located, raw};
use crate::configuration::{TemplateText, bytes_of};
use crate::manifest::{Health, Rotation};

/// The least that a file may be limited to.
const LEAST_BYTES: i64 = 4096;

pub(super) fn health(raw: &raw::Health, at: &Context) -> Result<Health, Located> {
    let defaults = Health::default();
    let span = |key: &str, text: &Option<String>, default: u32| {
        let at = at.key(key);
        let span: Option<Span> = at.parse_option(text.as_deref())?;
        match span.map_or(default, Span::milliseconds) {
            0 if key != "healthy_for" => at.fail(Problem::keys("it is more than nothing")),
            milliseconds => Ok(milliseconds),
        }
    };
    let health = Health {
        http: template(raw.http.as_deref(), &at.key("http"))?,
        tcp: template(raw.tcp.as_deref(), &at.key("tcp"))?,
        interval_milliseconds: span("interval", &raw.interval, defaults.interval_milliseconds)?,
        timeout_milliseconds: span("timeout", &raw.timeout, defaults.timeout_milliseconds)?,
        healthy_milliseconds: span("healthy_for", &raw.healthy_for, defaults.healthy_milliseconds)?,
        deadline_milliseconds: span("deadline", &raw.deadline, defaults.deadline_milliseconds)?,
    };
    if health.healthy_milliseconds > health.deadline_milliseconds {
        return at.fail(Problem::keys("healthy_for is longer than deadline: it could never be well in time"));
    }
    Ok(health)
}

fn template(text: Option<&str>, at: &Context) -> Result<Option<String>, Located> {
    let Some(text) = text else { return Ok(None) };
    match TemplateText::parse("package.toml", text) {
        Ok(_) if !text.trim().is_empty() => Ok(Some(text.to_owned())),
        Ok(_) => at.fail(Problem::keys("it is empty: leave the key out")),
        Err(error) => at.fail(Problem::value("template", text, error.why)),
    }
}

pub(super) fn logs(raw: &raw::Logs, at: &Context) -> Result<Rotation, Located> {
    let defaults = Rotation::default();
    let max_bytes = match raw.max_size.as_deref() {
        None => defaults.max_bytes,
        Some(text) => {
            let at = at.key("max_size");
            let bytes = bytes_of(text).or_else(|why| at.fail(Problem::value("size", text, why)))?;
            let positive = u64::try_from(bytes).ok().filter(|_| bytes >= LEAST_BYTES);
            match positive {
                Some(bytes) => bytes,
                None => return at.fail(Problem::value("size", text, "the least is 4096 bytes")),
            }
        }
    };
    Ok(Rotation {
        max_bytes,
        max_age_seconds: raw.max_age_days.map_or(defaults.max_age_seconds, |days| u32::from(days) * 86400),
        keep: raw.keep.map_or(defaults.keep, u32::from),
        compress: raw.compress.unwrap_or(defaults.compress),
    })
}
