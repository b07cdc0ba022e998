//! One attempt from its arrival to its entry in the ledger.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::headers::Headers;
use super::limited::{Limited, Need, Service};
use super::overrides::Overrides;
use crate::draw::{self, Draws};
use crate::ledger::{Ending, Entry, FaultOutcome, PlannedFault, kept_id};
use crate::profile::{FaultKind, Keys, Outcome};
use crate::relay::limits::{Caller, Resource, Standing};
use crate::relay::{
    Arrival, Decided, Decision, Demand, Grant, INJECTED_WAIT, Plan, Progress, Refusal, Request, Ticket, decide, fault, missed,
};
use crate::server::Term;
use crate::wire::dialect::{Dialect, Gaps, KeepAlive};
use crate::wire::endpoint::Asked;
use crate::wire::identity::Identity;
use crate::wire::openai::error::masked;

/// A caller who stays longer with an answer that is held back is cut off: in virtual time somebody must move the clock.
pub(super) const LONGEST_HANG: Duration = Duration::from_secs(3600);

/// Holds whatever the attempt holds. When it is dropped, at the end of the answer or because the caller went away, its place in
/// the relay is free and its entry is in the ledger.
#[derive(Debug)]
pub(crate) struct Attempt {
    term: Arc<Term>,
    dialect: Dialect,
    /// How many answers its caller gets.
    choices: u32,
    entry: Entry,
    is_hang: bool,
    /// It is not its turn yet.
    is_waiting: bool,
    /// The caller said which try it is.
    counts_tries: bool,
    /// What its answer does not say of limits.
    gaps: Gaps,
    /// Of the whole name of the request, of which the entry may have a part.
    id_hash: Option<u64>,
    ticket: Option<Ticket>,
    /// None where nothing is limited, and as long as nobody knows who calls.
    limited: Option<Box<Limited>>,
    /// What befalls it, which is rare.
    fault: Option<Box<Befallen>>,
}

#[derive(Debug)]
struct Befallen {
    /// None for those who only told a latency.
    kind: Option<FaultKind>,
    /// How long what is answered at once is held back, as the caller told.
    held_back: Duration,
    draws: Draws,
}

impl Attempt {
    pub(crate) fn new(term: Arc<Term>, dialect: Dialect, connection: u32, arrived: Duration, headers: &Headers<'_>) -> Box<Self> {
        let entry = Entry {
            sequence: term.common.ledger.next_sequence(),
            connection,
            request_id: headers.request_id.map(kept_id),
            attempt: headers.retry_count.unwrap_or(0),
            arrived_ns: nanoseconds(term.since_server_start(arrived)),
            ..Entry::default()
        };
        Box::new(Self {
            term,
            dialect,
            choices: 1,
            entry,
            is_hang: false,
            is_waiting: false,
            counts_tries: headers.retry_count.is_some(),
            gaps: Gaps::default(),
            id_hash: headers.request_id.map(|id| draw::hash(id.as_bytes())),
            ticket: None,
            limited: None,
            fault: None,
        })
    }

    pub(crate) fn term(&self) -> &Arc<Term> {
        &self.term
    }

    /// Whose errors and headers its caller reads.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What its stream says as long as its first token is not due. One that a fault befalls waits in silence, so that the fault finds
    /// all of it.
    pub(super) fn keep_alive(&self) -> Option<KeepAlive> {
        self.dialect.keep_alive().filter(|_| self.entry.stream && self.fault.is_none())
    }

    /// What it asked for; empty as long as that is not known to exist.
    pub(crate) fn model(&self) -> &str {
        self.entry.model.as_deref().unwrap_or_default()
    }

    /// When it arrived, since the profile's start.
    pub(crate) fn arrived(&self) -> Duration {
        // Kept once, since thousands of attempts wait at a time.
        Duration::from_nanos(self.entry.arrived_ns).saturating_sub(self.term.since_server_start(Duration::ZERO))
    }

    /// Who may call: the holder of a key that the profile accepts.
    pub(crate) fn authorize(&mut self, headers: &Headers<'_>) -> Result<(), Refusal> {
        let key = headers.key.ok_or(Refusal::KeyMissing)?;
        let place = match &self.term.profile.keys {
            Keys::Any => None,
            Keys::Only(keys) => {
                let place = keys.iter().position(|known| known == key);
                Some(place.ok_or_else(|| Refusal::KeyWrong { masked: masked(key) })?)
            }
        };
        if self.term.has_limits() {
            self.limited = Some(Box::new(Limited::new(&self.term, Caller::new(key, place))));
        }
        Ok(())
    }

