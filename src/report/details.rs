//! What plots and the exports of other tools show beyond a report's figures, gathered while samples come.

mod distribution;
mod gathering;
mod intervals;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

pub(super) use distribution::{Distribution, PERCENTILES};
use gathering::Gathering;
pub(super) use gathering::time_per_token;
pub(super) use intervals::{Interval, Intervals};

use super::hlog;
use crate::load::{Record, RunHeader, Sink};

/// Gathers what plots and exports need of the records as they come, in memory that does not grow with them: histograms and intervals for
/// the stage that goes on, and a few kilobytes for each that is over.
#[derive(Debug, Default)]
pub struct Details {
    header: Option<RunHeader>,
    stages: Vec<StageDetails>,
    current: Option<Gathering>,
}

/// What is kept of a stage that is over.
#[derive(Clone, Debug)]
pub(super) struct StageDetails {
    /// When it began, in the run: stages follow one another.
    pub(super) began: Duration,
    pub(super) duration: Duration,
    /// Whether it was asked to end before its time.
    pub(super) interrupted: bool,
    /// Of succeeded steady requests, as all distributions here.
    pub(super) latency: Distribution,
    pub(super) time_to_first_token: Distribution,
    pub(super) inter_token: Distribution,
    /// (latency − time to first token) / (completion tokens − 1), a request each.
    pub(super) time_per_token: Distribution,
    /// Requests sent in the steady window that failed, by kind.
    pub(super) steady_errors: BTreeMap<String, u64>,
    /// Of the answers to those that succeeded.
    pub(super) steady_tokens: u64,
    /// How many requests took so many attempts.
    pub(super) attempts: BTreeMap<u32, u64>,
    /// What ended when, all windows.
    pub(super) intervals: Vec<Interval>,
    /// How long each of them is.
    pub(super) interval: Duration,
    /// Its lines of an HdrHistogram log.
    pub(super) hlog: String,
}

impl StageDetails {
    /// Each interval with its beginning in the run and its length, in seconds. The last ends with the stage.
    pub(super) fn stretches(&self) -> impl Iterator<Item = (f64, f64, &Interval)> {
        let (end, last) = (self.began + self.duration, self.intervals.len().saturating_sub(1));
        self.intervals.iter().enumerate().filter_map(move |(place, interval)| {
            let begin = self.began + self.interval * u32::try_from(place).ok()?;
            let length = if place == last { end.saturating_sub(begin) } else { self.interval };
            (!length.is_zero()).then_some((begin.as_secs_f64(), length.as_secs_f64(), interval))
        })
    }
}

impl Sink for Details {
    /// Adds a record. Samples must come stage by stage, as a run writes them.
    fn record(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Run(header) => {
                self.header.get_or_insert_with(|| header.clone());
            }
            Record::Sample(sample) => {
                self.go_to(sample.stage as usize);
                self.current.get_or_insert_default().add(sample);
            }
            Record::Stage(end) => {
                self.go_to(end.stage as usize);
                self.current.get_or_insert_default().end(end);
                self.close();
            }
        }
        Ok(())
    }
}

impl Details {
    /// The details so far: also a stage that has not ended.
    pub fn finish(mut self) -> Self {
        let stages = self.header.as_ref().map_or(0, |header| header.stages.len());
        if self.current.is_some() {
            self.close();
        }
        self.go_to(stages);
        self
    }

    /// Those of a stage, by its place in the run.
    pub(super) fn stages(&self) -> &[StageDetails] {
        &self.stages
    }

    /// Closes what is before this stage, also those of which nothing is known.
    fn go_to(&mut self, stage: usize) {
        while self.stages.len() < stage {
            self.close();
        }
    }

    fn close(&mut self) {
        let began = self.stages.last().map_or(Duration::ZERO, |last| last.began + last.duration);
        let names: Vec<&str> = self.header.iter().flat_map(|header| &header.stages).map(|stage| stage.name.as_str()).collect();
        let gathered = self.current.take().unwrap_or_default();
        let hlog = hlog::lines(&hlog::tag(&names, self.stages.len()), began, gathered.intervals());
        self.stages.push(gathered.close(began, hlog));
    }
}
