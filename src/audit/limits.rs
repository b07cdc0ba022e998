//! No throughput passes a rate limit.

use super::claims::{Claims, ProviderClaim};
use super::figure::{Figure, Interval};
use super::finding::{Line, Verdict};
use crate::report::figures::grouped;

/// A throughput of which nobody tells how many requests it was measured by is taken over so many seconds at least.
const SHORTEST_S: f64 = 1.0;

/// Each provider's throughput by each of its limits.
pub(super) fn providers(claims: &Claims) -> Vec<Line> {
    claims.providers.iter().flat_map(provider).collect()
}

fn provider(provider: &ProviderClaim) -> Vec<Line> {
    let Some(throughput) = &provider.row.throughput_rps else { return Vec::new() };
    let line = |(verdict, why): (Verdict, String)| Line::new(&provider.name, verdict, why);
    let passed = Passed { throughput, requests: provider.row.requests, succeeded: provider.row.succeeded() };
    let requests = provider.requests_per_minute.as_ref().map(|limit| passed.against(limit, "requests", ONE));
    let tokens = provider.tokens_per_minute.as_ref().map(|limit| match &provider.tokens_per_request {
        Some(each) => passed.against(limit, "tokens", Each { value: each.value(), interval: each.interval() }),
        None => (Verdict::CannotTell, format!("{limit} tokens a minute: how many a request has is not told")),
    });
    let lines: Vec<Line> = requests.into_iter().chain(tokens).map(line).collect();
    match provider.limit.as_deref() {
        Some(limit) if lines.is_empty() && !is_none(limit) => {
            vec![line((Verdict::CannotTell, format!("a limit by {limit} whose figure is not told")))]
        }
        _ => lines,
    }
}

/// Whether these words say that there is no limit.
fn is_none(limit: &str) -> bool {
    NO_LIMIT.iter().any(|none| limit.trim().eq_ignore_ascii_case(none))
}

const NO_LIMIT: [&str; 5] = ["none", "no limit", "no", "unlimited", "without limit"];

/// What a request takes of a limit.
#[derive(Clone, Copy)]
struct Each {
    value: f64,
    interval: Interval,
}

const ONE: Each = Each { value: 1.0, interval: Interval { low: 1.0, high: 1.0 } };

/// What passed a limit: only that counts against it.
struct Passed<'a> {
    throughput: &'a Figure,
    /// All that were sent.
    requests: Option<u64>,
    /// Which share of them; none where it is not told.
    succeeded: Option<Interval>,
}

impl Passed<'_> {
    fn against(&self, limit: &Figure, of: &str, each: Each) -> (Verdict, String) {
        let minute = grouped((self.throughput.value() * 60.0 * each.value).round());
        let why = format!("{} req/s are {minute} {of} a minute, of {limit}", self.throughput);
        let most = limit.interval().high;
        let asked = self.throughput.interval().scaled(60.0).times(each.interval);
        if !asked.is_above(most) {
            return (Verdict::Consistent, why);
        }
        // A throughput that counts refusals has the passed among them.
        let rps = self.throughput.interval().low * self.succeeded.map_or(1.0, |share| share.low);
        let is_beyond = match (self.requests, self.succeeded) {
            (Some(requests), Some(share)) => {
                let (least, longest_s) =
                    ((requests as f64 * share.low - 1e-6).ceil(), requests as f64 / self.throughput.interval().low);
                is_beyond(least * each.interval.low, most, longest_s)
            }
            // How many passed is not told, and so is how long it took.
            (Some(_), None) => false,
            (None, _) => is_beyond(rps * SHORTEST_S * each.interval.low, most, SHORTEST_S),
        };
        if is_beyond {
            return (Verdict::Inconsistent, why);
        }
        let untold = match (self.requests, self.succeeded) {
            (Some(_), Some(_)) => "so few may have passed at once",
            (Some(_), None) => "of how many that succeeded is not told",
            (None, _) => "for how long is not told, and some may have passed at once",
        };
        (Verdict::CannotTell, format!("{why}; {untold}"))
    }
}

/// Whether no limit of this figure a minute lets so much pass in so many seconds. Of a bucket (its content and what flows in), a sliding
/// window and a fixed one, the last lets most pass: the figure in each window that the time touches, of which two may touch it however
/// short it is.
fn is_beyond(passed: f64, most: f64, seconds: f64) -> bool {
    let windows = (seconds / 60.0).floor() + 2.0;
    Interval::new(passed, passed).is_above(most * windows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_window_lets_its_figure_pass_before_and_after_each_boundary() {
        assert!(!is_beyond(200.0, 100.0, 0.0) && is_beyond(201.0, 100.0, 0.0));
        assert!(!is_beyond(300.0, 100.0, 60.0) && is_beyond(301.0, 100.0, 119.0));
    }
}
