//! Ending in peace: connections are told, and end when they owe nothing more.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{AcqRel, Acquire, Release},
};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Who is served, and whether all are to end.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    is_draining: AtomicBool,
    told: Arc<Notify>,
    served: AtomicUsize,
    emptied: Notify,
}

impl Drain {
    /// A connection that is served until this is dropped.
    pub(crate) fn connection(self: &Arc<Self>) -> Served {
        self.served.fetch_add(1, AcqRel);
        Served(Arc::clone(self))
    }

    /// How many connections are served.
    pub(crate) fn served(&self) -> usize {
        self.served.load(Acquire)
    }

    /// Tells all connections, and those to come, to end when they owe nothing more.
    pub(crate) fn tell(&self) {
        self.is_draining.store(true, Release);
        self.told.notify_waiters();
    }

    /// Ready when nobody is served.
    pub(crate) async fn emptied(&self) {
        loop {
            // Made before looking, so that whoever leaves in between is noticed.
            let emptied = self.emptied.notified();
            if self.served() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

/// A connection that is served.
#[derive(Debug)]
pub(crate) struct Served(Arc<Drain>);

impl Served {
    /// Ready, once, when the connection is to end.
    pub(crate) fn told(&self) -> Told {
        Told { drain: Arc::clone(&self.0), waiting: Some(Box::pin(Arc::clone(&self.0.told).notified_owned())), waker: None }
    }
}

impl Told {
    /// The same, to be awaited.
    pub(crate) async fn wait(mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.0.served.fetch_sub(1, AcqRel) == 1 {
            self.0.emptied.notify_waiters();
        }
    }
}

/// Waits to be told. It is polled with the connection, at each request, and looks further than one flag only for a task that does
/// not wait yet.
#[derive(Debug)]
pub(crate) struct Told {
    drain: Arc<Drain>,
    waiting: Option<Pin<Box<OwnedNotified>>>,
    waker: Option<Waker>,
}

impl Told {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(waiting) = &mut self.waiting else { return Poll::Pending };
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            // Waits from here on, before the flag is looked at.
            let _ = waiting.as_mut().poll(cx);
            self.waker = Some(cx.waker().clone());
        }
        if !self.drain.is_draining.load(Acquire) {
            return Poll::Pending;
        }
        self.waiting = None;
        Poll::Ready(())
    }
}
