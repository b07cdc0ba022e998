//! Real time: whose timer wakes a sleep.
//!
//! Inside [`Runtime::block_on`](crate::Runtime::block_on) it is the runtime's own, a timerfd that the runtime waits for together with its
//! sockets. Everywhere else, and where there is no timerfd, it is a thread of the process.
//!
//! The candidates, alone and without sockets, as prototypes from which this one was chosen: 1,000 sleepers on one core of a two-core
//! virtual machine shared with others, some 64,000 sleeps a second of 5 to 25 ms each, each candidate in turn. These are the figures of
//! the second of two rounds, a quiet one. In the first the machine itself woke late: the medians were the same but for a few
//! microseconds, while p99 was near 4 ms for all that keep one timer, and 2 ms for tokio's. So p99 tells more of the machine than of them.
//!
//! | candidate | late p50 | p99 | p99.9 | processor time a sleep |
//! |---|---|---|---|---|
//! | tokio's `sleep_until` | 1,078 µs | 1,985 µs | 2,112 µs | 1 µs |
//! | one thread, a heap and a condvar | 62 µs | 114 µs | 709 µs | 6 µs |
//! | the same, with the thread's timer slack set to 1 ns | 25 µs | 125 µs | 213 µs | 11 µs |
//! | one timerfd and a heap inside the runtime | 29 µs | 70 µs | 107 µs | 9 µs |
//! | the same, set early by what waking takes, as learned, and awake for the last 10 µs: **what became `Runtime`** | 0.6 µs | 11 µs | 72 µs | 13 µs |
//! | tokio-timerd 0.3 (a timerfd for each sleep) | 2,693 µs | 14,860 µs | 17,154 µs | 18 µs |
//! | tokio-hrtime 0.1 (a timerfd for each sleep) | 4,244 µs | 48,529 µs | 55,083 µs | 20 µs |
//!
//! A timerfd for each sleep takes a core whole at this rate. `cargo bench --bench sleep` measures `Runtime`, the thread, tokio's and a bare
//! timerfd in a loop, which is the least that a machine can do.

mod thread;
#[cfg_attr(not(target_os = "linux"), path = "real/no_timerfd.rs")]
mod timerfd;

use std::task::Waker;

use tokio::time::Instant;

pub(crate) use self::timerfd::Timer;
use crate::queue::Key;

/// Where a sleep is registered.
#[derive(Debug)]
pub(crate) enum Registration {
    Runtime(Timer, Key),
    Thread(Key),
}

impl Registration {
    /// Registers with the runtime that runs on this thread, or else with the process's thread.
    pub(crate) fn new(deadline: Instant, waker: Waker) -> Self {
        let Some(timer) = Timer::current() else { return Self::Thread(thread::insert(deadline, waker)) };
        match timer.insert(deadline, waker) {
            Ok(key) => Self::Runtime(timer, key),
            Err(waker) => Self::Thread(thread::insert(deadline, waker)),
        }
    }

    /// Replaces the waker of a sleep that was polled again, wherever that was. False when it has fired, or when the runtime that it
    /// was registered with no longer runs.
    pub(crate) fn refresh(&self, waker: &Waker) -> bool {
        match self {
            Self::Runtime(timer, key) => timer.refresh(*key, waker),
            Self::Thread(key) => thread::refresh(*key, waker),
        }
    }

    pub(crate) fn remove(self) {
        match self {
            Self::Runtime(timer, key) => timer.remove(key),
            Self::Thread(key) => thread::remove(key),
        }
    }
}
