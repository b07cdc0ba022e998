//! One row of a report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::completions::Completions;
use super::sends::Sends;
use super::slo::{Good, ObjectiveReport};
use super::verdict::{Checks, Evidence, judge};
use crate::load::{LedgerBalance, Load, Outcome, Published, Repeat, Sample, StageEnd, StageHeader, Unsent, Window};
use crate::pricing::Price;
use crate::stats::{Histogram, LittlesLaw, Stretches, Summary, Trend, samples_needed};

/// The steady window must last so many mean latencies before its throughput is more than an accident of its edges.
const STEADY_MEAN_LATENCIES: f64 = 5.0;

/// One load level of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageReport {
    /// Unique in the run.
    pub name: String,
    /// Which repeat of which stage it is; absent where stages are not repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// The load offered.
    pub load: Load,
    /// Logical requests by how they ended: scheduled = sent + unsent, sent = succeeded + failed.
    pub requests: RequestCounts,
    /// HTTP exchanges that left the client.
    pub attempts: u64,
    /// Attempts for each logical request sent.
    pub amplification: Option<f64>,
    /// From the intended send (where nothing says when that is, from the send) to the last byte of the last attempt, of succeeded
    /// steady requests.
    pub latency_ms: Summary,
    /// From the beginning of the attempt that answered to its last byte, of the same.
    pub service_ms: Summary,
    /// From where latency begins to the first content, of the same when streamed.
    pub ttft_ms: Summary,
    /// From one chunk with content to the next, of the same.
    pub inter_token_ms: Summary,
    /// From the intended to the actual send, of all that were sent; null where the load has no intended times.
    pub send_lateness_ms: Summary,
    /// From the first send to the last end, with the drain.
    pub duration_s: f64,
    /// The drain: from the last send to the last end.
    pub drain_s: f64,
    /// Requests sent in each window.
    pub windows: WindowCounts,
    /// Succeeded requests a second.
    pub throughput_rps: Option<f64>,
    /// What the throughput was counted over.
    pub throughput_over: ThroughputOver,
    /// Succeeded requests within the stage's objectives a second, over the same time; null without objectives.
    pub goodput_rps: Option<f64>,
    /// Succeeded / sent, 0 to 1.
    pub success_rate: Option<f64>,
    /// Failed requests by kind.
    pub errors: BTreeMap<String, u64>,
    /// Requests that were not sent, by reason.
    pub unsent: BTreeMap<&'static str, u64>,
    /// Tokens used, by the answers' own account.
    pub usage: Usage,
    /// What that usage costs at list price; null when the model's price is not known.
    pub cost_usd: Option<f64>,
    /// Both sides of Little's law.
    pub littles_law: Option<LittlesLaw>,
    /// How latency changed over the steady window; null where there is too little of it.
    pub trend: Option<Trend>,
    /// The figures that decide whether the stage is valid, by name.
    pub checks: Checks,
    /// What came of its objectives; absent where it has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slo: Vec<ObjectiveReport>,
    /// Attempts matched with the mock's ledger; null where there is none.
    pub ledger: Option<LedgerBalance>,
    /// How far what the client saw of an attempt (without its wait for a place in the pool) lies from what the mock's ledger says
    /// happened, of those that were answered to the end; null where there is no ledger.
    pub harness_error_ms: Summary,
    /// What somebody published for this load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
}

/// Logical requests by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestCounts {
    /// All of the schedule.
    pub scheduled: u64,
    /// Given to the client.
    pub sent: u64,
    /// Not given to the client.
    pub unsent: u64,
    /// A success by the scenario's rule.
    pub succeeded: u64,
    /// Sent without success.
    pub failed: u64,
}

/// Requests sent in each window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WindowCounts {
    /// In the ramp.
    pub ramp: u64,
    /// In the steady window.
    pub steady: u64,
}

