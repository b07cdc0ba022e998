//! What a pool counts while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::waits::{Waits, WaitsCounter};

/// The counters of one client's pool.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    live: AtomicUsize,
    peak: AtomicUsize,
    opened: AtomicU64,
    waiting: AtomicUsize,
    gave_up: AtomicU64,
    waits: WaitsCounter,
}

/// What a client's pool did until now. From [`Client::pool`](crate::Client::pool).
///
/// Over `hyper` these are connections. Over `network`, whose connections are sealed, `live`, `peak` and all about waiting are of
/// attempts in flight, which is what its cap bounds; `opened` is of connections over both.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PoolStats {
    /// How many live now, those that are being opened among them.
    pub live: usize,
    /// The most that ever lived at once.
    pub peak: usize,
    /// How many connections were opened, TLS and all.
    pub opened: u64,
    /// How many attempts wait for a place now, in the order in which they came.
    pub waiting: usize,
    /// How many went away while they waited, by a timeout or because their caller did.
    pub gave_up: u64,
    /// How long the attempts that were sent had waited, those that waited for nothing among them.
    pub waits: Waits,
}

impl Meter {
    /// One more lives.
    pub(crate) fn born(&self) {
        let live = self.live.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(live, Ordering::Relaxed);
    }

    pub(crate) fn died(&self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }

    /// A connection is open. Its number, from 1.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// An attempt was sent after so long a wait.
    pub(crate) fn waited(&self, wait: Duration) {
        self.waits.record(wait);
    }

    /// An attempt begins to wait.
    pub(crate) fn wait(self: &Arc<Self>) -> Waiting {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting { meter: Arc::clone(self), is_over: false }
    }

    pub(crate) fn stats(&self) -> PoolStats {
        PoolStats {
            live: self.live.load(Ordering::Relaxed),
            peak: self.peak.load(Ordering::Relaxed),
            opened: self.opened.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
            gave_up: self.gave_up.load(Ordering::Relaxed),
            waits: self.waits.snapshot(),
        }
    }
}

/// An attempt that waits. Dropped before its wait is over, it gave up.
#[derive(Debug)]
pub(crate) struct Waiting {
    meter: Arc<Meter>,
    is_over: bool,
}

impl Waiting {
    /// It has what it waited for.
    pub(crate) fn over(mut self) {
        self.is_over = true;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.meter.waiting.fetch_sub(1, Ordering::Relaxed);
        if !self.is_over {
            self.meter.gave_up.fetch_add(1, Ordering::Relaxed);
        }
    }
}
