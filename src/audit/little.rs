//! Little's law: what is in flight, how fast it leaves and how long it stays cannot be chosen apart.
//!
//! The form used here holds for every finite run, whatever its ramp and drain: with at most N requests in flight the latencies add up to
//! no more than N times the wall time, so that throughput ≤ N / mean latency (Little, Operations Research 9, 1961, needs long runs only
//! for equality).

use super::claims::{Claims, LoadClaims, Method, Row, ThroughputCounts, ThroughputOver};
use super::figure::{Figure, Interval};
use super::finding::{Line, Verdict};
use super::spread::{longest_ms, mean_ms};
use super::waves::{self, Level};
use crate::report::figures::{amount, grouped};

/// Each level's throughput against N / R, and in waves against what waves leave of it.
pub(super) fn levels(claims: &Claims) -> Vec<Line> {
    let Some(load) = &claims.load else { return Vec::new() };
    load.rows.iter().filter_map(|row| level(load, row)).collect()
}

fn level(load: &LoadClaims, row: &Row) -> Option<Line> {
    let throughput = row.throughput_rps.as_ref()?;
    let about = row.about();
    let (Some(concurrency), Some(mean)) = (row.concurrency, &row.mean_ms) else {
        return Some(Line::cannot_tell(about, format!("{throughput} req/s: needs a concurrency and a mean latency")));
    };
    if load.method == Method::Open {
        let why = format!("{throughput} req/s: in an open loop the concurrency bounds nothing");
        return Some(Line::cannot_tell(about, why));
    }
    let counts_failed = load.throughput_counts != ThroughputCounts::Succeeded;
    let law = Law { concurrency: in_flight(concurrency, row), mean, throughput, counts_failed };
    if load.has_repeats() {
        return Some(law.of_means(row, about));
    }
    let waves = (load.method == Method::Waves).then(|| Level::of(concurrency, row)).flatten();
    let verdict = match load.throughput_over {
        ThroughputOver::Whole => law.over_the_whole(row),
        ThroughputOver::Window => law.over_a_window(row),
    };
    let whole = load.throughput_over == ThroughputOver::Whole;
    let outlasted = law.outlasted(row).filter(|_| whole);
    Some(match (verdict, waves, outlasted) {
        (Verdict::Inconsistent, waves, _) => {
            let expected = waves.and_then(|level| level.expected_rps());
            let in_waves = expected.map(|rps| format!(", in waves about {}", grouped(rps.round()))).unwrap_or_default();
            Line::new(about, verdict, law.refutation() + &in_waves)
        }
        (_, _, Some(why)) => Line::new(about, Verdict::Inconsistent, why),
        (Verdict::CannotTell, ..) => Line::new(about, verdict, law.leeway(row)),
        (_, Some(level), _) if whole => in_waves(&law, &level, about),
        _ => Line::new(about, verdict, law.confirmation()),
    })
}

/// Each provider's throughput against N / R, where N is told.
pub(super) fn providers(claims: &Claims) -> Vec<Line> {
    let line = |name: &str, row: &Row| {
        let (throughput, mean) = (row.throughput_rps.as_ref()?, row.mean_ms.as_ref()?);
        let Some(concurrency) = row.concurrency else {
            let needed = amount(throughput.value() * mean.value() / 1e3);
            let why = format!("{throughput} req/s at a mean of {mean} ms are {needed} in flight; how many were is not told");
            return Some(Line::cannot_tell(name, why));
        };
        // Its throughput is of those that succeeded, unless a share that did not is told.
        let counts_failed = row.success_percent.is_some();
        let law = Law { concurrency: in_flight(concurrency, row), mean, throughput, counts_failed };
        let verdict = law.over_the_whole(row);
        let why = if verdict == Verdict::Inconsistent { law.refutation() } else { law.confirmation() };
        Some(Line::new(name, verdict, why))
    };
    claims.providers.iter().filter_map(|provider| line(&provider.name, &provider.row)).collect()
}

/// No more than there are requests.
fn in_flight(concurrency: u64, row: &Row) -> u64 {
    row.requests.map_or(concurrency, |requests| requests.min(concurrency))
}

struct Law<'a> {
    /// The most that can have been in flight.
    concurrency: u64,
    mean: &'a Figure,
    throughput: &'a Figure,
    /// Whether the throughput may count requests that the mean is not of.
    counts_failed: bool,
}

