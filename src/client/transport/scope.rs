//! What a transport learns about one attempt, also where its code is called back by hyper-util, which knows nothing of attempts.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use hyper_util::client::legacy::connect::CaptureConnection;
use relaybench_clock::{Instant, now, sleep_until, timeout_at};
use tokio::task;

use super::lanes::GateTurn;
use crate::client::attempt::Connection;
use crate::client::connector::Identity;
use crate::client::pool::{Meter, Waiting};

/// How long a connect may go on that nobody waits for, where the policy has no connect timeout. As `Timeouts::connect` says.
const LONGEST_ORPHAN: Duration = Duration::from_secs(60);

/// The life of one attempt inside its transport. Clones are the same scope.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope(Arc<Moments>);

#[derive(Debug, Default)]
struct Moments {
    pool: Option<Arc<Meter>>,
    /// The attempt's connect timeout.
    longest_connect: Option<Duration>,
    stale: OnceLock<Connection>,
    place: Mutex<Place>,
}

/// How the attempt came by its place in the pool, and what it did with it.
#[derive(Debug, Default)]
struct Place {
    waits_since: Option<Instant>,
    waiting: Option<Waiting>,
    queued: Duration,
    /// Until when it waits for a connection that another opens.
    is_patient_until: Option<Instant>,
    /// Before the request was handed to a connection.
    has_ended: bool,
    /// The wait was told to the pool.
    is_counted: bool,
    /// Held until the request is handed to a connection: others then share it.
    turn: Option<GateTurn>,
    way: Way,
}

/// The request's way to the server; it begins again after a stale connection.
#[derive(Debug, Default)]
struct Way {
    /// It opens a connection of its own, or waits for its turn to.
    connects: bool,
    dialing: Option<Instant>,
    connect: Option<Duration>,
    /// What it dialled.
    opened: Option<Identity>,
    /// Which connection was chosen for it, where hyper-util tells.
    chosen: Option<CaptureConnection>,
    sent: Option<Instant>,
    /// The task of the connection that took it.
    carrier: Option<task::Id>,
}

/// While an attempt has no answer. Dropped before that, it ends the attempt: a request that was not handed to a connection never is.
pub(crate) struct Search(Option<Scope>);

tokio::task_local! {
    static CURRENT: Scope;
}

impl Scope {
    /// An attempt of a client whose pool counts its wait, and whose connect may take so long.
    pub(crate) fn new(pool: Arc<Meter>, longest_connect: Option<Duration>) -> Self {
        Self(Arc::new(Moments { pool: Some(pool), longest_connect, ..Moments::default() }))
    }

    /// The attempt begins.
    pub(crate) fn search(&self) -> Search {
        Search(Some(self.clone()))
    }

