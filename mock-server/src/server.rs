//! A mock relay that can be handed connections.

mod drain;
mod limits;
mod orders;
mod peer;
mod settings;
mod term;

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use relaybench_clock::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use self::drain::Drain;
pub(crate) use self::drain::Served;
pub use self::limits::ServerLimits;
use self::orders::Orders;
pub(crate) use self::peer::Peer;
pub use self::settings::{AdminToken, Settings};
pub(crate) use self::term::Term;
use crate::assertions::Assertions;
use crate::draw::Occurrences;
use crate::http::{self, Protocol};
use crate::ledger::{Ending, Entry, FaultOutcome, Ledger, OpenConnection, PlannedFault};
use crate::memory;
use crate::profile::{FaultKind, FaultName, Outcome, Profile};
use crate::relay::{self, Welcome};

/// A running mock relay without a listener: it serves whatever connections it is handed, over sockets or in memory. Clones are
/// the same relay.
#[derive(Clone, Debug)]
pub struct MockServer(Arc<Shared>);

/// What all connections of a relay share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) common: Arc<Common>,
    term: RwLock<Arc<Term>>,
}

/// What stays the same when the profile changes.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) ledger: Ledger,
    pub(crate) limits: ServerLimits,
    pub(crate) admin_token: Option<AdminToken>,
    pub(crate) drain: Arc<Drain>,
    start: Instant,
    occurrences: Mutex<Occurrences>,
    stopping: AtomicBool,
    orders: Orders,
    /// How many connections were opened before the last reset.
    forgotten_connections: AtomicU64,
    swapped: Notify,
}

/// A connection that was taken in, and counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) server: Arc<Shared>,
    pub(crate) open: OpenConnection,
    pub(crate) served: Served,
    pub(crate) peer: Peer,
    /// How long it waits until it is served.
    pub(crate) served_after: Duration,
    /// How long it may be idle before it is closed without a word; none: for ever.
    pub(crate) closes_idle_after: Option<Duration>,
}

impl MockServer {
    /// Starts the profile now, on the clock of this thread, with a ledger in memory and [patience](ServerLimits::patient).
    pub fn new(profile: Profile) -> Self {
        Self::with_ledger(profile, Ledger::in_memory())
    }

    /// Starts the profile now, with a ledger of one's own.
    pub fn with_ledger(profile: Profile, ledger: Ledger) -> Self {
        Self::with_settings(profile, Settings { ledger, limits: ServerLimits::patient(), ..Settings::default() })
    }

    /// Starts the profile now, with settings of one's own.
    pub fn with_settings(profile: Profile, settings: Settings) -> Self {
        let common = Arc::new(Common {
            ledger: settings.ledger,
            limits: settings.limits,
            admin_token: settings.admin_token,
            drain: Arc::default(),
            start: relaybench_clock::now(),
            occurrences: Mutex::default(),
            stopping: AtomicBool::new(false),
            orders: Orders::default(),
            forgotten_connections: AtomicU64::new(0),
            swapped: Notify::new(),
        });
        let term = RwLock::new(Term::start(profile, Arc::clone(&common)));
        Self(Arc::new(Shared { common, term }))
    }

    /// Starts another profile now, for whoever arrives from now on. Those in flight end under the profile they began with, and do
    /// not count as load of the new one.
    pub fn swap_profile(&self, profile: Profile) {
        let term = Term::start(profile, Arc::clone(&self.0.common));
        *self.0.term.write().unwrap_or_else(PoisonError::into_inner) = term;
        self.0.common.swapped.notify_waiters();
    }

    /// Starts the profile in force anew, as if nobody had come yet: it forgets the entries in memory and which requests came before.
    /// What is in flight ends as it would have.
    pub fn reset(&self) {
        self.0.common.forget();
        self.swap_profile(Profile::clone(&self.profile()));
    }

