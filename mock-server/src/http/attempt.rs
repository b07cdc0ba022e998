//! One attempt from its arrival to its entry in the ledger.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;

use crate::draw::{self, Draws};
use crate::ledger::{Ending, Entry};
use crate::profile::Keys;
use crate::relay::{Arrival, Demand, Grant, Outcome, Plan, Refusal, Ticket};
use crate::server::Shared;
use crate::wire::openai::error::masked;

/// Holds whatever the attempt holds. When it is dropped, at the end of the answer or because the caller went away, its place in
/// the relay is free and its entry is in the ledger.
#[derive(Debug)]
pub(crate) struct Attempt {
    server: Arc<Shared>,
    entry: Entry,
    is_hang: bool,
    retry_count: Option<u32>,
    ticket: Option<Ticket>,
}

impl Attempt {
    pub(crate) fn new(server: Arc<Shared>, connection: u32, arrived: Duration, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let retry_count = text("x-stainless-retry-count").and_then(|count| count.trim().parse().ok());
        let entry = Entry {
            sequence: server.ledger.next_sequence(),
            connection,
            request_id: text("x-client-request-id").map(Box::from),
            attempt: retry_count.unwrap_or(0),
            arrived_ns: nanoseconds(arrived),
            ..Entry::default()
        };
        Self { server, entry, is_hang: false, retry_count, ticket: None }
    }

    pub(crate) fn server(&self) -> &Shared {
        &self.server
    }

    /// What it asked for; empty as long as that is not known to exist.
    pub(crate) fn model(&self) -> &str {
        self.entry.model.as_deref().unwrap_or_default()
    }

    /// When it arrived, since the profile's start.
    pub(crate) fn arrived(&self) -> Duration {
        Duration::from_nanos(self.entry.arrived_ns)
    }

    /// Who may call: the holder of a bearer token that the profile accepts.
    pub(crate) fn authorize(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let bearer = headers.get(hyper::header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|token| !token.is_empty())
        });
        match (&self.server.profile.keys, bearer) {
            (_, None) => Err(Refusal::KeyMissing),
            (Keys::Only(keys), Some(token)) if !keys.iter().any(|key| key == token) => {
                Err(Refusal::KeyWrong { masked: masked(token) })
            }
            _ => Ok(()),
        }
    }

    /// The randomness that belongs to this attempt. Callers who name their requests and count their tries get the same for the
    /// same; for others the body names the request, and identical ones are counted.
    pub(crate) fn draws(&mut self, body: &[u8]) -> Draws {
        let request = match &self.entry.request_id {
            Some(id) => draw::hash(id.as_bytes()),
            None => draw::hash(body),
        };
        let attempt = match (&self.entry.request_id, self.retry_count) {
            (Some(_), Some(count)) => u64::from(count),
            _ => self.server.occurrence(request),
        };
        if self.retry_count.is_none() {
            self.entry.attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
        }
        Draws::new(self.server.profile.seed, request, attempt)
    }

    /// The request was read, and the model exists.
    pub(crate) fn asked(&mut self, model: &Arc<str>, stream: bool) {
        self.entry.model = Some(Arc::clone(model));
        self.entry.stream = stream;
    }

    /// Takes its place in the relay, until this is dropped.
    pub(crate) fn enter(&mut self, demand: Demand) -> (Plan, Grant) {
        let Arrival { ticket, in_flight, plan, grant } = self.server.relay().arrive(demand, self.arrived());
        self.ticket = Some(ticket);
        self.entry.in_flight = in_flight;
        match plan.outcome {
            Outcome::Hang => self.is_hang = true,
            Outcome::Completion { tokens, .. } => {
                self.entry.tokens = tokens;
                let first = if self.entry.stream { plan.pace.first() } else { plan.pace.total() };
                self.plan(200, grant, first, plan.pace.total());
            }
            Outcome::Overloaded => self.plan(503, grant, plan.pace.total(), plan.pace.total()),
        }
        (plan, grant)
    }

    /// An answer that is given at once.
    pub(crate) fn answered_at_once(&mut self, status: u16) {
        self.plan(status, Grant { from: self.arrived() }, Duration::ZERO, Duration::ZERO);
    }

    fn plan(&mut self, status: u16, grant: Grant, first: Duration, end: Duration) {
        self.entry.status = Some(status);
        self.entry.latency_ns = nanoseconds(end);
        self.entry.due_first_ns = Some(nanoseconds(grant.from + first));
        self.entry.due_end_ns = Some(nanoseconds(grant.from + end));
    }

    /// A part of the answer's body is being written.
    pub(crate) fn written(&mut self, now: Duration, part: Part) {
        self.entry.first_written_ns.get_or_insert(nanoseconds(now));
        if part == Part::Last {
            self.entry.end_written_ns = Some(nanoseconds(now));
        }
    }
}

/// Whether more of an answer follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Early,
    Last,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.server.relay().leave(ticket);
        }
        self.entry.ending = match self.entry.end_written_ns {
            Some(_) => Ending::Served,
            None if self.server.is_stopping() => Ending::Stopped,
            None if self.is_hang => Ending::Hung,
            None => Ending::CallerLeft,
        };

        self.server.ledger.record(mem::take(&mut self.entry));
    }
}

/// 64 bits hold five centuries.
fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}
