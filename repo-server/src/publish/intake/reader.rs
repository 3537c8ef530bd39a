//! The thread on which large documents are read, one after the other.
//!
//! What a thread allocates comes from a part of the heap that it shares with few others, and each part keeps some megabytes after
//! everything in it was freed. So a server whose many threads read large documents would keep that many times as much.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct ReadingThread {
    work: Sender<Work>,
}

impl ReadingThread {
    pub(crate) fn start() -> Self {
        let (work, todo) = channel::<Work>();
        let run = move || {
            for work in todo {
                // Whoever waits for it finds out.
                let _ = catch_unwind(AssertUnwindSafe(work));
            }
        };
        // Without a thread nothing is ever read: each is told so.
        let _ = thread::Builder::new().name("reader".to_owned()).spawn(run);
        Self { work }
    }

    /// Does `read` on the thread; nothing when it cannot be done.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let work = Box::new(move || drop(done.send(read())));
        self.work.send(work).ok()?;
        result.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_fails_does_not_end_the_others() {
        let reader = ReadingThread::start();
        assert_eq!(reader.run(|| 1).await, Some(1));
        assert_eq!(reader.run(|| -> u8 { std::panic::resume_unwind(Box::new("a bug")) }).await, None);
        assert_eq!(reader.run(|| 2).await, Some(2));
    }
}
