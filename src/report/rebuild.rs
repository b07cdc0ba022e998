//! A report from the file of a run's samples.

use std::io::{self, BufRead};
use std::time::Duration;

use thiserror::Error;

use super::details::Details;
use super::summary::{Collector, Report};
use crate::load::{Outcome, Record, RunHeader, Sample, Sink as _, StageEnd};

/// Why a file of samples gives no report.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// It cannot be read.
    #[error("{origin}: cannot be read")]
    Read {
        /// The file, as it was named.
        origin: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A line of it is not what it should be.
    #[error("{origin}:{line}: {problem}")]
    Line {
        /// The file, as it was named.
        origin: String,
        /// From 1.
        line: u64,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

/// Adds the records of a samples.jsonl to a collector, and gives the report: the same as the run's own, to the byte. `origin` is the
/// file's name in errors.
///
/// A run that was killed leaves a file without an end, perhaps in the middle of a line. Such a line is left out, and the report says so
/// in its warnings, and in its verdict that stages did not end.
///
/// # Errors
///
/// What cannot be read, and the first line that is no record of one run.
pub fn rebuild(input: impl BufRead, origin: &str, collector: Collector) -> Result<Report, RebuildError> {
    rebuild_with_details(input, origin, collector).map(|(report, _)| report)
}

/// As [`rebuild`], with what plots and exports need.
///
/// # Errors
///
/// As for [`rebuild`].
pub fn rebuild_with_details(
    input: impl BufRead,
    origin: &str,
    mut collector: Collector,
) -> Result<(Report, Details), RebuildError> {
    let mut details = Details::default();
    let mut records = Records::new(input, origin);
    for record in &mut records {
        let record = record?;
        let unreadable = |source| RebuildError::Read { origin: origin.to_owned(), source };
        details.record(&record).and_then(|()| collector.record(&record)).map_err(unreadable)?;
    }
    let report = collector.report().ok_or_else(|| RebuildError::Line {
        origin: origin.to_owned(),
        line: 1,
        problem: "the file is empty; name a samples.jsonl".to_owned(),
    })?;
    let warning = "the last line of the samples is cut off, and was left out";
    let report = if records.is_cut_off { report.with_warning(warning) } else { report };
    Ok((report, details.finish()))
}

/// The records of a samples.jsonl, one after another, each one that can come there. It ends with the first that cannot, and before a
/// last line that was cut off.
#[derive(Debug)]
pub struct Records<R> {
    input: R,
    origin: String,
    text: Vec<u8>,
    line: u64,
    stages: usize,
    /// The stage that goes on; those before it are over.
    stage: u32,
    /// When the last request of that stage ended.
    last_end: Duration,
    /// For how many requests the samples stand.
    requests: u64,
    is_cut_off: bool,
    is_over: bool,
}

impl<R: BufRead> Records<R> {
    /// Of a file that is called `origin` in errors.
    pub fn new(input: R, origin: &str) -> Self {
        let origin = origin.to_owned();
        Self {
            input,
            origin,
            text: Vec::new(),
            line: 0,
            stages: 0,
            stage: 0,
            last_end: Duration::ZERO,
            requests: 0,
            is_cut_off: false,
            is_over: false,
        }
    }

    fn read(&mut self) -> Result<Option<Record>, RebuildError> {
        self.text.clear();
        let read = self.input.read_until(b'\n', &mut self.text);
        if read.map_err(|source| RebuildError::Read { origin: self.origin.clone(), source })? == 0 {
            return Ok(None);
        }
        self.line += 1;
        let (origin, line) = (&self.origin, self.line);
        let wrong = |problem: String| RebuildError::Line { origin: origin.clone(), line, problem };
        if self.text.trim_ascii().is_empty() {
            return Err(wrong("is blank; keep the lines as they were written, one a record".to_owned()));
        }
        let record = match serde_json::from_slice::<Record>(&self.text) {
            Ok(record) => record,
            Err(_) if line > 1 && !self.text.ends_with(b"\n") => {
                self.is_cut_off = true;
                return Ok(None);
            }
            Err(error) => return Err(wrong(format!("is no record of a run ({error}); name a samples.jsonl"))),
        };
        self.stages = check(&record, line, self.stages).map_err(wrong)?;
        let (stage, next) = match &record {
            Record::Run(_) => (0, 0),
            Record::Sample(sample) => (sample.stage, sample.stage),
            Record::Stage(end) => (end.stage, end.stage + 1),
        };
        if stage < self.stage {
            return Err(wrong(format!(
                "stage {stage} was over before this line; keep the lines in the order in which they were written"
            )));
        }
        if stage > self.stage {
            self.last_end = Duration::ZERO;
        }
        match &record {
            Record::Run(_) => {}
            Record::Sample(sample) => {
                check_sample(sample).map_err(wrong)?;
                let requests = self.requests.checked_add(sample.count);
                self.requests =
                    requests.ok_or_else(|| wrong("the samples stand for more requests than can be counted".to_owned()))?;
                self.last_end = self.last_end.max(sample.ended.unwrap_or_default());
            }
            Record::Stage(end) => {
                check_end(end, self.last_end).map_err(wrong)?;
                self.last_end = Duration::ZERO;
            }
        }
        self.stage = next;
        Ok(Some(record))
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Result<Record, RebuildError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let record = self.read().transpose();
        self.is_over = !matches!(record, Some(Ok(_)));
        record
    }
}

/// How many stages there are, when the record is one that can come there.
fn check(record: &Record, line: u64, stages: usize) -> Result<usize, String> {
    let (stage, kind) = match record {
        Record::Run(header) if line > 1 => {
            return Err(format!("a second run begins here (\"{}\"); keep one run in a file", header.run.scenario));
        }
        Record::Run(header) if header.schema != RunHeader::SCHEMA => {
            return Err(format!("the schema is \"{}\"; this version reads {}", header.schema, RunHeader::SCHEMA));
        }
        Record::Run(header) => return Ok(header.stages.len()),
        Record::Sample(sample) => (sample.stage, "a sample"),
        Record::Stage(end) => (end.stage, "the end"),
    };
    match stages {
        _ if line == 1 => Err("the first line is not the head of a run; name a whole samples.jsonl".to_owned()),
        _ if stage as usize >= stages => Err(format!("{kind} of stage {stage}, but the run has {stages}, counted from 0")),
        _ => Ok(stages),
    }
}

/// Refuses what no run writes, and what would be counted as if it had happened.
fn check_sample(sample: &Sample) -> Result<(), String> {
    let Sample { sent, ended, count, .. } = sample;
    let problem = match (&sample.outcome, sent, ended) {
        (Outcome::Unsent { .. }, None, None) if *count == 0 || sample.index.checked_add(*count).is_none() => {
            format!("count: {count} requests from {} on are not possible", sample.index)
        }
        (Outcome::Unsent { .. }, None, None) if sample.attempts > 0 => {
            format!("attempts: {} of a request that was not sent", sample.attempts)
        }
        (Outcome::Unsent { .. }, None, None) => return Ok(()),
        (Outcome::Unsent { .. }, ..) => "sent_ns, ended_ns: a request that was not sent has neither".to_owned(),
        (_, None, _) => "sent_ns: a request that was sent has an instant there".to_owned(),
        (_, _, None) => "ended_ns: a request that was sent has an instant there".to_owned(),
        (_, Some(sent), Some(ended)) if ended < sent => {
            format!("ended_ns: {} is before the request was sent ({})", ended.as_nanos(), sent.as_nanos())
        }
        (_, Some(sent), _) if sample.intended.is_some_and(|intended| *sent < intended) => {
            format!("sent_ns: {} is before the request was meant to be sent", sent.as_nanos())
        }
        _ if *count != 1 => format!("count: {count}, but each request that was sent has a sample of its own"),
        _ => return Ok(()),
    };
    Err(format!("{problem}; use the samples as they were written"))
}

/// Refuses a stage that was over before its requests were.
fn check_end(end: &StageEnd, last_end: Duration) -> Result<(), String> {
    if end.duration >= last_end {
        return Ok(());
    }
    let (duration, last_end) = (end.duration.as_nanos(), last_end.as_nanos());
    Err(format!("duration_ns: {duration} is before the last request ended ({last_end}); use the samples as they were written"))
}