impl Law<'_> {
    /// The most a second where this share succeeded, with the printed digits' room. The failed may have taken no time.
    fn most(&self, succeeded: f64) -> f64 {
        self.concurrency as f64 / (mean_ms(self.mean).low / 1e3 * succeeded)
    }

    /// Where some failed, the throughput may count them, and the mean latency may not.
    fn over_the_whole(&self, row: &Row) -> Verdict {
        let is_above = |succeeded| self.throughput.interval().is_above(self.most(succeeded));
        match row.succeeded() {
            _ if !is_above(1.0) => Verdict::Consistent,
            _ if !self.counts_failed => Verdict::Inconsistent,
            Some(share) if is_above(share.low) => Verdict::Inconsistent,
            Some(_) => Verdict::Consistent,
            None => Verdict::CannotTell,
        }
    }

    /// The figures of several repeats are means over them: a fast repeat adds more to the mean throughput than it takes from the mean
    /// latency, so that nothing bounds the one by the other.
    fn of_means(&self, row: &Row, about: String) -> Line {
        match self.over_the_whole(row) {
            Verdict::Consistent => Line::new(about, Verdict::Consistent, self.confirmation()),
            _ => Line::cannot_tell(
                about,
                format!(
                    "{} if all repeats are alike; of their means it cannot be told, one may have been faster",
                    self.confirmation()
                ),
            ),
        }
    }

    /// Why the longest request alone leaves no room for the throughput, where it does not: the run lasts as long as that at least.
    fn outlasted(&self, row: &Row) -> Option<String> {
        let (requests, longest_ms) = (row.requests? as f64, longest_ms(row)?);
        let succeeded = row.succeeded().map_or(requests, |share| (requests * share.high).ceil().min(requests));
        let counted = if self.counts_failed { requests } else { succeeded };
        let most = counted / (longest_ms / 1e3);
        self.throughput.interval().is_above(most).then(|| {
            let [counted, longest, most] = [grouped(counted), amount(longest_ms / 1e3), amount(most)];
            format!("{} req/s; {counted} in the {longest} s that one of them took are {most} req/s at most", self.throughput)
        })
    }

    /// Without ramp and drain: either is as long as the longest request at most, and no more requests end meanwhile than in all. The mean
    /// may leave out the first request of each slot. The longest that is told is of those that succeeded: one that failed may have
    /// made ramp or drain as long as it liked.
    fn over_a_window(&self, row: &Row) -> Verdict {
        if self.over_the_whole(row) == Verdict::Consistent {
            return Verdict::Consistent;
        }
        let (Some(requests), Some(max)) = (row.requests, &row.max_ms) else { return Verdict::CannotTell };
        if !row.all_succeeded() {
            return Verdict::CannotTell;
        }
        let counted = requests.saturating_sub(self.concurrency) as f64;
        let least_s = counted / self.most(1.0) - 2.0 * max.interval().high / 1e3;
        let most = if least_s > 0.0 { requests as f64 / least_s } else { f64::INFINITY };
        if self.throughput.interval().is_above(most) { Verdict::Inconsistent } else { Verdict::Consistent }
    }

    fn ceiling(&self) -> String {
        // Thousandths of what is printed are exact again once they are rounded.
        let seconds = (self.mean.value() * 1e6).round() / 1e9;
        let in_flight = grouped(self.concurrency as f64);
        if seconds <= 0.0 {
            return format!("{in_flight} / {} ms is no number", self.mean);
        }
        format!("{in_flight} / {seconds} s = {} req/s at most", amount(self.concurrency as f64 / seconds))
    }

    fn refutation(&self) -> String {
        let needed = amount(self.throughput.value() * self.mean.value() / 1e3);
        format!("{} req/s need {needed} in flight; {}", self.throughput, self.ceiling())
    }

    /// What would make true what is above the law's bound.
    fn leeway(&self, row: &Row) -> String {
        let bound = self.confirmation();
        if row.success_percent.is_some() || !self.counts_failed {
            return format!("{bound}; in a part of the run more may end: needs requests, the longest, and that none failed");
        }
        let failed = (1.0 - self.most(1.0) / self.throughput.value()) * 100.0;
        format!("{bound}, unless {} % failed at once and count: what share succeeded is not told", amount(failed.max(0.0)))
    }

    fn confirmation(&self) -> String {
        format!("{} req/s; {}", self.throughput, self.ceiling())
    }
}

/// What waves leave of the law: below it for certain, or unless slow answers came together.
fn in_waves(law: &Law<'_>, level: &Level, about: String) -> Line {
    let throughput = law.throughput;
    let [certain, independent] = [level.most_rps(), level.most_rps_if_independent()];
    let slowest = format!("{throughput} req/s; each wave waits for its slowest");
    if throughput.interval().is_above(certain) {
        let why = format!("{slowest}: {} at most, however slow and fast are mixed", amount(certain));
        return Line::new(about, Verdict::Inconsistent, why);
    }
    if throughput.interval().is_above(independent) {
        let runs = grouped(waves::RUNS as f64);
        let why =
            format!("{slowest}: {} at most in {runs} simulated runs, unless slow answers came together", amount(independent));
        return Line::new(about, Verdict::Weak, why);
    }
    let most = independent.min(certain);
    let bound = if most.is_finite() { format!("{} at most", amount(most)) } else { "of which too little is told".to_owned() };
    Line::new(about, Verdict::Consistent, format!("{slowest}: {bound}"))
}

impl LoadClaims {
    /// Whether its figures are means over several measurements of a level.
    pub(super) fn has_repeats(&self) -> bool {
        self.repeats.is_some_and(|repeats| repeats > 1)
    }
}

impl Row {
    /// How it is called in a line.
    pub(super) fn about(&self) -> String {
        self.concurrency.map_or_else(|| "a level".to_owned(), |concurrency| format!("{} in flight", grouped(concurrency as f64)))
    }

    /// The share that succeeded, if it is told.
    pub(super) fn succeeded(&self) -> Option<Interval> {
        let share = self.success_percent.as_ref()?.interval().scaled(0.01);
        Some(Interval::new(share.low, share.high.min(1.0)))
    }

    /// Whether the printed share leaves no room for a single failure.
    fn all_succeeded(&self) -> bool {
        let told = self.requests.zip(self.succeeded());
        told.is_some_and(|(requests, share)| requests as f64 * (1.0 - share.low) < 1.0 - 1e-6)
    }
}
