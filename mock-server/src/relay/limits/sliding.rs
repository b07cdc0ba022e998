//! A window that ends now, wherever now is: in no period, whenever it begins, is more used than the limit.
//!
//! Every charge of the last period is kept, at 24 bytes each. A counter of two windows, weighted by how much of the older one is
//! still inside, would take less, but guesses when its charges were made, and so admits more than the limit or fewer.

use std::collections::VecDeque;
use std::time::Duration;

use super::Charge;

#[derive(Debug)]
pub(super) struct Sliding {
    limit: u64,
    period_ns: u64,
    /// Those of the last period, oldest first.
    charges: VecDeque<Kept>,
    /// Their sum.
    used: u64,
}

#[derive(Debug)]
struct Kept {
    /// Since the profile's start; 64 bits hold five centuries.
    at_ns: u64,
    id: u64,
    amount: u64,
}

impl Sliding {
    pub(super) fn new(limit: u64, period: Duration) -> Self {
        Self { limit, period_ns: nanoseconds(period), charges: VecDeque::new(), used: 0 }
    }

    pub(super) fn advance(&mut self, now: Duration) {
        let now = nanoseconds(now);
        while let Some(oldest) = self.charges.front().filter(|oldest| oldest.at_ns + self.period_ns <= now) {
            self.used -= oldest.amount;
            self.charges.pop_front();
        }
    }

    pub(super) fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn wait(&self, amount: u64, now: Duration) -> Duration {
        let mut excess = (self.used + amount).saturating_sub(self.limit);
        let mut wait = Duration::ZERO;
        for charge in &self.charges {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(charge.amount);
            wait = self.until_forgotten(charge, now);
        }
        wait
    }

    pub(super) fn reset(&self, now: Duration) -> Duration {
        let last = self.charges.iter().rfind(|charge| charge.amount > 0);
        last.map_or(Duration::ZERO, |last| self.until_forgotten(last, now))
    }

    pub(super) fn take(&mut self, charge: Charge, amount: u64) {
        self.charges.push_back(Kept { at_ns: nanoseconds(charge.at), id: charge.id, amount });
        self.used += amount;
    }

    pub(super) fn settle(&mut self, charge: Charge, back: u64) {
        // One that is not found was made more than a period ago.
        if let Ok(place) = self.charges.binary_search_by_key(&charge.id, |kept| kept.id) {
            self.charges[place].amount -= back;
            self.used -= back;
        }
    }

    fn until_forgotten(&self, charge: &Kept, now: Duration) -> Duration {
        Duration::from_nanos(charge.at_ns + self.period_ns) - now
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
