//! Real time: one thread waits for the earliest deadline and wakes what is due.

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
        // A waker that panics leaves the queue whole: it is taken out before it is called.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut due = Vec::new();
        let mut queue = self.lock();
        loop {
            let now = Instant::now();
            while let Some(waker) = queue.pop_due(now) {
                due.push(waker);
            }
            if !due.is_empty() {
                drop(queue);
                due.drain(..).for_each(Waker::wake);
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
    timer().lock().refresh(key, waker)
}

pub(crate) fn remove(key: Key) {
    timer().lock().remove(key);
}
