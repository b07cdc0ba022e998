//! What came of one scenario at several providers, beside what was published of each.

mod markdown;
mod notes;
mod table;

use std::collections::BTreeMap;

use serde::Serialize;

use super::csv;
use super::stage::{RequestCounts, StageReport, nothing_succeeded};
use super::summary::{Report, Verdict};
use crate::client::ErrorKind;
use crate::provider::{Figures, Limits, Provider, Published, StandIn};

/// What comparison.json holds.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// [`Comparison::SCHEMA`].
    pub schema: &'static str,
    /// What was run everywhere.
    pub run: ComparedRun,
    /// Whether all numbers may be quoted: those of each provider, and that each was played.
    pub verdict: Verdict,
    /// The providers, in the order in which they were asked for.
    pub providers: Vec<Compared>,
}

/// What all runs of a comparison have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComparedRun {
    /// The scenario's name.
    pub scenario: String,
    /// The client's policy.
    pub policy: String,
    /// The scenario's seed.
    pub seed: u64,
    /// Whether it ran in virtual time.
    pub r#virtual: bool,
    /// The version of relaybench that ran it.
    pub version: String,
}

/// One provider.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// What commands call it, and the directory of its own report.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// `mock`, or the base URL.
    pub target: String,
    /// The mock's profile; null for a live target.
    pub profile: Option<String>,
    /// What was asked.
    pub models: Vec<String>,
    /// What was published of it.
    pub published: Option<Published>,
    /// What its mock limits each caller to; null for a live target and where nothing is limited.
    pub limits: Option<Limits>,
    /// Whether its numbers may be quoted: as its own report says, but that a stage of which a limit refused all is a finding here.
    pub verdict: Verdict,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// What was measured, a row for each load level.
    pub stages: Vec<ComparedStage>,
    /// Its whole report.
    #[serde(skip)]
    pub report: Report,
}

/// The figures of a load level that are compared; report.json has all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedStage {
    /// Unique in the run.
    pub name: String,
    /// Logical requests by how they ended.
    pub requests: RequestCounts,
    /// HTTP exchanges that left the client.
    pub attempts: u64,
    /// Of succeeded requests.
    pub mean_ms: Option<f64>,
    /// Which of them the mean is of: the steady ones, or where a limit left none of these those of the ramp.
    pub mean_over: MeanOver,
    /// Of succeeded steady requests.
    pub p95_ms: Option<f64>,
    /// Succeeded requests a second.
    pub throughput_rps: Option<f64>,
    /// Succeeded / sent, 0 to 1.
    pub success_rate: Option<f64>,
    /// Failed requests by kind.
    pub errors: BTreeMap<String, u64>,
    /// What it cost at the provider's price; null when that is not known.
    pub cost_usd: Option<f64>,
}

/// What a mean latency is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeanOver {
    /// The steady window.
    Steady,
    /// The ramp: the first request of each slot, before a limit refused what came after.
    Ramp,
}

impl Comparison {
    /// The schema of comparison.json.
    pub const SCHEMA: &str = "relaybench.comparison/1";

    /// Compares runs of one scenario. `missing` names providers that were not played, for the verdict. None without any run.
    pub fn new(providers: Vec<Compared>, missing: &[&str]) -> Option<Self> {
        let run = &providers.first()?.report.run;
        let run = ComparedRun {
            scenario: run.scenario.clone(),
            policy: run.policy.clone(),
            seed: run.seed,
            r#virtual: run.r#virtual,
            version: run.version.clone(),
        };
        let own = |compared: &Compared| {
            let reasons = compared.verdict.reasons.iter();
            reasons.map(|reason| format!("{}: {reason}", compared.name)).collect::<Vec<_>>()
        };
        let missing = missing.iter().map(|name| format!("{name}: not played, since the command was ended before"));
        let reasons: Vec<String> = providers.iter().flat_map(own).chain(missing).collect();
        Some(Self { schema: Self::SCHEMA, run, verdict: Verdict { valid: reasons.is_empty(), reasons }, providers })
    }

    /// The comparison as it is written to comparison.json, with a newline at its end.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("a comparison has only string keys and finite numbers");
        json.push('\n');
        json
    }

    /// A row for each provider and load level, with the columns of a report's CSV behind the provider's name.
    pub fn to_csv(&self) -> String {
        let header = format!("provider,{}", csv::header());
        let rows = self
            .providers
            .iter()
            .flat_map(|compared| csv::rows(&compared.report).map(|row| format!("{},{row}", compared.name)).collect::<Vec<_>>());
        std::iter::once(header).chain(rows).collect()
    }

    /// As a person reads it in a terminal: no line is longer than 100 columns.
    pub fn to_table(&self) -> String {
        table::table(self)
    }

    /// As GitHub's Markdown.
    pub fn to_markdown(&self) -> String {
        markdown::markdown(self)
    }
}

impl Compared {
    /// A provider and what came of its run.
    pub fn new(provider: &Provider, stand_ins: &[StandIn], models: Vec<String>, report: Report) -> Self {
        // Models may have limits of their own.
        let figures = models.first().map(|model| Figures(provider.profile.limit_figures_of(model)));
        let limits = provider.limits.clone().filter(|_| report.run.profile.is_some());
        let limits = limits.zip(figures).map(|(limits, figures)| Limits { figures, ..limits });
        let notes = notes::notes(provider, limits.as_ref(), stand_ins, &report);
        Self {
            name: provider.name.clone(),
            title: provider.title.clone(),
            target: report.run.target.clone(),
            profile: report.run.profile.clone(),
            models,
            published: provider.published.clone(),
            limits,
            verdict: verdict(&report),
            notes,
            stages: report.stages.iter().map(ComparedStage::of).collect(),
            report,
        }
    }
}

/// A run's verdict without the reason that a stage has nothing to measure, where a limit refused all of it.
fn verdict(report: &Report) -> Verdict {
    let refused = report.stages.iter().filter(|stage| is_refused(stage));
    let expected: Vec<String> =
        refused.map(|stage| format!("{}: {}", stage.name, nothing_succeeded(stage.requests.sent))).collect();
    let reasons: Vec<String> = report.verdict.reasons.iter().filter(|reason| !expected.contains(reason)).cloned().collect();
    Verdict { valid: reasons.is_empty(), reasons }
}

/// How many requests of a stage a limit refused in the end.
fn refusals(stage: &StageReport) -> u64 {
    let of_kind = |kind: ErrorKind| stage.errors.get(kind.as_str()).copied().unwrap_or(0);
    of_kind(ErrorKind::RateLimited) + of_kind(ErrorKind::InsufficientQuota)
}

/// Whether a limit refused all of it.
fn is_refused(stage: &StageReport) -> bool {
    stage.requests.sent > 0 && refusals(stage) == stage.requests.sent
}

impl ComparedStage {
    fn of(stage: &StageReport) -> Self {
        let steady = stage.latency_ms.mean;
        let ramp = stage.ramp_mean_ms.filter(|_| steady.is_none() && refusals(stage) > 0);
        Self {
            name: stage.name.clone(),
            requests: stage.requests,
            attempts: stage.attempts,
            mean_ms: steady.or(ramp),
            mean_over: if ramp.is_some() { MeanOver::Ramp } else { MeanOver::Steady },
            p95_ms: stage.latency_ms.p95,
            throughput_rps: stage.throughput_rps,
            success_rate: stage.success_rate,
            errors: stage.errors.clone(),
            cost_usd: stage.cost_usd,
        }
    }
}
