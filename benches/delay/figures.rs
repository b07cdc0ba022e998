//! From what was seen and served to the figures of a row.

use std::time::Duration;

use relaybench::stats::Histogram;
use serde::Serialize;

use crate::case::{Case, Delay};
use crate::driver::Seen;
use crate::servers::Book;

/// Two quantiles of a lateness in microseconds; null where too few samples support them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Late {
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
}

/// What one server did under one load.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figures {
    /// Requests that were answered.
    pub(crate) requests: usize,
    /// By the server's record: the whole answer, or the first chunk, beyond its instant.
    pub(crate) first: Late,
    /// The end of the answer.
    pub(crate) end: Late,
    /// By the driver: every part of an answer, beyond the delay that was asked for it.
    pub(crate) seen: Late,
}

impl Figures {
    /// Of one round. What was sent while the connections were still beginning is left out.
    pub(crate) fn of(case: &Case, seen: &[Seen], book: &Book) -> Self {
        let gap = if let Delay::Stream(gap) = case.delay { gap } else { Duration::ZERO };
        let mut parts = Histogram::default();
        for part in seen {
            if let Some(served) = book.get(&part.request) {
                parts.record(part.after.saturating_sub(served.due + gap * part.token));
            }
        }
        let (mut first, mut end) = (Histogram::default(), Histogram::default());
        for served in book.values() {
            first.record(served.first_late);
            end.record(served.end_late);
        }
        Self { requests: book.len(), first: late(&first), end: late(&end), seen: late(&parts) }
    }

    /// The middle of several rounds, figure by figure.
    pub(crate) fn median(rounds: &[Self]) -> Self {
        let late = |of: fn(&Self) -> Late| Late {
            p50_us: median(rounds.iter().filter_map(|round| of(round).p50_us)),
            p99_us: median(rounds.iter().filter_map(|round| of(round).p99_us)),
        };
        Self {
            requests: rounds.iter().map(|round| round.requests).sum(),
            first: late(|round| round.first),
            end: late(|round| round.end),
            seen: late(|round| round.seen),
        }
    }
}

fn late(histogram: &Histogram) -> Late {
    let quantile = |quantile| histogram.quantile(quantile).map(|late| late.as_nanos() as f64 / 1e3);
    Late { p50_us: quantile(0.5), p99_us: quantile(0.99) }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
