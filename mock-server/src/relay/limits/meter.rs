//! How much of one limit is used, by whichever rule.

use std::time::Duration;

use super::bucket::Bucket;
use super::fixed::Fixed;
use super::sliding::Sliding;
use super::{Charge, Period};
use crate::profile::LimitWindow;

/// One limit and what is used of it. Whoever asks has [advanced](Self::advance) it to now.
#[derive(Debug)]
pub(super) struct Meter {
    limit: u64,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    Bucket(Bucket),
    Fixed(Fixed),
    Sliding(Sliding),
}

impl Meter {
    pub(super) fn new(window: LimitWindow, limit: u64, period: Period) -> Self {
        let period = period.duration();
        let rule = match window {
            LimitWindow::Bucket => Rule::Bucket(Bucket::new(limit, period)),
            LimitWindow::Fixed => Rule::Fixed(Fixed::new(limit, period)),
            LimitWindow::Sliding => Rule::Sliding(Sliding::new(limit, period)),
        };
        Self { limit, rule }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Lets happen what time does by itself.
    pub(super) fn advance(&mut self, now: Duration) {
        match &mut self.rule {
            Rule::Bucket(bucket) => bucket.advance(now),
            Rule::Fixed(fixed) => fixed.advance(now),
            Rule::Sliding(sliding) => sliding.advance(now),
        }
    }

    /// How much is used, in whole ones, begun ones included; at most the limit.
    pub(super) fn used(&self) -> u64 {
        match &self.rule {
            Rule::Bucket(bucket) => bucket.used(),
            Rule::Fixed(fixed) => fixed.used(),
            Rule::Sliding(sliding) => sliding.used(),
        }
    }

    /// How long until there is room for so much, which is at most the limit. Zero when there is.
    pub(super) fn wait(&self, amount: u64, now: Duration) -> Duration {
        match &self.rule {
            Rule::Bucket(bucket) => bucket.wait(amount),
            Rule::Fixed(fixed) => fixed.wait(amount, now),
            Rule::Sliding(sliding) => sliding.wait(amount, now),
        }
    }

    /// How long until nothing is used.
    pub(super) fn reset(&self, now: Duration) -> Duration {
        match &self.rule {
            Rule::Bucket(bucket) => bucket.reset(),
            Rule::Fixed(fixed) => fixed.reset(now),
            Rule::Sliding(sliding) => sliding.reset(now),
        }
    }

    pub(super) fn is_untouched(&self) -> bool {
        self.used() == 0
    }

    /// Uses up so much, for good.
    pub(super) fn take(&mut self, charge: Charge, amount: u64) {
        match &mut self.rule {
            Rule::Bucket(bucket) => bucket.take(amount),
            Rule::Fixed(fixed) => fixed.take(amount),
            Rule::Sliding(sliding) => sliding.take(charge, amount),
        }
    }

    /// Uses up so much, some of which may come back.
    pub(super) fn reserve(&mut self, charge: Charge, amount: u64) {
        match &mut self.rule {
            Rule::Bucket(bucket) => bucket.reserve(charge, amount),
            Rule::Fixed(fixed) => fixed.take(amount),
            Rule::Sliding(sliding) => sliding.take(charge, amount),
        }
    }

    /// From now on it is as if the charge had been `used` from the beginning, which is at most what was `reserved`.
    pub(super) fn settle(&mut self, charge: Charge, reserved: u64, used: u64) {
        let back = reserved - used;
        match &mut self.rule {
            Rule::Bucket(bucket) => bucket.settle(charge, back),
            Rule::Fixed(fixed) => fixed.settle(charge, back),
            Rule::Sliding(sliding) => sliding.settle(charge, back),
        }
    }
}
