//! The progress bar: how much of the payloads has come, at which rate, and how long it will take.

use copkg_spec::command::Report;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TEMPLATE: &str = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";

/// A bar on standard error, or nothing at all where the report shows no progress.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Starts a bar of `total` bytes.
    pub(super) fn new(report: &Report, total: u64) -> Self {
        let target =
            if report.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Says what is being fetched.
    pub(super) fn name(&self, text: String) {
        self.0.set_message(text);
    }

    /// Counts bytes that have come, on any thread.
    pub(super) fn count(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Says something while the bar is out of the way.
    pub(super) fn aside(&self, say: impl FnOnce()) {
        self.0.suspend(say);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
