//! Many publishers at once, each of its own group, while readers poll: no commit is lost and nobody sees time go back.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Error, Prepared, Publisher, Reader, Result, Source, Watch};

/// How many publish how often.
#[derive(Debug, Clone, Copy)]
pub struct Race {
    /// How many times each publishes.
    pub rounds: usize,
    /// How long a publisher goes on trying when nobody answers.
    pub patience: Duration,
}

/// What came of a race.
#[derive(Debug, Clone)]
pub struct Figures {
    /// How many publishes were acknowledged.
    pub acknowledged: usize,
    /// How many times a publisher had to try again because the server was gone or the store failed.
    pub retries: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// The time of each publish, sorted.
    pub latencies: Vec<Duration>,
    /// What the readers saw.
    pub readers: Vec<Watch>,
}

impl Race {
    /// Runs it: `publishers` send to `servers` in turn, a reader polls each of `sources`; then everything that was
    /// acknowledged is looked for in the first source.
    ///
    /// # Errors
    /// When a reader saw something invalid, a publish was refused, or one that was acknowledged is not there.
    pub fn run(
        self,
        publishers: &mut [Publisher],
        servers: &[SocketAddr],
        sources: &[Source],
    ) -> Result<Figures> {
        let stop = AtomicBool::new(false);
        let started = Instant::now();
        let readers = sources.iter().map(|source| Reader::new(source.clone())).collect::<Result<Vec<_>>>()?;
        let (published, readers) = thread::scope(|scope| {
            let readers: Vec<_> =
                readers.into_iter().map(|reader| scope.spawn(|| reader.watch(&stop))).collect();
            let writers: Vec<_> = publishers
                .iter_mut()
                .enumerate()
                .map(|(number, publisher)| scope.spawn(move || self.publish(number, publisher, servers)))
                .collect();
            let published: Vec<_> = writers.into_iter().map(join).collect();
            stop.store(true, Ordering::SeqCst);
            let readers: Vec<_> = readers.into_iter().map(join).collect();
            (published, readers)
        });
        let elapsed = started.elapsed();
        let readers = readers.into_iter().collect::<Result<Vec<Watch>>>()?;
        let published = published.into_iter().collect::<Result<Vec<Published>>>()?;
        let expected: Vec<&String> = published.iter().flat_map(|published| &published.paths).collect();
        let found = Reader::new(sources.first().ok_or("a source")?.clone())?.read_all()?;
        if let Some(lost) = expected.iter().find(|path| !found.contains(path)) {
            return Err(format!("{lost} was acknowledged and is lost").into());
        }
        let mut latencies: Vec<Duration> =
            published.iter().flat_map(|published| published.latencies.iter().copied()).collect();
        latencies.sort_unstable();
        let retries = published.iter().map(|published| published.retries).sum();
        Ok(Figures { acknowledged: expected.len(), retries, elapsed, latencies, readers })
    }

    fn publish(self, number: usize, publisher: &mut Publisher, servers: &[SocketAddr]) -> Result<Published> {
        let mut outcome = Published::default();
        for round in 0..self.rounds {
            let version = format!("1.0.{round}");
            let content = format!("{number} {round}");
            let prepared = publisher.prepare("web", &version, content.as_bytes())?;
            let started = Instant::now();
            outcome.retries += self.send(number + round, &prepared, servers)?;
            outcome.latencies.push(started.elapsed());
            outcome.paths.push(publisher.path("web", &version)?);
            publisher.committed(prepared);
        }
        Ok(outcome)
    }

    /// Sends one publish until it is acknowledged, to another server when one does not answer.
    fn send(self, first: usize, prepared: &Prepared, servers: &[SocketAddr]) -> Result<usize> {
        let deadline = Instant::now() + self.patience;
        let mut retries = 0;
        loop {
            let server = servers[(first + retries) % servers.len()];
            let problem: Error = match Publisher::send(server, prepared) {
                Ok(answer) if matches!(answer.status, 200 | 201) => return Ok(retries),
                Ok(answer) if matches!(answer.status, 202 | 408 | 500 | 503) => {
                    String::from_utf8_lossy(&answer.body).into()
                }
                Ok(answer) => {
                    let body = String::from_utf8_lossy(&answer.body);
                    return Err(format!("refused with {}: {body}", answer.status).into());
                }
                Err(error) => error,
            };
            if Instant::now() > deadline {
                return Err(format!("gave up: {problem}").into());
            }
            retries += 1;
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[derive(Debug, Default)]
struct Published {
    paths: Vec<String>,
    latencies: Vec<Duration>,
    retries: usize,
}

impl Figures {
    /// Returns the latency below which `percent` of the publishes stayed.
    pub fn latency(&self, percent: usize) -> Duration {
        let at = self.latencies.len().saturating_sub(1) * percent / 100;
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().map_err(|_| Error::from("a thread panicked"))?
}
