//! A runtime whose sleeps are precise.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, EnterGuard};

use crate::real::Timer;

/// After so many tasks the runtime looks for what sockets and timers have to tell. tokio's default is 61; a deadline that comes
/// meanwhile would wait for all of them.
const TASKS_PER_LOOK: u32 = 8;

/// So many sockets are served at a time; the others wait in the kernel, and not in the queue before what is due. tokio's default is
/// 1024. These small batches cost a server that is never idle some
/// 5 % of processor time a request at 50 connections, and nothing that could be measured at 500.
const EVENTS_PER_LOOK: usize = 2;

/// A single-threaded tokio runtime with all of tokio's drivers and, on Linux, a timer of its own.
///
/// Sleeps end a few microseconds after their deadline and wake no other thread. Sleeps that are polled elsewhere, in a
/// runtime that tokio built, are woken by a thread of the process, some tens of microseconds after their deadline. A sleep may be
/// moved from one to the other at any time.
#[derive(Debug)]
pub struct Runtime {
    runtime: tokio::runtime::Runtime,
    timer: Option<Timer>,
}

impl Runtime {
    /// Builds a runtime; it runs while a thread is in [`block_on`](Self::block_on).
    ///
    /// # Errors
    ///
    /// When the system has no file descriptors to give.
    pub fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .event_interval(TASKS_PER_LOOK)
            .max_io_events_per_tick(EVENTS_PER_LOOK)
            .build()?;
        let timer = Timer::start(&runtime)?;
        Ok(Self { runtime, timer })
    }

    /// Runs a future, and the tasks that were spawned, until the future ends.
    ///
    /// # Panics
    ///
    /// When called from inside a runtime, and when the future does.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match &self.timer {
            Some(timer) => timer.run(|| self.runtime.block_on(future)),
            None => self.runtime.block_on(future),
        }
    }

    /// Makes this the runtime in which this thread's sockets are made, until the guard is dropped.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }
}
