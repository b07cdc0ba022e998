//! Continuous batching: in each step every running request gets a token, and whoever waits joins between steps.
//!
//! A step takes longer the more requests run in it, and by the prompts of those who have just joined. So tokens come slower as load
//! grows, throughput rises up to a full batch, and from there on the wait for a place is what grows.

use std::collections::BTreeMap;
use std::time::Duration;

use super::seats::{Holder, Seats};
use super::{Seat, Work};
use crate::dist;
use crate::profile::{Batch, Phase};
use crate::relay::window;

#[derive(Debug)]
pub(super) struct Running {
    batch: Batch,
    phases: Vec<Phase>,
    /// By their numbers, since thousands may leave at once.
    running: BTreeMap<u64, Seat>,
    /// They hold a place and get nothing.
    hanging: u32,
    /// None while nobody runs.
    step_end: Option<Duration>,
}

impl Running {
    pub(super) fn new(batch: Batch, phases: &[Phase]) -> Self {
        Self { batch, phases: phases.to_vec(), running: BTreeMap::new(), hanging: 0, step_end: None }
    }

    /// How many can join with the next step.
    pub(super) fn free(&self) -> u32 {
        self.batch.max.saturating_sub(self.places_taken())
    }

    /// Whether one more can join with the next step, behind so many.
    pub(super) fn has_room(&self, waiting: u32) -> bool {
        waiting < self.free()
    }

    pub(super) fn step_end(&self) -> Option<Duration> {
        self.step_end
    }

    /// Begins a step if none is running.
    pub(super) fn wake_up(&mut self, seats: &mut Seats, now: Duration) {
        if self.step_end.is_none() {
            self.begin_step(seats, now);
        }
    }

    pub(super) fn advance(&mut self, seats: &mut Seats, now: Duration) {
        while let Some(end) = self.step_end.filter(|end| *end <= now) {
            self.running.retain(|_, seat| !seats.give_token(*seat, end));
            self.begin_step(seats, end);
        }
    }

    pub(super) fn leave(&mut self, left: &Holder, seats: &mut Seats, now: Duration) {
        match left.work {
            Work::Tokens { .. } => drop(self.running.remove(&left.number)),
            Work::Hang | Work::Time(_) => self.hanging -= u32::from(left.state.granted.is_some()),
        }
        self.wake_up(seats, now);
    }

    fn begin_step(&mut self, seats: &mut Seats, at: Duration) {
        let mut prompt_tokens = 0_u64;
        while self.free() > 0 {
            let Some((seat, holder)) = seats.grant_next(at) else { break };
            match holder.work {
                Work::Tokens { prompt, .. } => {
                    prompt_tokens += u64::from(prompt);
                    self.running.insert(holder.number, seat);
                }
                Work::Hang | Work::Time(_) => self.hanging += 1,
            }
        }
        self.step_end = (!self.running.is_empty()).then(|| at + self.step(prompt_tokens, seats.waiting(), at));
    }

    /// What a step takes that begins now.
    fn step(&self, prompt_tokens: u64, waiting: u32, now: Duration) -> Duration {
        let Batch { step, step_per_request, prefill_per_token_ns, collapse, .. } = self.batch;
        let decode_ns = step.as_nanos() as f64 + step_per_request.as_nanos() as f64 * self.running.len() as f64;
        let in_flight = self.places_taken() + waiting;
        let stretch = collapse.map_or(0.0, |collapse| collapse.share * f64::from(in_flight.saturating_sub(collapse.above)));
        let ns = decode_ns * (1.0 + stretch) + prompt_tokens as f64 * prefill_per_token_ns;
        // A step that took no time would be followed by the next for ever.
        dist::duration(ns * window::latency_factor(&self.phases, now)).max(Duration::from_nanos(1))
    }

    fn places_taken(&self) -> u32 {
        self.running.len() as u32 + self.hanging
    }
}
