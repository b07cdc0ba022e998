//! What a run used, as the demand of a month.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde::Serialize;
use thiserror::Error;

use super::demand::{Demand, Use};
use crate::load::{Outcome, Record, Sample};
use crate::report::figures::{count, grouped, percent};

/// What a run used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Its scenario.
    pub scenario: String,
    /// By which policy.
    pub policy: String,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Attempts that they took.
    pub attempts: u64,
    /// Tokens of the prompts that were answered.
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub completion_tokens: u64,
    /// Requests a month that it stands for.
    pub requests_per_month: f64,
}

/// Why a run says nothing of costs.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MeasuredError {
    /// Its samples cannot be read.
    #[error("{origin}: cannot be read")]
    Unreadable {
        /// The file.
        origin: String,
        /// Why not.
        source: io::Error,
    },
    /// A line is no record of a run.
    #[error("{origin}:{line}: no record of a run: {source}; name the samples.jsonl of a run, or its directory")]
    NoRecord {
        /// The file.
        origin: String,
        /// The line, from 1.
        line: usize,
        /// Why not.
        source: serde_json::Error,
    },
    /// Nothing was answered with a usage.
    #[error("{origin}: no answer tells how many tokens it used, so that there is nothing to calculate with")]
    NoUsage {
        /// The file.
        origin: String,
    },
}

/// What one model was used for.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    sent: u64,
    answered: u64,
    attempts: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
}

impl Totals {
    fn add(&mut self, sample: &Sample) {
        self.sent += u64::from(!matches!(sample.outcome, Outcome::Unsent { .. }));
        self.answered += u64::from(sample.outcome == Outcome::Succeeded);
        self.attempts += u64::from(sample.attempts);
        self.prompt_tokens += sample.prompt_tokens.unwrap_or(0);
        self.completion_tokens += sample.completion_tokens.unwrap_or(0);
    }

    fn plus(self, other: &Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            answered: self.answered + other.answered,
            attempts: self.attempts + other.attempts,
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
        }
    }
}

impl Demand {
    /// What a run used, from its samples, as so many requests a month would use it; without a number, as many as it sent.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or tell no usage. A last line that was not finished, as a killed run leaves it, is passed over.
    pub fn of_run(samples: impl BufRead, origin: &str, requests_per_month: Option<f64>) -> Result<Self, MeasuredError> {
        let (mut header, mut models) = (None, BTreeMap::<String, Totals>::new());
        let mut lines = samples.split(b'\n').enumerate().peekable();
        while let Some((place, line)) = lines.next() {
            let line = line.map_err(|source| MeasuredError::Unreadable { origin: origin.to_owned(), source })?;
            match serde_json::from_slice(&line) {
                Ok(Record::Run(run)) => header = header.or(Some(run)),
                Ok(Record::Sample(sample)) => {
                    let first = || header.as_ref().map(|run| run.model.as_str()).unwrap_or_default();
                    let model = sample.model.as_deref().unwrap_or_else(first).to_owned();
                    models.entry(model).or_default().add(&sample);
                }
                Ok(Record::Stage(_)) => {}
                Err(_) if lines.peek().is_none() && place > 0 => {}
                Err(source) => return Err(MeasuredError::NoRecord { origin: origin.to_owned(), line: place + 1, source }),
            }
        }
        let total = models.values().fold(Totals::default(), Totals::plus);
        let no_usage = || MeasuredError::NoUsage { origin: origin.to_owned() };
        let run =
            header.filter(|_| total.answered > 0 && total.prompt_tokens + total.completion_tokens > 0).ok_or_else(no_usage)?;
        let requests_per_month = requests_per_month.unwrap_or(total.sent as f64);
        let scale = requests_per_month / total.sent as f64;
        let uses = models.into_iter().filter(|(_, totals)| totals.answered > 0).map(|(model, totals)| Use {
            model,
            input_tokens: totals.prompt_tokens as f64 * scale,
            output_tokens: totals.completion_tokens as f64 * scale,
            wasted_attempts: totals.attempts.saturating_sub(totals.answered) as f64 / totals.answered as f64,
        });
        Ok(Self {
            name: format!("requests as of a run of {}", run.run.scenario),
            uses: uses.collect(),
            cached_share: 0.0,
            measured: Some(Measured {
                scenario: run.run.scenario,
                policy: run.run.policy,
                sent: total.sent,
                succeeded: total.answered,
                attempts: total.attempts,
                prompt_tokens: total.prompt_tokens,
                completion_tokens: total.completion_tokens,
                requests_per_month,
            }),
        })
    }
}

impl Measured {
    /// How many attempts ended without an answer.
    pub fn wasted_attempts(&self) -> u64 {
        self.attempts.saturating_sub(self.succeeded)
    }

    pub(super) fn assumptions(&self) -> [String; 2] {
        let amplification = self.attempts as f64 / self.sent.max(1) as f64;
        [
            format!(
                "Measured by scenario {} under policy {}: {} of {} requests succeeded, with {} tokens in and {} out; {} requests a month.",
                self.scenario,
                self.policy,
                count(self.succeeded),
                count(self.sent),
                count(self.prompt_tokens),
                count(self.completion_tokens),
                grouped(self.requests_per_month)
            ),
            format!(
                "{} attempts, {amplification:.3} a request: {} of them ({}) gave no answer. \"At most\" bills each like an answer; a refusal \
                 (429, 503) costs nothing at providers that are known.",
                count(self.attempts),
                count(self.wasted_attempts()),
                percent(self.wasted_attempts() as f64 / self.attempts.max(1) as f64)
            ),
        ]
    }
}
