//! A mock relay that can be handed connections.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use relaybench_clock::Instant;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::draw::Occurrences;
use crate::http;
use crate::ledger::Ledger;
use crate::profile::Profile;
use crate::relay::Relay;

/// A running mock relay without a listener: it serves whatever connections it is handed, over sockets or in memory. Clones are
/// the same relay.
#[derive(Clone, Debug)]
pub struct MockServer(Arc<Shared>);

/// What all connections of a relay share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) profile: Profile,
    pub(crate) ledger: Ledger,
    start: Instant,
    relay: Mutex<Relay>,
    occurrences: Mutex<Occurrences>,
    stopping: AtomicBool,
}

impl MockServer {
    /// Starts the profile now, on the clock of this thread, with a ledger in memory.
    pub fn new(profile: Profile) -> Self {
        Self::with_ledger(profile, Ledger::in_memory())
    }

    /// Starts the profile now, with a ledger of one's own.
    pub fn with_ledger(profile: Profile, ledger: Ledger) -> Self {
        Self(Arc::new(Shared {
            relay: Mutex::default(),
            profile,
            ledger,
            start: relaybench_clock::now(),
            occurrences: Mutex::default(),
            stopping: AtomicBool::new(false),
        }))
    }

    /// Serves HTTP/1.1 on one connection until either side closes it. The connection counts as opened from this call on.
    pub fn serve_connection<IO>(&self, io: IO) -> impl Future<Output = ()> + Send + use<IO> + 'static
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        http::serve_connection(Arc::clone(&self.0), io)
    }

    /// The record of what was planned and what happened.
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// The profile as it was started.
    pub fn profile(&self) -> &Profile {
        &self.0.profile
    }

    /// How many attempts are in flight.
    pub fn in_flight(&self) -> u32 {
        self.0.relay().in_flight()
    }

    /// Attempts that end from now on without an answer ended because of this, not of their callers.
    pub(crate) fn stopping(&self) {
        self.0.stopping.store(true, Relaxed);
    }
}

impl Shared {
    /// The time since the profile's start.
    pub(crate) fn elapsed(&self) -> Duration {
        relaybench_clock::now() - self.start
    }

    /// The instant at a time since the profile's start.
    pub(crate) fn instant(&self, elapsed: Duration) -> Instant {
        self.start + elapsed
    }

    pub(crate) fn relay(&self) -> MutexGuard<'_, Relay> {
        // The relay changes one number at a time, so that a panic elsewhere leaves it whole.
        self.relay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a request of this hash came before.
    pub(crate) fn occurrence(&self, request: u64) -> u64 {
        self.occurrences.lock().unwrap_or_else(PoisonError::into_inner).next(request)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }
}
