//! A token bucket: it holds as much as the limit, and is refilled evenly, the limit in a period.
//!
//! It is kept as what is missing in it, in shares: a share is what a period has nanoseconds to the one, so that the limit is also how
//! many shares are refilled in a nanosecond, and nothing is ever rounded.
//!
//! What a charge gives back may have been refilled already, and would then be there twice: more could be used than the limit and
//! what was refilled. Had the charge been smaller from the beginning, the bucket would have been full earlier, and refilled in vain.
//! So a charge gives back what was missing in the bucket at all times since it was made, at most; for this the least that was
//! missing is kept for each charge that is not settled.

use std::time::Duration;

use super::Charge;

#[derive(Debug)]
pub(super) struct Bucket {
    limit: u64,
    period_ns: u128,
    /// In shares, at most the limit.
    missing: u128,
    /// When that was.
    at: Duration,
    /// Charges that are not settled, oldest first. The least that was missing is no less for a later one.
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    id: u64,
    /// What was missing at the least, since the charge was made, when the bucket was last looked at.
    least: u128,
}

impl Bucket {
    pub(super) fn new(limit: u64, period: Duration) -> Self {
        Self { limit, period_ns: period.as_nanos(), missing: 0, at: Duration::ZERO, open: Vec::new() }
    }

    pub(super) fn advance(&mut self, now: Duration) {
        let refilled = u128::from(self.limit) * (now - self.at).as_nanos();
        self.missing = self.missing.saturating_sub(refilled);
        self.at = now;
    }

    pub(super) fn used(&self) -> u64 {
        // It is at most the limit.
        self.missing.div_ceil(self.period_ns) as u64
    }

    pub(super) fn wait(&self, amount: u64) -> Duration {
        let excess = (self.missing + self.shares(amount)).saturating_sub(self.shares(self.limit));
        self.refilling(excess)
    }

    pub(super) fn reset(&self) -> Duration {
        self.refilling(self.missing)
    }

    pub(super) fn take(&mut self, amount: u64) {
        self.observe();
        self.missing += self.shares(amount);
    }

    pub(super) fn reserve(&mut self, charge: Charge, amount: u64) {
        self.take(amount);
        self.open.push(Open { id: charge.id, least: u128::MAX });
    }

    pub(super) fn settle(&mut self, charge: Charge, back: u64) {
        let Ok(place) = self.open.binary_search_by_key(&charge.id, |open| open.id) else { return };
        self.observe();
        let least = self.open.remove(place).least;
        let back = least.min(self.shares(back));
        self.missing -= back;
        // The others see a bucket from which that was never taken: earlier ones from when it was, later ones from their beginning.
        let (earlier, later) = self.open.split_at_mut(place);
        earlier.iter_mut().rev().for_each(|open| open.least = open.least.min(least - back));
        later.iter_mut().for_each(|open| open.least -= back);
    }

    /// What is missing is least just before a charge, and now.
    fn observe(&mut self) {
        let missing = self.missing;
        let concerned = self.open.iter_mut().rev().take_while(|open| open.least > missing);
        concerned.for_each(|open| open.least = missing);
    }

    fn shares(&self, amount: u64) -> u128 {
        u128::from(amount) * self.period_ns
    }

    fn refilling(&self, shares: u128) -> Duration {
        // At most the limit is missing, which takes a period.
        Duration::from_nanos(shares.div_ceil(u128::from(self.limit)) as u64)
    }
}
