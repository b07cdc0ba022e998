//! What happened when, in a bounded number of intervals.

use std::time::Duration;

use crate::stats::Histogram;

/// More than a plot of a stage can show apart, and with a histogram each (0.2 MB) little memory.
const MOST: usize = 128;
/// An interval is at first an eighth of a second, and doubles whenever there would be too many.
const SHORTEST: Duration = Duration::from_millis(125);

/// A stretch of a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Interval {
    /// Requests that ended in it and succeeded.
    pub(crate) succeeded: u64,
    /// Requests that ended in it and failed.
    pub(crate) failed: u64,
    /// The median latency of succeeded requests that ended in it; none where too few did.
    pub(crate) p50: Option<Duration>,
    /// The longest.
    pub(crate) max: Option<Duration>,
}

/// An interval that may still be added to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Open {
    succeeded: u64,
    failed: u64,
    all: Histogram,
    /// Of the steady window alone, which is what a report's latency is of.
    pub(crate) steady: Histogram,
}

/// Equal intervals from a stage's start, by when requests ended.
#[derive(Clone, Debug)]
pub(crate) struct Intervals {
    width: Duration,
    intervals: Vec<Open>,
}

impl Default for Intervals {
    fn default() -> Self {
        Self { width: SHORTEST, intervals: Vec::new() }
    }
}

impl Intervals {
    pub(super) fn succeeded(&mut self, ended: Duration, latency: Duration, is_steady: bool) {
        let interval = self.at(ended);
        interval.succeeded += 1;
        interval.all.record(latency);
        if is_steady {
            interval.steady.record(latency);
        }
    }

    pub(super) fn failed(&mut self, ended: Duration) {
        self.at(ended).failed += 1;
    }

    pub(crate) fn width(&self) -> Duration {
        self.width
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Open> {
        self.intervals.iter()
    }

    /// The intervals of a stage that lasted so long. Where less than half of the last is within the stage, the one before has it too: a
    /// request that ended in a millisecond is no rate of a thousand a second.
    pub(super) fn close(mut self, duration: Duration) -> Vec<Interval> {
        let last = self.intervals.len().saturating_sub(1);
        let within = duration.saturating_sub(self.width * last as u32);
        if last > 0 && within < self.width / 2 {
            let remainder = self.intervals.pop().unwrap_or_default();
            self.intervals[last - 1].merge(&remainder);
        }
        let close = |open: &Open| Interval {
            succeeded: open.succeeded,
            failed: open.failed,
            p50: open.all.quantile(0.5),
            max: open.all.max(),
        };
        self.intervals.iter().map(close).collect()
    }

    fn at(&mut self, ended: Duration) -> &mut Open {
        while self.place(ended) >= MOST {
            self.double();
        }
        let place = self.place(ended);
        if self.intervals.len() <= place {
            self.intervals.resize_with(place + 1, Open::default);
        }
        &mut self.intervals[place]
    }

    fn place(&self, ended: Duration) -> usize {
        usize::try_from(ended.as_nanos() / self.width.as_nanos()).unwrap_or(usize::MAX)
    }

    fn double(&mut self) {
        self.width *= 2;
        let mut old = std::mem::take(&mut self.intervals).into_iter();
        while let Some(mut first) = old.next() {
            if let Some(second) = old.next() {
                first.merge(&second);
            }
            self.intervals.push(first);
        }
    }
}

impl Open {
    fn merge(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.all.merge(&other.all);
        self.steady.merge(&other.steady);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_long_stage_has_as_few_intervals_as_a_short_one_and_loses_nothing() {
        for requests in [10, 1_000, 100_000_u32] {
            let mut intervals = Intervals::default();
            for request in 0..requests {
                intervals.succeeded(20 * MS * request, MS * (request % 10 + 1), request >= 5);
                if request % 100 == 7 {
                    intervals.failed(20 * MS * request);
                }
            }
            assert!(intervals.intervals.len() <= MOST, "{}", intervals.intervals.len());
            let count = |of: fn(&Open) -> u64| intervals.iter().map(of).sum::<u64>();
            assert_eq!(count(|open| open.succeeded), u64::from(requests));
            assert_eq!(count(|open| open.steady.len()), u64::from(requests - 5));
            assert_eq!(count(|open| open.failed), u64::from(requests / 100 + u32::from(requests % 100 > 7)));
        }
    }

    #[test]
    fn an_interval_says_what_ended_in_it() {
        let mut intervals = Intervals::default();
        (1..=20).for_each(|ms| intervals.succeeded(SHORTEST, MS * ms, true));
        intervals.failed(Duration::ZERO);
        let closed = intervals.clone().close(2 * SHORTEST);
        assert_eq!((closed.len(), closed[0].failed, closed[0].max), (2, 1, None));
        assert_eq!((closed[1].succeeded, closed[1].max), (20, Some(20 * MS)));
        assert_eq!(closed[1].p50.map(|p50| p50.as_millis()), Some(10));
        let closed = intervals.close(SHORTEST + MS);
        assert_eq!((closed.len(), closed[0].succeeded, closed[0].failed), (1, 20, 1), "a millisecond is no interval");
    }
}
