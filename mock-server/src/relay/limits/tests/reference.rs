//! The same answers from the definitions alone, slowly: everything that was ever used is kept, and gone through for each question.

use std::time::Duration;

use super::Who;
use crate::profile::{LimitWindow, Limits};
use crate::relay::limits::{Cost, LimitReached, RATES, Resource, Standing};

/// Something that was used, or may yet be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    pub(super) who: Who,
    pub(super) cost: Cost,
    number: usize,
    at: Duration,
    is_open: bool,
}

pub(super) struct Reference {
    limits: Limits,
    charges: Vec<Charge>,
}

impl Reference {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, charges: Vec::new() }
    }

    pub(super) fn admit(&mut self, who: Who, cost: Cost, now: Duration) -> Result<Charge, LimitReached> {
        let mut longest: Option<LimitReached> = None;
        let mut longest_wait = Duration::ZERO;
        for (limit, (resource, period)) in self.rates(who) {
            let requested = cost.of(resource);
            if requested > limit {
                return Err(LimitReached::TooLarge { resource, period, limit, requested });
            }
            let rule =
                Rule { limit, period: period.duration(), charges: self.charges(who, resource), window: self.limits.window };
            let wait = rule.first(now, |rule, at| rule.fits(requested, at));
            if wait > longest_wait {
                longest_wait = wait;
                let used = limit - rule.remaining(now);
                longest = Some(LimitReached::Rate { resource, period, limit, used, requested, wait });
            }
        }
        if let Some(reached) = longest {
            return Err(reached);
        }
        let caps = self.limits.caps(who.caller(), who.model);
        let open = self.of(who).filter(|charge| charge.is_open).count();
        if let Some(limit) = caps.concurrency.filter(|limit| open >= *limit as usize) {
            return Err(LimitReached::Concurrency { limit });
        }
        let charge = Charge { who, cost, number: self.charges.len(), at: now, is_open: true };
        self.charges.push(charge);
        Ok(charge)
    }

    pub(super) fn settle(&mut self, charge: Charge, cost: Cost) {
        self.charges[charge.number] = Charge { cost, is_open: false, ..charge };
    }

    pub(super) fn standings(&self, who: Who, now: Duration) -> Vec<Standing> {
        let standing = |(limit, (resource, period)): (u64, (Resource, super::Period))| {
            let rule =
                Rule { limit, period: period.duration(), charges: self.charges(who, resource), window: self.limits.window };
            let reset = rule.first(now, |rule, at| rule.missing(at) == 0);
            Standing { resource, period, limit, remaining: rule.remaining(now), reset }
        };
        self.rates(who).into_iter().map(standing).collect()
    }

    fn rates(&self, who: Who) -> Vec<(u64, (Resource, super::Period))> {
        let caps = self.limits.caps(who.caller(), who.model);
        caps.rates.into_iter().zip(RATES).filter_map(|(limit, rate)| Some((limit?, rate))).collect()
    }

    fn of(&self, who: Who) -> impl Iterator<Item = &Charge> {
        let is_same = move |charge: &&Charge| {
            let same_key = !self.limits.per_key || charge.who.key == who.key;
            same_key && (!self.limits.per_model || charge.who.model == who.model)
        };
        self.charges.iter().filter(is_same)
    }

    fn charges(&self, who: Who, resource: Resource) -> Vec<(Duration, u64)> {
        self.of(who).map(|charge| (charge.at, charge.cost.of(resource))).collect()
    }
}

struct Rule {
    limit: u64,
    period: Duration,
    window: LimitWindow,
    charges: Vec<(Duration, u64)>,
}

impl Rule {
    /// What is missing of the limit at an instant, times the period in nanoseconds.
    fn missing(&self, now: Duration) -> u128 {
        let period = self.period.as_nanos();
        let sum = |counts: &dyn Fn(Duration) -> bool| -> u128 {
            self.charges.iter().filter(|(at, _)| counts(*at)).map(|(_, amount)| u128::from(*amount) * period).sum()
        };
        match self.window {
            LimitWindow::Fixed => sum(&|at| at.as_nanos() / period == now.as_nanos() / period),
            LimitWindow::Sliding => sum(&|at| at + self.period > now),
            LimitWindow::Bucket => {
                let refilled = |time: Duration| u128::from(self.limit) * time.as_nanos();
                let (missing, since) = self.charges.iter().fold((0_u128, Duration::ZERO), |(missing, since), (at, amount)| {
                    (missing.saturating_sub(refilled(*at - since)) + u128::from(*amount) * period, *at)
                });
                missing.saturating_sub(refilled(now - since))
            }
        }
    }

    fn fits(&self, amount: u64, at: Duration) -> bool {
        self.missing(at) + u128::from(amount) * self.period.as_nanos() <= u128::from(self.limit) * self.period.as_nanos()
    }

    /// The most that would fit.
    fn remaining(&self, now: Duration) -> u64 {
        (0..=self.limit).rev().find(|amount| self.fits(*amount, now)).unwrap()
    }

    /// How long it takes until something holds that then holds for ever, and holds after a period at the latest.
    fn first(&self, now: Duration, holds: impl Fn(&Self, Duration) -> bool) -> Duration {
        let (mut too_short, mut enough) = (None, self.period.as_nanos() as u64);
        loop {
            let tried = too_short.map_or(0, |short: u64| short.midpoint(enough));
            if too_short == Some(tried) {
                return Duration::from_nanos(enough);
            }
            if holds(self, now + Duration::from_nanos(tried)) {
                enough = tried;
                if tried == 0 {
                    return Duration::ZERO;
                }
            } else {
                too_short = Some(tried);
            }
        }
    }
}