    /// The randomness that belongs to this attempt. Callers who name their requests and count their tries get the same for the
    /// same; for others the body names the request, and identical ones are counted.
    pub(crate) fn draws(&mut self, body: &[u8]) -> Draws {
        let request = self.id_hash.unwrap_or_else(|| draw::hash(body));
        let attempt = match (self.id_hash, self.counts_tries) {
            (Some(_), true) => u64::from(self.entry.attempt),
            _ => self.term.common.occurrence(request),
        };
        if !self.counts_tries {
            self.entry.attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
        }
        let draws = Draws::new(self.term.profile.seed, request, attempt);
        self.gaps = self.dialect.gaps(&self.term.profile, draws);
        draws
    }

    /// What its answer does not say of limits, by its [draws](Self::draws).
    pub(super) fn gaps(&self) -> Gaps {
        self.gaps
    }

    /// The request was read, and the model exists.
    pub(crate) fn asked(&mut self, asked: &Asked) {
        self.entry.model = Some(Arc::clone(&asked.model));
        self.concerns(&asked.model);
        self.entry.stream = asked.stream;
        self.choices = asked.choices;
    }

    /// It is about this model, whose limits its answer speaks of whatever becomes of it. Nothing happens if there is none of that name.
    pub(super) fn concerns(&mut self, model: &str) {
        if let Some(limited) = &mut self.limited {
            limited.concerns(&self.term, model);
        }
    }

    /// Reserves what it may use of its caller's limits, until it is [settled](Self::settle). Its model is known.
    pub(super) fn admit(&mut self, need: impl FnOnce(&Term) -> Need) -> Result<(), Refusal> {
        let Some(limited) = &mut self.limited else { return Ok(()) };
        limited.admit(&self.term, need(&self.term)).map_err(|reached| {
            self.entry.refused_by = Some(limited.refused_by(&self.term, &reached));
            Refusal::LimitReached(reached)
        })
    }

    /// Gives back what it has not used of its caller's limits: from now on nothing more is.
    pub(super) fn settle(&mut self) {
        let service = self.service();
        if let Some(limited) = &mut self.limited {
            limited.settle(&self.term, service);
        }
    }

    fn service(&self) -> Service {
        if self.entry.status == Some(200) && !self.is_waiting { Service::Begun } else { Service::None }
    }

    /// Its caller was sent so many tokens of each answer so far, or is about to be.
    pub(super) fn sent(&mut self, tokens: u32) {
        if let Some(limited) = &mut self.limited {
            limited.sent(tokens.saturating_mul(self.choices));
        }
    }

    /// A refusal in figures of the caller's limits, where it is one for now and there are such limits.
    pub(super) fn in_its_limits(&mut self, refusal: Refusal) -> Refusal {
        let (resource, wait) = match refusal {
            Refusal::RateLimited { resource, retry_after } => (resource, retry_after),
            Refusal::Injected(429) => (Resource::Requests, INJECTED_WAIT),
            _ => return refusal,
        };
        let Some(limited) = &mut self.limited else { return refusal };
        limited.used_up_by_others(&self.term, resource, wait).map_or(refusal, Refusal::LimitReached)
    }

    /// How far its caller's limits are used up; empty where they do not concern it.
    pub(super) fn standings(&self) -> Vec<Standing> {
        self.limited.as_ref().map_or_else(Vec::new, |limited| limited.standings(&self.term))
    }

    /// The same, after it is [settled](Self::settle).
    pub(super) fn settled_standings(&mut self) -> Vec<Standing> {
        let service = self.service();
        self.limited.as_mut().map_or_else(Vec::new, |limited| limited.settled_standings(&self.term, service))
    }

    /// What it gets, with its place in the relay if it is served.
    pub(crate) fn decide(
        &mut self,
        mut request: Request<'_>,
        overrides: Overrides,
        draws: Draws,
    ) -> Result<(Plan, Option<Grant>), Refusal> {
        // Whoever is refused for what it tells takes nothing from the queue.
        request.told = overrides
            .told(&self.term.profile, self.entry.stream)
            .inspect_err(|_| self.misses(request.key, request.model, draws))?;
        request.order = overrides.fault.map(Outcome::Fault).or_else(|| self.term.common.next_order());
        let Decided { decision, fault, missed } = decide(&self.term.profile, &request, draws, self.arrived(), &self.term.tally);
        match fault {
            Some(_) => self.is_befallen(fault, overrides, draws),
            None => self.is_planned(missed),
        }
        match decision {
            Decision::Refuse(refusal) => Err(refusal),
            Decision::Serve(demand) => self.enter(demand),
        }
    }

