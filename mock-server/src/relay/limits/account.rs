//! What those have used who share limits.

use std::time::Duration;

use super::meter::Meter;
use super::{Charge, Cost, LimitReached, Period, RATES, Resource, Standing};
use crate::profile::{Caps, LimitWindow};

type Rate = (Resource, Period);

#[derive(Debug)]
pub(super) struct Account {
    /// Those that there are, in the order of [`RATES`].
    meters: Box<[(Meter, Rate)]>,
    concurrency: Option<u32>,
    /// How many are admitted and not settled.
    open: u32,
    next_id: u64,
}

impl Account {
    pub(super) fn new(window: LimitWindow, caps: &Caps) -> Self {
        let limited = caps.rates.into_iter().zip(RATES).filter_map(|(limit, rate)| Some((limit?, rate)));
        let meters = limited.map(|(limit, rate)| (Meter::new(window, limit, rate.1), rate)).collect();
        Self { meters, concurrency: caps.concurrency, open: 0, next_id: 0 }
    }

    pub(super) fn admit(&mut self, cost: Cost, now: Duration) -> Result<Charge, LimitReached> {
        self.advance(now);
        self.refusal(cost, now).map_or(Ok(()), Err)?;
        let charge = Charge { id: self.next_id, at: now, cost };
        for (meter, (resource, _)) in &mut self.meters {
            match resource {
                Resource::Requests => meter.take(charge, 1),
                tokens => meter.reserve(charge, cost.of(*tokens)),
            }
        }
        self.next_id += 1;
        self.open += 1;
        Ok(charge)
    }

    /// Why there is not enough; of several reasons the one that lasts longest, since a retry is to be admitted after it.
    fn refusal(&self, cost: Cost, now: Duration) -> Option<LimitReached> {
        let mut longest: Option<(Duration, LimitReached)> = None;
        for (meter, (resource, period)) in &self.meters {
            let (resource, period, limit, requested) = (*resource, *period, meter.limit(), cost.of(*resource));
            if requested > limit {
                return Some(LimitReached::TooLarge { resource, period, limit, requested });
            }
            let wait = meter.wait(requested, now);
            if wait > longest.map_or(Duration::ZERO, |(longest, _)| longest) {
                longest = Some((wait, LimitReached::Rate { resource, period, limit, used: meter.used(), requested, wait }));
            }
        }
        let crowded = self.concurrency.filter(|limit| self.open >= *limit);
        longest.map(|(_, reached)| reached).or(crowded.map(|limit| LimitReached::Concurrency { limit }))
    }

    pub(super) fn wait(&mut self, cost: Cost, now: Duration) -> Duration {
        self.advance(now);
        match self.refusal(cost, now) {
            Some(LimitReached::Rate { wait, .. }) => wait,
            _ => Duration::ZERO,
        }
    }

    pub(super) fn settle(&mut self, charge: Charge, used: Cost, now: Duration) {
        self.advance(now);
        for (meter, (resource, _)) in &mut self.meters {
            if *resource != Resource::Requests {
                let reserved = charge.cost.of(*resource);
                meter.settle(charge, reserved, used.of(*resource).min(reserved));
            }
        }
        self.open -= 1;
    }

    pub(super) fn standings(&mut self, now: Duration) -> Vec<Standing> {
        self.advance(now);
        let standing = |(meter, rate): &(Meter, Rate)| {
            let ((resource, period), limit) = (*rate, meter.limit());
            Standing { resource, period, limit, remaining: limit - meter.used(), reset: meter.reset(now) }
        };
        self.meters.iter().map(standing).collect()
    }

    /// Whether a new account would be the same.
    pub(super) fn is_untouched(&mut self, now: Duration) -> bool {
        self.advance(now);
        self.open == 0 && self.meters.iter().all(|(meter, _)| meter.is_untouched())
    }

    fn advance(&mut self, now: Duration) {
        self.meters.iter_mut().for_each(|(meter, _)| meter.advance(now));
    }
}
