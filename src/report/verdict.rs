//! Whether a stage kept its promises: pure checks, each a figure against a threshold, with a reason where it fails that says what to
//! change. `docs/report.md` has them all.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::stage::StageReport;
use crate::load::{CpuUse, LedgerBalance};
use crate::stats::{LittlesLaw, Trend};

/// Sends may be so late, however short answers are.
pub(super) const LATE: Duration = Duration::from_millis(1);
/// Or so late, as a share of the median latency.
const LATE_SHARE: f64 = 0.01;
/// So many of the sends that the schedule asked for must have been made by its end.
const SENT_SHARE: f64 = 0.99;
/// Beyond this share of the cores that it can use, the process waits for itself.
const CPU_SHARE: f64 = 0.9;
/// Of a shorter stage no share of the processor is judged: the system counts its time, and gives it to others, in steps of up to 10 ms, and
/// only of 100 ms are these no more than what lies between the threshold and all.
const CPU_LEAST: Duration = Duration::from_millis(100);
/// The counter of requests in flight goes up and down some instructions before and after the instants that samples have.
const COUNTED_APART: Duration = Duration::from_micros(10);
/// A change over the steady window that is smaller changes no figure that anyone quotes.
const CHANGE: f64 = 0.01;

/// One figure of a stage that decides whether its numbers may be quoted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What it was, in the unit that the check's name ends with.
    pub figure: f64,
    /// On which side of the threshold it must be.
    pub must_be: Side,
    /// The last value that is well.
    pub threshold: f64,
    /// Whether it is well.
    pub ok: bool,
}

/// A side of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Not above it.
    AtMost,
    /// Not below it.
    AtLeast,
}

/// The checks of a stage by name. One that says nothing of its load or its target is not among them.
pub type Checks = BTreeMap<&'static str, Check>;

/// What a verdict says of stages that are valid: what of them was balanced, and with what.
pub(super) fn accounted_for<'a>(stages: impl Iterator<Item = &'a StageReport>) -> String {
    let (mut balanced, mut sent) = (0, 0);
    for stage in stages.filter(|stage| stage.requests.sent > 0) {
        sent += 1;
        balanced += u64::from(stage.ledger.is_some());
    }
    let with_ledger = match balanced {
        0 => String::new(),
        all if all == sent => ", and every attempt is in the mock's ledger".to_owned(),
        some => format!(", and every attempt of {some} of {sent} stages is in the mock's ledger"),
    };
    format!("every scheduled request is accounted for{with_ledger}.")
}

/// What is known of a stage as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// The 99th percentile of how late the harness sent by its own doing.
    pub(super) lateness_p99: Option<Duration>,
    pub(super) median_latency: Option<Duration>,
    /// The share of sends that were made by the schedule's end.
    pub(super) sent_in_time: Option<f64>,
    pub(super) cpu: Option<CpuUse>,
    pub(super) duration: Duration,
    pub(super) littles_law: Option<LittlesLaw>,
    pub(super) scheduled: u64,
    pub(super) sent: u64,
    /// Those that failed since this process could open no more files.
    pub(super) without_files: u64,
    pub(super) samples: u64,
    /// Whether, where there are as many samples as were scheduled, they are of that many requests.
    pub(super) is_each_once: bool,
    /// Attempts by the samples' account.
    pub(super) attempts: u64,
    pub(super) ledger: Option<LedgerBalance>,
    /// Values longer than a histogram can tell apart.
    pub(super) clipped: u64,
    /// Of a stage that says that it is steady.
    pub(super) trend: Option<Trend>,
}

/// Judges a stage: its checks, and for each that fails the reason.
pub(super) fn judge(evidence: &Evidence) -> (Checks, Vec<String>) {
    let mut judged = Judged::default();
    judged.sends(evidence);
    judged.processor(evidence);
    judged.books(evidence);
    judged.values(evidence);
    (judged.checks, judged.reasons)
}

