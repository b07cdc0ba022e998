//! The timer of whoever has no better one: a thread waits for the earliest deadline and wakes what is due.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::thread;

use tokio::time::Instant;

use crate::queue::{Key, Queue};

#[derive(Debug, Default)]
struct Timer {
    queue: Mutex<Queue>,
    earlier: Condvar,
}

impl Timer {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing in here panics half way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        wake_exactly();
        let mut due = Vec::new();
        let mut queue = self.lock();
        loop {
            let now = Instant::now();
            while let Some(waker) = queue.pop_due(now) {
                due.push(waker);
            }
            if !due.is_empty() {
                drop(queue);
                due.drain(..).for_each(wake);
                queue = self.lock();
                continue;
            }
            queue = match queue.next_deadline() {
                Some(deadline) => {
                    let waited = self.earlier.wait_timeout(queue, deadline - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.earlier.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// A waker that panics is its owner's misfortune: others still need this thread.
fn wake(waker: Waker) {
    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
}

/// Waits of this thread end as soon as they can. By default Linux takes up to 50 microseconds more, to wake threads together.
fn wake_exactly() {
    #[cfg(target_os = "linux")]
    {
        const NANOSECOND: Option<std::num::NonZeroU64> = std::num::NonZeroU64::new(1);
        // Where it is refused, sleeps end that much later.
        let _ = rustix::thread::set_current_timer_slack(NANOSECOND);
    }
}

/// The timer of this process, started when the first sleep is awaited.
fn timer() -> &'static Timer {
    static TIMER: OnceLock<&'static Timer> = OnceLock::new();
    TIMER.get_or_init(|| {
        let timer: &'static Timer = Box::leak(Box::default());
        thread::Builder::new()
            .name("relaybench-timer".to_owned())
            .spawn(|| timer.run())
            .expect("a process that cannot start one thread cannot run at all");
        timer
    })
}

pub(crate) fn insert(deadline: Instant, waker: Waker) -> Key {
    let timer = timer();
    let mut queue = timer.lock();
    let is_earliest = queue.next_deadline().is_none_or(|next| deadline < next);
    let key = queue.insert(deadline, waker);
    drop(queue);
    if is_earliest {
        timer.earlier.notify_one();
    }
    key
}

pub(crate) fn refresh(key: Key, waker: &Waker) -> bool {
    let replaced = timer().lock().refresh(key, waker);
    replaced.is_some()
}

pub(crate) fn remove(key: Key) {
    let removed = timer().lock().remove(key);
    drop(removed);
}
