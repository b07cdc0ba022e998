//! The row of a stage that is over, and why its numbers may not be quoted.

use std::sync::Arc;
use std::time::Duration;

use super::{Accumulator, StageReport, ThroughputOver, Usage, nothing_succeeded, sum_of_run};
use crate::client::ErrorKind;
use crate::load::{INTERRUPTED, Load, StageEnd, Unsent};
use crate::report::slo::ObjectiveReport;
use crate::report::verdict::{Checks, Evidence, judge};
use crate::stats::{Histogram, LittlesLaw, Summary};

/// The steady window must last so many mean latencies before its throughput is more than an accident of its edges.
const STEADY_MEAN_LATENCIES: f64 = 5.0;

impl Accumulator {
    /// The row, the reasons why it may not be quoted, and what else a reader should know.
    pub(in crate::report) fn finish(self) -> (StageReport, Vec<String>, Vec<String>) {
        let (throughput_over, over) = self.throughput_over();
        let rate = |steady: u64, stage: u64| {
            let count = if throughput_over == ThroughputOver::Steady { steady } else { stage };
            (!over.is_zero()).then(|| count as f64 / over.as_secs_f64())
        };
        let (checks, reasons) = self.judge();
        let requests = self.requests;
        let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let mut report = StageReport {
            name: self.header.name.clone(),
            repeat: self.header.repeat.clone(),
            load: self.header.load.clone(),
            requests,
            attempts: self.attempts,
            amplification: ratio(self.attempts, requests.sent),
            latency_ms: self.latency.summary(),
            service_ms: self.service.summary(),
            ttft_ms: self.time_to_first_token.summary(),
            inter_token_ms: self.inter_token.summary(),
            send_lateness_ms: self.send_lateness.summary(),
            duration_s: self.duration().as_secs_f64(),
            drain_s: self.duration().saturating_sub(self.last_send).as_secs_f64(),
            windows: self.windows,
            ramp_mean_ms: self.ramp_mean_ms(),
            throughput_rps: rate(self.completions.before(self.last_send), requests.succeeded),
            throughput_over,
            goodput_rps: rate(self.good_completions.before(self.last_send), self.good_count)
                .filter(|_| !self.header.slo.is_empty()),
            success_rate: ratio(requests.succeeded, requests.sent),
            errors: self.errors.clone(),
            unsent: self.unsent.iter().map(|(reason, count)| (reason.as_str(), *count)).collect(),
            usage: self.usage.values().fold(Usage::default(), |sum, usage| sum.plus(*usage)),
            cost_usd: self.cost_usd(),
            littles_law: self.littles_law(),
            trend: self.steady_latency.trend(),
            checks,
            slo: Vec::new(),
            ledger: self.end.as_ref().and_then(|end| end.ledger),
            harness_error_ms: self.harness_error().map_or_else(Summary::default, Histogram::summary),
            published: self.header.published,
        };
        report.slo = self.header.slo.iter().map(|objective| ObjectiveReport::of(objective, &report)).collect();
        (report, reasons, self.warnings(throughput_over))
    }

    fn duration(&self) -> Duration {
        self.end.as_ref().map_or(self.last_end, |end| end.duration)
    }

    /// None, where a model that was asked has no known price.
    fn cost_usd(&self) -> Option<f64> {
        let cost = |(model, usage): (&Arc<str>, &Usage)| {
            Some(self.prices.of(model)?.cost_usd(usage.prompt_tokens, usage.completion_tokens))
        };
        if self.usage.is_empty() { self.prices.of(&self.model).map(|_| 0.0) } else { self.usage.iter().map(cost).sum() }
    }

    fn ramp_mean_ms(&self) -> Option<f64> {
        let (count, sum) = self.ramp_succeeded;
        (count > 0).then(|| sum.as_secs_f64() * 1e3 / f64::from(count))
    }

    fn littles_law(&self) -> Option<LittlesLaw> {
        self.end.as_ref()?.littles_law(self.sum_in_flight)
    }

