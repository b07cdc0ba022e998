//! What a run leaves behind, line by line: the head of the run, a sample for each scheduled request, the end of each stage.
//!
//! A report is a pure function of these records, so it can be rebuilt from the file they are written to.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cpu::CpuUse;
use super::kind::Load;
use super::scenario::{Published, Repeat};
use super::slo::Objective;
use crate::pricing::Prices;
use crate::stats::{Histogram, LittlesLaw};

/// One line of samples.jsonl.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The first line.
    Run(RunHeader),
    /// One scheduled request, written when it ended.
    Sample(Sample),
    /// A stage is over: what is known of it as a whole.
    Stage(StageEnd),
}

/// The first line of samples.jsonl.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// [`RunHeader::SCHEMA`].
    pub schema: String,
    /// What was run.
    #[serde(flatten)]
    pub run: RunInfo,
    /// The model asked for; the first, where there are several.
    pub model: String,
    /// What the models asked cost, as far as it is known. None where nothing is said of it: then as it is compiled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// The stages, in order.
    pub stages: Vec<StageHeader>,
}

/// What was run: all that a repetition needs, and nothing that differs from machine to machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The scenario's name.
    pub scenario: String,
    /// `mock` for the embedded mock, else the base URL.
    pub target: String,
    /// The mock's profile; null for a live target.
    pub profile: Option<String>,
    /// The client's policy.
    pub policy: String,
    /// The scenario's seed.
    pub seed: u64,
    /// Whether it ran in virtual time.
    pub r#virtual: bool,
    /// The version of relaybench that ran it.
    pub version: String,
}

impl RunHeader {
    /// The schema of samples.jsonl.
    pub const SCHEMA: &str = "relaybench.samples/1";
}

/// A stage as it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageHeader {
    /// Its name, unique in the run.
    pub name: String,
    /// The load offered.
    pub load: Load,
    /// What somebody published for this load, shown beside the measured figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// Which repeat of which stage it is, where stages are repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// Whether it says that its latencies have no trend, so that one makes it invalid.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub steady: bool,
    /// The objectives it is held to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slo: Vec<Objective>,
}

/// The record of one logical request that was sent, or of one or more that were not. Instants are counted from the start of its stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The stage's place in the run, from 0.
    pub stage: u32,
    /// The request's place in the stage, from 0.
    pub index: u64,
    /// For how many requests it stands: 1, or as many as follow one another that were not sent, of which this is the first.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u64,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Which window it was sent in; none for an unsent one.
    pub window: Option<Window>,
    /// When it was meant to be sent; none where an answer decides that, as in a closed loop.
    #[serde(rename = "intended_ns", with = "nanoseconds", default, skip_serializing_if = "Option::is_none")]
    pub intended: Option<Duration>,
    /// How long of its lateness it waited for room under the cap on requests in flight, as it was told to.
    #[serde(rename = "held_ns", with = "nanoseconds_exact", default, skip_serializing_if = "Duration::is_zero")]
    pub held: Duration,
    /// When the harness gave it to the client.
    #[serde(rename = "sent_ns", with = "nanoseconds")]
    pub sent: Option<Duration>,
    /// When the caller had the whole answer, or the error.
    #[serde(rename = "ended_ns", with = "nanoseconds")]
    pub ended: Option<Duration>,
    /// How long the attempt that answered took.
    #[serde(rename = "service_ns", with = "nanoseconds")]
    pub service: Option<Duration>,
    /// When the first chunk with content came, of a stream.
    #[serde(rename = "first_content_ns", with = "nanoseconds", default, skip_serializing_if = "Option::is_none")]
    pub first_content: Option<Duration>,
    /// The gaps between chunks with content, of a stream.
    #[serde(rename = "gaps_ns", default, skip_serializing_if = "Vec::is_empty")]
    pub gaps_ns: Vec<u64>,
    /// How many attempts left the client.
    pub attempts: u32,
    /// What the answer says it used.
    pub prompt_tokens: Option<u64>,
    /// What the answer says it used.
    pub completion_tokens: Option<u64>,
    /// What the answer used in the trace, of a load with the lengths of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traced_completion_tokens: Option<u32>,
    /// The model asked, where the requests of a run ask several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Arc<str>>,
    /// Its conversation and its turn there, both from 0, of a load of conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<(u64, u32)>,
}

impl Sample {
    /// What the caller felt: from when it was meant to be sent (where nothing says that, from the send) to the end, with retries and
    /// their waits.
    pub fn latency(&self) -> Option<Duration> {
        Some(self.ended?.saturating_sub(self.start()?))
    }

    /// From where latency begins to the first content, of a stream.
    pub fn time_to_first_token(&self) -> Option<Duration> {
        Some(self.first_content?.saturating_sub(self.start()?))
    }

    /// How late it was sent; none without an intended time.
    pub fn send_lateness(&self) -> Option<Duration> {
        Some(self.sent?.saturating_sub(self.intended?))
    }

    /// How late the harness was by its own doing: without the wait for room under the cap. None without an intended time.
    pub fn harness_lateness(&self) -> Option<Duration> {
        Some(self.send_lateness()?.saturating_sub(self.held))
    }

    /// How long it was in flight: from the send to the end.
    pub fn in_flight(&self) -> Option<Duration> {
        Some(self.ended?.saturating_sub(self.sent?))
    }

    fn start(&self) -> Option<Duration> {
        self.intended.or(self.sent)
    }