/// What a throughput was counted over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThroughputOver {
    /// From the end of the ramp to the last send.
    Steady,
    /// The whole stage with its drain, since the steady window was too short.
    Stage,
}

impl ThroughputOver {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Stage => "stage",
        }
    }
}

/// Tokens used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Of the prompts.
    pub prompt_tokens: u64,
    /// Of the answers.
    pub completion_tokens: u64,
}

impl Usage {
    fn plus(self, other: Self) -> Self {
        Self {
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
        }
    }
}

/// Collects the samples of one stage.
#[derive(Debug)]
pub(super) struct Accumulator {
    header: StageHeader,
    /// What the samples name no model for was asked of this one.
    model: Arc<str>,
    end: Option<StageEnd>,
    requests: RequestCounts,
    attempts: u64,
    windows: WindowCounts,
    errors: BTreeMap<String, u64>,
    unsent: BTreeMap<Unsent, u64>,
    usage: BTreeMap<Arc<str>, Usage>,
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
    ramp_end: Duration,
    last_send: Duration,
    last_end: Duration,
    completions: Completions,
    good: Good,
    good_count: u64,
    good_completions: Completions,
}

impl Accumulator {
    pub(super) fn new(header: StageHeader, model: &str) -> Self {
        Self {
            good: Good::new(&header.slo),
            good_count: 0,
            good_completions: Completions::default(),
            header,
            model: model.into(),
            end: None,
            requests: RequestCounts::default(),
            attempts: 0,
            windows: WindowCounts::default(),
            errors: BTreeMap::new(),
            unsent: BTreeMap::new(),
            usage: BTreeMap::new(),
            latency: Histogram::default(),
            service: Histogram::default(),
            time_to_first_token: Histogram::default(),
            inter_token: Histogram::default(),
            send_lateness: Histogram::default(),
            harness_lateness: Histogram::default(),
            sends: Sends::default(),
            steady_latency: Stretches::default(),
            sum_in_flight: Duration::ZERO,
            ramp_end: Duration::ZERO,
            last_send: Duration::ZERO,
            last_end: Duration::ZERO,
            completions: Completions::default(),
        }
    }

