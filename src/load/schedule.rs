//! When each request of a stage may be sent: pure, and known without asking anything.

mod process;

use std::ops::Range;
use std::time::Duration;

use super::draw::Key;
use super::kind::{Load, Spacing};
use super::request::Prompt;
use super::sample::Window;
use super::scenario::{Extent, Scenario};
use super::sessions::{SessionBegin, SessionLoad};
use process::Process;

/// What an arrival waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Fewer requests in flight, or conversations going on, than the schedule's limit: the next turn of a slot.
    SlotFree,
    /// Nothing in flight: every request of the wave before has ended.
    AllEnded,
    /// An instant, counted from the beginning of the stage, and room under the cap on requests in flight.
    At(Duration),
}

/// One scheduled request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its place in the stage, from 0. The request's id, and with it the mock's draws, come from this.
    pub index: u64,
    /// What it waits for.
    pub release: Release,
}

impl Arrival {
    /// When it is meant to be sent, counted from the beginning of the stage; none where an answer decides that.
    pub fn intended(&self) -> Option<Duration> {
        match self.release {
            Release::At(at) => Some(at),
            Release::SlotFree | Release::AllEnded => None,
        }
    }
}

/// What follows the end of a request in its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NextTurn {
    pub(super) index: u64,
    pub(super) think_time: Duration,
    /// How many turns there still are, this one included.
    pub(super) left: u32,
}

/// The schedule of a stage. Every kind of load is one of these; the loop that plays it is always the same. Arrivals are computed as
/// they are asked for: ten million of them take no memory.
#[derive(Clone, Debug)]
pub struct Schedule {
    load: Load,
    extent: Extent,
    warm_up: Duration,
    key: Key,
    prompt: Prompt,
}

impl Schedule {
    /// The schedule of a scenario's stage, counted from 0.
    ///
    /// # Panics
    ///
    /// When there is no such stage.
    pub fn new(scenario: &Scenario, stage: u32) -> Self {
        let spec = &scenario.stages[stage as usize];
        Self {
            load: spec.load.clone(),
            extent: spec.extent,
            warm_up: spec.warm_up,
            key: Key { seed: scenario.seed, stage },
            prompt: scenario.request.prompt.clone(),
        }
    }

    /// The most slots that are occupied at once: by requests in flight, and by conversations whose user thinks.
    pub fn slots(&self) -> usize {
        self.load.concurrency().unwrap_or(usize::MAX)
    }

    /// The cap on requests in flight.
    pub fn max_in_flight(&self) -> usize {
        self.load.max_in_flight().unwrap_or(usize::MAX)
    }

    /// All arrivals in order, save for the later turns of conversations: as many as asked for, or without end where a closed loop
    /// is limited by a duration.
    pub fn arrivals(&self) -> Box<dyn Iterator<Item = Arrival> + Send> {
        let end = match self.extent {
            Extent::Requests(count) | Extent::Sessions(count) => count,
            Extent::Duration(_) | Extent::Trace => u64::MAX,
        };
        let released = move |index, release| Arrival { index, release };
        match &self.load {
            Load::Closed { .. } => Box::new((0..end).map(move |index| released(index, Release::SlotFree))),
            Load::Waves { concurrency } => {
                let size = concurrency.get() as u64;
                let release = move |index: u64| if index.is_multiple_of(size) { Release::AllEnded } else { Release::SlotFree };
                Box::new((0..end).map(move |index| released(index, release(index))))
            }
            Load::Trace(trace) => {
                let (arrivals, most) = (trace.arrivals.clone(), self.sending());
                let times = (0..arrivals.len()).map(move |index| Duration::from_nanos(arrivals[index].at_ns));
                Box::new(
                    (0..end).zip(times.take_while(move |at| *at < most)).map(move |(index, at)| released(index, Release::At(at))),
                )
            }
            Load::Sessions(sessions) => self.sessions(sessions.clone(), end),
            Load::Constant { .. } | Load::Poisson { .. } | Load::Gamma { .. } | Load::Ramp { .. } => {
                Box::new((0..end).zip(self.times()).map(move |(index, at)| released(index, Release::At(at))))
            }
        }
    }

