//! What a transport learns about one attempt, also where its code is called back by hyper-util, which knows nothing of attempts.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use relaybench_clock::{Instant, now};

use super::lanes::GateTurn;
use crate::client::attempt::Connection;
use crate::client::pool::Meter;

/// The life of one attempt inside its transport. Clones are the same scope.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope(Arc<Moments>);

#[derive(Debug, Default)]
struct Moments {
    pool: Option<Arc<Meter>>,
    stale: OnceLock<Connection>,
    place: Mutex<Place>,
}

/// How the attempt came by its place in the pool, and what it did with it.
#[derive(Debug, Default)]
struct Place {
    waits_since: Option<Instant>,
    queued: Duration,
    /// The wait was told to the pool.
    is_counted: bool,
    /// Held until the request is handed to a connection: others then share it.
    turn: Option<GateTurn>,
    way: Way,
}

/// The request's way to the server; it begins again after a stale connection.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    dialing: Option<Instant>,
    connect: Option<Duration>,
    sent: Option<Instant>,
}

tokio::task_local! {
    static CURRENT: Scope;
}

impl Scope {
    /// An attempt of a client whose pool counts its wait.
    pub(crate) fn new(pool: Arc<Meter>) -> Self {
        Self(Arc::new(Moments { pool: Some(pool), ..Moments::default() }))
    }

    /// Runs a future as part of the attempt: while it is polled, [`is_orphaned`](Self::is_orphaned) is false.
    pub(crate) fn wrap<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.clone(), future)
    }

    /// The attempt that polls the caller.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Whether the attempt no longer polls what it began: hyper-util moves a connect that lost against a returned connection
    /// into a task of its own.
    pub(crate) fn is_orphaned(&self) -> bool {
        !CURRENT.try_with(|current| Arc::ptr_eq(&current.0, &self.0)).unwrap_or(false)
    }

    /// Runs a future until the attempt no longer polls it; then `None`.
    pub(crate) async fn unless_orphaned<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| if self.is_orphaned() { Poll::Ready(None) } else { future.as_mut().poll(cx).map(Some) }).await
    }

    /// There is no place in the pool. The wait ends with the one that is had, or with the connection that is handed over.
    pub(crate) fn waits_since(&self, since: Instant) {
        self.place().waits_since = Some(since);
    }

    /// A place in the pool was had.
    pub(crate) fn has_place(&self, at: Instant) {
        self.place().has(at);
    }

    /// A connection is opened that those behind are to share.
    pub(crate) fn hold(&self, turn: Option<GateTurn>) {
        self.place().turn = turn;
    }

    /// The request is being handed to a connection.
    pub(crate) fn record_sent(&self) {
        let mut place = self.place();
        if place.way.sent.is_some() {
            return;
        }
        let sent = now();
        place.way.sent = Some(sent);
        place.has(sent);
        place.turn = None;
        if let Some(pool) = &self.0.pool
            && !std::mem::replace(&mut place.is_counted, true)
        {
            pool.waited(place.queued);
        }
    }

    /// A place in the pool was had, and a connection is being opened.
    pub(crate) fn record_dialing(&self) {
        self.place().way.dialing.get_or_insert_with(now);
    }

    /// A connection was opened in this time.
    pub(crate) fn record_connect(&self, connect: Duration) {
        if !self.is_orphaned() {
            self.place().way.connect.get_or_insert(connect);
        }
    }

    /// The server had closed this connection; nothing was sent on it, and another one is looked for.
    pub(crate) fn record_stale(&self, connection: Connection) {
        let _ = self.0.stale.set(connection);
        self.place().way = Way::default();
    }

    pub(crate) fn sent(&self) -> Option<Instant> {
        self.place().way.sent
    }

    pub(crate) fn dialing(&self) -> Option<Instant> {
        self.place().way.dialing
    }

    /// How long it waited, until `at` if it still does.
    pub(crate) fn queued(&self, at: Instant) -> Duration {
        let place = self.place();
        place.queued + place.waits_since.map_or(Duration::ZERO, |since| at.saturating_duration_since(since))
    }

    pub(crate) fn connect(&self) -> Option<Duration> {
        self.place().way.connect
    }

    pub(crate) fn stale(&self) -> Option<Connection> {
        self.0.stale.get().copied()
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        // Nothing panics while it is held, and figures are all that could be half written.
        self.0.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn has(&mut self, at: Instant) {
        if let Some(since) = self.waits_since.take() {
            self.queued += at.saturating_duration_since(since);
        }
    }
}