    /// What its request asks for. A fault among it is planned from here on, whatever refuses the attempt before its time.
    pub(super) fn overrides(&mut self, headers: &Headers<'_>, body: &[u8]) -> Result<Overrides, Refusal> {
        let overrides = Overrides::read(headers, body)?;
        self.is_planned(overrides.fault);
        Ok(overrides)
    }

    /// It is refused before the profile's faults have their say: the one that would have befallen it is in its entry all the same, unless
    /// it asked for one, or would have got what is queued, which waits for the next. `model` is that which it is about; empty where that
    /// is none.
    pub(super) fn misses(&mut self, key: &str, model: &str, draws: Draws) {
        if self.entry.fault.is_none() && !self.term.common.has_orders() {
            let request = Request { key, model, ..Request::default() };
            let missed = missed(&self.term.profile, &request, draws, self.arrived(), &self.term.tally);
            self.is_planned(missed);
        }
    }

    fn is_planned(&mut self, kind: Option<FaultKind>) {
        self.entry.fault = kind.map(|kind| PlannedFault { name: kind.name(), outcome: FaultOutcome::NotReached });
    }

    /// What befalls it where nothing is made, so that the relay's capacity and its bursts do not matter. `model` is that which it is
    /// about; empty where that is none.
    pub(super) fn decide_alone(&mut self, headers: &Headers<'_>, model: &str, draws: Draws) -> Result<(), Refusal> {
        let key = headers.key.unwrap_or_default();
        let overrides = Overrides::read(headers, &[]).inspect_err(|_| self.misses(key, model, draws))?;
        let order = overrides.fault.map(Outcome::Fault).or_else(|| self.term.common.next_order());
        let request = Request { key, model, order, ..Request::default() };
        let fault = fault(&self.term.profile, &request, draws, self.arrived(), &self.term.tally);
        if fault.is_some() || overrides != Overrides::default() {
            self.is_befallen(fault, overrides, draws);
        }
        fault.and_then(Refusal::of_fault).map_or(Ok(()), Err)
    }

    fn is_befallen(&mut self, kind: Option<FaultKind>, overrides: Overrides, draws: Draws) {
        self.fault = Some(Box::new(Befallen { kind, held_back: overrides.latency.unwrap_or_default(), draws }));
        self.is_planned(kind);
    }

    /// The fault that befalls its answer.
    pub(super) fn fault(&self) -> Option<FaultKind> {
        self.fault.as_ref().and_then(|befallen| befallen.kind)
    }

    /// What came of its fault.
    pub(super) fn fault_ended(&mut self, outcome: FaultOutcome) {
        if let Some(planned) = &mut self.entry.fault {
            planned.outcome = outcome;
        }
    }

    /// The caller waits in vain from here on, as planned.
    pub(super) fn is_held_as_planned(&mut self) {
        self.is_hang = true;
    }

    /// It is answered nothing, as planned.
    pub(super) fn hangs(&mut self) {
        self.is_held_as_planned();
        self.fault_ended(FaultOutcome::Played);
        (self.entry.status, self.entry.due_first_ns, self.entry.due_end_ns) = (None, None, None);
    }

    /// The relay breaks the answer off, as planned.
    pub(super) fn is_broken_off(&mut self) {
        self.entry.ending = Ending::Broken;
    }

    /// The relay gave its caller up, and told it so with this status, if any.
    pub(super) fn is_given_up(&mut self, told: Option<u16>) {
        self.entry.ending = Ending::GivenUp;
        self.entry.status = told.or(self.entry.status);
    }

    /// What a request that is befallen is called.
    pub(super) fn request_id(&self) -> String {
        self.fault.as_ref().map_or_else(String::new, |befallen| self.dialect().request_id(&Identity::new(befallen.draws)))
    }

    /// A model of the profile's that was not asked.
    pub(super) fn other_model(&self) -> &str {
        let models = &self.term.profile.models;
        let asked = models.iter().position(|model| **model == *self.model()).unwrap_or_default();
        let other = models.get((asked + 1) % models.len().max(1)).filter(|other| ***other != *self.model());
        other.map_or("another-model", |other| other)
    }

