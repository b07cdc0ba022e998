//! Percentiles ascend, and the mean lies where they let it.

use super::claims::{Claims, LoadClaims, Row, ThroughputOver};
use super::figure::Interval;
use super::finding::{Line, Verdict};
use super::spread::{Percentile, certain_share, max_ms, mean_ms, percentiles};
use crate::report::figures::amount;

/// Each level's latencies by each other.
pub(super) fn levels(claims: &Claims) -> Vec<Line> {
    let Some(load) = &claims.load else { return Vec::new() };
    load.rows.iter().filter_map(|row| level(load, row)).collect()
}

fn level(load: &LoadClaims, row: &Row) -> Option<Line> {
    let percentiles = percentiles(row);
    let max = row.max_ms.as_ref().map(|max| Percentile { name: "the longest", share: 1.0, ms: max_ms(max) });
    let ascending: Vec<Percentile> = percentiles.iter().copied().chain(max).collect();
    if ascending.len() + usize::from(row.mean_ms.is_some()) < 2 {
        return None;
    }
    let wrong = descent(&ascending).or_else(|| mean_out_of_reach(load, row, &percentiles));
    let verdict = if wrong.is_some() { Verdict::Inconsistent } else { Verdict::Consistent };
    Some(Line::new(row.about(), verdict, wrong.unwrap_or_else(|| in_order(row, &ascending))))
}

/// A percentile that is longer than a higher one.
fn descent(ascending: &[Percentile]) -> Option<String> {
    let mut pairs =
        ascending.iter().enumerate().flat_map(|(place, lower)| ascending[place + 1..].iter().map(move |higher| [lower, higher]));
    let pair = pairs.find(|[lower, higher]| lower.ms.is_above(higher.ms.high))?;
    let shown = |percentile: &Percentile| format!("{} of {} ms", percentile.name, amount(printed(percentile.ms)));
    Some(format!("{} is above {}", shown(pair[0]), shown(pair[1])))
}

/// The printed figure, up to what an interval was widened by.
fn printed(interval: Interval) -> f64 {
    interval.low.midpoint(interval.high)
}

/// A mean below what the slowest alone add up to, or above what all can.
fn mean_out_of_reach(load: &LoadClaims, row: &Row, percentiles: &[Percentile]) -> Option<String> {
    let mean = row.mean_ms.as_ref()?;
    // Mean and percentiles may be of the succeeded alone, of which each repeat has its own number.
    let told = row.requests.zip(row.succeeded()).filter(|_| !load.has_repeats());
    let samples = told.map(|(requests, share)| (requests as f64 * share.low).max(1.0));
    let least = least_mean(percentiles, samples, longest(load, row));
    if mean_ms(mean).is_below(least) {
        let of = if longest(load, row).is_some() { "percentiles and longest" } else { "the percentiles" };
        return Some(format!("a mean of {mean} ms is below the {} ms that {of} make of it", amount(least)));
    }
    let most = most_mean(percentiles, samples, row.max_ms.as_ref()?.interval().high);
    mean_ms(mean)
        .is_above(most)
        .then(|| format!("a mean of {mean} ms is above the {} ms that percentiles and longest leave", amount(most)))
}

/// What share of the samples the longest is at least, and how long it is. Of a window the mean leaves requests out, and the longest may be
/// one of these.
fn longest(load: &LoadClaims, row: &Row) -> Option<(f64, f64)> {
    let max = row.max_ms.as_ref().filter(|_| load.throughput_over == ThroughputOver::Whole)?;
    let requests = row.requests? as f64;
    let most = match row.succeeded() {
        Some(share) if !load.has_repeats() => (requests * share.high).ceil().clamp(1.0, requests),
        // It may be the longest of all repeats, or the mean of theirs.
        _ => requests * load.repeats.unwrap_or(1) as f64,
    };
    Some((1.0 / most, max_ms(max).low))
}

/// The mean of latencies as short as these percentiles let them be: each share is as long as the percentile below it.
fn least_mean(percentiles: &[Percentile], samples: Option<f64>, longest: Option<(f64, f64)>) -> f64 {
    let (mut counted, longest_ms) = longest.unwrap_or((0.0, 0.0));
    let mut mean = counted * longest_ms;
    for percentile in percentiles.iter().rev() {
        let as_long = certain_share(samples, 1.0 - percentile.share).max(counted);
        mean += (as_long - counted) * percentile.ms.low;
        counted = as_long;
    }
    mean
}

/// The mean of latencies as long as these percentiles and the longest let them be.
fn most_mean(percentiles: &[Percentile], samples: Option<f64>, max_ms: f64) -> f64 {
    let mut counted = 0.0;
    let mut mean = 0.0;
    for percentile in percentiles {
        let as_short = certain_share(samples, percentile.share).max(counted);
        mean += (as_short - counted) * percentile.ms.high.min(max_ms);
        counted = as_short;
    }
    mean + (1.0 - counted) * max_ms
}

fn in_order(row: &Row, ascending: &[Percentile]) -> String {
    let names: Vec<&str> = ascending.iter().map(|percentile| percentile.name).collect();
    match (&row.mean_ms, names.as_slice()) {
        (Some(mean), [_, ..]) => format!("{} ascend; a mean of {mean} ms is within reach", names.join(", ")),
        _ => format!("{} ascend", names.join(", ")),
    }
}
