//! What is counted of all attempts that ended, kept or not.

use std::sync::Arc;

use super::{Ending, Entry, FaultOutcome, PlannedFault};

/// Counts, under the lock that recording an entry takes anyway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    kinds: Vec<(Kind, u64)>,
    faults: Vec<(PlannedFault, u64)>,
    lateness: Lateness,
}

/// What is counted apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) model: Option<Arc<str>>,
    pub(crate) status: Option<u16>,
    pub(crate) ending: Ending,
}

/// How much later than due answers were written to their end, as a histogram.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lateness {
    /// As many as [`Self::BOUNDS_NS`], and one for what is beyond.
    buckets: [u64; Lateness::BOUNDS_NS.len() + 1],
    pub(crate) sum_ns: u64,
}

impl Totals {
    pub(super) fn count(&mut self, entry: &Entry) {
        let is_same = |kind: &Kind| kind.status == entry.status && kind.ending == entry.ending && kind.model == entry.model;
        match self.kinds.iter_mut().find(|(kind, _)| is_same(kind)) {
            Some((_, count)) => *count += 1,
            None => self.kinds.push((Kind { model: entry.model.clone(), status: entry.status, ending: entry.ending }, 1)),
        }
        if let Some(fault) = entry.fault {
            self.count_fault(fault);
        }
        // A fault that was played may hold an answer back, as planned.
        let is_played = entry.fault.as_ref().is_some_and(|fault| fault.outcome == FaultOutcome::Played);
        if let (Some(written), Some(due), false) = (entry.end_written_ns, entry.due_end_ns, is_played) {
            self.lateness.count(written.saturating_sub(due));
        }
    }

    pub(super) fn count_fault(&mut self, fault: PlannedFault) {
        match self.faults.iter_mut().find(|(counted, _)| *counted == fault) {
            Some((_, count)) => *count += 1,
            None => self.faults.push((fault, 1)),
        }
    }

    /// How often each fault came to each outcome.
    pub(crate) fn faults(&self) -> &[(PlannedFault, u64)] {
        &self.faults
    }

    /// How many attempts of each kind.
    pub(crate) fn kinds(&self) -> &[(Kind, u64)] {
        &self.kinds
    }

    pub(crate) fn lateness(&self) -> &Lateness {
        &self.lateness
    }
}

impl Lateness {
    /// From 10 µs, about what a timer takes, to 100 ms, in steps of 2 to 2.5.
    pub(crate) const BOUNDS_NS: [u64; 13] = [
        10_000,
        25_000,
        50_000,
        100_000,
        250_000,
        500_000,
        1_000_000,
        2_500_000,
        5_000_000,
        10_000_000,
        25_000_000,
        50_000_000,
        100_000_000,
    ];

    fn count(&mut self, late_ns: u64) {
        self.buckets[Self::BOUNDS_NS.partition_point(|bound| *bound < late_ns)] += 1;
        self.sum_ns = self.sum_ns.saturating_add(late_ns);
    }

    /// Each bound with how many were at most so late, and how many there were in all.
    pub(crate) fn cumulative(&self) -> (impl Iterator<Item = (u64, u64)>, u64) {
        let running = self.buckets.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        (Self::BOUNDS_NS.into_iter().zip(running), self.buckets.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fault_holds_back_is_not_late() {
        use crate::profile::FaultName;

        let mut totals = Totals::default();
        let entry = Entry { end_written_ns: Some(2_000_000_000), due_end_ns: Some(5), ..Entry::default() };
        for outcome in [FaultOutcome::Played, FaultOutcome::NeedsStream] {
            let fault = Some(PlannedFault { name: FaultName::SlowHeaders, outcome });
            totals.count(&Entry { fault, ..entry.clone() });
        }
        totals.count(&entry);
        assert_eq!((totals.lateness().cumulative().1, totals.kinds()[0].1), (2, 3));
    }

    #[test]
    fn a_lateness_falls_into_the_first_bucket_that_holds_it() {
        let mut lateness = Lateness::default();
        for late_ns in [0, 10_000, 10_001, 1_000_000_000] {
            lateness.count(late_ns);
        }
        let (buckets, all) = lateness.cumulative();
        let buckets: Vec<_> = buckets.collect();
        assert_eq!((buckets[0], buckets[1], buckets[12], all), ((10_000, 2), (25_000, 3), (100_000_000, 3), 4));
        assert_eq!(lateness.sum_ns, 1_000_020_001);
    }
}
