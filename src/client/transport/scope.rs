//! What an attempt's parts tell each other: the connector and the request's body run in places the attempt cannot see.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use relaybench_clock::{Instant, now};

/// The life of one attempt inside its transport. Clones are the same scope.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope(Arc<Moments>);

#[derive(Debug, Default)]
struct Moments {
    queued: OnceLock<Duration>,
    dialing: OnceLock<Instant>,
    connect: OnceLock<Duration>,
    sent: OnceLock<Instant>,
}

tokio::task_local! {
    static CURRENT: Scope;
}

impl Scope {
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

    /// The request is being handed to a connection.
    pub(crate) fn record_sent(&self) {
        let _ = self.0.sent.set(now());
    }

    /// A place in the pool was had after this time.
    pub(crate) fn record_queued(&self, queued: Duration) {
        let _ = self.0.queued.set(queued);
    }

    /// A place in the pool was had, and a connection is being opened.
    pub(crate) fn record_dialing(&self) {
        let _ = self.0.dialing.set(now());
    }

    /// A connection was opened in this time.
    pub(crate) fn record_connect(&self, connect: Duration) {
        let _ = self.0.connect.set(connect);
    }

    pub(crate) fn sent(&self) -> Option<Instant> {
        self.0.sent.get().copied()
    }

    pub(crate) fn dialing(&self) -> Option<Instant> {
        self.0.dialing.get().copied()
    }

    pub(crate) fn queued(&self) -> Option<Duration> {
        self.0.queued.get().copied()
    }

    pub(crate) fn connect(&self) -> Option<Duration> {
        self.0.connect.get().copied()
    }
}