#[derive(Default)]
struct Judged {
    checks: Checks,
    reasons: Vec<String>,
}

impl Judged {
    fn check(&mut self, name: &'static str, figure: f64, must_be: Side, threshold: f64, reason: impl FnOnce() -> String) {
        let ok = match must_be {
            Side::AtMost => figure <= threshold,
            Side::AtLeast => figure >= threshold,
        };
        self.checks.insert(name, Check { figure, must_be, threshold, ok });
        if !ok {
            self.reasons.push(reason());
        }
    }

    fn sends(&mut self, evidence: &Evidence) {
        if let Some(late) = evidence.lateness_p99 {
            let allowed = LATE.max(evidence.median_latency.unwrap_or_default().mul_f64(LATE_SHARE));
            let (late, allowed) = (milliseconds(late), milliseconds(allowed));
            self.check("send_lateness_p99_ms", late, Side::AtMost, allowed, || {
                format!(
                    "send lateness: 1 % of sends were {late:.3} ms late or more, and {allowed:.3} ms are allowed: the harness did not \
                     keep up. Lower the rate, or give it a core of its own (the mock elsewhere: relaybench mock and --target)"
                )
            });
        }
        if let Some(share) = evidence.sent_in_time {
            self.check("sent_in_time_share", share, Side::AtLeast, SENT_SHARE, || {
                format!(
                    "sends in time: {:.2} % of the schedule's sends were made by its end, and {:.0} % are needed: less load was offered \
                     than asked. Lower the rate, or free the machine of other work",
                    share * 100.0,
                    SENT_SHARE * 100.0
                )
            });
        }
    }

    fn processor(&mut self, evidence: &Evidence) {
        if evidence.sent == 0 || evidence.duration < CPU_LEAST {
            return;
        }
        let Some((cpu, share)) = evidence.cpu.and_then(|cpu| Some((cpu, cpu.share(evidence.duration)?))) else { return };
        self.check("cpu_share", share, Side::AtMost, CPU_SHARE, || {
            format!(
                "processor: this process used {:.0} % of the {} that it can keep busy, and {:.0} % are allowed: it measured itself. \
                 Lower the load, or run the mock, which shares the process, elsewhere (relaybench mock and --target)",
                share * 100.0,
                if cpu.cores == 1 { "one core".to_owned() } else { format!("{} cores", cpu.cores) },
                CPU_SHARE * 100.0
            )
        });
    }

    fn books(&mut self, evidence: &Evidence) {
        if evidence.without_files > 0 {
            self.check("failed_for_files", evidence.without_files as f64, Side::AtMost, 0.0, || {
                format!(
                    "open files: {} requests failed since no more files may be open here, which says nothing of the target. Raise the limit \
                     (ulimit -n), or write max_in_flight below it",
                    evidence.without_files
                )
            });
        }
        let Evidence { scheduled, samples, attempts, .. } = *evidence;
        let unaccounted = scheduled.abs_diff(samples).max(u64::from(!evidence.is_each_once));
        self.check("unaccounted_requests", unaccounted as f64, Side::AtMost, 0.0, || {
            let found = if scheduled == samples {
                "one is there twice and another missing".to_owned()
            } else {
                format!("{samples} samples exist")
            };
            format!("{scheduled} requests were scheduled, but {found}: use the file of samples as it was written")
        });
        if let Some(ledger) = evidence.ledger {
            let LedgerBalance { matched, missing, unknown } = ledger;
            let sent = matched.saturating_add(missing);
            let off = missing.saturating_add(unknown).saturating_add(attempts.abs_diff(sent));
            self.check("unmatched_attempts", off as f64, Side::AtMost, 0.0, || {
                format!(
                    "attempts and ledger differ: {missing} missing in the ledger, {unknown} unknown to the client, {attempts} by the \
                     samples and {sent} by the client's books: let nobody else ask this mock, and use the samples as they were written"
                )
            });
        }
        if let Some(law) = evidence.littles_law {
            let LittlesLaw { mean_in_flight, throughput_times_latency } = law;
            let threshold = law_tolerance(evidence, law);
            self.check("littles_law_difference", law.difference(), Side::AtMost, threshold, || {
                format!(
                    "Little's law: {mean_in_flight:.4} in flight by count, {throughput_times_latency:.4} by throughput × latency: the \
                     harness was too busy to note ends when they came, or samples were changed. Lower the load"
                )
            });
        }
    }

