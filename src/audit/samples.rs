//! What a percentile rests on.

use super::claims::{Claims, LoadClaims, Row};
use super::finding::{Line, Verdict};
use super::spread::percentiles;
use crate::report::figures::grouped;
use crate::stats::{ranks, samples_needed};

/// So many samples beyond a percentile make the share beyond it known within a fifth (1.96/√100, with 95 % confidence).
const ENOUGH_BEYOND: f64 = 100.0;

/// Each level's highest percentile by the samples beyond it, over all repeats.
pub(super) fn levels(claims: &Claims) -> Vec<Line> {
    let Some(load) = &claims.load else { return Vec::new() };
    load.rows.iter().filter_map(|row| level(load, row)).collect()
}

fn level(load: &LoadClaims, row: &Row) -> Option<Line> {
    let highest = percentiles(row).pop()?;
    let Some(requests) = row.requests else {
        return Some(Line::new(row.about(), Verdict::Weak, format!("{}: of how many requests is not told", highest.name)));
    };
    let samples = requests.saturating_mul(load.repeats.unwrap_or(1));
    let beyond = samples as f64 * (1.0 - highest.share);
    let rests = format!("{} of {} rests on {}", highest.name, times(requests, load.repeats), grouped(beyond.floor()));
    if beyond >= ENOUGH_BEYOND * (1.0 - 1e-9) {
        return Some(Line::new(row.about(), Verdict::Consistent, format!("{rests} samples")));
    }
    let known = match ranks(samples, highest.share) {
        Some((low, high)) => {
            let percent = |rank: u64| rank as f64 / samples as f64 * 100.0;
            format!("it may be p{:.1} to p{:.1}", percent(low), percent(high).min(99.99))
        }
        None => format!("it takes {} to tell at all", grouped(samples_needed(highest.share) as f64)),
    };
    Some(Line::new(row.about(), Verdict::Weak, format!("{rests} samples: {known}{}", untold(load.repeats))))
}

fn times(requests: u64, repeats: Option<u64>) -> String {
    let requests = grouped(requests as f64);
    repeats.filter(|repeats| *repeats > 1).map_or(requests.clone(), |repeats| format!("{repeats} × {requests}"))
}

fn untold(repeats: Option<u64>) -> &'static str {
    if repeats.is_none() { "; no repeats are told" } else { "" }
}
