//! What counts as a success, and whether as many succeeded as are said to be served.

use super::claims::{AvailabilityOf, Claims, LoadClaims, Row, SuccessClaim};
use super::figure::Figure;
use super::finding::{Line, Verdict};
use crate::report::figures::{amount, grouped};

/// Below this chance a difference is no accident: it would be one in a million tables.
const NO_ACCIDENT: f64 = 1e-6;

/// Above this chance a difference is what chance makes often; below it, it is suspect.
const MAY_BE_ACCIDENT: f64 = 0.05;

/// The success rates by what counted as one.
pub(super) fn definition(claims: &Claims) -> Vec<Line> {
    let Some(load) = claims.load.as_ref().filter(|load| load.rows.iter().any(|row| row.success_percent.is_some())) else {
        return Vec::new();
    };
    let (verdict, why) = match load.success {
        SuccessClaim::Complete => (Verdict::Consistent, "complete and proper answers count"),
        SuccessClaim::Status200 => (Verdict::Weak, "any 200 counts: one cut short, or with an error in it, counts as a success"),
        SuccessClaim::AnyJson => {
            (Verdict::Inconsistent, "any body that is JSON counts: a 429 or a 500 with one counts as a success")
        }
        SuccessClaim::AnyResponse => (Verdict::Inconsistent, "any response counts: a 429 or a 500 counts as a success"),
        SuccessClaim::Unstated => (Verdict::CannotTell, "what counted as a success is not told"),
    };
    vec![Line::new(format!("success of {}", range(load)), verdict, why)]
}

/// Availability by the shares that succeeded, of all levels together.
pub(super) fn availability(claims: &Claims) -> Vec<Line> {
    let Some(availability) = &claims.availability_percent else { return Vec::new() };
    let about = format!("{availability} % available");
    let rows = claims.load.iter().flat_map(|load| &load.rows);
    // A rate is that of all repeats, and so many are told beside it.
    let repeats = claims.load.as_ref().and_then(|load| load.repeats).unwrap_or(1) as f64;
    let of_all = |row: &Row| row.requests.map(|requests| requests as f64 * repeats);
    let rates: Vec<_> = rows.filter_map(|row| Some((of_all(row), row.success_percent.as_ref()?))).collect();
    let (Some(load), false) = (&claims.load, rates.is_empty()) else {
        return vec![Line::cannot_tell(about, "no share that succeeded is told")];
    };
    let claimed = availability.interval();
    let untold = match claims.availability_of {
        AvailabilityOf::Requests => None,
        AvailabilityOf::Time => Some("unless an outage fell into the measurement, which the time may leave"),
        AvailabilityOf::Unstated => Some("unless an outage fell into the measurement: of requests or of the time is not told"),
    };
    let is_below = rates.iter().any(|(_, rate)| rate.interval().is_below(claimed.low));
    let Some(rates) = rates.iter().map(|(requests, rate)| Some(((*requests)?, rate))).collect::<Option<Vec<_>>>() else {
        let why = format!("{} succeeded, of how many is not told", range(load));
        return vec![match untold {
            _ if !is_below => Line::new(about, Verdict::Consistent, why),
            Some(unless) => Line::cannot_tell(about, format!("{why}, {unless}")),
            None => Line::new(about, Verdict::Weak, why),
        }];
    };
    let failed: f64 = rates.iter().map(|(requests, rate)| least_failed(*requests, rate)).sum();
    let requests: f64 = rates.iter().map(|(requests, _)| requests).sum();
    let expected = requests * (1.0 - claimed.low / 100.0);
    let printed: f64 = rates.iter().map(|(requests, rate)| requests * (1.0 - rate.value() / 100.0)).sum();
    let promised = requests * (1.0 - availability.value() / 100.0);
    let why = format!(
        "{} succeeded: {} of {} failed, where {} would",
        range(load),
        grouped(printed.round()),
        grouped(requests),
        amount(promised)
    );
    let chance = chance_of_as_many(failed, expected);
    vec![match untold {
        _ if chance >= MAY_BE_ACCIDENT => Line::new(about, Verdict::Consistent, why),
        Some(unless) => Line::cannot_tell(about, format!("{why}, {unless}")),
        None if chance >= NO_ACCIDENT => {
            Line::new(about, Verdict::Weak, format!("{why}: by chance in {} % of such tables at most", amount(chance * 100.0)))
        }
        None => Line::new(about, Verdict::Inconsistent, why),
    }]
}

/// As few as the printed digits leave: the true share is below what would round or truncate to the next.
fn least_failed(requests: f64, rate: &Figure) -> f64 {
    let below = requests * (1.0 - rate.interval().high / 100.0);
    if below < 0.0 { 0.0 } else { (below + 1e-6).floor() + 1.0 }
}

/// What the chance is, at most, that so many or more fail where so many are expected: Chernoff's bound for a sum of independent failures.
fn chance_of_as_many(failed: f64, expected: f64) -> f64 {
    if failed <= expected {
        return 1.0;
    }
    let ratio = if expected > 0.0 { failed * (failed / expected).ln() } else { f64::INFINITY };
    (failed - expected - ratio).exp()
}

fn range(load: &LoadClaims) -> String {
    let rates: Vec<_> = load.rows.iter().filter_map(|row| row.success_percent.as_ref()).collect();
    let lowest = rates.iter().min_by(|a, b| a.value().total_cmp(&b.value()));
    let highest = rates.iter().max_by(|a, b| a.value().total_cmp(&b.value()));
    match (lowest, highest) {
        (Some(low), Some(high)) if low.value() < high.value() => format!("{low} to {high} %"),
        (Some(rate), _) => format!("{rate} %"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{DiscreteCDF, Poisson};

    use super::*;

    #[test]
    fn as_few_failed_as_the_digits_leave() {
        let failed = |rate| least_failed(1000.0, &Figure::parse(rate).unwrap());
        assert_eq!(["99.8", "98.7", "99.9", "100", "100.0", "0"].map(failed), [2.0, 13.0, 1.0, 0.0, 0.0, 991.0]);
    }

    #[test]
    fn the_bound_is_above_the_chance() {
        for (failed, expected) in [(26_u64, 4.0), (5, 4.0), (1, 0.5), (200, 100.0)] {
            let true_chance = Poisson::new(expected).unwrap().sf(failed - 1);
            let bound = chance_of_as_many(failed as f64, expected);
            assert!(bound >= true_chance && bound <= 1.0, "{failed} where {expected}: {bound} for {true_chance}");
        }
        assert!(chance_of_as_many(24.0, 6.0) < NO_ACCIDENT);
    }
}
