//! The report of a run: a pure function of its records.

use std::io;

use serde::Serialize;

use super::repeats::RepeatReport;
use super::slo::SloVerdict;
use super::stage::{Accumulator, StageReport};
use crate::load::{Objective, Record, RunHeader, RunInfo, Sink};
use crate::pricing::Prices;

/// What report.json holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// [`Report::SCHEMA`].
    pub schema: &'static str,
    /// What was run.
    pub run: RunInfo,
    /// Whether the numbers may be quoted.
    pub verdict: Verdict,
    /// Whether the stages met their objectives; absent where they have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slo: Option<SloVerdict>,
    /// What a reader should know that does not make the run invalid.
    pub warnings: Vec<String>,
    /// One row for each load level.
    pub stages: Vec<StageReport>,
    /// What repeated stages have in common; absent where none is repeated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<RepeatReport>,
}

impl Report {
    /// The schema of report.json.
    pub const SCHEMA: &str = "relaybench.report/1";

    pub(super) fn with_warning(mut self, warning: &str) -> Self {
        self.warnings.push(warning.to_owned());
        self
    }

    /// From where latency counts, in a sentence or two: of a closed loop it knows no waiting for a slot, which has to be said.
    pub(super) fn latency_counts_from(&self) -> String {
        let mut closed: Vec<&str> = Vec::new();
        for stage in self.stages.iter().filter(|stage| stage.load.concurrency().is_some()) {
            let name = stage.repeat.as_ref().map_or(&*stage.name, |repeat| &repeat.of);
            if closed.last() != Some(&name) && !closed.contains(&name) {
                closed.push(name);
            }
        }
        if closed.is_empty() {
            "Latency is from the intended send.".to_owned()
        } else if self.stages.iter().all(|stage| stage.load.concurrency().is_some()) {
            "Closed: latency is from the send, and knows no waiting for a slot.".to_owned()
        } else {
            let closed = closed.join(", ");
            format!(
                "Closed, where latency is from the send and knows no waiting for a slot: {closed}. Else it is from the intended send."
            )
        }
    }

    /// The report as it is written to report.json, with a newline at its end.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("a report has only string keys and finite numbers");
        json.push('\n');
        json
    }
}

/// Whether the run kept its promises and its numbers may be quoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// True when there is no reason against it.
    pub valid: bool,
    /// What is wrong, each with its figure.
    pub reasons: Vec<String>,
}

/// Makes a report of records as they come, in memory that does not grow with them.
#[derive(Debug, Default)]
pub struct Collector {
    header: Option<RunHeader>,
    stages: Vec<Accumulator>,
    objectives: Option<Vec<Objective>>,
}

impl Sink for Collector {
    /// Adds a record. What belongs to no stage of the first header says nothing and is passed over.
    fn record(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Run(header) if self.header.is_none() => {
                let mut header = header.clone();
                if let Some(objectives) = &self.objectives {
                    header.stages.iter_mut().for_each(|stage| stage.slo.clone_from(objectives));
                }
                let prices = header.prices.as_ref().unwrap_or(Prices::built_in());
                let stages = header.stages.iter();
                self.stages = stages.map(|stage| Accumulator::new(stage.clone(), &header.model, prices.clone())).collect();
                self.header = Some(header);
            }
            Record::Run(_) => {}
            Record::Sample(sample) => self.stage(sample.stage).into_iter().for_each(|stage| stage.add(sample)),
            Record::Stage(end) => self.stage(end.stage).into_iter().for_each(|stage| stage.end(end)),
        }
        Ok(())
    }
}

impl Collector {
    /// Holds every stage to these objectives instead of those it was run with.
    pub fn held_to(objectives: Vec<Objective>) -> Self {
        Self { objectives: Some(objectives), ..Self::default() }
    }

    fn stage(&mut self, stage: u32) -> Option<&mut Accumulator> {
        self.stages.get_mut(stage as usize)
    }

    /// The report of what was added so far; none where no run began.
    pub fn report(self) -> Option<Report> {
        let header = self.header?;
        let (mut reasons, mut warnings, mut stages) = (Vec::new(), Vec::new(), Vec::new());
        for accumulator in self.stages {
            let (stage, stage_reasons, stage_warnings) = accumulator.finish();
            reasons.extend(stage_reasons.into_iter().map(|reason| format!("{}: {reason}", stage.name)));
            warnings.extend(stage_warnings.into_iter().map(|warning| format!("{}: {warning}", stage.name)));
            stages.push(stage);
        }
        Some(Report {
            schema: Report::SCHEMA,
            run: header.run,
            verdict: Verdict { valid: reasons.is_empty(), reasons },
            slo: SloVerdict::of(&stages),
            warnings,
            repeats: RepeatReport::of(&stages),
            stages,
        })
    }
}