    /// A scheduled request that was never sent.
    pub fn unsent(stage: u32, index: u64, reason: Unsent) -> Self {
        Self {
            stage,
            index,
            count: 1,
            outcome: Outcome::Unsent { reason },
            window: None,
            intended: None,
            held: Duration::ZERO,
            sent: None,
            ended: None,
            service: None,
            first_content: None,
            gaps_ns: Vec::new(),
            attempts: 0,
            prompt_tokens: None,
            completion_tokens: None,
            traced_completion_tokens: None,
            model: None,
            session: None,
        }
    }
}

/// How a request fails that was still in flight when the run was told not to wait any longer.
pub(crate) const INTERRUPTED: &str = "interrupted";

/// How a scheduled request ended. There is no fourth way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The answer is a success by the scenario's rule.
    Succeeded,
    /// It was sent, and failed.
    Failed {
        /// The client's name for the kind of error.
        error: String,
    },
    /// It was never sent.
    Unsent {
        /// Why not.
        reason: Unsent,
    },
}

/// Why a scheduled request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsent {
    /// The run was asked to end.
    Interrupted,
    /// The request cap of a live run was reached.
    RequestCap,
    /// Sending it might have gone over the money cap of a live run.
    CostCap,
    /// The stage's duration was over while it waited for room under the cap on requests in flight, or its user still thought.
    StageOver,
    /// An earlier turn of its conversation failed, so that there was nothing to answer.
    SessionBroken,
}

impl Unsent {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::RequestCap => "request-cap",
            Self::CostCap => "cost-cap",
            Self::StageOver => "stage-over",
            Self::SessionBroken => "session-broken",
        }
    }
}

/// Which part of its stage a request was sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// The first of its slot, or sent (in an open loop: meant to be sent) within the warm-up: the target is not yet under the load that was asked for.
    Ramp,
    /// Everything after. The stage's latency is that of these.
    Steady,
}

/// The end of a stage: what no single sample knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageEnd {
    /// The stage's place in the run, from 0.
    pub stage: u32,
    /// From the first send to the last end, with the drain.
    #[serde(rename = "duration_ns", with = "nanoseconds_exact")]
    pub duration: Duration,
    /// How many requests were scheduled.
    pub scheduled: u64,
    /// Whether the run was asked to end before the stage had.
    pub interrupted: bool,
    /// Requests in flight by a counter of the runner, summed over time, in nanoseconds.
    pub in_flight_ns: u64,
    /// The client's attempts against the mock's ledger; none where the target keeps no ledger of ours, and where calls were given up
    /// whose attempts nobody counted.
    pub ledger: Option<LedgerBalance>,
    /// Why the ledger, which was there at the beginning, could not be read whole, so that nothing can be balanced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_lost: Option<LedgerLost>,
    /// How far what the client saw of each attempt lies from what the mock's ledger says happened; none where there is no ledger.
    #[serde(rename = "harness_error_ns", default, skip_serializing_if = "Option::is_none")]
    pub harness_error: Option<Histogram>,
    /// Processor time; none in virtual time, and where the system does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuUse>,
}

fn one() -> u64 {
    1
}

fn is_one(count: &u64) -> bool {
    *count == 1
}

impl StageEnd {
    /// Both sides of Little's law, with the sum of the latencies of all that was sent.
    pub fn littles_law(&self, sum_of_latencies: Duration) -> Option<LittlesLaw> {
        let seconds = self.duration.as_secs_f64();
        (seconds > 0.0).then(|| LittlesLaw {
            mean_in_flight: self.in_flight_ns as f64 / 1e9 / seconds,
            throughput_times_latency: sum_of_latencies.as_secs_f64() / seconds,
        })
    }
}

/// How the ledger of a mock in another process can be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedgerLost {
    /// The mock no longer kept so many attempts when they were asked for.
    Forgotten(u64),
    /// The mock was started anew.
    Reset,
    /// The mock did not answer when it was asked.
    Unread,
}

/// Attempts that left the client, matched with the ledger's by request id and attempt number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerBalance {
    /// Known to both.
    pub matched: u64,
    /// The client sent them, the ledger does not know them.
    pub missing: u64,
    /// The ledger knows them, the client did not send them.
    pub unknown: u64,
}

impl LedgerBalance {
    /// Whether both sides know the same attempts.
    pub fn balances(&self) -> bool {
        self.missing == 0 && self.unknown == 0
    }
}

mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(super::nanoseconds_exact::of).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_nanos))
    }
}

mod nanoseconds_exact {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// 584 years fit.
    pub(super) fn of(value: Duration) -> u64 {
        u64::try_from(value.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        of(*value).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Ok(Duration::from_nanos(u64::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_survives_its_line() {
        let sample = Sample {
            outcome: Outcome::Failed { error: "read-timeout".to_owned() },
            window: Some(Window::Steady),
            intended: Some(Duration::from_nanos(5)),
            sent: Some(Duration::from_nanos(7)),
            ended: Some(Duration::from_secs(3)),
            gaps_ns: vec![13_000_000, 14_000_000],
            attempts: 2,
            ..Sample::unsent(1, 42, Unsent::Interrupted)
        };
        for sample in [sample, Sample::unsent(0, 3, Unsent::CostCap)] {
            let line = serde_json::to_string(&Record::Sample(sample.clone())).unwrap();
            assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), Record::Sample(sample), "{line}");
        }
    }
}
