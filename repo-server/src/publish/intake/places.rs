//! Places: how many bodies come in at once, and who loses a place to whom.
//!
//! Nobody can be asked who he is before what he signed is here, so a place is kept by sending: whoever sends nothing, or slowly,
//! loses it to the next who comes. So no number of clients that only hold connections keeps a publisher out, and the memory of
//! a body that comes in is that of a place, not that of a connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

/// How long a place is held without regard to others, at least: a request and its body may be two packets.
const GRACE: Duration = Duration::from_millis(500);
/// Who sends fewer bytes a second may lose his place to the next who comes.
const SLOW: u64 = 64 << 10;
/// Who sends fewer bytes a second loses his place, whether somebody waits or not.
const SLOWEST: u64 = 4 << 10;
/// From when on that is asked for.
const SETTLED: Duration = Duration::from_secs(10);
/// How long somebody waits for a place.
const TURN: Duration = Duration::from_secs(5);
/// How long between two looks for a place that can be had.
const LOOK: Duration = Duration::from_millis(50);

/// A number of places. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    taken: Mutex<Vec<Arc<Holder>>>,
    freed: Notify,
}

/// Who has a place.
#[derive(Debug)]
struct Holder {
    since: Instant,
    progress: Mutex<u64>,
    lost: Notify,
}

/// A place, until it is dropped or lost.
#[derive(Debug)]
pub(crate) struct Place {
    holder: Arc<Holder>,
    shared: Arc<Shared>,
}

/// Why nothing comes in any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// All places are taken, or somebody else has the place now.
    Busy,
    /// Nothing came for too long, or too little.
    TooSlow,
}

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Shared { most, taken: Mutex::default(), freed: Notify::new() }))
    }

    /// Takes a place, from whoever is slow if there is no other.
    ///
    /// # Errors
    /// When none can be had for some seconds.
    pub(crate) async fn take(&self) -> Result<Place, Lost> {
        let wait = async {
            loop {
                let freed = self.0.freed.notified();
                if let Some(place) = self.try_take() {
                    return place;
                }
                tokio::select! {
                    () = freed => {}
                    () = sleep(LOOK) => {}
                }
            }
        };
        timeout(TURN, wait).await.map_err(|_| Lost::Busy)
    }

    fn try_take(&self) -> Option<Place> {
        let mut taken = self.0.taken();
        if taken.len() >= self.0.most {
            let now = Instant::now();
            let slowest = taken.iter().enumerate().filter(|(_, holder)| holder.may_lose(now));
            let (at, _) = slowest.min_by_key(|(_, holder)| holder.rate(now))?;
            taken.swap_remove(at).lost.notify_one();
        }
        let holder = Arc::new(Holder { since: Instant::now(), progress: Mutex::new(0), lost: Notify::new() });
        taken.push(Arc::clone(&holder));
        Some(Place { holder, shared: Arc::clone(&self.0) })
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Vec<Arc<Holder>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holder {
    fn progress(&self) -> MutexGuard<'_, u64> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many bytes came in a second.
    fn rate(&self, now: Instant) -> u64 {
        let milliseconds = u64::try_from((now - self.since).as_millis()).unwrap_or(u64::MAX).max(1);
        self.progress().saturating_mul(1000) / milliseconds
    }

    fn may_lose(&self, now: Instant) -> bool {
        now - self.since >= GRACE && self.rate(now) < SLOW
    }
}

impl Place {
    /// Waits for the next piece of what comes in, for at most `idle`.
    ///
    /// # Errors
    /// When the place was lost.
    pub(crate) async fn hold<T>(&self, idle: Duration, next: impl Future<Output = T>) -> Result<T, Lost> {
        tokio::select! {
            biased;
            () = self.holder.lost.notified() => Err(Lost::Busy),
            next = timeout(idle, next) => next.map_err(|_| Lost::TooSlow),
        }
    }

    /// Keeps the place whatever others do: all of it is here, and is worked upon.
    pub(crate) fn keep(&mut self) {
        *self.holder.progress() = u64::MAX;
    }

    /// Counts what came in.
    ///
    /// # Errors
    /// When that is too little by now.
    pub(crate) fn count(&self, bytes: usize) -> Result<(), Lost> {
        {
            let mut progress = self.holder.progress();
            *progress = progress.saturating_add(bytes as u64);
        }
        let now = Instant::now();
        let is_too_slow = now - self.holder.since >= SETTLED && self.holder.rate(now) < SLOWEST;
        if is_too_slow { Err(Lost::TooSlow) } else { Ok(()) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.taken().retain(|holder| !Arc::ptr_eq(holder, &self.holder));
        self.shared.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    const IDLE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn whoever_sends_nothing_loses_the_place_to_the_next() {
        let places = Places::new(1);
        let idle = places.take().await.unwrap();
        let next = tokio::spawn({
            let places = places.clone();
            async move { places.take().await.map(|place| (place, Instant::now())) }
        });
        let began = Instant::now();
        assert_eq!(idle.hold(IDLE, pending::<()>()).await, Err(Lost::Busy));
        let (_place, at) = next.await.unwrap().unwrap();
        assert!(at - began < GRACE + 2 * LOOK);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_sends_well_keeps_the_place_and_the_next_is_told_to_come_back() {
        let places = Places::new(1);
        let place = places.take().await.unwrap();
        place.count(64 << 20).unwrap();
        assert_eq!(places.take().await.unwrap_err(), Lost::Busy);
        assert_eq!(place.hold(IDLE, async { 7 }).await, Ok(7));
        drop(place);
        places.take().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn of_several_the_slowest_loses() {
        let places = Places::new(2);
        let (slow, slower) = (places.take().await.unwrap(), places.take().await.unwrap());
        sleep(GRACE).await;
        slow.count(1000).unwrap();
        slower.count(10).unwrap();
        let _third = places.take().await.unwrap();
        assert_eq!(slower.hold(IDLE, pending::<()>()).await, Err(Lost::Busy));
        assert_eq!(slow.hold(IDLE, async {}).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_given_up_though_nobody_waits() {
        let place = Places::new(1).take().await.unwrap();
        sleep(SETTLED).await;
        assert_eq!(place.count(100), Err(Lost::TooSlow));
        assert_eq!(place.hold(IDLE, pending::<()>()).await, Err(Lost::TooSlow));
    }
}
