//! What those have used who share limits.

use std::time::Duration;

use super::meter::Meter;
use super::{Charge, LimitReached, RATES, Resource, Standing};
use crate::profile::{Caps, LimitWindow};

#[derive(Debug)]
pub(super) struct Account {
    /// In the order of [`RATES`]; none where there is no limit.
    meters: [Option<Meter>; RATES.len()],
    concurrency: Option<u32>,
    /// How many are admitted and not settled.
    open: u32,
    next_id: u64,
}

impl Account {
    pub(super) fn new(window: LimitWindow, caps: &Caps) -> Self {
        let meter = |which: usize| Some(Meter::new(window, caps.rates[which]?, RATES[which].1));
        Self { meters: std::array::from_fn(meter), concurrency: caps.concurrency, open: 0, next_id: 0 }
    }

    pub(super) fn admit(&mut self, tokens: u64, now: Duration) -> Result<Charge, LimitReached> {
        self.advance(now);
        self.refusal(tokens, now).map_or(Ok(()), Err)?;
        let charge = Charge { id: self.next_id, at: now, tokens };
        for (meter, (resource, _)) in self.meters() {
            match resource {
                Resource::Requests => meter.take(charge, 1),
                Resource::Tokens => meter.reserve(charge),
            }
        }
        self.next_id += 1;
        self.open += 1;
        Ok(charge)
    }

    /// Why there is not enough; of several reasons the one that lasts longest, since a retry is to be admitted after it.
    fn refusal(&self, tokens: u64, now: Duration) -> Option<LimitReached> {
        let mut longest: Option<(Duration, LimitReached)> = None;
        for (meter, (resource, period)) in self.meters.iter().zip(RATES) {
            let Some(meter) = meter else { continue };
            let requested = if resource == Resource::Requests { 1 } else { tokens };
            let limit = meter.limit();
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

    pub(super) fn wait(&mut self, tokens: u64, now: Duration) -> Duration {
        self.advance(now);
        match self.refusal(tokens, now) {
            Some(LimitReached::Rate { wait, .. }) => wait,
            _ => Duration::ZERO,
        }
    }

    pub(super) fn settle(&mut self, charge: Charge, used_tokens: u64, now: Duration) {
        self.advance(now);
        for (meter, (resource, _)) in self.meters() {
            if resource == Resource::Tokens {
                meter.settle(charge, used_tokens.min(charge.tokens));
            }
        }
        self.open -= 1;
    }

    pub(super) fn standings(&mut self, now: Duration) -> Vec<Standing> {
        self.advance(now);
        let standing = |(meter, (resource, period)): (&mut Meter, _)| {
            let limit = meter.limit();
            Standing { resource, period, limit, remaining: limit - meter.used(), reset: meter.reset(now) }
        };
        self.meters().map(standing).collect()
    }

    /// Whether a new account would be the same.
    pub(super) fn is_untouched(&mut self, now: Duration) -> bool {
        self.advance(now);
        self.open == 0 && self.meters().all(|(meter, _)| meter.is_untouched())
    }

    fn advance(&mut self, now: Duration) {
        self.meters().for_each(|(meter, _)| meter.advance(now));
    }

    fn meters(&mut self) -> impl Iterator<Item = (&mut Meter, (Resource, super::Period))> {
        self.meters.iter_mut().zip(RATES).filter_map(|(meter, rate)| Some((meter.as_mut()?, rate)))
    }
}