    /// Serves one connection until either side closes it: HTTP/2 where the caller begins with its preface, else HTTP/1.1. The
    /// connection counts as opened from this call on, and its caller as one on this machine. One that the profile refuses is dropped.
    pub fn serve_connection<IO>(&self, io: IO) -> impl Future<Output = ()> + Send + use<IO> + 'static
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let admitted = self.admit(Peer::Here);
        async move {
            if let Some(admitted) = admitted {
                admitted.serve(io, Protocol::Sniffed).await;
            }
        }
    }

    /// Opens a connection in memory, as one over a socket: it is served by a task of the runtime that this is called in, and can be
    /// reset. Each direction holds up to 64 KiB, as TCP does by default on the systems we know.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::ConnectionRefused`], when the profile refuses it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn connect(&self) -> io::Result<memory::Stream> {
        const BUFFER_BYTES: usize = 64 * 1024;
        let admitted = self.admit(Peer::Here).ok_or(io::ErrorKind::ConnectionRefused)?;
        let (near, far) = memory::pair(BUFFER_BYTES);
        tokio::spawn(admitted.serve(far, Protocol::Sniffed));
        Ok(near)
    }

    pub(crate) fn admit(&self, peer: Peer) -> Option<Admitted> {
        self.0.admit(peer)
    }

    /// Whether all connections are refused now, and when that may change by itself; from then on, or after the next
    /// [swap](Self::swapped), it must be asked again.
    pub(crate) fn refuses_all(&self) -> (bool, Option<Instant>) {
        let term = self.0.term();
        let (refuses, next) = relay::refuses_all(&term.profile, term.elapsed());
        (refuses, next.map(|next| term.instant(next)))
    }

    /// Ready when another profile begins after this call.
    pub(crate) fn swapped(&self) -> Notified<'_> {
        self.0.common.swapped.notified()
    }

    /// Tells all connections, and those to come, to end as soon as what was asked on them is answered, and waits until all have: over
    /// HTTP/1.1 idle ones are closed, over HTTP/2 they are told to `GOAWAY`.
    pub async fn drain(&self) {
        self.0.common.drain.tell();
        self.0.common.drain.emptied().await;
    }

    /// How many connections are served.
    pub fn connections(&self) -> usize {
        self.0.common.drain.served()
    }

    pub(crate) fn limits(&self) -> &ServerLimits {
        &self.0.common.limits
    }

    /// The next so many attempts get this fault, in the order in which their requests are read, behind what was queued before. It
    /// comes before all that the profile says of faults and bursts, and outlasts a swap of the profile. Attempts that are refused for
    /// their key, model, body or limits take nothing from the queue, nor do those that ask for a fault themselves.
    pub fn queue_faults(&self, count: u64, fault: FaultKind) {
        self.0.common.orders.add(count, fault.into());
    }

    /// The next attempts get these outcomes, one each, as with [`queue_faults`](Self::queue_faults).
    pub fn script(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        outcomes.into_iter().for_each(|outcome| self.0.common.orders.add(1, outcome));
    }

    pub(crate) fn order(&self, count: u64, outcome: Outcome) {
        self.0.common.orders.add(count, outcome);
    }

    /// What is queued, each with how many attempts get it.
    pub(crate) fn orders(&self) -> impl Iterator<Item = (u64, Outcome)> {
        self.0.common.orders.shown().into_iter()
    }

    /// How many queued outcomes no attempt has got yet.
    pub fn queued(&self) -> u64 {
        self.0.common.orders.left()
    }

    /// Forgets what is queued.
    pub fn clear_queue(&self) {
        self.0.common.orders.clear();
    }

    /// The record of what was planned and what happened.
    pub fn ledger(&self) -> &Ledger {
        &self.0.common.ledger
    }

    /// The profile in force.
    pub fn profile(&self) -> Arc<Profile> {
        Arc::clone(&self.0.term().profile)
    }

    /// What the attempts that ended so far were, to be held against what a test expects.
    pub fn assert(&self) -> Assertions {
        Assertions::new(self)
    }

    /// How many attempts are in flight under the profile in force.
    pub fn in_flight(&self) -> u32 {
        self.0.term().in_flight()
    }

    /// How many of them wait for a place.
    pub fn waiting(&self) -> u32 {
        self.0.term().waiting()
    }

    pub(crate) fn admin_token(&self) -> Option<&AdminToken> {
        self.0.common.admin_token.as_ref()
    }

    /// Attempts that end from now on without an answer ended because of this, not of their callers.
    pub(crate) fn stopping(&self) {
        self.0.common.stopping.store(true, Relaxed);
    }
}

impl Admitted {
    /// Serves it until either side closes it.
    pub(crate) fn serve<IO>(self, io: IO, protocol: Protocol) -> impl Future<Output = ()> + Send + use<IO> + 'static
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        http::connection::serve(self, io, protocol)
    }
}

impl Shared {
    pub(crate) fn handle(self: &Arc<Self>) -> MockServer {
        MockServer(Arc::clone(self))
    }

    /// What those who arrive now come under.
    pub(crate) fn term(&self) -> Arc<Term> {
        // An Arc is replaced whole.
        Arc::clone(&self.term.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in a connection, unless it is refused; then the ledger says so. It counts as opened from this call on.
    pub(crate) fn admit(self: &Arc<Self>, peer: Peer) -> Option<Admitted> {
        let open = self.common.ledger.connection_opened();
        let term = self.term();
        let now = term.elapsed();
        let Welcome { is_refused, served_after, closes_idle_after } =
            relay::welcome(&term.profile, self.common.since_reset(&open), now, &term.tally);
        if is_refused {
            let refused = PlannedFault { name: FaultName::Refuse, outcome: FaultOutcome::Played };
            self.common.record_connection(&open, term.instant(now), refused, Ending::Broken);
            return None;
        }
        let served = self.common.drain.connection();
        Some(Admitted { server: Arc::clone(self), open, served, peer, served_after, closes_idle_after })
    }
}

impl Common {
    /// How often a request of this hash came before.
    pub(crate) fn occurrence(&self, request: u64) -> u64 {
        self.occurrences.lock().unwrap_or_else(PoisonError::into_inner).next(request)
    }

    /// An entry of a connection over which nothing was asked.
    pub(crate) fn record_connection(&self, open: &OpenConnection, arrived: Instant, fault: PlannedFault, ending: Ending) {
        self.ledger.record(Entry {
            sequence: self.ledger.next_sequence(),
            connection: open.number(),
            arrived_ns: u64::try_from((arrived - self.start).as_nanos()).unwrap_or(u64::MAX),
            ending,
            fault: Some(fault),
            ..Entry::default()
        });
    }

    /// The number of a connection among those since the last reset, which its draws belong to.
    fn since_reset(&self, open: &OpenConnection) -> u64 {
        u64::from(open.number()).saturating_sub(self.forgotten_connections.load(Relaxed))
    }

    fn forget(&self) {
        *self.occurrences.lock().unwrap_or_else(PoisonError::into_inner) = Occurrences::default();
        self.ledger.drain();
        self.orders.clear();
        self.forgotten_connections.store(self.ledger.connections_opened(), Relaxed);
    }

    /// What the next attempt gets, if that was ordered.
    pub(crate) fn next_order(&self) -> Option<Outcome> {
        self.orders.next()
    }

    /// Whether the next attempt gets something that was ordered.
    pub(crate) fn has_orders(&self) -> bool {
        self.orders.left() > 0
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }
}
