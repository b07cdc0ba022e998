//! A stage of a report: what is kept of its samples, one at a time, and the row they make.

mod finish;
mod row;
#[cfg(test)]
mod tests;
mod warnings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::completions::Completions;
use super::sends::Sends;
use super::slo::Good;
use crate::load::{Outcome, Sample, StageEnd, StageHeader, Unsent, Window};
use crate::pricing::Prices;
use crate::stats::{Histogram, Stretches};

pub use row::{RequestCounts, StageReport, ThroughputOver, Usage, WindowCounts};

/// Why a stage without a success is invalid.
pub(super) fn nothing_succeeded(sent: u64) -> String {
    format!("none of {sent} requests succeeded, so that there is nothing to measure")
}

/// The sum of so many numbers that follow one another.
fn sum_of_run(first: u64, count: u64) -> u128 {
    let [first, count] = [first, count].map(u128::from);
    (first * count).wrapping_add(count * count.saturating_sub(1) / 2)
}

/// Collects the samples of one stage.
#[derive(Debug)]
pub(super) struct Accumulator {
    header: StageHeader,
    /// What the samples name no model for was asked of this one.
    model: Arc<str>,
    prices: Prices,
    end: Option<StageEnd>,
    requests: RequestCounts,
    /// Of every request's place in the stage, which no sample twice and another missing leaves as it is.
    sum_of_indices: u128,
    attempts: u64,
    windows: WindowCounts,
    errors: BTreeMap<String, u64>,
    unsent: BTreeMap<Unsent, u64>,
    usage: BTreeMap<Arc<str>, Usage>,
    /// Succeeded answers of a trace that were of another length there.
    off_the_trace: u64,
    latency: Histogram,
    service: Histogram,
    time_to_first_token: Histogram,
    inter_token: Histogram,
    send_lateness: Histogram,
    /// Without the wait for room under the cap on requests in flight.
    harness_lateness: Histogram,
    sends: Sends,
    steady_latency: Stretches,
    sum_in_flight: Duration,
    first_end: Option<Duration>,
    /// Of succeeded requests of the ramp: how many, and their latencies together.
    ramp_succeeded: (u32, Duration),
    ramp_end: Duration,
    last_send: Duration,
    last_end: Duration,
    completions: Completions,
    good: Good,
    good_count: u64,
    good_completions: Completions,
}

impl Accumulator {
    pub(super) fn new(header: StageHeader, model: &str, prices: Prices) -> Self {
        Self {
            good: Good::new(&header.slo),
            good_count: 0,
            good_completions: Completions::default(),
            header,
            model: model.into(),
            prices,
            end: None,
            requests: RequestCounts::default(),
            sum_of_indices: 0,
            attempts: 0,
            windows: WindowCounts::default(),
            errors: BTreeMap::new(),
            unsent: BTreeMap::new(),
            usage: BTreeMap::new(),
            off_the_trace: 0,
            latency: Histogram::default(),
            service: Histogram::default(),
            time_to_first_token: Histogram::default(),
            inter_token: Histogram::default(),
            send_lateness: Histogram::default(),
            harness_lateness: Histogram::default(),
            sends: Sends::default(),
            steady_latency: Stretches::default(),
            sum_in_flight: Duration::ZERO,
            first_end: None,
            ramp_succeeded: (0, Duration::ZERO),
            ramp_end: Duration::ZERO,
            last_send: Duration::ZERO,
            last_end: Duration::ZERO,
            completions: Completions::default(),
        }
    }

    pub(super) fn add(&mut self, sample: &Sample) {
        self.requests.scheduled += sample.count;
        self.sum_of_indices = self.sum_of_indices.wrapping_add(sum_of_run(sample.index, sample.count));
        if let Outcome::Unsent { reason } = sample.outcome {
            self.requests.unsent += sample.count;
            *self.unsent.entry(reason).or_default() += sample.count;
            // Behind a cap or a thinking user, the load itself asked for less.
            if reason == Unsent::StageOver && self.header.load.is_uncapped_open_loop() {
                self.sends.add_unsent(sample.count);
            }
            return;
        }
        self.requests.sent += 1;
        self.attempts += u64::from(sample.attempts);
        let usage = self.usage.entry(Arc::clone(sample.model.as_ref().unwrap_or(&self.model))).or_default();
        *usage = usage.plus(Usage {
            prompt_tokens: sample.prompt_tokens.unwrap_or(0),
            completion_tokens: sample.completion_tokens.unwrap_or(0),
        });
        self.place(sample);
        match &sample.outcome {
            Outcome::Succeeded => self.succeeded(sample),
            Outcome::Failed { error } => {
                self.requests.failed += 1;
                *self.errors.entry(error.clone()).or_default() += 1;
            }
            Outcome::Unsent { .. } => {}
        }
    }

    fn place(&mut self, sample: &Sample) {
        let (sent, ended) = (sample.sent.unwrap_or_default(), sample.ended.unwrap_or_default());
        self.sum_in_flight += sample.in_flight().unwrap_or_default();
        sample.send_lateness().into_iter().for_each(|lateness| self.send_lateness.record(lateness));
        if let Some((lateness, intended)) = sample.harness_lateness().zip(sample.intended) {
            self.harness_lateness.record(lateness);
            self.sends.add(intended, intended + lateness);
        }
        self.last_send = self.last_send.max(sent);
        self.last_end = self.last_end.max(ended);
        match sample.window {
            Some(Window::Ramp) => {
                self.windows.ramp += 1;
                self.fill_up(ended);
            }
            Some(Window::Steady) => self.windows.steady += 1,
            None => {}
        }
        // An open loop without a warm-up begins with nothing in flight: until the first that were sent have ended, fewer end than come.
        let first_end = *self.first_end.get_or_insert(ended);
        if self.header.load.concurrency().is_none() && sample.outcome == Outcome::Succeeded && sent <= first_end {
            self.fill_up(ended);
        }
    }

    /// What was sent when nothing had ended yet still filled the target up until then.
    fn fill_up(&mut self, until: Duration) {
        self.ramp_end = self.ramp_end.max(until);
        self.completions.begin_at(self.ramp_end);
        self.good_completions.begin_at(self.ramp_end);
    }

    fn succeeded(&mut self, sample: &Sample) {
        self.requests.succeeded += 1;
        self.completions.add(sample.ended.unwrap_or_default());
        let lengths = sample.traced_completion_tokens.map(u64::from).zip(sample.completion_tokens);
        self.off_the_trace += u64::from(lengths.is_some_and(|(traced, used)| traced != used));
        if !self.header.slo.is_empty() && self.good.is(sample) {
            self.good_count += 1;
            self.good_completions.add(sample.ended.unwrap_or_default());
        }
        if sample.window != Some(Window::Steady) {
            self.ramp_succeeded.0 += 1;
            self.ramp_succeeded.1 += sample.latency().unwrap_or_default();
            return;
        }
        if let Some((latency, begin)) = sample.latency().zip(sample.intended.or(sample.sent)) {
            self.latency.record(latency);
            self.steady_latency.add(begin, latency);
        }
        sample.service.into_iter().for_each(|service| self.service.record(service));
        sample.time_to_first_token().into_iter().for_each(|ttft| self.time_to_first_token.record(ttft));
        sample.gaps_ns.iter().for_each(|gap_ns| self.inter_token.record(Duration::from_nanos(*gap_ns)));
    }

    pub(super) fn end(&mut self, end: &StageEnd) {
        self.end = Some(end.clone());
    }
}
