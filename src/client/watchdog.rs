//! The clocks of one attempt, kept in one sleep: a sleep costs a lock, and most attempts end long before it is due.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use relaybench_clock::{Instant, Sleep, now, sleep_until};

use super::error::{ErrorKind, Failure};
use super::transport::Scope;

/// Ends an attempt whose deadline passed, or whose server is silent.
pub(crate) struct Watchdog {
    sleep: Sleep,
    total: Deadline,
    read: Option<Duration>,
    /// When the server last said something.
    heard: Option<Instant>,
    scope: Scope,
}

/// When a logical request must have ended, and the figure that says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) total: Duration,
}

impl Deadline {
    pub(crate) fn new(start: Instant, total: Duration) -> Self {
        Self { at: start + total, total }
    }
}

impl Watchdog {
    /// The sleep ends at the nearest instant that could matter; whether it does is looked at then.
    pub(crate) fn new(start: Instant, total: Deadline, read: Option<Duration>, scope: Scope) -> Self {
        let nearest = read.map_or(total.at, |read| total.at.min(start + read));
        Self { sleep: sleep_until(nearest), total, read, heard: None, scope }
    }

    /// The server said something.
    pub(crate) fn heard(&mut self, at: Instant) {
        self.heard = Some(at);
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
        if now < self.total.at {
            return Ok(());
        }
        Err(timed_out(ErrorKind::TotalTimeout, "no complete response within the total timeout of", self.total.total))
    }

    /// Ready with the failure when one of the clocks has run out.
    pub(crate) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        while Pin::new(&mut self.sleep).poll(cx).is_ready() {
            let now = now();
            if let Err(expired) = self.check_total(now) {
                return Poll::Ready(expired);
            }
            let Some(read) = self.read else {
                self.sleep.reset(self.total.at);
                continue;
            };
            // Before it was sent there is nothing to hear: then this is looked at again after a whole gap, which is no later
            // than the gap that a request sent meanwhile is allowed.
            let since = self.heard.or_else(|| self.scope.sent()).unwrap_or(now);
            if now >= since + read {
                return Poll::Ready(timed_out(ErrorKind::ReadTimeout, "the server was silent for the read timeout of", read));
            }
            self.sleep.reset(self.total.at.min(since + read));
        }
        Poll::Pending
    }
}

fn timed_out(kind: ErrorKind, what: &str, figure: Duration) -> Failure {
    Failure::new(kind, format!("{what} {figure:?}"))
}