    fn harness_error(&self) -> Option<&Histogram> {
        self.end.as_ref()?.harness_error.as_ref()
    }

    /// What throughput is counted over, and how long that is.
    fn throughput_over(&self) -> (ThroughputOver, Duration) {
        let steady = self.last_send.saturating_sub(self.ramp_end);
        let mean = self.latency.mean().unwrap_or_default();
        if !mean.is_zero() && steady >= mean.mul_f64(STEADY_MEAN_LATENCIES) {
            (ThroughputOver::Steady, steady)
        } else {
            (ThroughputOver::Stage, self.duration())
        }
    }

    /// The checks, and why the stage's numbers may not be quoted.
    fn judge(&self) -> (Checks, Vec<String>) {
        let Some(end) = &self.end else {
            let reason = "the stage did not end: these are the samples of a run that was cut off; run it again".to_owned();
            return (Checks::new(), vec![reason]);
        };
        let (checks, mut reasons) = judge(&self.evidence(end));
        if end.interrupted {
            reasons.push(self.interrupted());
        }
        match self.requests.sent {
            0 if end.interrupted => {}
            0 => reasons.push(self.nothing_sent()),
            sent if self.requests.succeeded == 0 => reasons.push(nothing_succeeded(sent)),
            _ => {}
        }
        (checks, reasons)
    }

    fn interrupted(&self) -> String {
        let unsent = self.unsent.get(&Unsent::Interrupted).copied().unwrap_or(0);
        // Of a stage of a duration nobody knows how many were to come.
        let left_out = match unsent {
            0 => format!("the stage was ended before its time, with {} requests sent", self.requests.sent),
            unsent => format!("{unsent} of {} scheduled requests were not sent", self.requests.scheduled),
        };
        match self.errors.get(INTERRUPTED) {
            Some(given_up) => format!(
                "interrupted: {left_out}, and {given_up} were given up in flight, each counted as one attempt whatever it had sent"
            ),
            None => format!("interrupted: {left_out}"),
        }
    }

    /// Why a stage that sent nothing measured nothing.
    fn nothing_sent(&self) -> String {
        let unsent: Vec<_> = self.unsent.iter().map(|(reason, count)| format!("{} {count}", reason.as_str())).collect();
        let (why, what_helps) = if unsent.is_empty() {
            ("none is scheduled".to_owned(), "make the stage longer, or its rate higher")
        } else if self.unsent.contains_key(&Unsent::CostCap) {
            (unsent.join(", "), "raise RELAYBENCH_MAX_COST_USD, or lower max_tokens")
        } else {
            (unsent.join(", "), "raise the cap, or make the stage longer")
        };
        format!("no request was sent ({why}), so that there is nothing to measure: {what_helps}")
    }

    fn evidence(&self, end: &StageEnd) -> Evidence {
        let histograms =
            [&self.latency, &self.service, &self.time_to_first_token, &self.inter_token, &self.send_lateness].into_iter();
        let lateness = Some(&self.harness_lateness).filter(|lateness| !lateness.is_empty());
        Evidence {
            lateness_p99: lateness.map(|lateness| lateness.sample_quantile(0.99)),
            median_latency: Some(&self.latency).filter(|latency| !latency.is_empty()).map(|latency| latency.sample_quantile(0.5)),
            sent_in_time: self.sends.share_in_time(),
            cpu: end.cpu,
            duration: end.duration,
            littles_law: self.littles_law(),
            scheduled: end.scheduled,
            samples: self.requests.scheduled,
            // Conversations leave out the places of turns that they do not have.
            is_each_once: matches!(self.header.load, Load::Sessions(_)) || self.sum_of_indices == sum_of_run(0, end.scheduled),
            sent: self.requests.sent,
            without_files: self.errors.get(ErrorKind::OpenFiles.as_str()).copied().unwrap_or(0),
            attempts: self.attempts,
            ledger: end.ledger,
            clipped: histograms.chain(end.harness_error.as_ref()).map(Histogram::clipped).sum(),
            trend: self.steady_latency.trend().filter(|_| self.header.steady),
        }
    }
}
