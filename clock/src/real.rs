//! Real time: whose timer wakes a sleep.
//!
//! Inside [`Runtime::block_on`](crate::Runtime::block_on) it is the runtime's own, a timerfd that the runtime waits for together with its
//! sockets. Everywhere else, and where there is no timerfd, it is a thread of the process.

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