    pub(super) fn add(&mut self, sample: &Sample) {
        self.requests.scheduled += 1;
        if let Outcome::Unsent { reason } = sample.outcome {
            self.requests.unsent += 1;
            *self.unsent.entry(reason).or_default() += 1;
            // Behind a cap or a thinking user, the load itself asked for less.
            if reason == Unsent::StageOver && self.header.load.is_uncapped_open_loop() {
                self.sends.add_unsent();
            }
            return;
        }
        self.requests.sent += 1;
        self.attempts += u64::from(sample.attempts);
        let usage = self.usage.entry(Arc::clone(sample.model.as_ref().unwrap_or(&self.model))).or_default();
        usage.prompt_tokens += sample.prompt_tokens.unwrap_or(0);
        usage.completion_tokens += sample.completion_tokens.unwrap_or(0);
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
                self.ramp_end = self.ramp_end.max(ended);
                self.completions.begin_at(self.ramp_end);
                self.good_completions.begin_at(self.ramp_end);
            }
            Some(Window::Steady) => self.windows.steady += 1,
            None => {}
        }
    }

    fn succeeded(&mut self, sample: &Sample) {
        self.requests.succeeded += 1;
        self.completions.add(sample.ended.unwrap_or_default());
        if !self.header.slo.is_empty() && self.good.is(sample) {
            self.good_count += 1;
            self.good_completions.add(sample.ended.unwrap_or_default());
        }
        if sample.window != Some(Window::Steady) {
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

    /// The row, the reasons why it may not be quoted, and what else a reader should know.
    pub(super) fn finish(self) -> (StageReport, Vec<String>, Vec<String>) {
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
        let cost =
            |(model, usage): (&Arc<str>, &Usage)| Some(Price::of(model)?.cost_usd(usage.prompt_tokens, usage.completion_tokens));
        if self.usage.is_empty() { Price::of(&self.model).map(|_| 0.0) } else { self.usage.iter().map(cost).sum() }
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
            let unsent = self.unsent.get(&Unsent::Interrupted).copied().unwrap_or(0);
            reasons.push(format!("interrupted: {unsent} of {} scheduled requests were not sent", self.requests.scheduled));
        }
        if self.requests.sent > 0 && self.requests.succeeded == 0 {
            reasons.push(format!("none of {} requests succeeded, so that there is nothing to measure", self.requests.sent));
        }
        (checks, reasons)
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
            attempts: self.attempts,
            ledger: end.ledger,
            clipped: histograms.chain(end.harness_error.as_ref()).map(Histogram::clipped).sum(),
            trend: self.steady_latency.trend().filter(|_| self.header.steady),
        }
    }

    fn warnings(&self, throughput_over: ThroughputOver) -> Vec<String> {
        let mut warnings = Vec::new();
        let samples = self.latency.len();
        if self.requests.sent > 0 && self.windows.steady == 0 {
            let sent = self.requests.sent;
            return vec![match self.header.load.concurrency() {
                Some(concurrency) => format!(
                    "no latency: all {sent} requests sent were the first of their slots; ask for more than {concurrency}, better ten \
                     times as many, and raise the cap of a live run"
                ),
                None => format!("no latency: all {sent} requests were sent within the warm-up; make the stage longer"),
            }];
        }
        let beyond = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999)];
        let first_missing = beyond.iter().find(|(_, quantile)| samples < samples_needed(*quantile));
        // p99.9 is rarely affordable and its absence no surprise.
        if let Some((name, quantile)) = first_missing.filter(|(name, _)| *name != "p99.9") {
            let needed = samples_needed(*quantile);
            warnings.push(format!("{name} and beyond need {needed} succeeded steady requests, there are {samples}"));
        }
        if self.header.steady && self.steady_latency.trend().is_none() {
            warnings.push(
                "whether latency is steady cannot be told: the steady window is too short; make the stage longer".to_owned(),
            );
        }
        if throughput_over == ThroughputOver::Stage && self.requests.sent > 0 {
            warnings.push("throughput is over the whole stage: the steady window is shorter than five mean latencies".to_owned());
        }
        for (reason, count) in self.unsent.iter().filter(|(reason, _)| **reason != Unsent::Interrupted) {
            warnings.push(format!("{count} requests were not sent: {}", reason.as_str()));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::load::Load;

    const SECOND: Duration = Duration::from_secs(1);

    fn sent(index: u64, window: Window, sent: Duration, ended: Duration) -> Sample {
        Sample {
            outcome: Outcome::Succeeded,
            window: Some(window),
            sent: Some(sent),
            ended: Some(ended),
            service: Some(ended - sent),
            attempts: 1,
            ..Sample::unsent(0, index, Unsent::Interrupted)
        }
    }

    fn header(load: Load) -> StageHeader {
        StageHeader { name: "closed-2".to_owned(), load, published: None, repeat: None, steady: false, slo: Vec::new() }
    }

    /// A closed loop of two whose every request takes a second: the first two are the ramp.
    fn closed_loop(requests: u64) -> (Accumulator, StageEnd) {
        let load = Load::Closed { concurrency: NonZeroUsize::new(2).unwrap() };
        let mut stage = Accumulator::new(header(load), "gpt-4.1");
        for index in 0..requests {
            let start = SECOND * (index / 2) as u32;
            stage.add(&sent(index, if index < 2 { Window::Ramp } else { Window::Steady }, start, start + SECOND));
        }
        let end = StageEnd {
            stage: 0,
            duration: SECOND * requests.div_ceil(2) as u32,
            scheduled: requests,
            interrupted: false,
            in_flight_ns: requests * 1_000_000_000,
            ledger: Some(LedgerBalance { matched: requests, missing: 0, unknown: 0 }),
            harness_error: None,
            cpu: None,
        };
        (stage, end)
    }

    fn reasons(mut stage: Accumulator, end: &StageEnd) -> Vec<String> {
        stage.end(end);
        stage.finish().1
    }

    #[test]
    fn a_stage_whose_books_balance_is_valid() {
        let (stage, end) = closed_loop(20);
        assert_eq!(reasons(stage, &end), Vec::<String>::new());
    }

    #[test]
    fn each_reason_against_a_stage_is_named_with_its_figure() {
        let reason = |spoil: fn(&mut Accumulator, &mut StageEnd), says: &str| {
            let (mut stage, mut end) = closed_loop(20);
            spoil(&mut stage, &mut end);
            let reasons = reasons(stage, &end);
            assert_eq!(reasons.len(), 1, "{reasons:?}");
            assert!(reasons[0].contains(says), "{reasons:?}");
        };
        reason(|_, end| end.scheduled = 21, "21 requests were scheduled, but 20 samples exist");
        reason(|_, end| end.interrupted = true, "interrupted");
        reason(|_, end| end.ledger.as_mut().unwrap().missing = 3, "3 missing in the ledger");
        reason(|_, end| end.ledger.as_mut().unwrap().unknown = 4, "4 unknown to the client");
        reason(|_, end| end.in_flight_ns += end.in_flight_ns / 40, "Little's law: 2.0 in flight by count, 2.0 by");
        reason(|stage, _| stage.service.record(SECOND * 3601), "1 values are longer");
        reason(|stage, _| stage.requests.succeeded = 0, "none of 20 requests succeeded");
    }

    #[test]
    fn a_stage_that_did_not_end_says_so() {
        let (stage, _) = closed_loop(20);
        assert!(stage.finish().1[0].contains("did not end"));
    }

    #[test]
    fn a_stage_that_is_all_ramp_says_what_would_give_it_latencies() {
        let (mut stage, end) = closed_loop(2);
        stage.end(&end);
        let (report, _, warnings) = stage.finish();
        assert_eq!(report.latency_ms, Summary::default());
        assert!(warnings.len() == 1 && warnings[0].contains("more than 2"), "{warnings:?}");
    }

    #[test]
    fn throughput_is_the_steady_window_s_when_that_spans_five_mean_latencies() {
        let throughput = |requests| {
            let (mut stage, end) = closed_loop(requests);
            stage.end(&end);
            let report = stage.finish().0;
            (report.throughput_rps.unwrap(), report.throughput_over)
        };
        // The ramp ends at 1 s; the last send is at 6 s, or at 5 s.
        assert_eq!(throughput(14), (2.0, ThroughputOver::Steady));
        assert_eq!(throughput(12), (2.0, ThroughputOver::Stage));
    }

    #[test]
    fn latency_is_that_of_succeeded_steady_requests_and_counts_are_of_all() {
        let (mut stage, end) = closed_loop(20);
        let failed = Outcome::Failed { error: "reset".to_owned() };
        stage.add(&Sample { outcome: failed, ..sent(20, Window::Steady, SECOND, SECOND * 9) });
        stage.add(&sent(21, Window::Ramp, SECOND, SECOND * 7));
        stage.add(&Sample::unsent(0, 22, Unsent::RequestCap));
        stage.end(&end);
        let report = stage.finish().0;
        assert_eq!((report.latency_ms.mean, report.latency_ms.max), (Some(1000.0), Some(1000.0)));
        let RequestCounts { scheduled, sent, unsent, succeeded, failed } = report.requests;
        assert_eq!((scheduled, sent, unsent, succeeded, failed), (23, 22, 1, 21, 1));
        assert_eq!((report.windows.ramp, report.windows.steady), (3, 19));
        assert_eq!((report.errors["reset"], report.unsent["request-cap"]), (1, 1));
    }
}
