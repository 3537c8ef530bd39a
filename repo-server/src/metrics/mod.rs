//! Metrics: what the server did, for Prometheus, in the `OpenMetrics` text format at `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::overview::Overview;

/// Where the buckets of the times end, in seconds.
const SECONDS: [f64; 10] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];

/// Everything that is counted. Clones are one.
#[derive(Debug, Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    sent: Counter,
    broken: Counter,
    running: Gauge,
    commit: Gauge,
    commit_time: Gauge,
    groups: Gauge,
    packages: Gauge,
    versions: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

/// A request that is being answered; what it was is told at its end.
#[derive(Debug)]
pub struct Running {
    metrics: Metrics,
}

/// The counters of one sort of request, at hand.
#[derive(Debug, Clone)]
pub struct Series {
    requests: Counter,
    seconds: Histogram,
    sent: Counter,
}

impl Series {
    /// Counts a request.
    pub fn count(&self, bytes: u64, duration: Duration) {
        self.requests.inc();
        self.seconds.observe(duration.as_secs_f64());
        self.sent.inc_by(bytes);
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// The pattern of its path, or nothing when there is none for it: never the path, of which there is no end.
    pub route: Option<&'a str>,
    /// The method.
    pub method: &'a axum::http::Method,
    /// The status of its answer.
    pub status: u16,
    /// How many bytes of the answer went out.
    pub bytes: u64,
    /// How long it took to the last of them.
    pub duration: Duration,
    /// Whether that was all of it.
    pub is_whole: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("copkg");
        let requests = Family::default();
        let seconds: Family<RouteLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(SECONDS));
        let (sent, broken) = (Counter::default(), Counter::default());
        let running = Gauge::default();
        let (commit, commit_time) = (Gauge::default(), Gauge::default());
        let (groups, packages, versions) = (Gauge::default(), Gauge::default(), Gauge::default());
        registry.register("http_requests", "Requests that were answered", requests.clone());
        let help = "Time from a request to the last byte of its answer";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, seconds.clone());
        registry.register_with_unit("http_sent", "Bytes of answers", Unit::Bytes, sent.clone());
        registry.register("http_broken", "Answers of which the client did not take all", broken.clone());
        registry.register("http_running", "Requests that are being answered", running.clone());
        registry.register("commit", "Number of the newest commit", commit.clone());
        let help = "When the newest commit was made, in seconds since 1970";
        registry.register_with_unit("commit_time", help, Unit::Seconds, commit_time.clone());
        registry.register("groups", "Groups that have published something", groups.clone());
        registry.register("packages", "Packages", packages.clone());
        registry.register("versions", "Versions of packages", versions.clone());
        let inner = Inner {
            registry,
            requests,
            seconds,
            sent,
            broken,
            running,
            commit,
            commit_time,
            groups,
            packages,
            versions,
        };
        Self { inner: Arc::new(inner) }
    }
}

impl Metrics {
    /// Counts a request that begins.
    pub fn begin(&self) -> Running {
        self.inner.running.inc();
        Running { metrics: self.clone() }
    }

    /// Returns the counters of a route's requests that end with `status`.
    pub fn series(&self, route: Option<&str>, method: &axum::http::Method, status: u16) -> Series {
        let inner = &self.inner;
        let route = route.unwrap_or("none").to_owned();
        let labels = RequestLabels { route: route.clone(), method: self::method(method), status };
        Series {
            requests: inner.requests.get_or_create(&labels).clone(),
            seconds: inner.seconds.get_or_create(&RouteLabels { route }).clone(),
            sent: inner.sent.clone(),
        }
    }

    /// Takes the state of the repository over.
    pub fn see(&self, overview: &Overview) {
        let totals = overview.index.totals();
        let set = |gauge: &Gauge, number: usize| gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
        set(&self.inner.groups, totals.groups);
        set(&self.inner.packages, totals.packages);
        set(&self.inner.versions, totals.versions);
        self.inner.commit.set(i64::try_from(overview.head.commit().number()).unwrap_or(i64::MAX));
        self.inner.commit_time.set(overview.head.time().unix_seconds());
    }

    /// Writes everything down.
    ///
    /// # Errors
    /// Never; a text takes what is written to it.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.inner.registry)?;
        Ok(out)
    }
}

impl Running {
    /// Counts how the request ended.
    pub fn end(&self, ended: Ended<'_>) {
        let series = self.metrics.series(ended.route, ended.method, ended.status);
        series.count(ended.bytes, ended.duration);
        if !ended.is_whole {
            self.metrics.inner.broken.inc();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.metrics.inner.running.dec();
    }
}

/// Returns the name of a method; there is no end of those that a client can make up.
fn method(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Method;

    #[test]
    fn what_a_client_makes_up_makes_no_new_series() {
        let metrics = Metrics::default();
        for name in ["BREW", "MAKE", "GET"] {
            let method: Method = name.parse().unwrap();
            let (status, bytes, duration) = (200, 10, Duration::from_millis(3));
            metrics.begin().end(Ended {
                route: None,
                method: &method,
                status,
                bytes,
                duration,
                is_whole: true,
            });
        }
        let text = metrics.text().unwrap();
        assert!(
            text.contains(r#"copkg_http_requests_total{route="none",method="other",status="200"} 2"#),
            "{text}"
        );
        assert!(text.contains("copkg_http_sent_bytes_total 30"), "{text}");
        assert!(text.contains("copkg_http_running 0"), "{text}");
    }
}
