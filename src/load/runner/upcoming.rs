//! What is still to be sent, in order: the schedule's arrivals, and the later turns of conversations among them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::iter::Peekable;
use std::ops::Range;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Answer, Caller, Outcome, Schedule, Unsent};
use crate::load::schedule::{Arrival, Release};

/// The requests that were not sent yet.
pub(super) struct Upcoming<'a> {
    schedule: &'a Schedule,
    caller: &'a Caller,
    arrivals: Peekable<Box<dyn Iterator<Item = Arrival> + Send>>,
    /// The request of the next arrival that has an instant: its body is written before that, not then.
    written: Option<(u64, BoxFuture<'static, Answer>)>,
    /// Turns whose user still thinks, or that wait for room.
    turns: BinaryHeap<Reverse<Turn>>,
    /// When the last place under the cap on requests in flight became free, after all had been taken.
    room_since: Duration,
    /// Requests that came to their turn and were not sent.
    left_out: Vec<u64>,
}

/// A request that is to be sent now.
pub(super) struct Due {
    pub(super) arrival: Arrival,
    /// How long it waited for room under the cap.
    pub(super) held: Duration,
    pub(super) call: BoxFuture<'static, Answer>,
}

struct Turn {
    at: Duration,
    index: u64,
    call: BoxFuture<'static, Answer>,
}

impl<'a> Upcoming<'a> {
    pub(super) fn new(schedule: &'a Schedule, caller: &'a Caller) -> Self {
        Self {
            schedule,
            caller,
            arrivals: schedule.arrivals().peekable(),
            written: None,
            turns: BinaryHeap::new(),
            room_since: Duration::ZERO,
            left_out: Vec::new(),
        }
    }

    pub(super) fn is_empty(&mut self) -> bool {
        self.turns.is_empty() && self.arrivals.peek().is_none()
    }

    /// The next request, if it may be sent with so many in flight.
    pub(super) fn next_due(&mut self, since_start: Duration, in_flight: usize) -> Option<Due> {
        if in_flight >= self.schedule.max_in_flight() {
            return None;
        }
        if self.is_a_turn_next()
            && let Some(turn) = self.turns.peek_mut().filter(|turn| turn.0.at <= since_start)
        {
            let Reverse(Turn { at, index, call }) = PeekMut::pop(turn);
            let arrival = Arrival { index, release: Release::At(at) };
            return Some(Due { arrival, held: self.room_since.saturating_sub(at), call });
        }
        let slots_taken = in_flight + self.turns.len();
        let (schedule, is_open) = (self.schedule, self.schedule.is_open_at(since_start));
        let arrival = self.arrivals.next_if(|arrival| match arrival.release {
            Release::SlotFree => is_open && slots_taken < schedule.slots(),
            Release::AllEnded => is_open && in_flight == 0,
            Release::At(at) => at <= since_start,
        })?;
        let call = match self.written.take() {
            Some((index, call)) if index == arrival.index => call,
            _ => self.write(arrival.index),
        };
        let held = arrival.intended().map_or(Duration::ZERO, |at| self.room_since.saturating_sub(at));
        Some(Due { arrival, held, call })
    }

    /// Whether a turn comes before the next arrival. Turns have their instants; of an arrival without one they do not wait.
    fn is_a_turn_next(&mut self) -> bool {
        let Some(Reverse(turn)) = self.turns.peek() else { return false };
        self.arrivals.peek().and_then(Arrival::intended).is_none_or(|arrival| turn.at <= arrival)
    }

    /// The instant at which to look again, whatever ends before; none where only an end changes anything.
    pub(super) fn wake_at(&mut self, in_flight: usize) -> Option<Duration> {
        let arrival = self.arrivals.peek().copied();
        let turn = self.turns.peek().map(|Reverse(turn)| turn.at);
        let next = arrival.as_ref().and_then(Arrival::intended).into_iter().chain(turn).min()?;
        if in_flight >= self.schedule.max_in_flight() {
            // Those who still wait when the stage is over are not sent.
            return Some(self.schedule.sending()).filter(|sending| *sending < Duration::MAX);
        }
        if let Some(Arrival { index, release: Release::At(_) }) = arrival
            && self.written.is_none()
        {
            self.written = Some((index, self.write(index)));
        }
        Some(next)
    }

    fn write(&self, index: u64) -> BoxFuture<'static, Answer> {
        match self.schedule.place(index) {
            Some(place) => Box::pin(self.caller.turn(index, place, Vec::new())),
            None => Box::pin(self.caller.call(index)),
        }
    }

    /// A request has ended, so long after the start, and so many are still in flight: whoever waits for room could be sent from then on.
    pub(super) fn room(&mut self, ended: Duration, in_flight: usize) {
        if in_flight.saturating_add(1) == self.schedule.max_in_flight() {
            self.room_since = self.room_since.max(ended);
        }
    }

    /// A request has ended, so long after the start: the next turn of its conversation is to come, or else it and those after it are
    /// not sent, for the reason given.
    pub(super) fn ended(&mut self, index: u64, ended: Duration, answer: &mut Answer) -> Option<(Range<u64>, Unsent)> {
        let next = self.schedule.next_turn(index)?;
        let rest = self.schedule.turns_after(index);
        let Some(said) = answer.said.take().filter(|_| answer.outcome == Outcome::Succeeded) else {
            return Some((rest, Unsent::SessionBroken));
        };
        let at = ended.saturating_add(next.think_time);
        if !self.schedule.is_open_at(at) {
            return Some((rest, Unsent::StageOver));
        }
        if let Some(place) = self.schedule.place(next.index) {
            let call = Box::pin(self.caller.turn(next.index, place, said));
            self.turns.push(Reverse(Turn { at, index: next.index, call }));
        }
        None
    }

    /// A request is not sent, and neither are those that would have followed it in its conversation.
    pub(super) fn leave_out(&mut self, index: u64) {
        self.left_out.push(index);
    }

    /// All that was not sent, where that can be counted.
    pub(super) fn rest(self) -> impl Iterator<Item = u64> {
        let Self { schedule, arrivals, turns, left_out, .. } = self;
        let turns = turns.into_sorted_vec().into_iter().rev().map(|Reverse(turn)| turn.index);
        let arrivals = schedule.is_finite().then_some(arrivals).into_iter().flatten().map(|arrival| arrival.index);
        left_out.into_iter().chain(turns).chain(arrivals).flat_map(|index| schedule.with_turns_after(index))
    }
}

impl Turn {
    fn key(&self) -> (Duration, u64) {
        (self.at, self.index)
    }
}

impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Turn {}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}
