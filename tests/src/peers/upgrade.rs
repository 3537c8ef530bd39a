//! Upgrades: how many bytes and requests it takes to come from one version to the next, everything counted.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::corpus::Pair;
use super::others::{casync_make, zchunk_make};
use super::ours::{GROUP, Workshop};
use super::{Result, have, output, run};
use crate::network::http;
use crate::repository::Repository;

/// What one way of upgrading costs.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The way.
    pub name: &'static str,
    /// The size of the archive or the store of the new version, in bytes.
    pub archive: u64,
    /// What is fetched, in bytes.
    pub bytes: u64,
    /// In how many requests, where that is known.
    pub requests: Option<u64>,
}

/// Measures every way for a pair; `work` is for what is made on the way.
///
/// # Errors
/// When one fails.
pub fn measure(workshop: &Workshop, server: &Repository, pair: &Pair, work: &Path) -> Result<Vec<Fetched>> {
    let mut found = vec![ours(workshop, server, pair, work)?];
    if have("casync") {
        found.push(casync(pair, work)?);
    }
    if have("zck_delta_size") {
        found.push(zchunk(pair, work)?);
    }
    Ok(found)
}

fn ours(workshop: &Workshop, server: &Repository, pair: &Pair, work: &Path) -> Result<Fetched> {
    let id = format!("pair-{}", pair.new.name);
    let old = workshop.package(&pair.old, &id, "1")?;
    let new = workshop.package(&pair.new, &id, "2")?;
    workshop.publish(&new)?;
    let prefix = work.join("host");
    workshop.trust(&prefix)?;
    run(workshop.host(&prefix).arg("install").arg(&old))?;
    let before = Sent::by(server)?;
    let coordinate = format!("{GROUP}:{id}:2");
    run(workshop.host(&prefix).args(["install", &coordinate, "--repo", server.url()]))?;
    let after = Sent::by(server)?;
    fs::remove_dir_all(&prefix)?;
    Ok(Fetched {
        name: "copkg, frames",
        archive: fs::metadata(&new)?.len(),
        bytes: after.bytes - before.bytes,
        requests: Some(after.requests - before.requests),
    })
}

/// What a server has sent of packages, by its own metrics.
struct Sent {
    bytes: u64,
    requests: u64,
}

impl Sent {
    fn by(server: &Repository) -> Result<Self> {
        let answer = http(server.port(), "GET", "/metrics", "")?;
        let sum = |start: &str| {
            let lines = answer.lines().filter(|line| line.starts_with(start) && !line.contains("/metrics"));
            lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>()
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counters")]
        let number = |sum: f64| sum as u64;
        // The metrics of before are among the bytes of after: they are sent before they are counted.
        let bytes = number(sum("copkg_http_sent_bytes_total"));
        Ok(Self { bytes, requests: number(sum("copkg_http_requests_total")) })
    }
}

/// New chunks, each a request, and the index.
fn casync(pair: &Pair, work: &Path) -> Result<Fetched> {
    let [old, new] = ["old", "new"].map(|name| work.join(format!("{name}.castr")));
    let index = work.join("new.caidx");
    run(&mut casync_make(&old, &work.join("old.caidx"), &pair.old.tree))?;
    run(&mut casync_make(&new, &index, &pair.new.tree))?;
    let (old, new) = (chunks(&old)?, chunks(&new)?);
    let index = fs::metadata(index)?.len();
    let missing: Vec<_> =
        new.iter().filter(|(name, _)| !old.iter().any(|(other, _)| other == name)).collect();
    let sum = |chunks: &mut dyn Iterator<Item = u64>| chunks.sum::<u64>() + index;
    Ok(Fetched {
        name: "casync, 64 KiB",
        archive: sum(&mut new.iter().map(|(_, size)| *size)),
        bytes: sum(&mut missing.iter().map(|(_, size)| *size)),
        requests: Some(missing.len() as u64 + 1),
    })
}

fn chunks(store: &Path) -> Result<BTreeSet<(String, u64)>> {
    let mut found = BTreeSet::new();
    for directory in fs::read_dir(store)? {
        for chunk in fs::read_dir(directory?.path())? {
            let chunk = chunk?;
            found.insert((chunk.file_name().to_string_lossy().into_owned(), chunk.metadata()?.len()));
        }
    }
    Ok(found)
}

fn zchunk(pair: &Pair, work: &Path) -> Result<Fetched> {
    let old = zchunk_make(&pair.old.tree, &work.join("old"))?;
    let new = zchunk_make(&pair.new.tree, &work.join("new"))?;
    let said = output(Command::new("zck_delta_size").arg(&old).arg(&new))?;
    let bytes = said.split_whitespace().nth(2).and_then(|word| word.parse().ok());
    let bytes = bytes.ok_or_else(|| format!("zck_delta_size says {said:?}"))?;
    Ok(Fetched { name: "zchunk", archive: fs::metadata(&new)?.len(), bytes, requests: None })
}