    fn values(&mut self, evidence: &Evidence) {
        let clipped = evidence.clipped;
        self.check("clipped_values", clipped as f64, Side::AtMost, 0.0, || {
            format!("{clipped} values are longer than the histogram's hour: set a total timeout below an hour")
        });
        if let Some(trend) = evidence.trend {
            let [low, high] = trend.ci.map(|change| change * 100.0);
            self.check("trend_share", trend.least_change(), Side::AtMost, CHANGE, || {
                format!(
                    "not steady: latency changed by {:+.1} % over the steady window ({low:+.1} to {high:+.1} % with 99 % confidence). Make \
                     the warm-up longer, or the load lower than what the relay can serve, or drop steady = true",
                    trend.change * 100.0
                )
            });
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}

/// How far the two sides of Little's law may lie apart: 2 %, or more where answers are so short that noting them takes a share of them.
fn law_tolerance(evidence: &Evidence, law: LittlesLaw) -> f64 {
    let in_flight_s = law.mean_in_flight * evidence.duration.as_secs_f64();
    let apart_s = COUNTED_APART.as_secs_f64() * evidence.sent as f64;
    if in_flight_s > 0.0 { LittlesLaw::TOLERANCE.max(apart_s / in_flight_s) } else { LittlesLaw::TOLERANCE }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A second of 100 requests a second that took 100 ms, in every respect well.
    fn healthy() -> Evidence {
        Evidence {
            lateness_p99: Some(MS / 10),
            median_latency: Some(MS * 100),
            sent_in_time: Some(1.0),
            cpu: Some(CpuUse { used_ns: 900_000_000, cores: 2 }),
            duration: MS * 1000,
            littles_law: Some(LittlesLaw { mean_in_flight: 10.0, throughput_times_latency: 10.1 }),
            scheduled: 100,
            sent: 100,
            without_files: 0,
            is_each_once: true,
            samples: 100,
            attempts: 103,
            ledger: Some(LedgerBalance { matched: 103, missing: 0, unknown: 0 }),
            clipped: 0,
            trend: Some(Trend { change: 0.03, ci: [-0.02, 0.08] }),
        }
    }

    #[test]
    fn what_is_well_in_every_respect_has_every_check_and_no_reason() {
        let (checks, reasons) = judge(&healthy());
        assert_eq!(reasons, Vec::<String>::new());
        assert_eq!(checks.len(), 8);
        assert!(checks.values().all(|check| check.ok), "{checks:?}");
    }

    #[test]
    fn each_check_that_fails_is_a_figure_and_a_reason() {
        let fails = |name: &str, figure: f64, says: &str, spoil: fn(&mut Evidence)| {
            let mut evidence = healthy();
            spoil(&mut evidence);
            let (checks, reasons) = judge(&evidence);
            let failed: Vec<_> = checks.iter().filter(|(_, check)| !check.ok).map(|(name, _)| *name).collect();
            assert_eq!(failed, [name]);
            assert!((checks[name].figure - figure).abs() < 1e-9, "{name}: {:?}", checks[name]);
            assert!(reasons.len() == 1 && reasons[0].contains(says), "{reasons:?}");
        };
        fails("send_lateness_p99_ms", 2.0, "were 2.000 ms late", |evidence| evidence.lateness_p99 = Some(MS * 2));
        fails("sent_in_time_share", 0.98, "98.00 % of the schedule's", |evidence| evidence.sent_in_time = Some(0.98));
        fails("cpu_share", 0.95, "95 % of the 2 cores", |evidence| {
            evidence.cpu = Some(CpuUse { used_ns: 1_900_000_000, cores: 2 })
        });
        fails("littles_law_difference", 0.03, "10.0000 in flight by count, 10.3000 by", |evidence| {
            evidence.littles_law = Some(LittlesLaw { mean_in_flight: 10.0, throughput_times_latency: 10.3 });
        });
        fails("failed_for_files", 7.0, "open files: 7 requests failed", |evidence| evidence.without_files = 7);
        fails("unaccounted_requests", 1.0, "100 requests were scheduled, but 99 samples", |evidence| evidence.samples = 99);
        fails("unmatched_attempts", 3.0, "3 missing in the ledger", |evidence| {
            evidence.ledger = Some(LedgerBalance { matched: 100, missing: 3, unknown: 0 });
        });
        fails("unmatched_attempts", 4.0, "4 unknown to the client", |evidence| {
            evidence.ledger = Some(LedgerBalance { matched: 103, missing: 0, unknown: 4 });
        });
        fails("unmatched_attempts", 1.0, "104 by the samples and 103 by", |evidence| evidence.attempts = 104);
        fails("clipped_values", 1.0, "1 values are longer", |evidence| evidence.clipped = 1);
        fails("trend_share", 0.02, "changed by +3.0 %", |evidence| {
            evidence.trend = Some(Trend { change: 0.03, ci: [0.02, 0.04] })
        });
        fails("trend_share", 0.02, "changed by -3.0 %", |evidence| {
            evidence.trend = Some(Trend { change: -0.03, ci: [-0.04, -0.02] })
        });
    }

    #[test]
    fn a_stage_too_short_or_without_a_request_says_nothing_of_the_processor() {
        let busy = |duration: Duration| CpuUse { used_ns: duration.as_nanos() as u64 * 2, cores: 1 };
        let judged = |sent: u64, duration: Duration| {
            let evidence = Evidence { sent, duration, cpu: Some(busy(duration)), ..healthy() };
            judge(&evidence).0.get("cpu_share").map(|check| check.ok)
        };
        assert_eq!(judged(100, MS * 99), None);
        assert_eq!(judged(0, MS * 1000), None);
        assert_eq!(judged(1, MS * 100), Some(false));
    }

    #[test]
    fn answers_as_short_as_it_takes_to_note_them_may_be_counted_a_little_longer() {
        let judged = |sent: u64| {
            // A counter that is 5 µs longer up than the samples say, for each of those sent in a second.
            let apart = sent as f64 * 5e-6;
            let law = LittlesLaw { mean_in_flight: 1.0, throughput_times_latency: 1.0 - apart };
            judge(&Evidence { sent, littles_law: Some(law), ..healthy() }).0["littles_law_difference"]
        };
        let (short, long) = (judged(16_000), judged(1_000));
        assert!(short.ok && (short.threshold - 0.16).abs() < 1e-9, "{short:?}");
        assert!(long.ok && long.threshold == 0.02, "{long:?}");
    }

    #[test]
    fn slow_answers_forgive_a_lateness_of_a_hundredth_of_them() {
        let lateness = |late: Duration, median: Duration| {
            let evidence = Evidence { lateness_p99: Some(late), median_latency: Some(median), ..healthy() };
            judge(&evidence).0["send_lateness_p99_ms"].ok
        };
        assert!(lateness(MS, MS) && !lateness(MS * 11 / 10, MS * 100));
        assert!(lateness(MS * 5, MS * 500) && !lateness(MS * 51 / 10, MS * 500));
    }

    #[test]
    fn what_cannot_be_measured_is_no_check() {
        let (checks, reasons) = judge(&Evidence { scheduled: 1, sent: 1, samples: 1, is_each_once: true, ..Evidence::default() });
        assert_eq!(checks.keys().copied().collect::<Vec<_>>(), ["clipped_values", "unaccounted_requests"]);
        assert!(reasons.is_empty());
    }
}
