//! A stage that goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::StageDetails;
use super::distribution::Distribution;
use super::intervals::Intervals;
use crate::load::{Outcome, Sample, StageEnd, Window};
use crate::stats::Histogram;

#[derive(Debug, Default)]
pub(super) struct Gathering {
    duration: Duration,
    interrupted: bool,
    latency: Histogram,
    time_to_first_token: Histogram,
    inter_token: Histogram,
    time_per_token: Histogram,
    steady_errors: BTreeMap<String, u64>,
    steady_tokens: u64,
    attempts: BTreeMap<u32, u64>,
    intervals: Intervals,
}

impl Gathering {
    pub(super) fn add(&mut self, sample: &Sample) {
        let Some(ended) = sample.ended else { return };
        *self.attempts.entry(sample.attempts).or_default() += 1;
        self.duration = self.duration.max(ended);
        let is_steady = sample.window == Some(Window::Steady);
        match (&sample.outcome, sample.latency()) {
            (Outcome::Succeeded, Some(latency)) => {
                self.intervals.succeeded(ended, latency, is_steady);
                if is_steady {
                    self.steady(sample, latency);
                }
            }
            (Outcome::Failed { error }, _) => {
                self.intervals.failed(ended);
                if is_steady {
                    *self.steady_errors.entry(error.clone()).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    fn steady(&mut self, sample: &Sample, latency: Duration) {
        self.latency.record(latency);
        let tokens = sample.completion_tokens.unwrap_or(0);
        self.steady_tokens = self.steady_tokens.saturating_add(tokens);
        sample.gaps_ns.iter().for_each(|gap_ns| self.inter_token.record(Duration::from_nanos(*gap_ns)));
        let Some(ttft) = sample.time_to_first_token() else { return };
        self.time_to_first_token.record(ttft);
        if let Some(time_per_token) = time_per_token(latency, ttft, tokens) {
            self.time_per_token.record(time_per_token);
        }
    }

    pub(super) fn end(&mut self, end: &StageEnd) {
        self.duration = end.duration;
        self.interrupted = end.interrupted;
    }

    pub(super) fn intervals(&self) -> &Intervals {
        &self.intervals
    }

    pub(super) fn close(self, began: Duration, hlog: String) -> StageDetails {
        StageDetails {
            began,
            duration: self.duration,
            interrupted: self.interrupted,
            latency: Distribution::of(&self.latency),
            time_to_first_token: Distribution::of(&self.time_to_first_token),
            inter_token: Distribution::of(&self.inter_token),
            time_per_token: Distribution::of(&self.time_per_token),
            steady_errors: self.steady_errors,
            steady_tokens: self.steady_tokens,
            attempts: self.attempts,
            interval: self.intervals.width(),
            intervals: self.intervals.close(self.duration),
            hlog,
        }
    }
}

/// How long each token after the first took, of an answer of at least two.
pub(crate) fn time_per_token(latency: Duration, ttft: Duration, tokens: u64) -> Option<Duration> {
    let later = u32::try_from(tokens.checked_sub(1)?).ok()?;
    latency.saturating_sub(ttft).checked_div(later)
}
