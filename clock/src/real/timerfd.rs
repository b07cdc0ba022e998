//! The timer of one runtime: the sleeps that were polled by it, and a task of it that wakes them, so that no other thread has to.

mod lead;
mod watch;

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::time::Instant;

use self::watch::Watch;
use crate::queue::{Key, Queue};

thread_local! {
    static CURRENT: RefCell<Option<Timer>> = const { RefCell::new(None) };
}

/// The sleeps of one runtime, shared by its task and by whoever holds one of them.
#[derive(Clone)]
pub(crate) struct Timer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    queue: Queue,
    /// When the task looks at the queue again, at the latest; none when it waits to be woken.
    looks_at: Option<Instant>,
    task: Option<Waker>,
    /// The task has ended: nobody looks at the queue any more.
    is_closed: bool,
}

impl Timer {
    /// Starts the timer of a runtime.
    pub(crate) fn start(runtime: &tokio::runtime::Runtime) -> io::Result<Option<Self>> {
        let timer = Self(Arc::default());
        let _context = runtime.enter();
        runtime.spawn(Watch::new(timer.clone())?);
        Ok(Some(timer))
    }

    /// The one whose runtime runs on this thread.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs the runtime: what is polled by this thread meanwhile is registered here.
    pub(crate) fn run<R>(&self, block_on: impl FnOnce() -> R) -> R {
        let _running = Running { timer: self, before: CURRENT.replace(Some(self.clone())) };
        block_on()
    }

    /// The waker comes back when this timer's runtime has ended.
    pub(crate) fn insert(&self, deadline: Instant, waker: Waker) -> Result<Key, Waker> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(waker);
        }
        let key = state.queue.insert(deadline, waker);
        if state.looks_at.is_none_or(|instant| deadline < instant) {
            state.looks_at = Some(deadline);
            state.task.as_ref().inspect(|task| task.wake_by_ref());
        }
        Ok(key)
    }

    pub(crate) fn refresh(&self, key: Key, waker: &Waker) -> bool {
        let replaced = self.lock().queue.refresh(key, waker);
        replaced.is_some()
    }

    pub(crate) fn remove(&self, key: Key) {
        let removed = self.lock().queue.remove(key);
        drop(removed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes what is due, `most` at most, and tells whether anything was. None inside the lock: a waker may well drop other sleeps.
    fn wake_due(&self, now: Instant, most: usize) -> bool {
        for woken in 0..most {
            let due = self.lock().queue.pop_due(now);
            match due {
                Some(waker) => waker.wake(),
                None => return woken > 0,
            }
        }
        true
    }

    /// The task tells when it looks again, given the next deadline; only an earlier sleep wakes it before.
    fn plan_look(&self, task: &Waker, at: impl FnOnce(Option<Instant>) -> Option<Instant>) -> Option<Instant> {
        let mut state = self.lock();
        state.looks_at = at(state.queue.next_deadline());
        state.task.get_or_insert_with(|| task.clone()).clone_from(task);
        state.looks_at
    }

    /// The task has ended.
    fn close(&self) {
        self.lock().is_closed = true;
        self.wake_all();
    }

    /// Wakes whatever is registered, so that it is polled where somebody runs it, and registered there.
    fn wake_all(&self) {
        let mut all = Vec::new();
        let mut state = self.lock();
        while let Some(deadline) = state.queue.next_deadline() {
            all.extend(state.queue.pop_due(deadline));
        }
        drop(state);
        all.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}

/// While this exists the timer is its thread's.
struct Running<'a> {
    timer: &'a Timer,
    before: Option<Timer>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
        // Whoever awaits them now is not served by a runtime that does not run.
        self.timer.wake_all();
    }
}
