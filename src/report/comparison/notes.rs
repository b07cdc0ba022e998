//! What a reader of a comparison should know of a provider: the model that stood in, the limit that was felt, the published figure
//! that cannot be.

use std::time::Duration;

use super::{is_refused, refusals};
use crate::provider::{Limits, Provider, Published, StandIn};
use crate::report::figures::{count, milliseconds, rate};
use crate::report::stage::StageReport;
use crate::report::summary::Report;
use crate::stats::in_flight_needed;

const MINUTE_S: f64 = 60.0;

pub(super) fn notes(provider: &Provider, limits: Option<&Limits>, stand_ins: &[StandIn], report: &Report) -> Vec<String> {
    let mut notes: Vec<String> = stand_ins
        .iter()
        .map(|StandIn { wanted, asked }| format!("{wanted} is not served there; {asked} was asked in its place"))
        .collect();
    notes.extend(refused(limits, &report.stages));
    notes.extend(nothing_left(&report.stages));
    if let Some(published) = &provider.published {
        notes.extend(limits.and_then(|limits| beyond_the_limit(published, limits, &report.stages)));
        notes.extend(beyond_littles_law(published, &report.stages));
    }
    notes
}

/// How many were turned away, and by which limit.
fn refused(limits: Option<&Limits>, stages: &[StageReport]) -> Option<String> {
    let refused: u64 = stages.iter().map(refusals).sum();
    let sent: u64 = stages.iter().map(|stage| stage.requests.sent).sum();
    let why = limits.map(|limits| format!("{} ({}, {})", limits.figures, limits.source, limits.date));
    match why {
        Some(why) if refused > 0 => {
            Some(format!("limit reached: {why}; {} of {} requests ended as 429", count(refused), count(sent)))
        }
        Some(why) => Some(format!("limit not felt: {why}")),
        None if refused > 0 => Some(format!("{} of {} requests ended as 429", count(refused), count(sent))),
        None => None,
    }
}

/// Levels of which a limit left little or nothing to measure.
fn nothing_left(stages: &[StageReport]) -> Option<String> {
    let all: Vec<&str> = stages.iter().filter(|stage| is_refused(stage)).map(|stage| stage.name.as_str()).collect();
    let refused = if all.is_empty() { String::new() } else { format!("every request of {} was refused; ", all.join(", ")) };
    let is_little = |stage: &StageReport| refusals(stage) > 0 && stage.latency_ms.mean.is_none();
    stages
        .iter()
        .any(is_little)
        .then(|| format!("{refused}for its latency offer less than the limit, like --rate 1 --duration 5m"))
}

/// A published throughput that the limit forbids.
fn beyond_the_limit(published: &Published, limits: &Limits, stages: &[StageReport]) -> Option<String> {
    let throughput = published.throughput_rps?;
    let requests = limits.figures.0.requests_per_minute.map(|requests| requests as f64);
    let (allowed, of) = match (requests, limits.figures.0.tokens_per_minute) {
        (Some(requests), _) => (requests, String::new()),
        (None, Some(tokens)) => {
            let succeeded: u64 = stages.iter().map(|stage| stage.requests.succeeded).sum();
            let used: u64 = stages.iter().map(|stage| stage.usage.prompt_tokens + stage.usage.completion_tokens).sum();
            let each = (succeeded > 0 && used > 0).then(|| used as f64 / succeeded as f64)?;
            (tokens as f64 / each, format!(" of {each:.0} tokens"))
        }
        (None, None) => return None,
    };
    let allowed = allowed / MINUTE_S;
    (throughput > allowed).then(|| {
        format!(
            "published {} req/s cannot pass that limit: it allows {} req/s{of} to one caller",
            rate(throughput),
            rate(allowed)
        )
    })
}

/// A published throughput that takes more in flight than there was: it cannot be had from this load, whatever the provider does.
fn beyond_littles_law(published: &Published, stages: &[StageReport]) -> Option<String> {
    let (throughput, mean_ms) = (published.throughput_rps?, published.mean_ms?);
    let most = stages.iter().map(|stage| stage.load.concurrency()).collect::<Option<Vec<_>>>()?.into_iter().max()?;
    let needed = in_flight_needed(throughput, Duration::from_secs_f64(mean_ms / 1e3));
    (needed > most as f64).then(|| {
        format!(
            "published {} req/s at {} ms take {} in flight (Little's law), and at most {} were",
            rate(throughput),
            milliseconds(mean_ms),
            rate(needed),
            count(most as u64)
        )
    })
}