    /// Runs a future as part of the attempt: while it is polled, [`is_orphaned`](Self::is_orphaned) is false.
    pub(crate) fn wrap<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.clone(), future)
    }

    fn current() -> Option<Self> {
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

    /// Runs a connect until it ends. One that the attempt no longer polls ends at its limit, which no clock of an attempt watches.
    pub(crate) async fn while_wanted<F: Future>(&self, began: Instant, connect: F) -> Option<F::Output> {
        let mut connect = pin!(connect);
        let mut late = sleep_until(began + self.0.longest_connect.unwrap_or(LONGEST_ORPHAN));
        poll_fn(|cx| match connect.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.is_orphaned() => Pin::new(&mut late).poll(cx).map(|()| None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Waits for what comes of a connect of another attempt, altogether for as long as an own one may take; then `None`.
    pub(crate) async fn behind_another<F: Future>(&self, others: F) -> Option<F::Output> {
        let since = now();
        self.waits_since(since);
        let patience = self.0.longest_connect.map(|longest| *self.place().is_patient_until.get_or_insert(since + longest));
        let outcome = match patience {
            Some(until) => timeout_at(until, others).await.ok(),
            None => Some(others.await),
        };
        self.has_place(now());
        outcome
    }

    /// Runs an exchange over a connection that is shared. While the request is neither handed to it nor opens one of its own,
    /// it waits: for a connection that another opens, or for a free stream.
    pub(crate) async fn share<F: Future>(&self, exchange: F) -> F::Output {
        // A connection takes what it has room for when its own task has run. Twice, since tokio wakes those that yielded in
        // reverse.
        const YIELDS: u32 = 2;
        let (began, mut polls) = (now(), 0);
        let mut exchange = pin!(exchange);
        poll_fn(|cx| {
            let polled = exchange.as_mut().poll(cx);
            if polled.is_pending() && polls <= YIELDS && self.place().is_looking() {
                match polls {
                    YIELDS => self.waits_since(began),
                    _ => cx.waker().wake_by_ref(),
                }
                polls += 1;
            }
            polled
        })
        .await
    }

    /// There is no place in the pool. The wait ends with the one that is had, or with the connection that is handed over.
    pub(crate) fn waits_since(&self, since: Instant) {
        let mut place = self.place();
        place.waits_since.get_or_insert(since);
        if place.waiting.is_none() {
            place.waiting = self.0.pool.as_ref().map(Meter::wait);
        }
    }

    /// A place in the pool was had.
    pub(crate) fn has_place(&self, at: Instant) {
        self.place().has(at);
    }

    /// The attempt that polls the caller opens a connection.
    pub(crate) fn connecting() -> Self {
        let scope = Self::current().unwrap_or_default();
        scope.place().way.connects = true;
        scope
    }

    /// A connection is opened that those behind are to share.
    pub(crate) fn hold(&self, turn: Option<GateTurn>) {
        self.place().turn = turn;
    }

    /// The request is being handed to a connection, whose task polls the caller. False if the attempt has ended before.
    pub(crate) fn record_sent(&self) -> bool {
        let mut place = self.place();
        if place.way.sent.is_some() || place.has_ended {
            return !place.has_ended;
        }
        let sent = now();
        place.way.sent = Some(sent);
        place.way.carrier = task::try_id();
        place.has(sent);
        place.turn = None;
        if let Some(pool) = &self.0.pool
            && !std::mem::replace(&mut place.is_counted, true)
        {
            pool.waited(place.queued);
        }
        true
    }

    /// A place in the pool was had, and a connection is being opened.
    pub(crate) fn record_dialing(&self) {
        let (mut place, now) = (self.place(), now());
        place.way.dialing.get_or_insert(now);
        place.has(now);
    }

    /// A connection was opened in this time.
    pub(crate) fn record_connect(&self, connect: Duration, opened: &Identity) {
        if !self.is_orphaned() {
            let mut place = self.place();
            place.way.connect.get_or_insert(connect);
            place.way.opened = Some(opened.clone());
        }
    }

    /// hyper-util tells here which connection it chose.
    pub(crate) fn is_told_by(&self, handle: CaptureConnection) {
        self.place().way.chosen = Some(handle);
    }

    /// The connection that hyper-util chose, as one more use of it.
    pub(crate) fn chosen(&self) -> Option<Connection> {
        let chosen = self.place().way.chosen.take()?;
        let mut extensions = hyper::http::Extensions::new();
        chosen.connection_metadata().as_ref()?.get_extras(&mut extensions);
        extensions.get::<Identity>().map(Identity::take)
    }

    /// The task of the connection that took the request, and the connection that the attempt opened.
    pub(crate) fn carrier(&self) -> (Option<task::Id>, Option<Identity>) {
        let place = self.place();
        (place.way.carrier, place.way.opened.clone())
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
        if let Some(waiting) = self.waiting.take() {
            waiting.over();
        }
    }

    /// It is neither on its way nor about to open one.
    fn is_looking(&self) -> bool {
        !self.way.connects && self.way.sent.is_none()
    }
}

impl Search {
    /// There is an answer.
    pub(crate) fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        let Some(scope) = &self.0 else { return };
        let mut place = scope.place();
        place.has_ended = place.way.sent.is_none();
        // One that waited gave up.
        place.waiting = None;
    }
}
