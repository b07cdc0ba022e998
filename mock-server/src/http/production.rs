//! When the tokens of an attempt come: known from the grant on, or step by step.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use relaybench_clock::Sleep;

use super::attempt::Attempt;
use crate::relay::{Grant, Pace, Timing};

/// The tokens of one attempt, which are waited for in order. All instants are since the profile's start.
#[derive(Debug)]
pub(crate) enum Production {
    /// It is not its turn yet.
    Waiting(Timing),
    /// Every token is due at an instant that is known.
    Paced { pace: Pace, from: Duration, sleep: Sleep },
    /// The batch decides step by step.
    Stepped,
}

impl Production {
    pub(super) fn new(timing: Timing, grant: Option<Grant>, attempt: &mut Attempt) -> Self {
        match grant {
            None => Self::Waiting(timing),
            Some(grant) => Self::granted(timing, grant, attempt),
        }
    }

    fn granted(timing: Timing, Grant { from }: Grant, attempt: &mut Attempt) -> Self {
        match timing {
            Timing::Stepped => Self::Stepped,
            Timing::Paced(pace) => {
                let end = from + pace.total();
                let first = if attempt.is_stream() { from + pace.first() } else { end };
                attempt.due_first(first);
                attempt.due_end(end);
                Self::Paced { pace, from, sleep: relaybench_clock::sleep_until(attempt.term().instant(first)) }
            }
        }
    }

    /// Ready when the token with this number, from 1, is due, and when that was. They are asked for in order.
    pub(super) fn poll_token(&mut self, number: u32, attempt: &mut Attempt, cx: &mut Context<'_>) -> Poll<Duration> {
        if let Self::Waiting(timing) = self {
            let grant = ready!(attempt.poll_grant(cx));
            attempt.granted(grant.from);
            *self = Self::granted(timing.clone(), grant, attempt);
        }
        match self {
            Self::Waiting(_) => Poll::Pending,
            Self::Paced { pace, from, sleep } => {
                let due = *from + pace.token(number);
                if due <= attempt.arrived() {
                    // No clock has to tell that.
                    return Poll::Ready(due);
                }
                let instant = attempt.term().instant(due);
                if sleep.deadline() != instant {
                    sleep.reset(instant);
                }
                Pin::new(sleep).poll(cx).map(|()| due)
            }
            Self::Stepped => attempt.poll_stepped(number, cx),
        }
    }

    /// Waits for a token.
    pub(super) async fn token(&mut self, number: u32, attempt: &mut Attempt) -> Duration {
        std::future::poll_fn(|cx| self.poll_token(number, attempt, cx)).await
    }
}
