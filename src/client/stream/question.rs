//! Asking for a stream, and asking again when it broke.

use std::sync::Arc;

use relaybench_clock::{Instant, now};

use super::source::Source;
use crate::client::Shared;
use crate::client::attempt::Attempt;
use crate::client::budget::Asked;
use crate::client::error::Error;
use crate::client::exchange::Broken;
use crate::client::policy::Timeouts;
use crate::client::request::{RequestId, StreamBody};
use crate::client::retry::{Tried, Turn};
use crate::client::trace::{AttemptSpan, RequestSpan};
use crate::client::transport::{Accept, Endpoint};
use crate::client::watchdog::Deadline;

/// What a stream is asked with, kept for asking again.
pub(crate) struct Question {
    model: Arc<str>,
    body: StreamBody,
    timeouts: Timeouts,
    pub(super) id: RequestId,
    pub(super) span: RequestSpan,
    /// One request, however often it is asked: it counts as in flight as long as this lives.
    pub(super) asked: Asked,
    began: Instant,
}

/// A stream whose first content is there.
pub(crate) struct Opened {
    pub(super) source: Source,
    /// All of them up to the stream's own.
    pub(super) attempts: Vec<Attempt>,
    /// The span of the stream's own attempt.
    pub(super) attempt: AttemptSpan,
}

impl Question {
    /// Asked now: the total timeout counts from here, however often it is asked again.
    pub(crate) fn new(
        model: Arc<str>,
        body: StreamBody,
        timeouts: Timeouts,
        id: RequestId,
        span: RequestSpan,
        asked: Asked,
    ) -> Self {
        Self { model, body, timeouts, id, span, asked, began: now() }
    }

    pub(crate) async fn open(&self, shared: &Shared) -> Result<Opened, Error> {
        self.ask(shared, Vec::with_capacity(1), None).await
    }

    /// Asks again, if the policy allows it after `broken`, which followed on the attempts `earlier`.
    pub(super) async fn open_again(&self, shared: &Shared, earlier: Vec<Attempt>, broken: Broken) -> Result<Opened, Error> {
        self.ask(shared, earlier, Some(broken)).await
    }

    async fn ask(&self, shared: &Shared, earlier: Vec<Attempt>, mut broken: Option<Broken>) -> Result<Opened, Error> {
        let deadline = Deadline::new(self.began, &self.timeouts);
        let outcome = shared.retrying(&self.asked, &self.id, deadline, earlier, |turn| {
            // The loop decides on what broke as if it had just been tried.
            let broken = broken.take();
            async move {
                match broken {
                    Some(broken) => Tried::from(broken),
                    None => self.span.attempt(&shared.server, Endpoint::Chat, turn, self.attempt(shared, turn, deadline)).await,
                }
            }
        });
        let ((source, attempt), attempts) = shared.conclude(&self.span, outcome.await)?;
        Ok(Opened { source, attempts, attempt })
    }

    async fn attempt(&self, shared: &Shared, turn: Turn, deadline: Deadline<'_>) -> Tried<Source> {
        let outgoing = shared.outgoing(Endpoint::Chat, &self.body.json, &self.id, turn, Accept::EventStream);
        let source = match shared.line.open(outgoing, turn, deadline).await {
            Ok(exchange) => Source::open(exchange, shared.line.proof, self.body.choices).await,
            Err(broken) => Err(broken),
        };
        let source = source.and_then(|source| source.of_model(&self.model, shared.policy.other_model, shared.line.key.as_ref()));
        source.map_or_else(Tried::from, |source| Tried { record: source.record(), result: Ok(source) })
    }
}
