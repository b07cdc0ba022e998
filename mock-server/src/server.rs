//! A mock relay that can be handed connections.

mod drain;
mod limits;
mod peer;
mod settings;
mod term;

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use relaybench_clock::Instant;
use tokio::io::{AsyncRead, AsyncWrite};

use self::drain::Drain;
pub(crate) use self::drain::Served;
pub use self::limits::ServerLimits;
pub(crate) use self::peer::Peer;
pub use self::settings::{AdminToken, Settings};
pub(crate) use self::term::Term;
use crate::draw::Occurrences;
use crate::http::{self, Protocol};
use crate::ledger::Ledger;
use crate::profile::Profile;

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
        });
        let term = RwLock::new(Term::start(profile, Arc::clone(&common)));
        Self(Arc::new(Shared { common, term }))
    }

    /// Starts another profile now, for whoever arrives from now on. Those in flight end under the profile they began with, and do
    /// not count as load of the new one.
    pub fn swap_profile(&self, profile: Profile) {
        let term = Term::start(profile, Arc::clone(&self.0.common));
        *self.0.term.write().unwrap_or_else(PoisonError::into_inner) = term;
    }

    /// Starts the profile in force anew, as if nobody had come yet: it forgets the entries in memory and which requests came before.
    /// What is in flight ends as it would have.
    pub fn reset(&self) {
        self.0.common.forget();
        self.swap_profile(Profile::clone(&self.profile()));
    }

    /// Serves one connection until either side closes it: HTTP/2 where the caller begins with its preface, else HTTP/1.1. The
    /// connection counts as opened from this call on, and its caller as one on this machine.
    pub fn serve_connection<IO>(&self, io: IO) -> impl Future<Output = ()> + Send + use<IO> + 'static
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.serve(io, Peer::Here, Protocol::Sniffed)
    }

    pub(crate) fn serve<IO>(&self, io: IO, peer: Peer, protocol: Protocol) -> impl Future<Output = ()> + Send + use<IO> + 'static
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        http::connection::serve(Arc::clone(&self.0), io, peer, protocol)
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

    /// The record of what was planned and what happened.
    pub fn ledger(&self) -> &Ledger {
        &self.0.common.ledger
    }

    /// The profile in force.
    pub fn profile(&self) -> Arc<Profile> {
        Arc::clone(&self.0.term().profile)
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

impl Shared {
    pub(crate) fn handle(self: &Arc<Self>) -> MockServer {
        MockServer(Arc::clone(self))
    }

    /// What those who arrive now come under.
    pub(crate) fn term(&self) -> Arc<Term> {
        // An Arc is replaced whole.
        Arc::clone(&self.term.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// After how long an idle connection is closed without a word; none where no fault says so.
    pub(crate) fn close_idle(&self) -> Option<Duration> {
        None
    }
}

impl Common {
    /// How often a request of this hash came before.
    pub(crate) fn occurrence(&self, request: u64) -> u64 {
        self.occurrences.lock().unwrap_or_else(PoisonError::into_inner).next(request)
    }

    fn forget(&self) {
        *self.occurrences.lock().unwrap_or_else(PoisonError::into_inner) = Occurrences::default();
        self.ledger.drain();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }
}
