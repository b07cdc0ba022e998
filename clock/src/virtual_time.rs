//! Virtual time: a paused single-threaded runtime whose clock moves only when nothing else can.
//!
//! tokio's own paused timers tick in milliseconds and would bend every schedule finer than that, so the sleeps live in a queue
//! of ours. When the runtime is about to park, everything that could happen at this instant has happened: the hook then moves
//! tokio's clock to the earliest deadline and wakes what is due.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::Instant;

use crate::queue::{Key, Queue};

struct VirtualTime {
    queue: Queue,
    start: Instant,
    finished: bool,
}

thread_local! {
    static CURRENT: RefCell<Option<VirtualTime>> = const { RefCell::new(None) };
    /// tokio's paused clock is behind a lock, and a simulated request asks for the time twenty times.
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
}

fn with_current<R>(f: impl FnOnce(&mut VirtualTime) -> R) -> Option<R> {
    CURRENT.with_borrow_mut(|current| current.as_mut().map(f))
}

/// Runs a future, and all it spawns, in virtual time on this thread.
///
/// The runtime has no I/O driver: sockets, DNS and blocking threads have no place in virtual time. A panic of the future is
/// passed on.
///
/// # Panics
///
/// When called from inside a runtime, and when every task waits while no sleep is pending: time could then never move again.
pub fn run_virtual<F>(future: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .on_thread_park(move_on)
        .build()
        .expect("a runtime without I/O needs nothing from the system");
    let _uninstall = Uninstall;
    let outcome = runtime.block_on(async {
        let start = Instant::now();
        NOW.set(Some(start));
        CURRENT.set(Some(VirtualTime { queue: Queue::default(), start, finished: false }));
        // As a task of its own, since the runtime parks without looking whether the root future was woken.
        tokio::spawn(async move {
            let output = future.await;
            with_current(|current| current.finished = true);
            output
        })
        .await
    });
    // Dropped while virtual time is installed, so that what the tasks still hold can leave the queue.
    drop(runtime);
    outcome.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

struct Uninstall;

impl Drop for Uninstall {
    fn drop(&mut self) {
        NOW.set(None);
        CURRENT.set(None);
    }
}

/// Moves the clock to the next deadline, called when the runtime is about to park.
fn move_on() {
    let Some((next, finished)) = with_current(|current| (current.queue.next_deadline(), current.finished)) else { return };
    let Some(deadline) = next else {
        assert!(finished, "virtual time stands still: every task waits and no sleep is pending");
        return;
    };
    let now = now().unwrap_or(deadline);
    if deadline > now {
        advance(deadline - now);
        NOW.set(Some(deadline));
    }
    while let Some(Some(waker)) = with_current(|current| current.queue.pop_due(deadline.max(now))) {
        waker.wake();
    }
}

/// `tokio::time::advance` moves the clock when first polled and then only yields, which the parking runtime does by itself.
fn advance(by: Duration) {
    let mut context = Context::from_waker(Waker::noop());
    let _ = pin!(tokio::time::advance(by)).poll(&mut context);
}

/// The present instant of virtual time, if this thread is in it.
pub(crate) fn now() -> Option<Instant> {
    NOW.get()
}

/// Whether this thread is inside [`run_virtual`].
pub fn is_virtual() -> bool {
    now().is_some()
}

/// How long virtual time has run on this thread, if it does.
pub(crate) fn elapsed() -> Option<Duration> {
    with_current(|current| current.start).and_then(|start| Some(now()? - start))
}

pub(crate) fn insert(deadline: Instant, waker: &Waker) -> Option<Key> {
    with_current(|current| current.queue.insert(deadline, waker.clone()))
}

pub(crate) fn refresh(key: Key, waker: &Waker) -> bool {
    with_current(|current| current.queue.refresh(key, waker)).flatten().is_some()
}

pub(crate) fn remove(key: Key) {
    drop(with_current(|current| current.queue.remove(key)));
}