    fn sessions(&self, sessions: SessionLoad, end: u64) -> Box<dyn Iterator<Item = Arrival> + Send> {
        let first = move |session, release| Arrival { index: sessions.first(session), release };
        match self.process() {
            Some(_) => Box::new((0..end).zip(self.times()).map(move |(session, at)| first(session, Release::At(at)))),
            None => Box::new((0..end).map(move |session| first(session, Release::SlotFree))),
        }
    }

    /// The intended times of an open loop.
    fn times(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let most = self.sending();
        self.process().into_iter().flatten().take_while(move |at| *at < most)
    }

    fn process(&self) -> Option<Process> {
        let (spacing, from, to) = match &self.load {
            Load::Constant { rate, .. } => (Spacing::Constant, rate, rate),
            Load::Poisson { rate, .. } => (Spacing::Poisson, rate, rate),
            Load::Gamma { rate, shape, .. } => (Spacing::Gamma(*shape), rate, rate),
            Load::Ramp { from, to, spacing, .. } => (*spacing, from, to),
            Load::Sessions(SessionLoad { begin: SessionBegin::Rate { rate, spacing }, .. }) => (*spacing, rate, rate),
            Load::Closed { .. } | Load::Waves { .. } | Load::Trace(_) | Load::Sessions(_) => return None,
        };
        Some(Process::new(spacing, from.rps(), to.rps(), self.sending(), self.key))
    }

    /// How many requests are scheduled, where that is known before the run.
    pub fn scheduled(&self) -> Option<u64> {
        match (&self.load, self.extent) {
            (Load::Sessions(_), _) => None,
            (_, Extent::Requests(requests)) => Some(requests),
            (Load::Trace(trace), Extent::Trace) => Some(trace.requests),
            _ => None,
        }
    }

    /// Whether the arrivals come to an end by themselves, so that those not sent can be counted.
    pub(super) fn is_finite(&self) -> bool {
        match self.load {
            Load::Closed { .. } | Load::Waves { .. } => self.scheduled().is_some(),
            Load::Sessions(SessionLoad { begin: SessionBegin::Concurrency { .. }, .. }) => {
                matches!(self.extent, Extent::Sessions(_))
            }
            _ => true,
        }
    }

    /// Whether a request may still be sent so long after the stage began.
    pub fn is_open_at(&self, since_start: Duration) -> bool {
        since_start < self.sending()
    }

    /// How long is sent.
    pub(super) fn sending(&self) -> Duration {
        match self.extent {
            Extent::Duration(duration) => duration,
            Extent::Requests(_) | Extent::Sessions(_) | Extent::Trace => Duration::MAX,
        }
    }

    /// The window of a request, by when it was meant to be sent, or else was sent, alone: finishing late does not move it.
    pub fn window(&self, arrival: Arrival, sent: Duration) -> Window {
        let is_first_of_its_slot = match &self.load {
            Load::Closed { concurrency } | Load::Waves { concurrency } => arrival.index < concurrency.get() as u64,
            Load::Sessions(sessions) => {
                let (session, turn) = sessions.place(arrival.index);
                turn == 0 && sessions.concurrency().is_some_and(|concurrency| session < concurrency as u64)
            }
            _ => false,
        };
        let at = arrival.intended().unwrap_or(sent);
        if is_first_of_its_slot || at < self.warm_up { Window::Ramp } else { Window::Steady }
    }

    /// The turn that comes after a request; none for the last, and where there are no conversations.
    pub(super) fn next_turn(&self, index: u64) -> Option<NextTurn> {
        let Load::Sessions(sessions) = &self.load else { return None };
        let (session, turn) = sessions.place(index);
        let turns = sessions.turns(self.key, session);
        let turns = self.prompt.turns(self.key, session).map_or(turns, |written| turns.min(written));
        let left = turns.saturating_sub(turn + 1);
        (left > 0).then(|| NextTurn { index: index + 1, think_time: sessions.think_time(self.key, index + 1), left })
    }

    /// The turns that come after a request, up to the last.
    pub(super) fn turns_after(&self, index: u64) -> Range<u64> {
        index + 1..index + 1 + self.next_turn(index).map_or(0, |next| u64::from(next.left))
    }

    /// A request, and the turns that come after it.
    pub(super) fn with_turns_after(&self, index: u64) -> Range<u64> {
        index..self.turns_after(index).end
    }

    /// The conversation and the turn of a request.
    pub(super) fn place(&self, index: u64) -> Option<(u64, u32)> {
        match &self.load {
            Load::Sessions(sessions) => Some(sessions.place(index)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
