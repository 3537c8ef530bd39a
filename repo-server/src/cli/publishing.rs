//! The limits of publishing on the command line.

use std::io;
use std::time::Duration;

use bytesize::ByteSize;
use camino::Utf8PathBuf;
use clap::Args;

use super::units;
use crate::publish::Limits;

/// How much publishers may send.
#[derive(Debug, Args)]
#[command(next_help_heading = "Publishing")]
pub(super) struct PublishOptions {
    /// The largest proposal: the metadata files of one publish. Reading one takes about twenty times its size in memory
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = units::size)]
    max_proposal: ByteSize,
    /// The largest package file
    #[arg(long, value_name = "SIZE", default_value = "8GiB", value_parser = units::size)]
    max_blob: ByteSize,
    /// Package files taken at once; more are answered with 503
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    max_uploads: u32,
    /// Proposals that wait for signatures or files
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_pending: u32,
    /// The bytes that they have together
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = units::size)]
    max_pending_bytes: ByteSize,
    /// How long a proposal may wait
    #[arg(long, value_name = "TIME", default_value = "168h", value_parser = units::duration)]
    pending_time: Duration,
    /// Proposals of one role in a minute
    #[arg(long, value_name = "NUMBER", default_value_t = 1200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_proposal_rate: u32,
    /// Where files are kept until they are checked; needs room for --max-uploads of them
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    spool: Utf8PathBuf,
}

impl PublishOptions {
    /// Checks that files can be put where they are checked, before a publisher finds out.
    ///
    /// # Errors
    /// When they cannot, with the directory.
    pub(super) fn check_spool(&self) -> Result<(), (Utf8PathBuf, io::Error)> {
        tempfile::tempfile_in(&self.spool).map(drop).map_err(|source| (self.spool.clone(), source))
    }

    /// Returns the limits; `idle` is how long a publisher may send nothing.
    pub(super) fn limits(&self, idle: Duration) -> Limits {
        Limits {
            proposal_bytes: self.max_proposal.as_u64(),
            blob_bytes: self.max_blob.as_u64(),
            pending: self.max_pending as usize,
            pending_bytes: self.max_pending_bytes.as_u64(),
            pending_time: self.pending_time,
            uploads: self.max_uploads as usize,
            proposals_a_minute: self.max_proposal_rate,
            idle,
            spool: self.spool.clone(),
        }
    }
}
