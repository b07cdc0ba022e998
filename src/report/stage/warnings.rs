//! What else a reader of a stage's row should know.

use super::{Accumulator, ThroughputOver};
use crate::load::{LedgerLost, Unsent};
use crate::stats::samples_needed;

impl Accumulator {
    pub(super) fn warnings(&self, throughput_over: ThroughputOver) -> Vec<String> {
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
        warnings.extend(self.end.as_ref().and_then(|end| end.ledger_lost).map(|lost| self.ledger_lost(lost)));
        if self.off_the_trace > 0 {
            warnings.push(format!(
                "{} of {} answers have another length than the trace: whoever answers may end earlier than max_tokens; a mock does not \
                 whose profile's completions are longer than any of the trace (docs/load.md)",
                self.off_the_trace, self.requests.succeeded
            ));
        }
        if self.header.steady && self.steady_latency.trend().is_none() {
            warnings.push(
                "whether latency is steady cannot be told: the steady window is too short; make the stage longer".to_owned(),
            );
        }
        if throughput_over == ThroughputOver::Stage && self.latency.mean().is_some_and(|mean| !mean.is_zero()) {
            warnings.push("throughput is over the whole stage: the steady window is shorter than five mean latencies".to_owned());
        }
        for (reason, count) in self.unsent.iter().filter(|(reason, _)| **reason != Unsent::Interrupted) {
            warnings.push(format!("{count} requests were not sent: {}", reason.as_str()));
        }
        warnings
    }

    /// Why the mock's ledger does not balance, and what would help.
    fn ledger_lost(&self, lost: LedgerLost) -> String {
        let (why, what_helps) = match lost {
            LedgerLost::Forgotten(attempts) => (
                format!("the mock relay had forgotten {attempts} attempts before they were read"),
                format!("start it with --ledger-keep {}", self.attempts),
            ),
            LedgerLost::Reset => (
                "the mock relay was started anew within the stage".to_owned(),
                "let nobody reset it while a run goes on".to_owned(),
            ),
            LedgerLost::Unread => (
                "the mock relay's ledger could no longer be read when the stage was over".to_owned(),
                "see whether the relay still runs".to_owned(),
            ),
        };
        format!("{why}, so that its ledger was not balanced: {what_helps}")
    }
}
