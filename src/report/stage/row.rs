//! One row of a report.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::load::{LedgerBalance, Load, Published, Repeat};
use crate::report::slo::ObjectiveReport;
use crate::report::verdict::Checks;
use crate::stats::{LittlesLaw, Summary, Trend};

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
    /// The mean latency of succeeded requests of the ramp, for where a limit left no others. Part of no report.
    #[serde(skip)]
    pub(in crate::report) ramp_mean_ms: Option<f64>,
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
    /// What servers say that they used may be any number.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            prompt_tokens: self.prompt_tokens.saturating_add(other.prompt_tokens),
            completion_tokens: self.completion_tokens.saturating_add(other.completion_tokens),
        }
    }
}
