//! The clocks of one attempt, kept in one sleep: a sleep costs a lock, and most attempts end long before it is due.

mod clocks;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use relaybench_clock::{Instant, Sleep, now, sleep_until};

use self::clocks::{Clocks, Look, Sight};
use super::error::Failure;
use super::policy::{Timeout, Timeouts};
use super::transport::{Accept, Scope};

/// Ends an attempt one of whose clocks has run out.
pub(crate) struct Watchdog {
    sleep: Sleep,
    clocks: Clocks,
    scope: Scope,
}

/// When a logical request must have ended, and the figures that rule it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline<'a> {
    pub(crate) at: Instant,
    pub(crate) timeouts: &'a Timeouts,
}

impl<'a> Deadline<'a> {
    pub(crate) fn new(start: Instant, timeouts: &'a Timeouts) -> Self {
        Self { at: start + timeouts.total, timeouts }
    }
}

impl Watchdog {
    /// The sleep ends at the nearest instant that could matter; whether it does is looked at then.
    pub(crate) fn new(start: Instant, deadline: Deadline<'_>, accept: Accept, scope: Scope) -> Self {
        let clocks = Clocks::new(start, deadline, accept == Accept::EventStream);
        let nearest = match clocks.look(start, Sight::default()) {
            Look::Again(at) => at,
            // Looked at again when it is waited for: a request whose time is up before it began ends in the same way.
            Look::Expired(_) => start,
        };
        Self { sleep: sleep_until(nearest), clocks, scope }
    }

    /// The response's head came.
    pub(crate) fn head(&mut self, at: Instant) {
        self.clocks.head(at);
        self.began(Timeout::Stall, at);
    }

    /// The server said something.
    pub(crate) fn heard(&mut self, at: Instant) {
        self.clocks.heard(at);
    }

    /// What it said last was content.
    pub(crate) fn content(&mut self) {
        if let Some(at) = self.clocks.content() {
            self.began(Timeout::ContentStall, at);
        }
    }

    /// All content is there.
    pub(crate) fn finished(&mut self) {
        self.clocks.finished();
    }

    /// The caller waits again, after it had something else to do for that long.
    pub(crate) fn stood_still(&mut self, away: Duration) {
        self.clocks.stood_still(away);
    }

    /// Runs a step of the attempt. A step that is ready when its time is up wins.
    pub(crate) async fn guard<F: Future>(&mut self, step: F) -> Result<F::Output, Failure> {
        let mut step = std::pin::pin!(step);
        std::future::poll_fn(|cx| match step.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.poll_expired(cx).map(Err),
        })
        .await
    }

    /// Fails when the time for the whole request is up.
    pub(crate) fn check_total(&self, now: Instant) -> Result<(), Failure> {
        self.clocks.check_total(now)
    }

    /// Ready with the failure when one of the clocks has run out.
    pub(crate) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        while Pin::new(&mut self.sleep).poll(cx).is_ready() {
            let sight = Sight { dialing: self.scope.dialing(), sent: self.scope.sent() };
            match self.clocks.look(now(), sight) {
                Look::Expired(failure) => return Poll::Ready(failure),
                Look::Again(at) => self.sleep.reset(at),
            }
        }
        Poll::Pending
    }

    /// A clock that the sleep may not know of began to run.
    fn began(&mut self, which: Timeout, at: Instant) {
        if let Some(due) = self.clocks.due_if_begun(which, at).filter(|due| *due < self.sleep.deadline()) {
            self.sleep.reset(due);
        }
    }
}