    /// Ready when what is answered at once may be sent.
    pub(super) async fn may_answer(&self) {
        let held_back = self.held_back();
        if !held_back.is_zero() {
            relaybench_clock::sleep_until(self.term.instant(self.arrived() + held_back)).await;
        }
    }

    fn held_back(&self) -> Duration {
        self.fault.as_ref().map_or(Duration::ZERO, |befallen| befallen.held_back)
    }

    /// Takes its place in the relay, until this is dropped.
    fn enter(&mut self, demand: Demand) -> Result<(Plan, Option<Grant>), Refusal> {
        let Arrival { ticket, in_flight, plan, grant } = self.term.arrive(demand, self.arrived())?;
        self.ticket = Some(ticket);
        self.entry.in_flight = in_flight;
        if let Plan::Completion { tokens, .. } = plan {
            self.entry.tokens = tokens.saturating_mul(self.choices);
        }
        self.is_hang = matches!(plan, Plan::Hang);
        self.is_waiting = grant.is_none();
        if let Some(Grant { from }) = grant {
            self.granted(from);
        }
        self.entry.status = match plan {
            Plan::Hang => None,
            Plan::Completion { .. } => Some(200),
            Plan::Overloaded { .. } => Some(503),
        };
        Ok((plan, grant))
    }

    /// An answer that is given at once.
    pub(crate) fn answered_at_once(&mut self, status: u16) {
        self.entry.status = Some(status);
        let due = self.arrived() + self.held_back();
        self.due_first(due);
        self.due_end(due);
    }

    /// It gets an error of this status in the place of its answer.
    pub(super) fn failed(&mut self, status: u16) {
        self.entry.status = Some(status);
    }

    /// Ready when it is its turn.
    pub(super) fn poll_grant(&self, cx: &mut Context<'_>) -> Poll<Grant> {
        match &self.ticket {
            Some(ticket) => self.term.poll_grant(ticket, cx),
            // Whoever never entered waits for nobody.
            None => Poll::Ready(Grant { from: self.arrived() }),
        }
    }

    /// Ready when the batch has come to the token with this number, and when that was.
    pub(super) fn poll_stepped(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<Duration> {
        let Some(ticket) = &self.ticket else { return Poll::Ready(self.arrived()) };
        let Progress { first, last, .. } = ready!(self.term.poll_tokens(ticket, number, cx));
        let first = first.unwrap_or(last);
        self.due_first(if self.entry.stream { first } else { last });
        if number >= self.entry.tokens / self.choices {
            self.due_end(last);
        }
        Poll::Ready(if number == 1 { first } else { last })
    }

    /// Whether the caller asked for a stream.
    pub(super) fn is_stream(&self) -> bool {
        self.entry.stream
    }

    /// It is its turn.
    pub(super) fn granted(&mut self, from: Duration) {
        self.is_waiting = false;
        if self.is_hang {
            self.fault_ended(FaultOutcome::Played);
        }
        self.entry.waited_ns = nanoseconds(from.saturating_sub(self.arrived()));
    }

    /// When the first of the answer is due, since the profile's start.
    pub(super) fn due_first(&mut self, due: Duration) {
        self.entry.due_first_ns = Some(nanoseconds(self.term.since_server_start(due)));
    }

    /// When its end is due.
    pub(super) fn due_end(&mut self, due: Duration) {
        self.entry.latency_ns = nanoseconds(due.saturating_sub(self.arrived())).saturating_sub(self.entry.waited_ns);
        self.entry.due_end_ns = Some(nanoseconds(self.term.since_server_start(due)));
    }

    /// A part of the answer's body is being written.
    pub(crate) fn written(&mut self, part: Part) {
        let now = self.term.since_server_start(self.term.elapsed());
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
        if self.is_waiting {
            self.entry.waited_ns = nanoseconds(self.term.elapsed().saturating_sub(self.arrived()));
        }
        if let Some(ticket) = self.ticket.take() {
            self.term.leave(ticket);
        }
        self.settle();
        self.entry.ending = match self.entry.end_written_ns {
            Some(_) => Ending::Served,
            None if self.term.common.is_stopping() => Ending::Stopped,
            None if self.is_hang => Ending::Hung,
            None => self.entry.ending,
        };

        self.term.common.ledger.record(mem::take(&mut self.entry));
    }
}

/// 64 bits hold five centuries; what is beyond them stays there.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
